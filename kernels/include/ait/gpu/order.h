#pragma once
#include "select.h"

// The k best elements along an axis, and running sums and products.
namespace ait::gpu {

// ---- Ranks --------------------------------------------------------------------------------------------

template <int BYTES>
struct KeyOf {
  using type = uint32_t;
};
template <>
struct KeyOf<8> {
  using type = uint64_t;
};
template <class T>
using Key = typename KeyOf<sizeof(T)>::type;
/// Of an element as it is compared.
template <class T>
using ElementKey = Key<decltype(widen(T{}))>;

namespace detail {
AIT_DEVICE uint32_t bits_of(float x) { return ait::detail::as_bits(x); }
AIT_DEVICE uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  return bits;
}
}  // namespace detail

/// Unsigned numbers in the order of the elements: zeros are equal, NaN lies above everything.
template <class E>
AIT_DEVICE Key<E> ascending_key(E x) {
  using K = Key<E>;
  constexpr K kTop = K(1) << (8 * sizeof(K) - 1);
  if constexpr (kSame<E, float> || kSame<E, double>) {
    if (x != x) return ~K(0);
    const K bits = detail::bits_of(x == E(0) ? E(0) : x);
    return (bits & kTop) != 0 ? ~bits : bits | kTop;
  } else if constexpr (static_cast<E>(-1) < E(0)) {
    return static_cast<K>(static_cast<K>(x) ^ kTop);
  } else {
    return static_cast<K>(x);
  }
}

/// An element's key, the best one's the lowest, and its place. No two of a row are equal.
template <class K>
struct Ranked {
  K key;
  uint32_t index;
};
template <class K>
AIT_DEVICE bool before(const Ranked<K>& a, const Ranked<K>& b) {
  return a.key < b.key || (a.key == b.key && a.index < b.index);
}
/// Behind everything.
template <class K>
AIT_DEVICE Ranked<K> last_rank() {
  return {static_cast<K>(~K(0)), ~uint32_t(0)};
}

/// Elements [first, first + n) of a row, `step` apart.
template <bool LARGEST, class T>
struct RowElements {
  using E = decltype(widen(T{}));
  using K = Key<E>;
  const T* from;
  int64_t step;
  int64_t first;
  AIT_DEVICE Ranked<K> operator()(int64_t i) const {
    const K key = ascending_key<E>(widen(from[(first + i) * step]));
    return {static_cast<K>(LARGEST ? ~key : key), static_cast<uint32_t>(first + i)};
  }
};

/// What others have chosen.
template <class K_>
struct Candidates {
  using K = K_;
  const Ranked<K>* from;
  AIT_DEVICE Ranked<K> operator()(int64_t i) const { return from[i]; }
};

// ---- Choice -------------------------------------------------------------------------------------------

/// The bits of a rank that are known, from the key's top down.
template <class K>
struct RankPrefix {
  Ranked<K> value = {0, 0};
  Ranked<K> mask = {0, 0};
  AIT_DEVICE bool matches(const Ranked<K>& x) const {
    return (x.key & mask.key) == value.key && (x.index & mask.index) == value.index;
  }
  /// Not behind all ranks that match.
  AIT_DEVICE bool reaches(const Ranked<K>& x) const {
    const K key = x.key & mask.key;
    return key < value.key || (key == value.key && (x.index & mask.index) <= value.index);
  }
};

constexpr int kDigitBits = 11;
constexpr int kDigits = 1 << kDigitBits;

/// Digit `level` of a number, from the top; the last one may be short.
template <class K>
AIT_DEVICE int digit_shift(int level) {
  const int shift = static_cast<int>(8 * sizeof(K)) - kDigitBits * (level + 1);
  return shift > 0 ? shift : 0;
}
template <class K>
AIT_DEVICE int digit_of(K x, int level) {
  constexpr int kBits = 8 * sizeof(K);
  const int width = level * kDigitBits + kDigitBits <= kBits ? kDigitBits : kBits - level * kDigitBits;
  return static_cast<int>(x >> digit_shift<K>(level)) & ((1 << width) - 1);
}
template <class K>
constexpr int kLevels = (8 * static_cast<int>(sizeof(K)) + kDigitBits - 1) / kDigitBits;

