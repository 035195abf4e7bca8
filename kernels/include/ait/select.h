#pragma once
// Elements read from and written to places that the data names. Indices may count from the end; one that
// lies outside fails the kernel before anything is written.
#include "movement.h"
#include "sort.h"

namespace ait {

/// Whether every index lies in [-n, n).
template <class I>
inline bool indices_within(const I* indices, int64_t count, int64_t n) {
  bool ok = true;
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = static_cast<int64_t>(indices[i]);
    ok &= at >= -n && at < n;
  }
  return ok;
}
template <class I>
inline int64_t from_front(I index, int64_t n) {
  return static_cast<int64_t>(index) + (index < 0 ? n : 0);
}

/// dst[o][i] = src[o][indices[i]], rows of `inner` elements.
template <class T, class I>
inline void gather(Context& ctx, T* dst, const T* src, const I* indices, int64_t outer, int64_t n,
                   int64_t count, int64_t inner) {
  if (!indices_within(indices, count, n)) {
    ctx.fail("Gather: an index is out of range");
    return;
  }
  const int64_t grain = max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * inner + 1));
  parallel_for(ctx, outer * count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t o = outer == 1 ? 0 : r / count;
      const int64_t at = from_front(indices[r - o * count], n);
      copy_row(dst + r * inner, src + (o * n + at) * inner, inner, 1);
    }
  });
}

/// Both tensors' extents row by row; the axis of `src` has `n` elements.
template <class T, class I>
inline void gather_elements(Context& ctx, T* dst, const T* src, const I* indices, int rank,
                            const int64_t* extents, const int64_t* strides, int axis, int64_t n) {
  const int64_t total = product(extents, rank);
  if (total == 0) return;
  if (!indices_within(indices, total, n)) {
    ctx.fail("GatherElements: an index is out of range");
    return;
  }
  int64_t others[kMaxRank];
  for (int d = 0; d < rank; d++) others[d] = d == axis ? 0 : strides[d];
  parallel_for(ctx, total, 8192, [&](int64_t begin, int64_t end) {
    Walk<> at{rank, extents, {others}};
    at.seek(begin);
    for (int64_t i = begin; i < end; i++, at.next()) {
      dst[i] = src[at.offset[0] + from_front(indices[i], n) * strides[axis]];
    }
  });
}

/// Places that tuples of `depth` coordinates name; a table of the axes' extents and strides.
template <class I>
struct Places {
  const I* indices;
  int depth;
  const int64_t* extents;
  const int64_t* strides;

  bool within(int64_t count) const {
    bool ok = true;
    for (int64_t i = 0; i < count * depth; i++) {
      const int64_t n = extents[i % depth], at = static_cast<int64_t>(indices[i]);
      ok &= at >= -n && at < n;
    }
    return ok;
  }
  int64_t operator[](int64_t i) const {
    int64_t offset = 0;
    for (int d = 0; d < depth; d++) offset += from_front(indices[i * depth + d], extents[d]) * strides[d];
    return offset;
  }
};

template <class T, class I>
inline void gather_nd(Context& ctx, T* dst, const T* src, const Places<I>& places, int64_t batch,
                      int64_t src_batch, int64_t count, int64_t inner) {
  if (!places.within(batch * count)) {
    ctx.fail("GatherND: an index is out of range");
    return;
  }
  const int64_t grain = max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * (inner + 4)));
  parallel_for(ctx, batch * count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      copy_row(dst + r * inner, src + r / count * src_batch + places[r], inner, 1);
    }
  });
}

// How an update meets what is there.
struct Replace {
  template <class T>
  static T apply(T, T update) {
    return update;
  }
};
template <class F>
struct Combine {
  template <class T>
  static T apply(T old, T update) {
    if constexpr (detail::kIsNumber<T>) {
      return F::of(old, update);
    } else {
      return from_f32<T>(F::of(to_f32(old), to_f32(update)));
    }
  }
};
struct AddOf {
  template <class T>
  static T of(T a, T b) {
    if constexpr (__is_same(T, bool))
      return a || b;
    else if constexpr (detail::kIsFloat<T>)
      return a + b;
    else
      return wrap_add(a, b);
  }
};
struct MulOf {
  template <class T>
  static T of(T a, T b) {
    if constexpr (__is_same(T, bool))
      return a && b;
    else if constexpr (detail::kIsFloat<T>)
      return a * b;
    else
      return wrap_mul(a, b);
  }
};
struct MaxOf {
  template <class T>
  static T of(T a, T b) {
    return a < b || b != b ? b : a;
  }
};
struct MinOf {
  template <class T>
  static T of(T a, T b) {
    return b < a || b != b ? b : a;
  }
};

