#pragma once
#include "select.h"

// The k best elements along an axis.
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
  int sum = warp_scan(x, Sum{});
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

}  // namespace ait::gpu
