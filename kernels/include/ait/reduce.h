#pragma once
// Reductions over the middle axis of [outer][axis][inner]. The operands come through a load functor and
// leave through a store functor (see Read and Write), so a prologue and an epilogue cost no pass of their
// own. Sums are blocked, so that the error grows with the logarithm of the length rather than with it, and
// the order of the additions depends on the shape alone.
#include "context.h"
#include "math.h"

namespace ait {

// ---- Across the lanes of one vector -------------------------------------------------------------------

template <class V>
inline auto low_half(V v) {
  if constexpr (kLanesOf<V> == 16) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  } else if constexpr (kLanesOf<V> == 8) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3);
  } else {
    Vec<Element<V>, kLanesOf<V> / 2> half;
    std::memcpy(&half, &v, sizeof(half));
    return half;
  }
}
template <class V>
inline auto high_half(V v) {
  if constexpr (kLanesOf<V> == 16) {
    return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  } else if constexpr (kLanesOf<V> == 8) {
    return __builtin_shufflevector(v, v, 4, 5, 6, 7);
  } else {
    Vec<Element<V>, kLanesOf<V> / 2> half;
    std::memcpy(&half, reinterpret_cast<const char*>(&v) + sizeof(half), sizeof(half));
    return half;
  }
}

/// f applied pairwise until one element is left.
template <class V, class F>
inline Element<V> fold(V v, F f) {
  if constexpr (kLanesOf<V> > 4) {
    return fold(f(low_half(v), high_half(v)), f);
  } else if constexpr (kLanesOf<V> == 4) {
    return f(f(v[0], v[2]), f(v[1], v[3]));
  } else if constexpr (kLanesOf<V> == 2) {
    return f(v[0], v[1]);
  } else {
    return v;
  }
}
template <class V>
inline Element<V> sum_lanes(V v) {
  return fold(v, [](auto a, auto b) { return a + b; });
}
template <class V>
inline Element<V> max_lanes(V v) {
  return fold(v, [](auto a, auto b) { return max_(a, b); });
}

/// v in the first n lanes, other in the rest.
template <class V>
inline V first_lanes(V v, int n, V other) {
  if constexpr (__is_same(V, Element<V>)) {
    return n > 0 ? v : other;
  } else {
    using I = Like<V, typename detail::SignedOf<(sizeof(Element<V>) < 4 ? 4 : sizeof(Element<V>))>::type>;
    if constexpr (sizeof(I) == sizeof(V)) {
      I lane;
      for (int i = 0; i < kLanesOf<V>; i++) lane[i] = i;
      return lane < n ? v : other;
    } else {
      for (int i = n; i < kLanesOf<V>; i++) v[i] = other[i];
      return v;
    }
  }
}

// ---- What is reduced ----------------------------------------------------------------------------------

namespace detail {
template <bool First, class A, class B>
struct Choose {
  using type = A;
};
template <class A, class B>
struct Choose<false, A, B> {
  using type = B;
};
template <class E>
constexpr E lowest() {
  if constexpr (kIsFloat<E>) {
    return -E(INFINITY);
  } else if constexpr (static_cast<E>(-1) > E(0)) {
    return E(0);
  } else {
    return static_cast<E>(E(1) << (8 * sizeof(E) - 2)) * -2;
  }
}
template <class E>
constexpr E highest() {
  if constexpr (kIsFloat<E>) {
    return E(INFINITY);
  } else {
    return static_cast<E>(~lowest<E>());
  }
}
}  // namespace detail

