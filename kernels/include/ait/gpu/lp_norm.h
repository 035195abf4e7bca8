#pragma once
#include "elements.h"
#include "thread_group.h"

// Division by norms of vectors, and by the neighbouring channels.
namespace ait::gpu {

/// Divides rows of n elements by their L1 or L2 norm, one a block; a norm of 0 gives 0.
template <int P, int kThreads, int kVec, class Load, class Store>
AIT_DEVICE void lp_norm_rows(int64_t n, const Load& load, const Store& store) {
  const int64_t at = block_x() * n;
  float sum = 0;
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum += P == 1 ? fabsf(v[k]) : v[k] * v[k];
  }
  sum = group_sum<kThreads>(sum);
  const float norm = P == 1 ? sum : sqrtf(sum), by = norm == 0.f ? 0.f : 1.f / norm;
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] *= by;
    store(at + i, v);
  }
}

/// The same along the middle axis of [outer][axis][inner]: a thread for each outer and inner index.
template <int P, class Load, class Store>
AIT_DEVICE void lp_norm_columns(int64_t outer, int64_t axis, int64_t inner, const Load& load,
                                const Store& store) {
  const int64_t u = int64_t{block_x()} * threads() + thread();
  if (u >= outer * inner) return;
  const int64_t at = u / inner * axis * inner + u % inner;
  float sum = 0;
  for (int64_t i = 0; i < axis; i++) {
    float v[1];
    load(v, at + i * inner);
    sum += P == 1 ? fabsf(v[0]) : v[0] * v[0];
  }
  const float norm = P == 1 ? sum : sqrtf(sum), by = norm == 0.f ? 0.f : 1.f / norm;
  for (int64_t i = 0; i < axis; i++) {
    float v[1];
    load(v, at + i * inner);
    v[0] *= by;
    store(at + i * inner, v);
  }
}

/// x / (bias + alpha / size * sum of squares of the neighbours among the channels)^beta, a thread an element
/// of [batch][channels][space].
template <class Load, class Store>
AIT_DEVICE void local_response_norm(int64_t batch, int64_t channels, int64_t space, int64_t size, float alpha,
                                    float beta, float bias, const Load& load, const Store& store) {
  const int64_t u = int64_t{block_x()} * threads() + thread();
  if (u >= batch * channels * space) return;
  const int64_t c = u / space % channels, before = (size - 1) / 2, after = size - 1 - before;
  const int64_t first = c < before ? -c : -before, last = c + after < channels ? after : channels - 1 - c;
  float squares = 0, v[1];
  for (int64_t j = first; j <= last; j++) {
    load(v, u + j * space);
    squares += v[0] * v[0];
  }
  const float base = squares * (alpha / static_cast<float>(size)) + bias;
  load(v, u);
  if (beta == 0.75f) {
    const float half = sqrtf(base);
    v[0] /= half * sqrtf(half);
  } else {
    v[0] /= powf(base, beta);
  }
  store(u, v);
}

}  // namespace ait::gpu
