#pragma once
// Reductions over the middle axis of [outer][axis][inner], the place of an extreme value among them. Operands
// come through a load functor of N neighbouring elements and states leave through a store functor, so that a
// long axis may be cut in parts whose states a second launch merges. The order of every sum follows from the
// shape alone.
#include "strided.h"
#include "thread_group.h"

namespace ait::gpu {

// ---- What is reduced ----------------------------------------------------------------------------------

/// In f64 where the type is not a float of its own.
AIT_DEVICE float natural_log(float x) { return logf(x); }
template <class E>
AIT_DEVICE E natural_log(E x) {
  return static_cast<E>(log(static_cast<double>(x)));
}
AIT_DEVICE float power_of_e(float x) { return expf(x); }
AIT_DEVICE double power_of_e(double x) { return exp(x); }

template <class E>
struct SumOp {
  using State = E;
  AIT_DEVICE static State start() { return E(0); }
  AIT_DEVICE static void add(State& s, E x, int64_t) { s = static_cast<E>(s + x); }
  AIT_DEVICE static void merge(State& s, const State& t) { s = static_cast<E>(s + t); }
  /// What becomes of the total of n elements.
  AIT_DEVICE static E finish(const State& s, int64_t) { return s; }
};
template <class E>
struct MeanOp : SumOp<E> {
  AIT_DEVICE static E finish(const E& s, int64_t n) {
    if constexpr (!kFloating<E>) return n == 0 ? E(0) : static_cast<E>(s / static_cast<E>(n));
    return s / static_cast<E>(n);
  }
};
template <class E>
struct SumSquareOp : SumOp<E> {
  AIT_DEVICE static void add(E& s, E x, int64_t) { s = static_cast<E>(s + x * x); }
};
template <class E>
struct L1Op : SumOp<E> {
  AIT_DEVICE static void add(E& s, E x, int64_t) {
    if constexpr (static_cast<E>(-1) < E(0)) {
      s = static_cast<E>(s + (x < E(0) ? -x : x));
    } else {
      s = static_cast<E>(s + x);
    }
  }
};
template <class E>
struct L2Op : SumSquareOp<E> {
  AIT_DEVICE static E finish(const E& s, int64_t) { return root(s); }
};
template <class E>
struct LogSumOp : SumOp<E> {
  AIT_DEVICE static E finish(const E& s, int64_t) { return natural_log(s); }
};
template <class E>
struct ProdOp : SumOp<E> {
  AIT_DEVICE static E start() { return E(1); }
  AIT_DEVICE static void add(E& s, E x, int64_t) { s = static_cast<E>(s * x); }
  AIT_DEVICE static void merge(E& s, const E& t) { s = static_cast<E>(s * t); }
};
template <class E>
struct MaxOp : SumOp<E> {
  AIT_DEVICE static E start() { return lowest<E>(); }
  AIT_DEVICE static void add(E& s, E x, int64_t) { s = Max{}(s, x); }
  AIT_DEVICE static void merge(E& s, const E& t) { s = Max{}(s, t); }
};
template <class E>
struct MinOp : SumOp<E> {
  AIT_DEVICE static E start() { return highest<E>(); }
  AIT_DEVICE static void add(E& s, E x, int64_t) { s = Min{}(s, x); }
  AIT_DEVICE static void merge(E& s, const E& t) { s = Min{}(s, t); }
};

/// log(sum(exp(x))) without overflow: the largest element so far, and the sum of the powers relative to it.
/// A largest element that is not finite counts as 0.
template <class E>
struct LogSumExpOp {
  struct State {
    E most, sum;
  };
  AIT_DEVICE static State start() { return {lowest<E>(), E(0)}; }
  AIT_DEVICE static E base(E most) { return most - most == E(0) ? most : E(0); }
  AIT_DEVICE static void add(State& s, E x, int64_t) { merge(s, {x, power_of_e(x - base(x))}); }
  AIT_DEVICE static void merge(State& s, const State& t) {
    const E most = Max{}(s.most, t.most);
    s.sum = relative(s, base(most)) + relative(t, base(most));
    s.most = most;
  }
  AIT_DEVICE static E relative(const State& s, E to) {
    return s.sum == E(0) ? E(0) : s.sum * power_of_e(base(s.most) - to);
  }
  AIT_DEVICE static E finish(const State& s, int64_t) { return natural_log(s.sum) + base(s.most); }
};

/// The first or last place of the largest or smallest element; a NaN is more extreme than any number.
template <class E, bool Largest, bool Last>
struct ArgOp {
  struct State {
    E best;
    int64_t at;
  };
  AIT_DEVICE static State start() { return {E(0), -1}; }
  AIT_DEVICE static bool better(E a, E b) {
    return Largest ? a > b || (a != a && b == b) : a < b || (a != a && b == b);
  }
  AIT_DEVICE static void add(State& s, E x, int64_t at) { merge(s, {x, at}); }
  AIT_DEVICE static void merge(State& s, const State& t) {
    if (t.at < 0) return;
    const bool behind = Last ? t.at > s.at : t.at < s.at;
    if (s.at < 0 || better(t.best, s.best) || (behind && !better(s.best, t.best))) s = t;
  }
  AIT_DEVICE static int64_t finish(const State& s, int64_t) { return s.at < 0 ? 0 : s.at; }
};

/// Merges states that an earlier launch has left.
template <class Op>
struct MergeOp {
  using State = typename Op::State;
  AIT_DEVICE static State start() { return Op::start(); }
  AIT_DEVICE static void add(State& s, const State& t, int64_t) { Op::merge(s, t); }
  AIT_DEVICE static void merge(State& s, const State& t) { Op::merge(s, t); }
};
template <class S>
struct ReadStates {
  const S* p;
  AIT_DEVICE void operator()(S (&v)[1], int64_t i) const { v[0] = p[i]; }
};

/// Stores what becomes of the states of n elements.
template <class Op, class T>
struct StoreResult {
  T* y;
  int64_t n;
  AIT_DEVICE void operator()(int64_t i, const typename Op::State& s) const {
    y[i] = stored<T>(Op::finish(s, n));
  }
};
template <class S>
struct StoreState {
  S* p;
  AIT_DEVICE void operator()(int64_t i, const S& s) const { p[i] = s; }
};

// ---- How ----------------------------------------------------------------------------------------------

/// One result a row of n elements, by kGroup threads (see merge_group); the block has threads() / kGroup
/// rows, block_y of grid_y parts of each. Results are numbered row * parts + part.
template <class Op, class E, int kGroup, int kVec, class Load, class Store>
AIT_DEVICE void reduce_rows(int64_t rows, int64_t n, const Load& load, const Store& store) {
  using State = typename Op::State;
  const int t = thread() % kGroup;
  const int64_t row = int64_t{block_x()} * (threads() / kGroup) + thread() / kGroup;
  const int64_t step = (n / kVec + grid_y() - 1) / grid_y() * kVec;
  const int64_t first = block_y() * step;
  const int64_t last = first + step < n ? first + step : n;
  State s[kVec];
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) s[k] = Op::start();
  if (row < rows) {
    AIT_UNROLL_BY(4)
    for (int64_t i = first + t * kVec; i < last; i += kGroup * kVec) {
      E v[kVec];
      load(v, row * n + i);
      AIT_UNROLL
      for (int k = 0; k < kVec; k++) Op::add(s[k], v[k], i + k);
    }
  }
  AIT_UNROLL
  for (int k = 1; k < kVec; k++) Op::merge(s[0], s[k]);
  merge_group<Op, kGroup>(s[0]);
  if (row < rows && t == 0) store(row * grid_y() + block_y(), s[0]);
}

