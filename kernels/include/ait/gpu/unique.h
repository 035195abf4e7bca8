#pragma once
#include "compact.h"
#include "select.h"
#include "sort.h"

namespace ait::gpu {

/// The slices of the middle axis of [outer][n][inner], ordered by their elements; NaN comes last and is one
/// value.
template <class T>
struct Slices {
  const T* x;
  int64_t outer, n, inner;

  AIT_DEVICE int compare(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < outer; o++) {
      for (int64_t i = 0; i < inner; i++) {
        const auto u = widen(x[(o * n + a) * inner + i]), v = widen(x[(o * n + b) * inner + i]);
        if (u < v || (v != v && u == u)) return -1;
        if (v < u || (u != u && v == v)) return 1;
      }
    }
    return 0;
  }
};

/// The distinct slices: their number, where each was first seen, which of them each slice is and how often
/// each occurs. One block; `order` has room for 2n places, `starts` and `names` for n, and `shared` is shared
/// memory for an element per warp.
template <bool Sorted, class T>
AIT_DEVICE void unique(const Slices<T>& slices, int64_t* number, int64_t* first, int64_t* which,
                       int64_t* counts, int32_t* order, int32_t* starts, int32_t* names, int* shared) {
  const int64_t n = slices.n, padded = padded_to_power(n);
  for (int64_t i = thread(); i < padded; i += threads()) order[i] = static_cast<int32_t>(i);
  barrier();
  sort_block(order, padded, [&](int32_t a, int32_t b) {
    const int c = a >= n || b >= n ? 0 : slices.compare(a, b);
    return c < 0 || (c == 0 && a < b);
  });
  int64_t found = 0;
  for (int64_t begin = 0; begin < n; begin += threads()) {
    const int64_t i = begin + thread();
    const bool begins = i < n && (i == 0 || slices.compare(order[i - 1], order[i]) != 0);
    int total;
    const int64_t group = found + rank_of(begins, shared, total) + (begins ? 1 : 0) - 1;
    if (begins) starts[group] = static_cast<int32_t>(i);
    if (i < n) which[order[i]] = group;
    found += total;
  }
  barrier();
  if (thread() == 0) *number = found;
  const auto size = [&](int64_t group) {
    return (group + 1 < found ? starts[group + 1] : n) - starts[group];
  };
  if (Sorted) {
    for (int64_t group = thread(); group < found; group += threads()) {
      first[group] = order[starts[group]];
      counts[group] = size(group);
    }
    return;
  }
  place_chunk(
      0, n, 0, shared, [&](int64_t i) { return order[starts[which[i]]] == i; },
      [&](int64_t i, int64_t at) {
        const int64_t group = which[i];
        names[group] = static_cast<int32_t>(at);
        first[at] = i;
        counts[at] = size(group);
      });
  barrier();
  for (int64_t i = thread(); i < n; i += threads()) which[i] = names[which[i]];
}

}  // namespace ait::gpu
