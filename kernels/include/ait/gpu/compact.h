#pragma once
#include "device.h"

// Elements for which something holds, in their order: chunks of a tensor are counted, the counts summed up,
// and then each such element is told its place.
namespace ait::gpu {

template <class T>
AIT_DEVICE bool is_set(T x) {
  return x != T(0);
}
AIT_DEVICE bool is_set(f16 x) { return (x.bits & 0x7fff) != 0; }
AIT_DEVICE bool is_set(bf16 x) { return (x.bits & 0x7fff) != 0; }

/// How many of the block's threads before this one say yes; `total` gets how many there are in all. `counts`
/// is shared memory for an element per warp and may be used again at once.
AIT_DEVICE int rank_of(bool yes, int* counts, int& total) {
  const LaneMask all = ballot(yes);
  int rank = count_bits(all & ((LaneMask{1} << lane()) - 1));
  if (lane() == 0) counts[warp()] = count_bits(all);
  barrier();
  total = 0;
  for (int w = 0; w < threads() / kWarp; w++) {
    const int count = counts[w];
    if (w < warp()) rank += count;
    total += count;
  }
  barrier();
  return rank;
}

/// How many elements of the block's chunk hold.
template <class F>
AIT_DEVICE void count_chunk(int64_t n, int64_t chunk, int64_t* totals, int* counts, F holds) {
  const int64_t begin = block_x() * chunk, end = begin + chunk < n ? begin + chunk : n;
  int count = 0;
  for (int64_t i = begin + thread(); i < end; i += threads()) count += holds(i) ? 1 : 0;
  count = block_sum(count, counts);
  if (thread() == 0) totals[block_x()] = count;
}

/// Replaces each count by the sum of those before it; one block. `sums` is shared memory for an element per
/// warp.
AIT_DEVICE void sums_before(int64_t n, int64_t* counts, int64_t* total, int64_t* sums) {
  int64_t before = 0;
  for (int64_t first = 0; first < n; first += threads()) {
    const int64_t i = first + thread(), own = i < n ? counts[i] : 0;
    int64_t sum = warp_scan(own, Sum{});
    if (lane() == kWarp - 1) sums[warp()] = sum;
    barrier();
    int64_t all = 0;
    for (int w = 0; w < threads() / kWarp; w++) {
      if (w == warp()) sum += all;
      all += sums[w];
    }
    barrier();
    if (i < n) counts[i] = before + sum - own;
    before += all;
  }
  if (total != nullptr && thread() == 0) *total = before;
}

/// Calls put(i, place) for the elements of a chunk that hold, of which `before` hold in front of the chunk.
/// The whole block takes part. Returns how many hold up to its end.
template <class F, class G>
AIT_DEVICE int64_t place_chunk(int64_t begin, int64_t end, int64_t before, int* counts, F holds, G put) {
  for (int64_t first = begin; first < end; first += threads()) {
    const int64_t i = first + thread();
    const bool yes = i < end && holds(i);
    int total;
    const int64_t at = before + rank_of(yes, counts, total);
    if (yes) put(i, at);
    before += total;
  }
  return before;
}

}  // namespace ait::gpu