/// One result a column: threads() / kColumns threads share kVec columns. block_x counts tiles of columns
/// within `outer`, block_y parts of the axis; results are numbered (outer * parts + part) * inner + column.
template <class Op, class E, int kColumns, int kThreads, int kVec, class Load, class Store>
AIT_DEVICE void reduce_columns(int64_t axis, int64_t inner, const Load& load, const Store& store) {
  using State = typename Op::State;
  constexpr int kShare = kThreads / kColumns;
  const int64_t tiles = (inner + kColumns * kVec - 1) / (kColumns * kVec);
  const int64_t o = block_x() / tiles;
  const int64_t column = (block_x() % tiles * kColumns + thread() % kColumns) * kVec;
  const int64_t step = (axis + grid_y() - 1) / grid_y();
  const int64_t first = block_y() * step;
  const int64_t last = first + step < axis ? first + step : axis;
  const int share = thread() / kColumns;
  State s[kVec];
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) s[k] = Op::start();
  if (column < inner) {
    AIT_UNROLL_BY(4)
    for (int64_t i = first + share; i < last; i += kShare) {
      E v[kVec];
      load(v, (o * axis + i) * inner + column);
      AIT_UNROLL
      for (int k = 0; k < kVec; k++) Op::add(s[k], v[k], i);
    }
  }
  if constexpr (kShare > 1) {
    AIT_SHARED State shares[kVec][kThreads];
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) shares[k][thread()] = s[k];
    barrier();
    if (share == 0) {
      for (int other = 1; other < kShare; other++) {
        AIT_UNROLL
        for (int k = 0; k < kVec; k++) Op::merge(s[k], shares[k][other * kColumns + thread()]);
      }
    }
  }
  if (share != 0 || column >= inner) return;
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) store((o * grid_y() + block_y()) * inner + column + k, s[k]);
}

}  // namespace ait::gpu
