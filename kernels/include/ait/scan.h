#pragma once
// Running sums and products along the middle axis of [outer][axis][inner].
#include "reduce.h"

namespace ait {

/// SumOp or ProdOp of all elements up to each one, computed in E in order; exclusive leaves the element
/// itself out, reverse runs from the end.
template <class Op, class E, class Load, class Store>
inline void scan(Context& ctx, int64_t outer, int64_t axis, int64_t inner, bool exclusive, bool reverse,
                 Load load, Store store) {
  using V = Vec<E>;
  constexpr int lanes = kLanesOf<V>;
  const auto run = [&](auto start, int64_t base, int n) {
    auto total = start;
    for (int64_t i = 0; i < axis; i++) {
      const int64_t at = base + (reverse ? axis - 1 - i : i) * inner;
      const auto x = load(start, at, n);
      if (exclusive) store(at, total, n);
      total = Op::combine(total, x);
      if (!exclusive) store(at, total, n);
    }
  };
  if (inner == 1) {
    parallel_for(ctx, outer, ceil_div(kReduceGrain, max_of<int64_t>(1, axis)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t o = begin; o < end; o++) run(Op::template start<E>(), o * axis, 1);
                 });
    return;
  }
  const int64_t tiles = ceil_div(inner, lanes);
  parallel_for(ctx, outer * tiles, ceil_div(kReduceGrain, max_of<int64_t>(1, axis * lanes)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t u = begin; u < end; u++) {
                   const int64_t first = u % tiles * lanes;
                   const int n = static_cast<int>(min_of<int64_t>(lanes, inner - first));
                   run(V(V{} + Op::template start<E>()), u / tiles * axis * inner + first, n);
                 }
               });
}

}  // namespace ait