struct SumOp {
  template <class E>
  static constexpr E start() {
    return E(0);
  }
  template <class V>
  static V map(V x) {
    return x;
  }
  template <class V>
  static V combine(V a, V b) {
    return a + b;
  }
  /// What becomes of the total of n elements.
  template <class E>
  static E finish(E total, int64_t) {
    return total;
  }
};
struct MeanOp : SumOp {
  template <class E>
  static E finish(E total, int64_t n) {
    if constexpr (!detail::kIsFloat<E>) return n == 0 ? E(0) : static_cast<E>(total / static_cast<E>(n));
    return total / static_cast<E>(n);
  }
};
struct SumSquareOp : SumOp {
  template <class V>
  static V map(V x) {
    return x * x;
  }
};
struct L1Op : SumOp {
  template <class V>
  static V map(V x) {
    return abs_(x);
  }
};
struct L2Op : SumSquareOp {
  template <class E>
  static E finish(E total, int64_t) {
    if constexpr (!detail::kIsFloat<Element<E>>) return cast_to<E>(sqrt_(static_cast<double>(total)));
    return sqrt_(total);
  }
};
struct LogSumOp : SumOp {
  template <class E>
  static E finish(E total, int64_t) {
    if constexpr (!detail::kIsFloat<Element<E>>) return cast_to<E>(log_(static_cast<double>(total)));
    return log_(total);
  }
};
struct ProdOp : SumOp {
  template <class E>
  static constexpr E start() {
    return E(1);
  }
  template <class V>
  static V combine(V a, V b) {
    return a * b;
  }
};
struct MaxOp : SumOp {
  template <class E>
  static constexpr E start() {
    return detail::lowest<E>();
  }
  template <class V>
  static V combine(V a, V b) {
    return max_(a, b);
  }
};
struct MinOp : SumOp {
  template <class E>
  static constexpr E start() {
    return detail::highest<E>();
  }
  template <class V>
  static V combine(V a, V b) {
    return min_(a, b);
  }
};

// ---- Reductions ---------------------------------------------------------------------------------------

/// Elements of work a thread must have to be worth waking.
constexpr int64_t kReduceGrain = 16384;

namespace detail {

/// Totals of float blocks add up in double.
template <class E>
struct TotalOf {
  using type = E;
};
template <>
struct TotalOf<float> {
  using type = double;
};
template <class E>
using Total = typename TotalOf<E>::type;

/// Op over n consecutive elements from `at` on.
template <class Op, class E, class Load>
inline Total<E> reduce_run(Load& load, int64_t at, int64_t n) {
  using V = Vec<E>;
  constexpr int lanes = kLanesOf<V>;
  // Each accumulator takes 64 elements before it is added to the rest.
  constexpr int64_t length = 256 * lanes;
  const V start = V{} + Op::template start<E>();
  Total<E> total = Op::template start<Total<E>>();
  for (int64_t block = 0; block < n; block += length) {
    const int64_t end = at + min_of(n, block + length);
    int64_t i = at + block;
    V a = start, b = start, c = start, d = start;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      a = Op::combine(a, Op::map(load(V{}, i, lanes)));
      b = Op::combine(b, Op::map(load(V{}, i + lanes, lanes)));
      c = Op::combine(c, Op::map(load(V{}, i + 2 * lanes, lanes)));
      d = Op::combine(d, Op::map(load(V{}, i + 3 * lanes, lanes)));
    }
    for (; i + lanes <= end; i += lanes) a = Op::combine(a, Op::map(load(V{}, i, lanes)));
    if (i < end) {
      const int rest = static_cast<int>(end - i);
      b = Op::combine(b, first_lanes(V(Op::map(load(V{}, i, rest))), rest, start));
    }
    const E sum = fold(V(Op::combine(V(Op::combine(a, b)), V(Op::combine(c, d)))),
                       [](auto x, auto y) { return Op::combine(x, y); });
    total = Op::combine(total, static_cast<Total<E>>(sum));
  }
  return total;
}

/// Op over n elements `stride` apart, for K vectors of columns from `at` on, the last with `width` lanes.
template <class Op, class E, int K, class Load>
inline void reduce_vectors(Load& load, int64_t at, int64_t n, int64_t stride, int width, Vec<E>* out) {
  using V = Vec<E>;
  constexpr int lanes = kLanesOf<V>;
  const V start = V{} + Op::template start<E>();
  V total[K], a[K];
  for (int v = 0; v < K; v++) total[v] = start;
  for (int64_t block = 0; block < n; block += 64) {
    const int64_t end = min_of(n, block + 64);
    for (int v = 0; v < K; v++) a[v] = start;
    for (int64_t i = block; i < end; i++) {
      for (int v = 0; v < K; v++) {
        a[v] = Op::combine(a[v], Op::map(load(V{}, at + i * stride + v * lanes, v + 1 < K ? lanes : width)));
      }
    }
    for (int v = 0; v < K; v++) total[v] = Op::combine(total[v], a[v]);
  }
  for (int v = 0; v < K; v++) out[v] = total[v];
}

/// Columns are reduced this many vectors at a time, so that whole cache lines in a row are read.
constexpr int kWide = 8;