template <class T>
inline void copy_all(Context& ctx, T* dst, const T* src, int64_t n) {
  if (dst == src) return;
  copy_rows(ctx, dst, 0, src, 0, 1, n * static_cast<int64_t>(sizeof(T)));
}

/// A copy of src (total elements, given strides) with updates of these extents. Updates of one place are
/// applied in order, and each place belongs to one thread.
template <class C, class T, class I>
inline void scatter_elements(Context& ctx, T* dst, const T* src, const I* indices, const T* updates,
                             int64_t total, int rank, const int64_t* extents, const int64_t* strides,
                             int axis, int64_t n) {
  const int64_t count = product(extents, rank);
  if (!indices_within(indices, count, n)) {
    ctx.fail("ScatterElements: an index is out of range");
    return;
  }
  copy_all(ctx, dst, src, total);
  if (count == 0) return;
  const int64_t outer = product(extents, axis), steps = extents[axis];
  const int64_t inner = product(extents + axis + 1, rank - axis - 1);
  bool dense = true;
  int64_t stride = 1;
  for (int d = rank - 1; d > axis; d--) {
    dense &= strides[d] == stride || extents[d] == 1;
    stride *= extents[d];
  }
  const int64_t block = dense ? max_of<int64_t>(16, ceil_div(inner, 4 * ctx.threads)) : inner;
  const int64_t blocks = ceil_div(inner, block);
  const int64_t grain = max_of<int64_t>(1, 8192 / (steps * min_of(block, inner) + 1));
  parallel_for(ctx, outer * blocks, grain, [&](int64_t begin, int64_t end) {
    Walk<> out{axis, extents, {strides}};
    for (int64_t item = begin; item < end; item++) {
      const int64_t o = item / blocks, first = item % blocks * block, last = min_of(inner, first + block);
      out.seek(o);
      for (int64_t a = 0; a < steps; a++) {
        const int64_t from = (o * steps + a) * inner;
        if (dense) {
          T* base = dst + out.offset[0];
          for (int64_t i = first; i < last; i++) {
            T& at = base[from_front(indices[from + i], n) * strides[axis] + i];
            at = C::apply(at, updates[from + i]);
          }
        } else {
          Walk<> in{rank - axis - 1, extents + axis + 1, {strides + axis + 1}};
          in.seek(0);
          for (int64_t i = 0; i < inner; i++, in.next()) {
            T& at = dst[out.offset[0] + in.offset[0] + from_front(indices[from + i], n) * strides[axis]];
            at = C::apply(at, updates[from + i]);
          }
        }
      }
    }
  });
}

template <class C, class T, class I>
inline void scatter_nd(Context& ctx, T* dst, const T* src, const Places<I>& places, const T* updates,
                       int64_t total, int64_t count, int64_t inner) {
  if (!places.within(count)) {
    ctx.fail("ScatterND: an index is out of range");
    return;
  }
  copy_all(ctx, dst, src, total);
  const int64_t block = max_of<int64_t>(64, ceil_div(inner, 4 * ctx.threads));
  const int64_t grain = max_of<int64_t>(1, 8192 / (count * block + 1));
  parallel_for(ctx, ceil_div(inner, block), grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * block, last = min_of(inner, end * block);
    for (int64_t r = 0; r < count; r++) {
      T* to = dst + places[r];
      const T* from = updates + r * inner;
      for (int64_t i = first; i < last; i++) to[i] = C::apply(to[i], from[i]);
    }
  });
}

template <class T>
inline bool is_set(T x) {
  return cast_to<bool>(x);
}

