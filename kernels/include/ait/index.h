#pragma once
// Operators that move elements by index. Negative indices count from the end; functions that take indices
// return false when one is out of range, and then leave the output unspecified. T is the element type (any
// type of the right size where nothing is computed), I the index type.
#include "context.h"
#include "math.h"
#include "sort.h"

namespace ait {

constexpr int kIndexRank = 8;
/// Elements to move before another thread is woken.
constexpr int64_t kMoveGrain = 32768;

namespace detail {

/// The index brought into [0, n), or -1.
template <class I>
inline int64_t wrap_index(I index, int64_t n) {
  const auto i = static_cast<int64_t>(index);
  const int64_t at = i < 0 ? i + n : i;
  return at >= 0 && at < n ? at : -1;
}

template <class T>
inline void move_block(T* to, const T* from, int64_t n) {
  if (n == 1) {
    *to = *from;
  } else {
    std::memcpy(static_cast<void*>(to), from, static_cast<size_t>(n) * sizeof(T));
  }
}

/// Set from several threads, read when they are done.
struct Failure {
  int happened = 0;
  void set() { __atomic_store_n(&happened, 1, __ATOMIC_RELAXED); }
  bool ok() const { return __atomic_load_n(&happened, __ATOMIC_RELAXED) == 0; }
};

}  // namespace detail

// ---- Gather ---------------------------------------------------------------------------------------------

/// x[outer][axis][block] to y[outer][count][block].
template <class T, class I>
inline bool gather(Context& ctx, const T* x, int64_t outer, int64_t axis, int64_t block, const I* index,
                   int64_t count, T* y) {
  detail::Failure failure;
  parallel_for(ctx, outer * count, ceil_div(kMoveGrain, max_of<int64_t>(1, block)),
               [&](int64_t begin, int64_t end) {
                 int64_t o = begin / max_of<int64_t>(1, count), j = begin - o * count;
                 for (int64_t u = begin; u < end; u++) {
                   const int64_t at = detail::wrap_index(index[j], axis);
                   if (at < 0) {
                     failure.set();
                     return;
                   }
                   detail::move_block(y + u * block, x + (o * axis + at) * block, block);
                   if (++j == count) j = 0, o++;
                 }
               });
  return failure.ok();
}

/// y has the shape of index: y[i0]..[ir] = x with i[axis] replaced by index[i0]..[ir].
template <class T, class I>
inline bool gather_elements(Context& ctx, int rank, const int64_t* x_shape, const int64_t* shape, int axis,
                            const T* x, const I* index, T* y) {
  int64_t stride[kIndexRank], step = 1, rows = 1;
  for (int a = rank - 1; a >= 0; a--) {
    stride[a] = step;
    step *= x_shape[a];
    if (a < rank - 1) rows *= shape[a];
  }
  const int64_t width = shape[rank - 1];
  detail::Failure failure;
  parallel_for(ctx, rows, ceil_div(kMoveGrain, max_of<int64_t>(1, width)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      int64_t base = 0, rest = r;
      for (int a = rank - 2; a >= 0; a--) {
        if (a != axis) base += rest % shape[a] * stride[a];
        rest /= shape[a];
      }
      for (int64_t i = 0; i < width; i++) {
        const int64_t at = detail::wrap_index(index[r * width + i], x_shape[axis]);
        if (at < 0) {
          failure.set();
          return;
        }
        y[r * width + i] = x[base + at * stride[axis] + (axis == rank - 1 ? 0 : i)];
      }
    }
  });
  return failure.ok();
}

/// index[batch][count][depth] selects blocks of x[batch][dims[0]]..[dims[depth - 1]][block].
template <class T, class I>
inline bool gather_nd(Context& ctx, const T* x, int64_t batch, int depth, const int64_t* dims, int64_t block,
                      const I* index, int64_t count, T* y) {
  int64_t plane = 1;
  for (int d = 0; d < depth; d++) plane *= dims[d];
  detail::Failure failure;
  parallel_for(ctx, batch * count, ceil_div(kMoveGrain, max_of<int64_t>(1, block)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t u = begin; u < end; u++) {
                   int64_t source = 0;
                   for (int d = 0; d < depth; d++) {
                     const int64_t at = detail::wrap_index(index[u * depth + d], dims[d]);
                     if (at < 0) {
                       failure.set();
                       return;
                     }
                     source = source * dims[d] + at;
                   }
                   detail::move_block(y + u * block, x + (u / count * plane + source) * block, block);
                 }
               });
  return failure.ok();
}

// ---- Scatter --------------------------------------------------------------------------------------------

enum class Reduction { None, Add, Mul, Max, Min };

