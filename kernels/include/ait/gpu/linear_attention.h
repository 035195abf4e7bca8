#pragma once
// Linear attention, a recurrence over the steps: ../linear_attention.h for the device.
#include "../linear_attention_shape.h"
#include "device.h"

namespace ait::gpu {

/// A block computes kColumns columns of the state of one key head, block_y saying which: they depend on
/// nothing else. Its kThreads / kColumns parts share the rows. Dynamic shared memory holds the columns.
template <int kColumns, int kThreads, class T, class S>
AIT_DEVICE void linear_attention(const LinearAttentionShape& s, const T* q, const T* k, const T* v,
                                 const S* past, const T* decay, const T* beta, T* y, S* present) {
  constexpr int kParts = kThreads / kColumns;
  const int column = thread() % kColumns, part = thread() / kColumns;
  float* state = reinterpret_cast<float*>(dynamic_shared()) + column;
  AIT_SHARED float partial[kParts][kColumns];
  const int64_t m = int64_t{block_y()} * kColumns + column;
  const int64_t item = block_x(), b = item / s.key_heads, h = item % s.key_heads;
  const int64_t group = s.query_heads / s.key_heads;
  const int key = static_cast<int>(s.key);
  const bool inside = m < s.value;
  const auto total = [&](float x) {
    partial[part][column] = x;
    barrier();
    float sum = 0;
    AIT_UNROLL
    for (int i = 0; i < kParts; i++) sum += partial[i][column];
    barrier();
    return sum;
  };
  for (int d = part; d < key; d += kParts)
    state[d * kColumns] = past && inside ? to_f32(past[(item * s.key + d) * s.value + m]) : 0.f;
  for (int64_t t = 0; t < s.steps; t++) {
    const int64_t at = b * s.steps + t;
    const T* keys = k + (at * s.key_heads + h) * s.key;
    if (s.decay > 0) {
      const int64_t per_head = s.decay / s.key_heads;
      const T* fades = decay + at * s.decay + h * per_head;
      for (int d = part; d < key; d += kParts)
        state[d * kColumns] *= expf(to_f32(fades[per_head == 1 ? 0 : d % per_head]));
    }
    float known = 0, weight = 1;
    if (s.beta > 0) {
      for (int d = part; d < key; d += kParts) known += state[d * kColumns] * to_f32(keys[d]);
      known = total(known);
      weight = to_f32(beta[at * s.beta + h % s.beta]);
    }
    const float value = inside ? to_f32(v[(at * s.key_heads + h) * s.value + m]) : 0.f;
    const float written = weight * (value - known);
    for (int d = part; d < key; d += kParts) state[d * kColumns] += to_f32(keys[d]) * written;
    for (int64_t g = 0; g < group; g++) {
      const int64_t head = at * s.query_heads + h * group + g;
      float sum = 0;
      for (int d = part; d < key; d += kParts) sum += to_f32(q[head * s.key + d]) * state[d * kColumns];
      sum = total(sum);
      if (part == 0 && inside) y[head * s.value + m] = from_f32<T>(s.scale * sum);
    }
  }
  if (!inside) return;
  for (int d = part; d < key; d += kParts)
    present[(item * s.key + d) * s.value + m] = from_f32<S>(state[d * kColumns]);
}

}  // namespace ait::gpu
