#pragma once
// Copies that rearrange, repeat or surround elements. Elements are opaque: only their size counts.
#include "context.h"
#include "extents.h"
#include "numeric.h"

namespace ait {

/// A 16-byte element.
struct alignas(16) Bytes16 {
  uint64_t words[2];
};

constexpr int kMaxRank = 12;
/// Bytes a thread must have to move to be worth waking.
constexpr int64_t kMoveGrain = 131072;

/// Runs through the indices of `extents` in row-major order and keeps one or two offsets along.
template <int N = 1>
struct Walk {
  int rank;
  const int64_t* extents;
  const int64_t* strides[N];
  int64_t offset[N] = {};
  int64_t index[kMaxRank] = {};

  void seek(int64_t at) {
    for (int k = 0; k < N; k++) offset[k] = 0;
    for (int d = rank - 1; d >= 0; d--) {
      index[d] = at % extents[d];
      at /= extents[d];
      for (int k = 0; k < N; k++) offset[k] += index[d] * strides[k][d];
    }
  }
  void next() {
    for (int d = rank - 1; d >= 0; d--) {
      for (int k = 0; k < N; k++) offset[k] += strides[k][d];
      if (++index[d] < extents[d]) return;
      for (int k = 0; k < N; k++) offset[k] -= strides[k][d] * extents[d];
      index[d] = 0;
    }
  }
};

inline int64_t product(const int64_t* extents, int rank) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++) n *= max_of<int64_t>(0, extents[d]);
  return n;
}

template <class T>
inline void copy_row(T* dst, const T* src, int64_t n, int64_t step) {
  if (step == 1) {
    if (n * static_cast<int64_t>(sizeof(T)) >= 64) {
      std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(T));
    } else {
      for (int64_t i = 0; i < n; i++) dst[i] = src[i];
    }
  } else if (step == 0) {
    const T x = *src;
    for (int64_t i = 0; i < n; i++) dst[i] = x;
  } else {
    for (int64_t i = 0; i < n; i++) dst[i] = src[i * step];
  }
}

/// dst[r * dst_stride + c] = src[c * src_stride + r]
template <class T>
inline void transpose_tile(T* dst, int64_t dst_stride, const T* src, int64_t src_stride, int64_t rows,
                           int64_t columns) {
  if constexpr (sizeof(T) == 4) {
    if (rows == kF32 && columns == kF32) {
      f32v a[kF32], b[kF32];
      for (int c = 0; c < kF32; c++) a[c] = load<f32v>(src + c * src_stride);
      // Interleaving the two halves log2(lanes) times transposes.
      for (int width = 1; width < kF32; width *= 2) {
        for (int i = 0; i < kF32 / 2; i++) {
          b[2 * i] = interleave_low(a[i], a[i + kF32 / 2]);
          b[2 * i + 1] = interleave_high(a[i], a[i + kF32 / 2]);
        }
        for (int i = 0; i < kF32; i++) a[i] = b[i];
      }
      for (int r = 0; r < kF32; r++) store(dst + r * dst_stride, a[r]);
      return;
    }
  }
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < columns; c++) dst[r * dst_stride + c] = src[c * src_stride + r];
  }
}