namespace detail {
template <Reduction R, class T>
inline T reduced(T a, T b) {
  if constexpr (R == Reduction::None) {
    return b;
  } else if constexpr (!kIsNumber<T>) {
    return cast_to<T>(reduced<R>(to_f32(a), to_f32(b)));
  } else if constexpr (R == Reduction::Max) {
    return max_(a, b);
  } else if constexpr (R == Reduction::Min) {
    return min_(a, b);
  } else if constexpr (kIsFloat<T>) {
    return R == Reduction::Add ? a + b : a * b;
  } else if constexpr (__is_same(T, bool)) {
    return R == Reduction::Add ? a || b : a && b;
  } else {
    return R == Reduction::Add ? wrap_add(a, b) : wrap_mul(a, b);
  }
}
}  // namespace detail

/// y starts as x (the caller copies, or works in place); index and updates have one shape. Of equal indices
/// the last wins.
template <Reduction R, class T, class I>
inline bool scatter_elements(Context& ctx, int rank, const int64_t* y_shape, const int64_t* shape, int axis,
                             const I* index, const T* updates, T* y) {
  int64_t stride[kIndexRank], step = 1, inner = 1;
  for (int a = rank - 1; a >= 0; a--) {
    stride[a] = step;
    step *= y_shape[a];
    if (a > 0) inner *= shape[a];
  }
  // Different positions on the first axis meet in the output only when it is the axis of the indices.
  const int64_t grain = axis == 0 ? shape[0] : ceil_div(kMoveGrain / 4, max_of<int64_t>(1, inner));
  detail::Failure failure;
  parallel_for(ctx, shape[0], grain, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin * inner; u < end * inner; u++) {
      const int64_t at = detail::wrap_index(index[u], y_shape[axis]);
      if (at < 0) {
        failure.set();
        return;
      }
      int64_t target = at * stride[axis], rest = u;
      for (int a = rank - 1; a >= 0; a--) {
        if (a != axis) target += rest % shape[a] * stride[a];
        rest /= shape[a];
      }
      y[target] = detail::reduced<R>(y[target], updates[u]);
    }
  });
  return failure.ok();
}

/// index[count][depth] names blocks of y[dims[0]]..[dims[depth - 1]][block]; y starts as x.
template <Reduction R, class T, class I>
inline bool scatter_nd(int depth, const int64_t* dims, int64_t block, const I* index, int64_t count,
                       const T* updates, T* y) {
  for (int64_t u = 0; u < count; u++) {
    int64_t target = 0;
    for (int d = 0; d < depth; d++) {
      const int64_t at = detail::wrap_index(index[u * depth + d], dims[d]);
      if (at < 0) return false;
      target = target * dims[d] + at;
    }
    T* to = y + target * block;
    const T* from = updates + u * block;
    if constexpr (R == Reduction::None) {
      detail::move_block(to, from, block);
    } else {
      for (int64_t i = 0; i < block; i++) to[i] = detail::reduced<R>(to[i], from[i]);
    }
  }
  return true;
}

// ---- One-hot, nonzero, compress, unique, reverse ----------------------------------------------------------

/// index[outer][inner] to y[outer][depth][inner]; an index outside of [-depth, depth) sets nothing.
template <class T, class I>
inline void one_hot(Context& ctx, const I* index, int64_t outer, int64_t inner, int64_t depth, T off, T on,
                    T* y) {
  parallel_for(ctx, outer, ceil_div(kMoveGrain, max_of<int64_t>(1, depth * inner)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin * depth * inner; i < end * depth * inner; i++) y[i] = off;
                 for (int64_t u = begin * inner; u < end * inner; u++) {
                   const int64_t at = detail::wrap_index(cast_to<int64_t>(index[u]), depth);
                   if (at >= 0) y[(u / inner * depth + at) * inner + u % inner] = on;
                 }
               });
}

template <class T>
inline bool is_nonzero(T x) {
  return cast_to<bool>(x);
}

template <class T>
inline int64_t count_nonzero(const T* x, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += is_nonzero(x[i]);
  return count;
}

/// The coordinates of the nonzero elements, as y[rank][count]. A scalar has rank 1 and shape {1}.
template <class T>
inline void nonzero(const T* x, int rank, const int64_t* shape, int64_t count, int64_t* y) {
  int64_t at[kIndexRank] = {}, n = 1, found = 0;
  for (int a = 0; a < rank; a++) n *= shape[a];
  for (int64_t i = 0; i < n; i++) {
    if (is_nonzero(x[i])) {
      for (int a = 0; a < rank; a++) y[a * count + found] = at[a];
      found++;
    }
    for (int a = rank - 1; a >= 0 && ++at[a] == shape[a]; a--) at[a] = 0;
  }
}

