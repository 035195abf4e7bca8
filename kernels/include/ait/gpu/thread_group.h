#pragma once
// Groups of neighbouring threads that merge what each of them has.
#include "device.h"

namespace ait::gpu {

/// Merges the states of each group of kGroup neighbouring threads, a power of two. A group larger than a warp
/// must be the whole block, and all of its threads get the same state; of a smaller one the first thread's
/// counts where merging is not symmetric to the last bit.
template <class Op, int kGroup>
AIT_DEVICE void merge_group(typename Op::State& s) {
  using State = typename Op::State;
  AIT_UNROLL
  for (int mask = 1; mask < (kGroup < kWarp ? kGroup : kWarp); mask *= 2) {
    Op::merge(s, shuffle_xor(s, mask));
  }
  if constexpr (kGroup > kWarp) {
    AIT_SHARED State per_warp[kGroup / kWarp];
    if (lane() == 0) per_warp[warp()] = s;
    barrier();
    s = per_warp[0];
    for (int w = 1; w < kGroup / kWarp; w++) Op::merge(s, per_warp[w]);
    barrier();
  }
}

struct MaxFloatOp {
  using State = float;
  AIT_DEVICE static void merge(float& s, float t) { s = fmaxf(s, t); }
};
struct SumFloatOp {
  using State = float;
  AIT_DEVICE static void merge(float& s, float t) { s += t; }
};

template <int kGroup>
AIT_DEVICE float group_max(float x) {
  merge_group<MaxFloatOp, kGroup>(x);
  return x;
}
template <int kGroup>
AIT_DEVICE float group_sum(float x) {
  merge_group<SumFloatOp, kGroup>(x);
  return x;
}

}  // namespace ait::gpu
