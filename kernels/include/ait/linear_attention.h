#pragma once
#include "context.h"
#include "linear_attention_shape.h"
#include "math.h"

// Linear attention: a recurrence over the steps, its state one matrix for each key head.
namespace ait {

/// q, k, v and y are [batch][step][head][size]; states are [batch][key head][key][value]. Sums in f32.
template <class T, class S>
inline void linear_attention(Context& ctx, const LinearAttentionShape& s, const T* q, const T* k, const T* v,
                             const S* past, const T* decay, const T* beta, T* y, S* present) {
  const int64_t size = s.key * s.value;
  const int64_t group = s.query_heads / s.key_heads;
  parallel_for(ctx, s.batch * s.key_heads, 1, [&](int64_t begin, int64_t end) {
    auto* state = static_cast<float*>(thread_scratch(static_cast<size_t>(size + s.value) * sizeof(float)));
    float* row = state + size;
    for (int64_t item = begin; item < end; item++) {
      const int64_t b = item / s.key_heads, h = item % s.key_heads;
      for (int64_t i = 0; i < size; i++)
        state[i] = past == nullptr ? 0 : cast_to<float>(past[item * size + i]);
      for (int64_t t = 0; t < s.steps; t++) {
        const int64_t at = b * s.steps + t;
        const T* keys = k + (at * s.key_heads + h) * s.key;
        const T* values = v + (at * s.key_heads + h) * s.value;
        if (s.decay > 0) {
          const int64_t per_head = s.decay / s.key_heads;
          for (int64_t d = 0; d < s.key; d++) {
            const float fade = exp_(cast_to<float>(decay[at * s.decay + h * per_head + d % per_head]));
            for (int64_t m = 0; m < s.value; m++) state[d * s.value + m] *= fade;
          }
        }
        for (int64_t m = 0; m < s.value; m++) row[m] = 0;
        if (s.beta > 0) {
          for (int64_t d = 0; d < s.key; d++) {
            const float x = cast_to<float>(keys[d]);
            for (int64_t m = 0; m < s.value; m++) row[m] += state[d * s.value + m] * x;
          }
        }
        const float weight = s.beta > 0 ? cast_to<float>(beta[at * s.beta + h % s.beta]) : 1.f;
        for (int64_t m = 0; m < s.value; m++) row[m] = weight * (cast_to<float>(values[m]) - row[m]);
        for (int64_t d = 0; d < s.key; d++) {
          const float x = cast_to<float>(keys[d]);
          for (int64_t m = 0; m < s.value; m++) state[d * s.value + m] += x * row[m];
        }
        for (int64_t g = 0; g < group; g++) {
          const int64_t head = at * s.query_heads + h * group + g;
          for (int64_t m = 0; m < s.value; m++) row[m] = 0;
          for (int64_t d = 0; d < s.key; d++) {
            const float x = cast_to<float>(q[head * s.key + d]);
            for (int64_t m = 0; m < s.value; m++) row[m] += x * state[d * s.value + m];
          }
          for (int64_t m = 0; m < s.value; m++) y[head * s.value + m] = cast_to<T>(s.scale * row[m]);
        }
      }
      for (int64_t i = 0; i < size; i++) present[item * size + i] = cast_to<S>(state[i]);
    }
  });
}

}  // namespace ait