/// The same for `width` columns, at most kWide vectors.
template <class Op, class E, class Load>
inline void reduce_wide(Load& load, int64_t at, int64_t n, int64_t stride, int64_t width, Vec<E>* out) {
  constexpr int lanes = kLanesOf<Vec<E>>;
  if (width == kWide * lanes) return reduce_vectors<Op, E, kWide>(load, at, n, stride, lanes, out);
  for (int64_t c = 0; c < width; c += lanes) {
    const int some = static_cast<int>(min_of<int64_t>(lanes, width - c));
    reduce_vectors<Op, E, 1>(load, at + c, n, stride, some, out + c / lanes);
  }
}

template <class Op, class E, class Load>
inline Vec<E> reduce_columns(Load& load, int64_t at, int64_t n, int64_t stride, int width) {
  Vec<E> out;
  reduce_vectors<Op, E, 1>(load, at, n, stride, width, &out);
  return out;
}

/// Into how many parts the axis is cut so that threads find enough to do; from the shape alone.
inline int64_t reduce_parts(int64_t results, int64_t axis, int64_t inner) {
  if (results >= 16 || axis * inner < 4 * kReduceGrain) return 1;
  return min_of(ceil_div(axis * inner, 2 * kReduceGrain), min_of(axis, int64_t{64}));
}

}  // namespace detail

/// One result for each outer and inner index, through store(outer * inner_size + inner, v, n). E is the
/// type to compute in.
template <class Op, class E, class Load, class Store>
inline void reduce(Context& ctx, int64_t outer, int64_t axis, int64_t inner, Load load, Store store) {
  using V = Vec<E>;
  using T = detail::Total<E>;
  constexpr int lanes = kLanesOf<V>;
  constexpr int64_t wide = detail::kWide * lanes;
  const int64_t tiles = inner == 1 ? 1 : ceil_div(inner, wide);
  const int64_t parts = detail::reduce_parts(outer * tiles, axis, inner);
  if (parts > 1) {
    auto* partial = static_cast<T*>(ctx.scratch(static_cast<size_t>(outer * parts * inner) * sizeof(T)));
    const int64_t step = ceil_div(axis, parts);
    parallel_for(ctx, outer * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; u++) {
        const int64_t first = min_of(axis, u % parts * step), count = min_of(axis, first + step) - first;
        const int64_t base = (u / parts * axis + first) * inner;
        if (inner == 1) {
          partial[u] = detail::reduce_run<Op, E>(load, base, count);
          continue;
        }
        for (int64_t c = 0; c < inner; c += wide) {
          V out[detail::kWide];
          const int64_t width = min_of(wide, inner - c);
          detail::reduce_wide<Op, E>(load, base + c, count, inner, width, out);
          for (int64_t i = 0; i < width; i++) partial[u * inner + c + i] = out[i / lanes][i % lanes];
        }
      }
    });
    for (int64_t o = 0; o < outer; o++) {
      for (int64_t i = 0; i < inner; i++) {
        T total = partial[o * parts * inner + i];
        for (int64_t p = 1; p < parts; p++) total = Op::combine(total, partial[(o * parts + p) * inner + i]);
        store(o * inner + i, static_cast<E>(Op::finish(total, axis)), 1);
      }
    }
    return;
  }
  const int64_t work = max_of<int64_t>(1, axis * min_of<int64_t>(inner, wide));
  parallel_for(ctx, outer * tiles, ceil_div(kReduceGrain, work), [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; u++) {
      if (inner == 1) {
        store(u, static_cast<E>(Op::finish(detail::reduce_run<Op, E>(load, u * axis, axis), axis)), 1);
        continue;
      }
      const int64_t o = u / tiles, first = u % tiles * wide, width = min_of(wide, inner - first);
      V out[detail::kWide];
      detail::reduce_wide<Op, E>(load, o * axis * inner + first, axis, inner, width, out);
      for (int64_t c = 0; c < width; c += lanes) {
        V v = out[c / lanes];
        for (int i = 0; i < lanes; i++) v[i] = Op::finish(static_cast<E>(v[i]), axis);
        store(o * inner + first + c, v, static_cast<int>(min_of<int64_t>(lanes, width - c)));
      }
    }
  });
}