/// Keeps the slices of x[outer][axis][block] whose condition holds; a condition shorter than the axis drops
/// the rest. Returns how many are kept.
template <class T>
inline int64_t compress(const bool* condition, int64_t conditions, const T* x, int64_t outer, int64_t axis,
                        int64_t block, T* y) {
  const int64_t n = min_of(conditions, axis), kept = count_nonzero(condition, n);
  T* to = y;
  for (int64_t o = 0; o < outer; o++) {
    for (int64_t i = 0; i < n; i++) {
      if (!condition[i]) continue;
      detail::move_block(to, x + (o * axis + i) * block, block);
      to += block;
    }
  }
  return kept;
}

/// Unique slices of x[outer][axis][inner] along the axis (a flattened tensor is [1][n][1]). first, inverse
/// and counts hold one int64 for each position on the axis and may not be null: for each unique slice its
/// first position and how often it occurs, for each position its unique slice. Returns how many there are;
/// `gather` with `first` yields the slices. Sorted in ascending order, or in order of appearance.
template <class T>
inline int64_t unique(Context& ctx, const T* x, int64_t outer, int64_t axis, int64_t inner, bool sorted,
                      int64_t* first, int64_t* inverse, int64_t* counts) {
  const auto compare = [&](int64_t a, int64_t b) {
    for (int64_t o = 0; o < outer; o++) {
      const T *p = x + (o * axis + a) * inner, *q = x + (o * axis + b) * inner;
      for (int64_t i = 0; i < inner; i++) {
        const auto less = [](T l, T r) {
          if constexpr (detail::kIsNumber<T>)
            return l < r || (l == l && r != r);
          else
            return to_f32(l) < to_f32(r);
        };
        if (less(p[i], q[i])) return -1;
        if (less(q[i], p[i])) return 1;
      }
    }
    return 0;
  };
  auto* order = static_cast<int64_t*>(ctx.scratch(static_cast<size_t>(2 * axis + 1) * sizeof(int64_t)));
  int64_t* spare = order + axis;
  for (int64_t i = 0; i < axis; i++) order[i] = i;
  merge_sort(order, spare, axis, [&](int64_t a, int64_t b) { return compare(a, b) < 0; });
  int64_t n = 0;
  for (int64_t i = 0; i < axis; i++) {
    if (i > 0 && compare(order[i - 1], order[i]) == 0) {
      counts[n - 1]++;
    } else {
      first[n] = order[i];
      counts[n++] = 1;
    }
    inverse[order[i]] = n - 1;
  }
  if (sorted) return n;
  // The sort is stable, so `first` holds first appearances: rank the unique slices by them.
  int64_t* rank = spare;
  for (int64_t i = 0; i < n; i++) order[i] = i;
  merge_sort(order, spare, n, [&](int64_t a, int64_t b) { return first[a] < first[b]; });
  for (int64_t i = 0; i < n; i++) rank[order[i]] = i;
  for (int64_t i = 0; i < axis; i++) inverse[i] = rank[inverse[i]];
  // Apply the permutation to first and counts, cycle by cycle.
  for (int64_t i = 0; i < n; i++) {
    while (rank[i] != i) {
      const int64_t to = rank[i], f = first[to], c = counts[to], r = rank[to];
      first[to] = first[i];
      counts[to] = counts[i];
      rank[to] = to;
      first[i] = f;
      counts[i] = c;
      rank[i] = r;
    }
  }
  return n;
}

/// Reverses the first lengths[b] steps of each sequence; x is [time][batch][block], or with time_last
/// [batch][time][block].
template <class T, class I>
inline bool reverse_sequence(Context& ctx, const T* x, int64_t batch, int64_t time, int64_t block,
                             bool time_last, const I* lengths, T* y) {
  for (int64_t b = 0; b < batch; b++) {
    if (lengths[b] < 0 || static_cast<int64_t>(lengths[b]) > time) return false;
  }
  parallel_for(ctx, batch * time, ceil_div(kMoveGrain, max_of<int64_t>(1, block)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t u = begin; u < end; u++) {
                   const int64_t b = time_last ? u / time : u % batch, t = time_last ? u % time : u / batch;
                   const auto n = static_cast<int64_t>(lengths[b]);
                   const int64_t from = t < n ? n - 1 - t : t;
                   detail::move_block(y + u * block,
                                      x + (time_last ? b * time + from : from * batch + b) * block, block);
                 }
               });
  return true;
}

}  // namespace ait
