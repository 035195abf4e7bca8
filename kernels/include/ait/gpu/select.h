#pragma once
#include "device.h"
#include "rows.h"

// Elements read from and written to places that the data names, and their order.
namespace ait::gpu {

AIT_DEVICE float widen(f16 x) { return to_f32(x); }
AIT_DEVICE float widen(bf16 x) { return to_f32(x); }
template <class T>
AIT_DEVICE T widen(T x) {
  return x;
}
AIT_DEVICE void put(f16* to, float x) { *to = from_f32<f16>(x); }
AIT_DEVICE void put(bf16* to, float x) { *to = from_f32<bf16>(x); }
template <class T, class E>
AIT_DEVICE void put(T* to, E x) {
  *to = static_cast<T>(x);
}

/// An index that may count from the end; false where it lies outside of n elements.
template <class I>
AIT_DEVICE bool place(I index, int64_t n, int64_t& at) {
  at = static_cast<int64_t>(index);
  if (at < 0) at += n;
  return at >= 0 && at < n;
}

// How an update meets what is there. Several updates of one element are applied in no fixed order.
struct AddOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return a + b;
  }
};
struct MulOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return a * b;
  }
};
struct MaxOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return a < b || b != b ? b : a;
  }
};
struct MinOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return b < a || b != b ? b : a;
  }
};

/// Elements of the k best along the middle axis of [outer][axis][inner], sorted, equal ones by ascending
/// index; NaN counts as larger than any number. One block a column: each round finds the best of what is
/// left, so the work is k times the axis over the threads. `best` is shared memory for a value and an index
/// per warp.
template <bool Largest, class E, class T, class I>
AIT_DEVICE void top_k(int64_t column, int64_t axis, int64_t inner, int64_t k, const T* x, T* values,
                      I* indices, E* best, int64_t* best_at) {
  const T* from = x + column / inner * axis * inner + column % inner;
  const int64_t out = column / inner * k * inner + column % inner;
  const auto more = [](E a, E b) { return a > b || (a != a && b == b); };
  // Whether (a, i) comes before (b, j); a place of -1 is none.
  const auto before = [&](E a, int64_t i, E b, int64_t j) {
    if (i < 0 || j < 0) return j < 0 && i >= 0;
    const bool first = Largest ? more(a, b) : more(b, a);
    const bool second = Largest ? more(b, a) : more(a, b);
    return first || (!second && i < j);
  };
  E last{};
  int64_t last_at = -1;
  for (int64_t round = 0; round < k; round++) {
    E value{};
    int64_t at = -1;
    for (int64_t i = thread(); i < axis; i += threads()) {
      const E v = static_cast<E>(widen(from[i * inner]));
      if (last_at >= 0 && !before(last, last_at, v, i)) continue;
      if (before(v, i, value, at)) {
        value = v;
        at = i;
      }
    }
    for (int mask = kWarp / 2; mask > 0; mask /= 2) {
      const E v = shuffle_xor(value, mask);
      const int64_t i = shuffle_xor(at, mask);
      if (before(v, i, value, at)) {
        value = v;
        at = i;
      }
    }
    if (lane() == 0) {
      best[warp()] = value;
      best_at[warp()] = at;
    }
    barrier();
    value = best[0];
    at = best_at[0];
    for (int w = 1; w < threads() / kWarp; w++) {
      if (before(best[w], best_at[w], value, at)) {
        value = best[w];
        at = best_at[w];
      }
    }
    barrier();
    last = value;
    last_at = at;
    if (thread() == 0) {
      values[out + round * inner] = from[at * inner];
      indices[out + round * inner] = static_cast<I>(at);
    }
  }
}

/// Sums or products along the middle axis of [outer][axis][inner]: a thread a column.
template <class F, class E, class T>
AIT_DEVICE void scan_column(int64_t column, int64_t axis, int64_t inner, bool exclusive, bool reverse,
                            E start, const T* x, T* y) {
  const int64_t base = column / inner * axis * inner + column % inner;
  E sum = start;
  for (int64_t i = 0; i < axis; i++) {
    const int64_t at = base + (reverse ? axis - 1 - i : i) * inner;
    const E value = static_cast<E>(widen(x[at]));
    const E next = F::of(sum, value);
    put(y + at, exclusive ? sum : next);
    sum = next;
  }
}

}  // namespace ait::gpu