/// copy_strided where axis `across` is contiguous in src and the last axis is not: tile by tile, so that
/// every cache line is used whole.
template <class T>
inline void copy_transposed(Context& ctx, T* dst, const T* src, int rank, const int64_t* extents,
                            const int64_t* strides, int across) {
  constexpr int64_t tile = sizeof(T) == 4 ? kF32 : 64 / static_cast<int64_t>(sizeof(T) < 4 ? 4 : sizeof(T));
  int64_t outer[kMaxRank], from[kMaxRank], to[kMaxRank];
  int64_t below = 1, row_stride = 0;
  int count = 0;
  for (int d = rank - 1; d >= 0; d--) {
    if (d == across) row_stride = below;
    if (d != across && d != rank - 1) {
      outer[count] = extents[d];
      from[count] = strides[d];
      to[count] = below;
      count++;
    }
    below *= extents[d];
  }
  const int64_t rows = extents[across], columns = extents[rank - 1], step = strides[rank - 1];
  // Few columns fill no tile: longer strips then save bookkeeping.
  const int64_t strip = columns < tile ? 32 * tile : tile;
  const int64_t strips = ceil_div(rows, strip);
  const int64_t grain =
      max_of<int64_t>(1, kMoveGrain / (strip * columns * static_cast<int64_t>(sizeof(T)) + 1));
  parallel_for(ctx, product(outer, count) * strips, grain, [&](int64_t begin, int64_t end) {
    Walk<2> at{count, outer, {from, to}};
    at.seek(begin / strips);
    for (int64_t i = begin; i < end; i++) {
      const int64_t r = i % strips * strip;
      const int64_t high = min_of(strip, rows - r);
      const T* s = src + at.offset[0] + r;
      T* t = dst + at.offset[1] + r * row_stride;
      for (int64_t c = 0; c < columns; c += tile) {
        transpose_tile(t + c, row_stride, s + c * step, step, high, min_of(tile, columns - c));
      }
      if (i % strips == strips - 1) at.next();
    }
  });
}

/// Fills a dense array of these extents (at least one) with src[sum of index * stride].
template <class T>
inline void copy_strided(Context& ctx, T* dst, const T* src, int rank, const int64_t* extents,
                         const int64_t* strides) {
  const int64_t total = product(extents, rank);
  if (total <= 0) return;
  const int64_t n = extents[rank - 1], step = strides[rank - 1];
  const int64_t grain = kMoveGrain / static_cast<int64_t>(sizeof(T));
  if (step != 1 && step != 0 && n > 1) {
    for (int d = rank - 2; d >= 0; d--) {
      if (strides[d] == 1 && extents[d] >= 4) {
        copy_transposed(ctx, dst, src, rank, extents, strides, d);
        return;
      }
    }
  }
  if (total == n) {
    parallel_for(ctx, n, grain, [&](int64_t begin, int64_t end) {
      copy_row(dst + begin, src + begin * step, end - begin, step);
    });
    return;
  }
  parallel_for(ctx, total / n, max_of<int64_t>(1, grain / n), [&](int64_t begin, int64_t end) {
    Walk<> at{rank - 1, extents, {strides}};
    at.seek(begin);
    for (int64_t r = begin; r < end; r++) {
      copy_row(dst + r * n, src + at.offset[0], n, step);
      at.next();
    }
  });
}

/// Copies rows of `bytes` bytes; rows lie `dst_stride` and `src_stride` bytes apart.
inline void copy_rows(Context& ctx, void* dst, int64_t dst_stride, const void* src, int64_t src_stride,
                      int64_t rows, int64_t bytes) {
  uint8_t* to = static_cast<uint8_t*>(dst);
  const uint8_t* from = static_cast<const uint8_t*>(src);
  // A part that was computed in its place is there already.
  if (bytes <= 0 || (rows == 1 && to == from)) return;
  if (rows == 1) {
    parallel_for(ctx, bytes, kMoveGrain, [&](int64_t begin, int64_t end) {
      std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
    });
    return;
  }
  parallel_for(ctx, rows, max_of<int64_t>(1, kMoveGrain / bytes), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      std::memcpy(to + r * dst_stride, from + r * src_stride, static_cast<size_t>(bytes));
    }
  });
}

enum class PadMode { Constant, Edge, Reflect, Wrap };

/// The source position in [0, n) of position i, which may lie outside; -1 where the value is to be written.
inline int64_t pad_source(int64_t i, int64_t n, PadMode mode) {
  if (i >= 0 && i < n) return i;
  switch (mode) {
    case PadMode::Edge:
      return i < 0 ? 0 : n - 1;
    case PadMode::Reflect: {
      if (n == 1) return 0;
      const int64_t period = 2 * (n - 1);
      const int64_t m = ((i % period) + period) % period;
      return m < n ? m : period - m;
    }
    case PadMode::Wrap:
      return ((i % n) + n) % n;
    default:
      return -1;
  }
}

