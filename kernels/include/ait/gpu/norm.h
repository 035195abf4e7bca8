#pragma once
// Normalisation of rows. Statistics are computed in float, in two passes over a row that a group of threads
// holds or reads again.
#include "elements.h"
#include "thread_group.h"

namespace ait::gpu {

/// A parameter that is not there.
struct Nothing {};

template <int N, class P>
AIT_DEVICE void scale_by(float (&v)[N], const P& p, int64_t i) {
  if constexpr (!kSame<P, Nothing>) {
    float s[N];
    p(s, i);
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] *= s[k];
  }
}
template <int N, class P>
AIT_DEVICE void shift_by(float (&v)[N], const P& p, int64_t i) {
  if constexpr (!kSame<P, Nothing>) {
    float s[N];
    p(s, i);
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] += s[k];
  }
}

AIT_DEVICE float inverse_root(float variance, float epsilon) { return 1.f / sqrtf(variance + epsilon); }

struct NoStatistics {
  AIT_DEVICE void operator()(int64_t, float, float) const {}
};
struct KeepStatistics {
  float* mean;
  float* inverse;
  AIT_DEVICE void operator()(int64_t row, float m, float s) const { mean[row] = m, inverse[row] = s; }
};

/// A parameter's share of a row, read before it is needed.
template <int kItems, int kVec>
struct HeldParameter {
  float v[kItems][kVec];
  template <class P>
  AIT_DEVICE void take(const P& p, int j, int i) {
    if constexpr (!kSame<P, Nothing>) p(v[j], i);
  }
};

/// Layer normalisation, or with kCentre false RMS normalisation, of rows of n elements that kGroup threads
/// hold (see softmax_rows). Everything is read at once, so that a row costs one trip to memory: beyond its
/// end a thread reads its beginning again.
template <bool kCentre, int kGroup, int kItems, int kVec, class Load, class Scale, class Bias, class Store,
          class Statistics>
AIT_DEVICE void norm_rows(int64_t rows, int n, float epsilon, const Load& load, const Scale& scale,
                          const Bias& bias, const Store& store, const Statistics& keep) {
  const int t = thread() % kGroup;
  const int64_t own = int64_t{block_x()} * (threads() / kGroup) + thread() / kGroup;
  const int64_t row = own < rows ? own : rows - 1, at = row * n;
  if (n == 0) return;
  float v[kItems][kVec];
  HeldParameter<kItems, kVec> scales, biases;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    load(v[j], at + (i < n ? i : 0));
  }
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    scales.take(scale, j, i < n ? i : 0);
    biases.take(bias, j, i < n ? i : 0);
  }
  float sum = 0;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const bool inside = (j * kGroup + t) * kVec < n;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum += inside ? v[j][k] : 0.f;
  }
  const float mean = kCentre ? group_sum<kGroup>(sum) / static_cast<float>(n) : 0.f;
  float squares = 0;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const bool inside = (j * kGroup + t) * kVec < n;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      v[j][k] -= mean;
      squares += inside ? v[j][k] * v[j][k] : 0.f;
    }
  }
  const float by = inverse_root(group_sum<kGroup>(squares) / static_cast<float>(n), epsilon);
  if (own >= rows) return;
  if (t == 0) keep(row, mean, by);
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    if (i >= n) continue;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      v[j][k] *= by;
      if constexpr (!kSame<Scale, Nothing>) v[j][k] *= scales.v[j][k];
      if constexpr (!kSame<Bias, Nothing>) v[j][k] += biases.v[j][k];
    }
    store(at + i, v[j]);
  }
}

/// The mean of f(x) over n elements from `at` on, by a block.
template <int kThreads, int kVec, class Load, class F>
AIT_DEVICE float mean_over(int64_t at, int64_t n, const Load& load, const F& f) {
  float sum[kVec] = {};
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum[k] += f(v[k]);
  }
  AIT_UNROLL
  for (int k = 1; k < kVec; k++) sum[0] += sum[k];
  return group_sum<kThreads>(sum[0]) / static_cast<float>(n);
}

/// The same for rows of any length, one a block.
template <bool kCentre, int kThreads, int kVec, class Load, class Scale, class Bias, class Store,
          class Statistics>
AIT_DEVICE void norm_long_rows(int64_t n, float epsilon, const Load& load, const Scale& scale,
                               const Bias& bias, const Store& store, const Statistics& keep) {
  const int64_t row = block_x(), at = row * n;
  float mean = 0;
  if (kCentre) mean = mean_over<kThreads, kVec>(at, n, load, [](float x) { return x; });
  const float variance =
      mean_over<kThreads, kVec>(at, n, load, [&](float x) { return (x - mean) * (x - mean); });
  const float by = inverse_root(variance, epsilon);
  if (thread() == 0) keep(row, mean, by);
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = (v[k] - mean) * by;
    scale_by(v, scale, i);
    shift_by(v, bias, i);
    store(at + i, v);
  }
}

}  // namespace ait::gpu