/// log(sum(exp(x))) without overflow. The load functor is called twice for each element.
template <class E, class Load, class Store>
inline void reduce_log_sum_exp(Context& ctx, int64_t outer, int64_t axis, int64_t inner, Load load,
                               Store store) {
  using V = Vec<E>;
  constexpr int lanes = kLanesOf<V>;
  const int64_t tiles = inner == 1 ? 1 : ceil_div(inner, lanes);
  const int64_t work = max_of<int64_t>(1, axis * min_of<int64_t>(inner, lanes));
  parallel_for(ctx, outer * tiles, ceil_div(kReduceGrain / 4, work), [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; u++) {
      const int64_t o = u / tiles, t = u % tiles;
      if (inner == 1) {
        const E m = static_cast<E>(detail::reduce_run<MaxOp, E>(load, u * axis, axis));
        const E by = m - m == E(0) ? m : E(0);
        auto shifted = [&](auto tag, int64_t i, int n) { return exp_(decltype(tag)(load(tag, i, n) - by)); };
        const auto total = detail::reduce_run<SumOp, E>(shifted, u * axis, axis);
        store(u, static_cast<E>(log_(total) + by), 1);
      } else {
        const int n = static_cast<int>(min_of<int64_t>(lanes, inner - t * lanes));
        const int64_t base = o * axis * inner + t * lanes;
        const V m = detail::reduce_columns<MaxOp, E>(load, base, axis, inner, n);
        const V by = m - m == E(0) ? m : V{};
        auto shifted = [&](auto tag, int64_t i, int lanes_used) {
          return exp_(V(load(tag, i, lanes_used) - by));
        };
        store(o * inner + t * lanes,
              V(log_(detail::reduce_columns<SumOp, E>(shifted, base, axis, inner, n)) + by), n);
      }
    }
  });
}

// ---- Where the extreme value lies -----------------------------------------------------------------------

/// The index along the axis of the largest (or smallest) element, of the first or the last such element; a
/// NaN counts as more extreme than any number. E is the type to compare in.
template <class E, bool Largest, class Load, class I>
inline void arg_extreme(Context& ctx, int64_t outer, int64_t axis, int64_t inner, bool last, Load load,
                        I* y) {
  using V = Vec<E>;
  constexpr int lanes = kLanesOf<V>;
  constexpr int width = 64;
  const auto better = [](E a, E b) {
    return Largest ? a > b || (a != a && b == b) : a < b || (a != a && b == b);
  };
  const int64_t tiles = inner == 1 ? 1 : ceil_div(inner, width);
  const int64_t work = max_of<int64_t>(1, axis * min_of<int64_t>(inner, width));
  parallel_for(ctx, outer * tiles, ceil_div(kReduceGrain, work), [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; u++) {
      const int64_t o = u / tiles, t = u % tiles;
      if (inner == 1) {
        using Op = typename detail::Choose<Largest, MaxOp, MinOp>::type;
        const E m = static_cast<E>(detail::reduce_run<Op, E>(load, u * axis, axis));
        const auto equal = [&](E x) { return x == m || (m != m && x != x); };
        int64_t found = 0;
        const int64_t vectors = axis / lanes * lanes;
        const auto hit = [&](int64_t i) {
          const V v = load(V{}, u * axis + i, lanes);
          return detail::any((v == m) | (v != v));
        };
        if (!last) {
          int64_t i = 0;
          while (i < vectors && !hit(i)) i += lanes;
          while (i < axis && !equal(load(E{}, u * axis + i, 1))) i++;
          found = i < axis ? i : 0;
        } else {
          int64_t i = axis;
          while (i > vectors && !equal(load(E{}, u * axis + i - 1, 1))) i--;
          if (i == vectors) {
            while (i > 0 && !hit(i - lanes)) i -= lanes;
            while (i > 0 && !equal(load(E{}, u * axis + i - 1, 1))) i--;
          }
          found = i > 0 ? i - 1 : 0;
        }
        y[u] = static_cast<I>(found);
        continue;
      }
      const int n = static_cast<int>(min_of<int64_t>(width, inner - t * width));
      const int64_t base = o * axis * inner + t * width;
      E best[width];
      int64_t index[width];
      for (int c = 0; c < n; c++) best[c] = load(E{}, base + c, 1), index[c] = 0;
      for (int64_t i = 1; i < axis; i++) {
        for (int c = 0; c < n; c++) {
          const E x = load(E{}, base + i * inner + c, 1);
          const bool take = better(x, best[c]) || (last && !better(best[c], x));
          best[c] = take ? x : best[c];
          index[c] = take ? i : index[c];
        }
      }
      for (int c = 0; c < n; c++) y[o * inner + t * width + c] = static_cast<I>(index[c]);
    }
  });
}

}  // namespace ait
