#pragma once
#include "select.h"

// Running sums and products along an axis.
namespace ait::gpu {

/// A column of elements `step` apart, counted from where the sum begins.
template <class E, class T>
struct ScanColumn {
  const T* x;
  T* y;
  int64_t axis;
  int64_t step;
  bool reverse;
  AIT_DEVICE int64_t place(int64_t i) const { return (reverse ? axis - 1 - i : i) * step; }
  AIT_DEVICE E read(int64_t i) const { return static_cast<E>(widen(x[place(i)])); }
  AIT_DEVICE void write(int64_t i, E value) const { put(y + place(i), value); }
};

/// Goes on with a sum from [first, last).
template <class F, class E, class T>
AIT_DEVICE void scan_run(const ScanColumn<E, T>& c, int64_t first, int64_t last, bool exclusive, E sum) {
  for (int64_t i = first; i < last; i++) {
    const E next = F::of(sum, c.read(i));
    c.write(i, exclusive ? sum : next);
    sum = next;
  }
}
template <class F, class E, class T>
AIT_DEVICE E total_of(const ScanColumn<E, T>& c, int64_t first, int64_t last, E sum) {
  for (int64_t i = first; i < last; i++) sum = F::of(sum, c.read(i));
  return sum;
}

/// Along the middle axis of [outer][axis][inner]: a thread a column.
template <class F, class E, class T>
AIT_DEVICE void scan_column(int64_t column, int64_t axis, int64_t inner, bool exclusive, bool reverse,
                            E start, const T* x, T* y) {
  const int64_t base = column / inner * axis * inner + column % inner;
  scan_run<F, E>(ScanColumn<E, T>{x + base, y + base, axis, inner, reverse}, 0, axis, exclusive, start);
}

/// The same: THREADS / COLUMNS threads share a column, each with a run of the axis.
template <class F, int COLUMNS, int THREADS, class E, class T>
AIT_DEVICE void scan_columns(int64_t axis, int64_t inner, bool exclusive, bool reverse, E start, const T* x,
                             T* y) {
  constexpr int kShares = THREADS / COLUMNS;
  AIT_SHARED E totals[kShares][COLUMNS];
  const int64_t tiles = (inner + COLUMNS - 1) / COLUMNS;
  const int64_t column = block_x() % tiles * COLUMNS + thread() % COLUMNS;
  const int64_t base = block_x() / tiles * axis * inner + column;
  const ScanColumn<E, T> c{x + base, y + base, axis, inner, reverse};
  const int share = thread() / COLUMNS;
  const int64_t each = (axis + kShares - 1) / kShares;
  const int64_t first = share * each < axis ? share * each : axis;
  const int64_t last = first + each < axis ? first + each : axis;
  if (column < inner) totals[share][thread() % COLUMNS] = total_of<F, E>(c, first, last, start);
  barrier();
  if (column >= inner) return;
  E sum = start;
  for (int s = 0; s < share; s++) sum = F::of(sum, totals[s][thread() % COLUMNS]);
  scan_run<F, E>(c, first, last, exclusive, sum);
}

/// What the threads of a block have, one after another, in front of each thread's own; `total` becomes all of
/// it. `scratch` is shared memory for an element per warp and may be used again at once.
template <class F, class E>
AIT_DEVICE E before_thread(E x, E start, E* scratch, E& total) {
  const E sum = warp_scan(x, [](E a, E b) { return F::of(a, b); });
  const E left = shuffle_up(sum, 1);
  E own = lane() == 0 ? start : left;
  if (lane() == kWarp - 1) scratch[warp()] = sum;
  barrier();
  E lower = start;
  total = start;
  for (int w = 0; w < threads() / kWarp; w++) {
    if (w == warp()) lower = total;
    total = F::of(total, scratch[w]);
  }
  barrier();
  return F::of(lower, own);
}

struct ScanPart {
  int64_t first;
  int64_t last;
  AIT_DEVICE ScanPart(int64_t axis) {
    const int64_t each = (axis + grid_y() - 1) / grid_y();
    first = block_y() * each < axis ? block_y() * each : axis;
    last = first + each < axis ? first + each : axis;
  }
};

/// Along rows, a block (block_x) a row or, with `totals`, one of grid_y parts of it; totals [rows][parts] are
/// those of scan_totals.
template <class F, class E, class T>
AIT_DEVICE void scan_rows(int64_t axis, bool exclusive, bool reverse, E start, const E* totals, const T* x,
                          T* y) {
  constexpr int kItems = 4;
  AIT_SHARED E scratch[1024 / kWarp];
  const int64_t row = block_x();
  const ScanColumn<E, T> c{x + row * axis, y + row * axis, axis, 1, reverse};
  E carry = start;
  for (int p = 0; p < block_y(); p++) carry = F::of(carry, totals[row * grid_y() + p]);
  const ScanPart part(axis);
  for (int64_t first = part.first; first < part.last; first += threads() * kItems) {
    const int64_t own = first + thread() * kItems;
    E v[kItems];
    E sum = start;
    AIT_UNROLL
    for (int i = 0; i < kItems; i++) {
      v[i] = own + i < part.last ? c.read(own + i) : start;
      sum = F::of(sum, v[i]);
    }
    E total;
    sum = F::of(carry, before_thread<F>(sum, start, scratch, total));
    AIT_UNROLL
    for (int i = 0; i < kItems; i++) {
      const E next = F::of(sum, v[i]);
      if (own + i < part.last) c.write(own + i, exclusive ? sum : next);
      sum = next;
    }
    carry = F::of(carry, total);
  }
}

template <class F, class E, class T>
AIT_DEVICE void scan_totals(int64_t axis, bool reverse, E start, const T* x, E* totals) {
  AIT_SHARED E scratch[1024 / kWarp];
  const int64_t row = block_x();
  const ScanColumn<E, T> c{x + row * axis, nullptr, axis, 1, reverse};
  const ScanPart part(axis);
  E sum = start;
  for (int64_t i = part.first + thread(); i < part.last; i += threads()) sum = F::of(sum, c.read(i));
  E total;
  before_thread<F>(sum, start, scratch, total);
  if (thread() == 0) totals[row * grid_y() + block_y()] = total;
}

}  // namespace ait::gpu
