#pragma once
#include "device.h"

// Mean and variance of many elements, from deviations about one of them, merged pairwise.
namespace ait::gpu {

/// Number, mean and squared deviations of some elements.
struct Moments {
  float n, mean, squares;
};

/// Sums of what one thread sees in kVec neighbouring places, less the first element of each, so that a mean
/// far from zero cancels nothing.
template <int kVec>
struct ShiftedSums {
  float base[kVec] = {}, sum[kVec] = {}, squares[kVec] = {};
  int n = 0;
  AIT_DEVICE void add(const float (&x)[kVec]) {
    const bool first = n++ == 0;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      base[k] = first ? x[k] : base[k];
      const float d = x[k] - base[k];
      sum[k] += d;
      squares[k] += d * d;
    }
  }
  AIT_DEVICE Moments moments(int k) const {
    if (n == 0) return {0.f, 0.f, 0.f};
    const auto count = static_cast<float>(n);
    const float mean = sum[k] / count;
    return {count, base[k] + mean, fmaxf(squares[k] - sum[k] * mean, 0.f)};
  }
};

/// The moments of what `count` moments describe, by each kLanes neighbouring lanes; `at(i)` gives the i-th,
/// the first of which describes something. Every one of the lanes gets them.
template <int kLanes = kWarp, class At>
AIT_DEVICE Moments joined_moments(int count, const At& at) {
  // Reads that are under way together.
  constexpr int kReads = 4;
  const float base = count > 0 ? at(0).mean : 0.f;
  float n = 0, sum = 0, spread = 0, squares = 0;
  for (int i = lane() % kLanes; i < count; i += kReads * kLanes) {
    Moments m[kReads];
    AIT_UNROLL
    for (int u = 0; u < kReads; u++) m[u] = at(i + u * kLanes < count ? i + u * kLanes : i);
    AIT_UNROLL
    for (int u = 0; u < kReads; u++) {
      const float weight = i + u * kLanes < count ? m[u].n : 0.f, d = m[u].mean - base;
      n += weight;
      sum += weight * d;
      spread += weight * d * d;
      squares += weight == 0.f ? 0.f : m[u].squares;
    }
  }
  n = warp_reduce<kLanes>(n, Sum{});
  sum = warp_reduce<kLanes>(sum, Sum{});
  spread = warp_reduce<kLanes>(spread, Sum{});
  squares = warp_reduce<kLanes>(squares, Sum{});
  const float mean = n == 0.f ? 0.f : sum / n;
  return {n, base + mean, squares + fmaxf(spread - sum * mean, 0.f)};
}

}  // namespace ait::gpu