/// The sum of what lower threads of the block have. `scratch` is for a number per warp and may be used again
/// behind a barrier.
AIT_DEVICE int sum_of_lower(int x, int* scratch) {
  int sum = x;
  for (int by = 1; by < kWarp; by *= 2) {
    const int other = shuffle_up(sum, by);
    if (lane() >= by) sum += other;
  }
  if (lane() == kWarp - 1) scratch[warp()] = sum;
  barrier();
  for (int w = 0; w < warp(); w++) sum += scratch[w];
  return sum - x;
}

/// Finds the `need` lowest ranks of a source of n that lie behind `last`, as a prefix that reaches exactly
/// those. `bound` is above every index. By one block; `bins` is shared memory for kDigits numbers, `scratch`
/// for one per warp and two more.
template <class S, class K = typename S::K>
AIT_DEVICE RankPrefix<K> choose(const S& source, int64_t n, int64_t bound, bool has_last, Ranked<K> last,
                                int need, int* bins, int* scratch) {
  RankPrefix<K> prefix;
  for (int level = 0; level < kLevels<K> + kLevels<uint32_t>; level++) {
    const bool of_key = level < kLevels<K>;
    const int own = of_key ? level : level - kLevels<K>;
    const int shift = of_key ? digit_shift<K>(own) : digit_shift<uint32_t>(own);
    // Places are below the bound.
    if (!of_key && own + 1 < kLevels<uint32_t> && (bound - 1) >> shift == 0) {
      prefix.mask.index = ~uint32_t(0) << shift;
      continue;
    }
    for (int i = thread(); i < kDigits; i += threads()) bins[i] = 0;
    barrier();
    for (int64_t i = thread(); i < n; i += threads()) {
      const Ranked<K> x = source(i);
      if (prefix.matches(x) && (!has_last || before(last, x)))
        atomic_add(bins + (of_key ? digit_of<K>(x.key, own) : digit_of<uint32_t>(x.index, own)), 1);
    }
    barrier();
    const int each = kDigits / threads() > 0 ? kDigits / threads() : 1;
    const int first = thread() * each;
    int sum = 0;
    if (first < kDigits)
      for (int i = 0; i < each; i++) sum += bins[first + i];
    int so_far = sum_of_lower(sum, scratch + 2);
    if (so_far < need && so_far + sum >= need) {
      int i = first;
      while (so_far + bins[i] < need) so_far += bins[i++];
      scratch[0] = i;
      scratch[1] = so_far;
    }
    barrier();
    const int digit = scratch[0];
    need -= scratch[1];
    const int found = bins[digit];
    barrier();
    if (of_key) {
      prefix.value.key |= static_cast<K>(digit) << shift;
      prefix.mask.key = static_cast<K>(~K(0)) << shift;
    } else {
      prefix.value.index |= static_cast<uint32_t>(digit) << shift;
      prefix.mask.index = ~uint32_t(0) << shift;
    }
    if (found == need) break;
  }
  return prefix;
}

/// Sorts `size` ranks in shared memory, a power of two, by one block.
template <class K>
AIT_DEVICE void sort_ranks(Ranked<K>* items, int size) {
  for (int width = 2; width <= size; width *= 2) {
    for (int apart = width / 2; apart > 0; apart /= 2) {
      for (int pair = thread(); pair < size / 2; pair += threads()) {
        const int i = 2 * pair - (pair & (apart - 1));
        const Ranked<K> a = items[i], b = items[i + apart];
        if (before(b, a) == ((i & width) == 0)) {
          items[i] = b;
          items[i + apart] = a;
        }
      }
      barrier();
    }
  }
}

