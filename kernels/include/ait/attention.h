#pragma once
// Scaled dot-product attention in one pass over the scores: a tile of rows is multiplied with the packed
// keys, turned into probabilities while it lies in cache, and multiplied with the packed values.
#include "gemm.h"
#include "softmax.h"

namespace ait {

/// Elements [batch][head][row][d] of a tensor, each axis any distance apart.
template <class T>
struct HeadsView {
  T* p;
  int64_t batch, head, row, d;
};

/// What is added to the scores, or (bool) which keys take part: m[batch][head][query][key], a stride of 0
/// where the mask is broadcast. Keys from `width` on are excluded.
template <class M>
struct MaskView {
  const M* p = nullptr;
  int64_t batch = 0, head = 0, query = 0, key = 0, width = 0;
};

struct AttentionShape {
  /// heads is a multiple of kv_heads; consecutive heads share one.
  int64_t batch, heads, kv_heads, queries, keys, depth, value_depth;
  float scale;
  /// Scores become cap * tanh(score / cap); 0: as they are.
  float softcap = 0;
  /// Query i sits at position i + offset and sees keys from position - left to position + right; a negative
  /// bound is none. Causal attention has right = 0.
  int64_t offset = 0, left = -1, right = -1;
  /// Valid keys of each batch item, or null: all. With `offset_from_lengths`, offset is length - queries.
  const int64_t* lengths = nullptr;
  bool offset_from_lengths = false;
};

namespace detail {

/// The keys a query may see: [first, last).
struct KeyRange {
  int64_t first, last;
};
inline KeyRange visible_keys(const AttentionShape& s, int64_t b, int64_t query) {
  const int64_t valid = s.lengths == nullptr ? s.keys : min_of(s.keys, max_of<int64_t>(0, s.lengths[b]));
  const int64_t position = query + (s.offset_from_lengths ? valid - s.queries : s.offset);
  const int64_t first = s.left < 0 ? 0 : max_of<int64_t>(0, position - s.left);
  const int64_t last = s.right < 0 ? valid : min_of(valid, position + s.right + 1);
  return {first, max_of<int64_t>(last, 0)};
}

/// Adds the mask to n scores from key `first` on.
template <class M>
inline void mask_scores(float* row, const MaskView<M>& mask, int64_t b, int64_t h, int64_t q, int64_t first,
                        int64_t last) {
  if (mask.p == nullptr) return;
  const M* m = mask.p + b * mask.batch + h * mask.head + q * mask.query;
  const int64_t covered = mask.key == 0 ? last : min_of(last, mask.width);
  if (mask.key == 1) {
    for (int64_t i = first; i < covered; i += kF32) {
      const int n = static_cast<int>(min_of<int64_t>(kF32, covered - i));
      const f32v x = load_some<f32v>(row + i, n), y = load_some<f32v>(m + i, n);
      store_some(row + i, f32v(__is_same(M, bool) ? (y != 0.f ? x : k<f32v>(-INFINITY)) : x + y), n);
    }
  } else {
    for (int64_t i = first; i < covered; i++) {
      const float y = cast_to<float>(m[i * mask.key]);
      row[i] = __is_same(M, bool) ? (y != 0 ? row[i] : -INFINITY) : row[i] + y;
    }
  }
  for (int64_t i = max_of(covered, first); i < last; i++) row[i] = -INFINITY;
}

/// Turns scores [0, n) into unnormalised probabilities and returns the reciprocal of their sum, or 0 for a
/// row that sees no key.
template <class M>
inline float attention_row(const AttentionShape& s, const MaskView<M>& mask, int64_t b, int64_t h, int64_t q,
                           float* row, int64_t n) {
  const KeyRange keys = visible_keys(s, b, q);
  const int64_t last = min_of(keys.last, n), first = min_of(keys.first, last);
  for (int64_t i = 0; i < first; i++) row[i] = 0;
  for (int64_t i = last; i < n; i++) row[i] = 0;
  if (s.softcap != 0) {
    for (int64_t i = first; i < last; i += kF32) {
      const int some = static_cast<int>(min_of<int64_t>(kF32, last - i));
      store_some(row + i, f32v(s.softcap * tanh_(f32v(load_some<f32v>(row + i, some) / s.softcap))), some);
    }
  }
  mask_scores(row, mask, b, h, q, first, last);
  auto in_place = read(row);
  const auto m = static_cast<float>(reduce_run<MaxOp, float>(in_place, first, last - first));
  if (m == -INFINITY) {
    for (int64_t i = first; i < last; i++) row[i] = 0;
    return 0;
  }
  return 1.f / exp_row<true>(row + first, last - first, m);
}

struct ScaleEpilogue {
  float scale;
  template <class V>
  V operator()(V v, int64_t, int64_t, int) const {
    return v * scale;
  }
};
struct RowScaleEpilogue {
  const float* scale;
  template <class V>
  V operator()(V v, int64_t row, int64_t, int) const {
    return v * scale[row];
  }
};

template <class T>
inline void rows_to_f32(const T* p, int64_t row, int64_t d, int64_t rows, int64_t n, float* to) {
  for (int64_t r = 0; r < rows; r++, p += row, to += n) {
    int64_t i = 0;
    for (; d == 1 && i + kF32 <= n; i += kF32) store(to + i, load_as<f32v>(p + i));
    for (; i < n; i++) to[i] = cast_to<float>(p[i * d]);
  }
}

/// A head of keys or values, packed: B[k][n] = view[n][k] for keys (Transposed), view[k][n] for values.
template <bool Transposed, class T>
inline void pack_head(const HeadsView<const T>& v, int64_t b, int64_t h, int64_t rows, int64_t depth,
                      float* out) {
  const T* p = v.p + b * v.batch + h * v.head;
  const float* from;
  int64_t row = v.row, d = v.d;
  if constexpr (__is_same(T, float)) {
    from = p;
  } else {
    auto* copy = static_cast<float*>(thread_scratch(static_cast<size_t>(rows * depth) * sizeof(float)));
    rows_to_f32(p, v.row, v.d, rows, depth, copy);
    from = copy;
    row = depth;
    d = 1;
  }
  const int64_t k = Transposed ? depth : rows, n = Transposed ? rows : depth;
  const int64_t stride_k = Transposed ? d : row, stride_n = Transposed ? row : d;
  for (int64_t j = 0; j < n; j += kNR) {
    pack_panel(from + j * stride_n, k, static_cast<int>(min_of<int64_t>(kNR, n - j)), stride_k, stride_n,
               out + j * k);
  }
}

/// Few queries: packing would cost more than it saves.
template <class T, class M>
inline void attend_few(Context& ctx, const AttentionShape& s, const HeadsView<const T>& q,
                       const HeadsView<const T>& k, const HeadsView<const T>& v, const MaskView<M>& mask,
                       const HeadsView<T>& y) {
  const int64_t work = s.keys * (s.depth + s.value_depth), group = s.heads / s.kv_heads;
  parallel_for(ctx, s.batch * s.heads * s.queries, ceil_div(kReduceGrain, max_of<int64_t>(1, work)),
               [&](int64_t begin, int64_t end) {
                 auto* query = static_cast<float*>(
                     thread_scratch(static_cast<size_t>(s.depth + s.value_depth + s.keys) * sizeof(float)));
                 float *sum = query + s.depth, *row = sum + s.value_depth;
                 for (int64_t u = begin; u < end; u++) {
                   const int64_t i = u % s.queries, h = u / s.queries % s.heads, b = u / s.queries / s.heads,
                                 kv = h / group;
                   rows_to_f32(q.p + b * q.batch + h * q.head + i * q.row, q.row, q.d, 1, s.depth, query);
                   const KeyRange range = visible_keys(s, b, i);
                   const T* key = k.p + b * k.batch + kv * k.head;
                   for (int64_t j = range.first; j < range.last; j++) {
                     f32v dots = {};
                     float rest = 0;
                     int64_t c = 0;
                     for (; k.d == 1 && c + kF32 <= s.depth; c += kF32)
                       dots += load<f32v>(query + c) * load_as<f32v>(key + j * k.row + c);
                     for (; c < s.depth; c++) rest += query[c] * cast_to<float>(key[j * k.row + c * k.d]);
                     row[j] = (sum_lanes(dots) + rest) * s.scale;
                   }
                   const float inverse = attention_row(s, mask, b, h, i, row, range.last);
                   for (int64_t c = 0; c < s.value_depth; c++) sum[c] = 0;
                   const T* value = v.p + b * v.batch + kv * v.head;
                   for (int64_t j = range.first; j < range.last; j++) {
                     const T* from = value + j * v.row;
                     int64_t c = 0;
                     for (; v.d == 1 && c + kF32 <= s.value_depth; c += kF32)
                       store(sum + c, f32v(load<f32v>(sum + c) + load_as<f32v>(from + c) * row[j]));
                     for (; c < s.value_depth; c++) sum[c] += cast_to<float>(from[c * v.d]) * row[j];
                   }
                   T* to = y.p + b * y.batch + h * y.head + i * y.row;
                   for (int64_t c = 0; c < s.value_depth; c++) to[c * y.d] = cast_to<T>(sum[c] * inverse);
                 }
               });
}

}  // namespace detail

/// y = softmax(scale * q k^T + mask) v. A query that sees no key gets zeros.
template <class T, class M>
inline void attention(Context& ctx, const AttentionShape& s, HeadsView<const T> q, HeadsView<const T> k,
                      HeadsView<const T> v, MaskView<M> mask, HeadsView<T> y) {
  if (s.batch * s.heads * s.queries * s.value_depth <= 0) return;
  const int64_t group = s.heads / s.kv_heads;
  if (s.queries * group < 4) return detail::attend_few(ctx, s, q, k, v, mask, y);
  const int64_t key_size = packed_b_size(s.depth, s.keys), value_size = packed_b_size(s.keys, s.value_depth);
  const int64_t item = key_size + value_size, kv_items = s.batch * s.kv_heads;
  auto* packed = static_cast<float*>(ctx.scratch(static_cast<size_t>(kv_items * item) * sizeof(float)));
  parallel_for(ctx, 2 * kv_items, ceil_div(kReduceGrain, max_of<int64_t>(1, item)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t u = begin; u < end; u++) {
                   const int64_t b = u / 2 / s.kv_heads, h = u / 2 % s.kv_heads;
                   float* to = packed + u / 2 * item;
                   if (u % 2 == 0) {
                     detail::pack_head<true>(k, b, h, s.keys, s.depth, to);
                   } else {
                     detail::pack_head<false>(v, b, h, s.keys, s.value_depth, to + key_size);
                   }
                 }
               });

