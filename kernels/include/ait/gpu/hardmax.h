#pragma once
#include "reduce.h"

namespace ait::gpu {

/// 1 at the first largest element, 0 elsewhere: a block for each outer and inner index.
template <class E, int kThreads, class Load, class Store>
AIT_DEVICE void hardmax(int64_t axis, int64_t inner, const Load& load, const Store& store) {
  using Op = ArgOp<E, true, false>;
  const int64_t at = block_x() / inner * axis * inner + block_x() % inner;
  typename Op::State s = Op::start();
  for (int64_t i = thread(); i < axis; i += kThreads) {
    E v[1];
    load(v, at + i * inner);
    Op::add(s, v[0], i);
  }
  merge_group<Op, kThreads>(s);
  for (int64_t i = thread(); i < axis; i += kThreads) {
    const E v[1] = {i == s.at ? E(1) : E(0)};
    store(at + i * inner, v);
  }
}

}  // namespace ait::gpu