/// dst has extents in + before + after; negative amounts cut off.
template <class T>
inline void pad(Context& ctx, T* dst, const T* src, int rank, const int64_t* in, const int64_t* before,
                const int64_t* after, PadMode mode, T value) {
  int64_t out[kMaxRank], kept[kMaxRank], lead[kMaxRank], strides[kMaxRank];
  int64_t stride = 1;
  bool empty = false;
  for (int d = rank - 1; d >= 0; d--) {
    const int64_t cut = max_of<int64_t>(0, -before[d]);
    out[d] = in[d] + before[d] + after[d];
    kept[d] = in[d] - cut - max_of<int64_t>(0, -after[d]);
    lead[d] = max_of<int64_t>(0, before[d]);
    empty |= kept[d] <= 0;
    strides[d] = stride;
    src += cut * stride;
    stride *= in[d];
  }
  const int64_t total = product(out, rank);
  if (total <= 0) return;
  if (empty && mode != PadMode::Constant) {
    ctx.fail("Pad: an empty tensor has no elements to repeat");
    return;
  }
  const int last = rank - 1;
  const int64_t n = out[last], middle = empty ? 0 : kept[last], left = lead[last];
  const int64_t grain = max_of<int64_t>(1, kMoveGrain / static_cast<int64_t>(sizeof(T)) / n);
  parallel_for(ctx, total / n, grain, [&](int64_t begin, int64_t end) {
    Walk<> at{last, out, {strides}};
    at.seek(begin);
    for (int64_t r = begin; r < end; r++, at.next()) {
      int64_t offset = 0;
      bool inside = !empty;
      for (int d = 0; d < last && inside; d++) {
        const int64_t i = pad_source(at.index[d] - lead[d], kept[d], mode);
        inside = i >= 0;
        offset += i * strides[d];
      }
      T* row = dst + r * n;
      if (!inside) {
        copy_row(row, &value, n, 0);
        continue;
      }
      const T* from = src + offset;
      if (mode == PadMode::Constant) {
        copy_row(row, &value, left, 0);
        copy_row(row + left + middle, &value, n - left - middle, 0);
      } else {
        for (int64_t i = 0; i < left; i++) row[i] = from[pad_source(i - left, middle, mode)];
        for (int64_t i = left + middle; i < n; i++) row[i] = from[pad_source(i - left, middle, mode)];
      }
      copy_row(row + left, from, middle, 1);
    }
  });
}

/// Keeps element (r, c) of each matrix where c - r >= k (upper) or <= k (lower); the others become zero.
template <class T>
inline void trilu(Context& ctx, T* dst, const T* src, int64_t batch, int64_t rows, int64_t columns, int64_t k,
                  bool upper) {
  const int64_t grain = max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * columns + 1));
  parallel_for(ctx, batch * rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      // Columns [0, split) are left of the border.
      const int64_t border = i % rows + k + (upper ? 0 : 1);
      const int64_t split = border < 0 ? 0 : min_of(border, columns);
      const int64_t keep = upper ? split : 0, kept = upper ? columns - split : split;
      const int64_t clear = upper ? 0 : split, cleared = columns - kept;
      T* row = dst + i * columns;
      std::memset(static_cast<void*>(row + clear), 0, static_cast<size_t>(cleared) * sizeof(T));
      copy_row(row + keep, src + i * columns + keep, kept, 1);
    }
  });
}

/// ones[r][c] where c - r is k, else zero.
template <class T>
inline void eye(Context& ctx, T* dst, int64_t rows, int64_t columns, int64_t k, T one) {
  parallel_for(ctx, rows, max_of<int64_t>(1, kMoveGrain / (columns + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      T* row = dst + r * columns;
      std::memset(static_cast<void*>(row), 0, static_cast<size_t>(columns) * sizeof(T));
      if (r + k >= 0 && r + k < columns) row[r + k] = one;
    }
  });
}