/// The k lowest ranks of a source of n, handed in their order to store(place, rank), by one block that
/// sorts up to SIZE of them at a time; SIZE is a power of two, and `sorted` says whether that is needed.
template <int SIZE, bool SORTED = true, class S, class F>
AIT_DEVICE void take_best(const S& source, int64_t n, int64_t bound, int64_t k, const F& store) {
  using K = typename S::K;
  AIT_SHARED Ranked<K> items[SIZE];
  AIT_SHARED int bins[kDigits];
  AIT_SHARED int scratch[1024 / kWarp + 2];
  AIT_SHARED int count;
  Ranked<K> last = last_rank<K>();
  for (int64_t done = 0; done < k; done += SIZE) {
    const int need = static_cast<int>(k - done < SIZE ? k - done : SIZE);
    int filled = need;
    if (n <= SIZE) {
      filled = static_cast<int>(n);
      for (int i = thread(); i < filled; i += threads()) items[i] = source(i);
    } else {
      const RankPrefix<K> prefix = choose(source, n, bound, done > 0, last, need, bins, scratch);
      if (thread() == 0) count = 0;
      barrier();
      for (int64_t i = thread(); i < n; i += threads()) {
        const Ranked<K> x = source(i);
        if (prefix.reaches(x) && (done == 0 || before(last, x))) items[atomic_add(&count, 1)] = x;
      }
    }
    int size = 1;
    while (size < filled) size *= 2;
    for (int i = filled + thread(); i < size; i += threads()) items[i] = last_rank<K>();
    barrier();
    if (SORTED || filled > need || done + need < k) sort_ranks(items, size);
    for (int i = thread(); i < need; i += threads()) store(done + i, items[i]);
    last = items[need - 1];
    barrier();
  }
}

/// The k best along the middle axis of [outer][axis][inner], a block a row.
template <bool LARGEST, int SIZE, class T, class I>
AIT_DEVICE void top_k(int64_t axis, int64_t inner, int64_t k, const T* x, T* values, I* indices) {
  const int64_t row = block_x();
  const T* from = x + row / inner * axis * inner + row % inner;
  const int64_t out = row / inner * k * inner + row % inner;
  const RowElements<LARGEST, T> elements{from, inner, 0};
  take_best<SIZE>(elements, axis, axis, k, [&](int64_t at, const Ranked<ElementKey<T>>& best) {
    values[out + at * inner] = from[best.index * inner];
    indices[out + at * inner] = static_cast<I>(best.index);
  });
}

/// Of long rows: block_y takes the k best of one of grid_y parts.
template <bool LARGEST, int SIZE, class T>
AIT_DEVICE void top_k_parts(int64_t axis, int64_t inner, int64_t k, const T* x, Ranked<ElementKey<T>>* best) {
  const int64_t row = block_x();
  const int64_t each = (axis + grid_y() - 1) / grid_y();
  const int64_t first = block_y() * each;
  const int64_t n = first >= axis ? 0 : axis - first < each ? axis - first : each;
  const RowElements<LARGEST, T> elements{x + row / inner * axis * inner + row % inner, inner, first};
  auto* to = best + (row * grid_y() + block_y()) * k;
  const int64_t some = n < k ? n : k;
  take_best<SIZE, false>(elements, n, axis, some,
                         [&](int64_t at, const Ranked<ElementKey<T>>& rank) { to[at] = rank; });
  for (int64_t i = some + thread(); i < k; i += threads())
    to[i] = last_rank<typename decltype(elements)::K>();
}

/// The k best of what the parts have.
template <int SIZE, class K, class T, class I>
AIT_DEVICE void top_k_of_parts(int64_t axis, int64_t inner, int64_t k, int parts, const T* x,
                               const Ranked<K>* best, T* values, I* indices) {
  const int64_t row = block_x();
  const T* from = x + row / inner * axis * inner + row % inner;
  const int64_t out = row / inner * k * inner + row % inner;
  const Candidates<K> candidates{best + row * parts * k};
  take_best<SIZE>(candidates, parts * k, axis, k, [&](int64_t at, const Ranked<K>& rank) {
    values[out + at * inner] = from[rank.index * inner];
    indices[out + at * inner] = static_cast<I>(rank.index);
  });
}

// ---- Running sums -------------------------------------------------------------------------------------

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
  E sum = x;
  for (int by = 1; by < kWarp; by *= 2) {
    const E other = shuffle_up(sum, by);
    if (lane() >= by) sum = F::of(other, sum);
  }
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