template <class T>
inline int64_t count_nonzero(const T* x, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += is_set(x[i]) ? 1 : 0;
  return count;
}

/// dst[axis][k]: the indices of the k-th element that is not 0.
template <class T>
inline void nonzero(int64_t* dst, const T* x, int rank, const int64_t* extents, int64_t count) {
  Walk<0> at{rank, extents, {}};
  const int64_t total = product(extents, rank);
  int64_t k = 0;
  for (int64_t i = 0; i < total && k < count; i++, at.next()) {
    if (!is_set(x[i])) continue;
    for (int d = 0; d < rank; d++) dst[d * count + k] = at.index[d];
    k++;
  }
}

/// The rows, of `n`, whose condition holds; there are `conditions` conditions and `count` that hold.
template <class T>
inline void compress(Context& ctx, T* dst, const T* src, const bool* holds, int64_t outer, int64_t n,
                     int64_t inner, int64_t conditions, int64_t count) {
  const int64_t grain = max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * n * inner + 1));
  parallel_for(ctx, outer, grain, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o++) {
      T* to = dst + o * count * inner;
      for (int64_t i = 0; i < min_of(n, conditions); i++) {
        if (!holds[i]) continue;
        copy_row(to, src + (o * n + i) * inner, inner, 1);
        to += inner;
      }
    }
  });
}

/// The distinct rows of an axis. Results are padded to n rows; `count` says how many there are.
template <class T>
inline void unique(Context& ctx, int64_t* count, T* values, int64_t* first, int64_t* which, int64_t* counts,
                   const T* x, int64_t outer, int64_t n, int64_t inner, bool sorted) {
  int32_t* order = static_cast<int32_t*>(ctx.scratch(static_cast<size_t>(3 * n + 1) * 4));
  int32_t *groups = order + n, *spare = groups + n;
  // NaN comes last and is one value.
  const auto compare = [&](int64_t a, int64_t b) {
    for (int64_t o = 0; o < outer; o++) {
      for (int64_t i = 0; i < inner; i++) {
        const T u = x[(o * n + a) * inner + i], v = x[(o * n + b) * inner + i];
        bool less, more;
        if constexpr (detail::kIsNumber<T>) {
          less = u < v || (v != v && u == u);
          more = v < u || (u != u && v == v);
        } else {
          const float s = to_f32(u), t = to_f32(v);
          less = s < t || (t != t && s == s);
          more = t < s || (s != s && t == t);
        }
        if (less || more) return less ? -1 : 1;
      }
    }
    return 0;
  };
  for (int64_t i = 0; i < n; i++) order[i] = static_cast<int32_t>(i);
  merge_sort(order, spare, n, [&](int32_t a, int32_t b) {
    const int c = compare(a, b);
    return c < 0 || (c == 0 && a < b);
  });
  // first[] and counts[] of group g, in sorted order; which[] names the group of each row.
  int64_t found = 0;
  for (int64_t i = 0; i < n; i++) {
    if (i == 0 || compare(order[i - 1], order[i]) != 0) {
      first[found] = order[i];
      counts[found++] = 0;
    }
    counts[found - 1]++;
    which[order[i]] = found - 1;
  }
  if (!sorted) {
    for (int64_t g = 0; g < found; g++) groups[g] = static_cast<int32_t>(g);
    merge_sort(groups, spare, found, [&](int32_t a, int32_t b) { return first[a] < first[b]; });
    for (int64_t g = 0; g < found; g++) order[groups[g]] = static_cast<int32_t>(g);
    for (int64_t i = 0; i < n; i++) which[i] = order[which[i]];
    int64_t seen = 0;
    for (int64_t i = 0; i < n; i++) {
      if (which[i] == seen) first[seen++] = i;
    }
    for (int64_t g = 0; g < found; g++) counts[g] = 0;
    for (int64_t i = 0; i < n; i++) counts[which[i]]++;
  }
  for (int64_t o = 0; o < outer; o++) {
    for (int64_t g = 0; g < found; g++) {
      copy_row(values + (o * n + g) * inner, x + (o * n + first[g]) * inner, inner, 1);
    }
  }
  *count = found;
}

}  // namespace ait