  const int64_t tiles = ceil_div(s.queries, kMR), pitch = ceil_div(s.keys, kNR) * kNR + 16;
  const int64_t work = kMR * s.keys * (s.depth + s.value_depth);
  const bool copy_queries = !__is_same(T, float) || q.d != 1 || detail::rows_collide(q.row);
  const bool copy_result = !__is_same(T, float) || y.d != 1;
  parallel_for(ctx, s.batch * s.heads * tiles, ceil_div(int64_t{AIT_GEMM_GRAIN}, max_of<int64_t>(1, work)),
               [&](int64_t begin, int64_t end) {
                 const size_t floats = static_cast<size_t>(kMR * (pitch + s.depth + s.value_depth + 32));
                 auto* scores = static_cast<float*>(thread_scratch(floats * sizeof(float)));
                 float *queries = scores + kMR * pitch, *result = queries + kMR * s.depth;
                 for (int64_t u = begin; u < end; u++) {
                   const int64_t first = u % tiles * kMR, h = u / tiles % s.heads, b = u / tiles / s.heads;
                   const int rows = static_cast<int>(min_of<int64_t>(kMR, s.queries - first));
                   const float* keys = packed + (b * s.kv_heads + h / group) * item;
                   const float* values = keys + key_size;
                   // No row of the tile sees a key from here on.
                   const int64_t n = detail::visible_keys(s, b, first + rows - 1).last;
                   const float* table[kMR];
                   const T* from = q.p + b * q.batch + h * q.head + first * q.row;
                   if (copy_queries) {
                     detail::rows_to_f32(from, q.row, q.d, rows, s.depth, queries);
                     for (int r = 0; r < rows; r++) table[r] = queries + r * s.depth;
                   } else if constexpr (__is_same(T, float)) {
                     for (int r = 0; r < rows; r++) table[r] = from + r * q.row;
                   }
                   detail::multiply_panels(table, rows, {1, rows, n, 1, s.depth}, 0, ceil_div(n, kNR), keys,
                                           scores, pitch, 0, 0, detail::ScaleEpilogue{s.scale});
                   float inverse[kMR];
                   for (int r = 0; r < rows; r++) {
                     inverse[r] = detail::attention_row(s, mask, b, h, first + r, scores + r * pitch, n);
                     table[r] = scores + r * pitch;
                   }
                   T* to = y.p + b * y.batch + h * y.head + first * y.row;
                   float* sums = result;
                   int64_t sums_pitch = s.value_depth;
                   if constexpr (__is_same(T, float)) {
                     if (!copy_result) sums = to, sums_pitch = y.row;
                   }
                   for (int64_t p = 0; p < ceil_div(s.value_depth, kNR); p++) {
                     // The panels are packed for all keys; only the first n rows of each are used.
                     detail::multiply_panels(table, rows, {1, rows, s.value_depth, 1, n}, p, p + 1,
                                             values + p * (s.keys - n) * kNR, sums, sums_pitch, 0, 0,
                                             detail::RowScaleEpilogue{inverse});
                   }
                   if (!copy_result) continue;
                   for (int r = 0; r < rows; r++) {
                     for (int64_t c = 0; c < s.value_depth; c++)
                       to[r * y.row + c * y.d] = cast_to<T>(result[r * s.value_depth + c]);
                   }
                 }
               });
}

}  // namespace ait