/// Reverses the first lengths[b] steps along the time axis. Extents are {outer, time, middle, batch, inner}
/// or, when the batch comes first, {outer, batch, middle, time, inner}.
template <class T>
inline void reverse_sequence(Context& ctx, T* dst, const T* src, const int64_t* lengths,
                             const int64_t (&extents)[5], bool time_first) {
  const int64_t time = extents[time_first ? 1 : 3], inner = extents[4];
  const int64_t batches = extents[time_first ? 3 : 1];
  for (int64_t b = 0; b < batches; b++) {
    if (lengths[b] < 0 || lengths[b] > time) {
      ctx.fail("ReverseSequence: a length is outside the time axis");
      return;
    }
  }
  const int64_t strides[4] = {extents[1] * extents[2] * extents[3] * inner, extents[2] * extents[3] * inner,
                              extents[3] * inner, inner};
  const int64_t rows = product(extents, 4);
  const int64_t grain = max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * inner + 1));
  parallel_for(ctx, rows, grain, [&](int64_t begin, int64_t end) {
    const int64_t* s[] = {strides};
    Walk<> at{4, extents, {s[0]}};
    at.seek(begin);
    for (int64_t r = begin; r < end; r++, at.next()) {
      const int64_t t = at.index[time_first ? 1 : 3];
      const int64_t length = lengths[at.index[time_first ? 3 : 1]];
      const int64_t source = t < length ? length - 1 - t : t;
      copy_row(dst + r * inner, src + at.offset[0] + (source - t) * strides[time_first ? 1 : 3], inner, 1);
    }
  });
}

/// A new axis of `depth` elements in front of `inner`: on where the index says so, off elsewhere.
template <class T, class I>
inline void one_hot(Context& ctx, T* dst, const I* indices, int64_t outer, int64_t depth, int64_t inner,
                    T off, T on) {
  const int64_t grain =
      max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * depth * inner + 1));
  parallel_for(ctx, outer, grain, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o++) {
      T* block = dst + o * depth * inner;
      copy_row(block, &off, depth * inner, 0);
      for (int64_t i = 0; i < inner; i++) {
        const int64_t given = cast_to<int64_t>(indices[o * inner + i]);
        const int64_t at = given < 0 ? given + depth : given;
        if (at >= 0 && at < depth) block[at * inner + i] = on;
      }
    }
  });
}

/// Copies the cache and writes `steps` new rows of `inner` elements for each batch and head, from place
/// starts[batch] on (0 where there are none); a circular cache wraps round.
template <class T>
inline void tensor_scatter(Context& ctx, T* dst, const T* cache, const T* update, const int64_t* starts,
                           int64_t batch, int64_t heads, int64_t places, int64_t steps, int64_t inner,
                           bool circular) {
  for (int64_t b = 0; b < batch; b++) {
    const int64_t start = starts ? starts[b] : 0;
    if (start < 0 || (circular ? places == 0 && steps > 0 : start + steps > places)) {
      ctx.fail("TensorScatter: the entries do not fit the cache");
      return;
    }
  }
  const int64_t grain =
      max_of<int64_t>(1, kMoveGrain / (static_cast<int64_t>(sizeof(T)) * places * inner + 1));
  parallel_for(ctx, batch * heads, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t start = starts ? starts[i / heads] : 0;
      T* to = dst + i * places * inner;
      if (to != cache + i * places * inner) copy_row(to, cache + i * places * inner, places * inner, 1);
      for (int64_t s = 0; s < steps; s++) {
        const int64_t at = circular ? (start + s) % places : start + s;
        copy_row(to + at * inner, update + (i * steps + s) * inner, inner, 1);
      }
    }
  });
}

}  // namespace ait
