#pragma once
// Scaled dot-product attention in one pass over the keys (FlashAttention-2, arXiv 2307.08691): a block keeps
// a tile of queries, runs over tiles of keys and values in shared memory, and rescales what it has summed
// whenever a larger score turns up. Scores, probabilities and sums are float. Where queries are few the keys
// are cut in parts, whose sums a second launch joins.
#include "norm.h"

namespace ait::gpu {

/// Elements [batch][head][row][d] of a tensor; d is dense.
template <class T>
struct HeadsView {
  T* p;
  int64_t batch, head, row;
  AIT_DEVICE T* at(int b, int h, int r) const { return p + b * batch + h * head + r * row; }
};

/// What is added to the scores, or (bool) which keys take part: m[batch][head][query][key], a stride of 0
/// where the mask is broadcast, of 1 from key to key. Keys from `width` on are excluded.
template <class M>
struct MaskView {
  const M* p;
  int64_t batch, head, query;
  int width;
};
struct NoMask {};
template <>
struct MaskView<NoMask> {};

struct AttentionShape {
  /// heads is a multiple of kv_heads; consecutive heads share one.
  int batch, heads, kv_heads, queries, keys, depth, value_depth;
  float scale;
  /// Scores become cap * tanh(score / cap); 0: as they are.
  float softcap;
  /// Query i sits at position i + offset and sees keys from position - left to position + right; a negative
  /// bound is none. Causal attention has right = 0.
  int offset, left, right;
  /// Valid keys of each batch item, or null: all. With `offset_from_lengths`, offset is length - queries.
  const int64_t* lengths;
  bool offset_from_lengths;
  /// Query heads whose rows one tile holds, one after the other: 1, or all that share a key head.
  int packed;
};

/// The keys a query may see: [first, last).
struct KeyRange {
  int first, last;
};
AIT_DEVICE int valid_keys(const AttentionShape& s, int b) {
  if (s.lengths == nullptr) return s.keys;
  const int64_t n = s.lengths[b];
  return n < 0 ? 0 : n < s.keys ? static_cast<int>(n) : s.keys;
}
AIT_DEVICE KeyRange visible_keys(const AttentionShape& s, int valid, int query) {
  const int position = query + (s.offset_from_lengths ? valid - s.queries : s.offset);
  const int first = s.left < 0 || position < s.left ? 0 : position - s.left;
  const int last = s.right < 0 || position + s.right + 1 > valid ? valid : position + s.right + 1;
  return {first, last < 0 ? 0 : last};
}

AIT_DEVICE float power_of_two(float x) {
#if defined(AIT_CUDA)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}
constexpr float kLog2e = 1.4426950408889634f;

// ---- A warp's share: some times 16 rows of scores and sums, by matrix instructions ------------------------
//
// A lane has parts of kLaneRows rows: row row_of(i) and the columns column_of(n), step_of(n) behind the
// first. From kFirstMask to kLastMask are the bits by which the lanes differ that share a row.

#if defined(AIT_MFMA)

template <class T, int kTiles, int kD, int kE, int kKeys>
struct WarpTile {
  static constexpr int kLaneRows = kTiles, kScores = kKeys / 4, kSums = kE / 4;
  static constexpr int kFirstMask = 16, kLastMask = 32;
  float s[kTiles][kKeys / 16][4];
  float o[kTiles][kE / 16][4];

  AIT_DEVICE static int row_of(int i) { return 16 * i + lane() % 16; }
  AIT_DEVICE static constexpr int step_of(int n) { return n / 4 * 16 + n % 4; }
  AIT_DEVICE static int column_of(int n) { return lane() / 16 * 4 + step_of(n); }
  AIT_DEVICE float& score(int i, int n) { return s[i][n / 4][n % 4]; }
  AIT_DEVICE float& sum(int i, int n) { return o[i][n / 4][n % 4]; }
  AIT_DEVICE void keep_queries(const T*, int) {}
  /// s = q k^T: the keys are the rows of the product, so that each lane ends with scores of one query, in
  /// the order in which the second product takes them.
  AIT_DEVICE void multiply_keys(const T* q, int q_pitch, const T* k, int pitch) {
    AIT_UNROLL
    for (int m = 0; m < kTiles; m++) {
      AIT_UNROLL
      for (int n = 0; n < kScores; n++) score(m, n) = 0;
    }
    AIT_UNROLL
    for (int d = 0; d < kD; d += 16) {
      const int at = d + lane() / 16 * 4;
      Vec<T, 4> b[kTiles];
      AIT_UNROLL
      for (int m = 0; m < kTiles; m++) b[m] = load<4>(q + (16 * m + lane() % 16) * q_pitch + at);
      AIT_UNROLL
      for (int j = 0; j < kKeys / 16; j++) {
        const Vec<T, 4> a = load<4>(k + (j * 16 + lane() % 16) * pitch + at);
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) mfma(s[m][j], a.v, b[m].v);
      }
    }
  }
  /// o += p v, where p are the scores.
  AIT_DEVICE void multiply_values(const T* v, int pitch) {
    AIT_UNROLL
    for (int j = 0; j < kKeys / 16; j++) {
      T b[kTiles][4];
      AIT_UNROLL
      for (int m = 0; m < kTiles; m++) {
        AIT_UNROLL
        for (int i = 0; i < 4; i++) b[m][i] = from_f32<T>(s[m][j][i]);
      }
      AIT_UNROLL
      for (int e = 0; e < kE / 16; e++) {
        T a[4];
        AIT_UNROLL
        for (int i = 0; i < 4; i++) a[i] = v[(j * 16 + lane() / 16 * 4 + i) * pitch + e * 16 + lane() % 16];
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) mfma(o[m][e], a, b[m]);
      }
    }
  }
};

#else

template <class T, int kTiles, int kD, int kE, int kKeys>
struct WarpTile {
  static constexpr int kLaneRows = 2 * kTiles, kScores = kKeys / 4, kSums = kE / 4;
  static constexpr int kFirstMask = 1, kLastMask = 2;
  static constexpr bool kKeepsQueries = kD * kTiles <= 128;
  float s[kTiles][kKeys / 8][4];
  float o[kTiles][kE / 8][4];
  uint32_t queries[kKeepsQueries ? kD / 16 : 1][kTiles][4];

  AIT_DEVICE static int row_of(int i) { return i / 2 * 16 + i % 2 * 8 + lane() / 4; }
  AIT_DEVICE static constexpr int step_of(int n) { return n / 2 * 8 + n % 2; }
  AIT_DEVICE static int column_of(int n) { return lane() % 4 * 2 + step_of(n); }
  AIT_DEVICE float& score(int i, int n) { return s[i / 2][n / 2][i % 2 * 2 + n % 2]; }
  AIT_DEVICE float& sum(int i, int n) { return o[i / 2][n / 2][i % 2 * 2 + n % 2]; }
  AIT_DEVICE static void load_queries(uint32_t (&a)[kTiles][4], const T* q, int pitch, int d) {
    AIT_UNROLL
    for (int m = 0; m < kTiles; m++)
      ldmatrix_x4(a[m], q + (16 * m + lane() % 16) * pitch + d + lane() / 16 * 8);
  }
  AIT_DEVICE void keep_queries(const T* q, int pitch) {
    if constexpr (kKeepsQueries) {
      AIT_UNROLL
      for (int d = 0; d < kD; d += 16) load_queries(queries[d / 16], q, pitch, d);
    }
  }
  AIT_DEVICE void multiply_keys(const T* q, int q_pitch, const T* k, int pitch) {
    AIT_UNROLL
    for (int i = 0; i < kLaneRows; i++) {
      AIT_UNROLL
      for (int n = 0; n < kScores; n++) score(i, n) = 0;
    }
    k += (lane() % 8 + lane() / 16 * 8) * pitch + lane() / 8 % 2 * 8;
    AIT_UNROLL
    for (int d = 0; d < kD; d += 16) {
      uint32_t a[kTiles][4];
      if constexpr (kKeepsQueries) {
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) {
          AIT_UNROLL
          for (int i = 0; i < 4; i++) a[m][i] = queries[d / 16][m][i];
        }
      } else {
        load_queries(a, q, q_pitch, d);
      }
      AIT_UNROLL
      for (int j = 0; j < kKeys / 16; j++) {
        uint32_t b[4];
        ldmatrix_x4(b, k + j * 16 * pitch + d);
        const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) {
          mma(s[m][2 * j], a[m], first, T{});
          mma(s[m][2 * j + 1], a[m], second, T{});
        }
      }
    }
  }
  AIT_DEVICE void multiply_values(const T* v, int pitch) {
    v += lane() % 16 * pitch + lane() / 16 * 8;
    AIT_UNROLL
    for (int j = 0; j < kKeys / 16; j++) {
      uint32_t a[kTiles][4];
      AIT_UNROLL
      for (int m = 0; m < kTiles; m++) {
        AIT_UNROLL
        for (int i = 0; i < 4; i++) {
          const float(&two)[4] = s[m][2 * j + i / 2];
          a[m][i] = pack2<T>(two[i % 2 * 2], two[i % 2 * 2 + 1]);
        }
      }
      AIT_UNROLL
      for (int e = 0; e < kE / 16; e++) {
        uint32_t b[4];
        ldmatrix_x4_trans(b, v + j * 16 * pitch + e * 16);
        const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) {
          mma(o[m][2 * e], a[m], first, T{});
          mma(o[m][2 * e + 1], a[m], second, T{});
        }
      }
    }
  }
};

#endif

// ---- Blocks -----------------------------------------------------------------------------------------------

/// What the text of a kernel fixes: depths rounded up to 16, warps, how often 16 rows each has, keys a tile.
/// Whole: both depths are multiples of 16 bytes, and so are all strides. Tensors may still begin anywhere.
/// Plain: no mask, no cap, and the scale is positive. Capped: softcap is not 0. Bounded: there is a window,
/// or there are lengths. Split: each of grid_y blocks takes a part of the keys and leaves its sums.
template <int kDepth_, int kValueDepth_, int kWarps_, int kTiles_, int kKeys_, bool kWhole_, bool kPlain_,
          bool kCapped_, bool kBounded_, bool kSplit_>
struct AttentionForm {
  static constexpr int kDepth = kDepth_, kValueDepth = kValueDepth_, kWarps = kWarps_, kTiles = kTiles_,
                       kKeys = kKeys_;
  static constexpr bool kWhole = kWhole_, kPlain = kPlain_, kCapped = kCapped_, kBounded = kBounded_,
                        kSplit = kSplit_;
  static constexpr int kWarpRows = 16 * kTiles, kRows = kWarpRows * kWarps, kThreads = kWarps * kWarp;
  /// A row of shared memory is an odd number of 16-byte pieces, so that eight rows lie in different banks.
  static constexpr int kKeyPitch = kDepth + 8, kValuePitch = kValueDepth + 8;
  static constexpr int kRowPitch = kKeyPitch > kValuePitch ? kKeyPitch : kValuePitch;
  static constexpr int kShared = 2 * (kRows * kRowPitch + 2 * kKeys * (kKeyPitch + kValuePitch));
};

/// Sums of a part of the keys: [part][batch * heads * queries] rows of value_depth floats, and the largest
/// score and the sum of powers of each.
struct AttentionParts {
  float* sums;
  float* statistics;
};

/// Copies kRows rows that are `row` elements apart into shared memory, with zeros where there are none.
template <int kRows, int kColumns, int kPitch, int kThreads, bool kWhole, class T>
struct RowCopy {
  static constexpr int kPieces = kColumns / 8;
  /// Whether a thread keeps to one place in its rows.
  static constexpr bool kSteady = kThreads % kPieces == 0;
  static constexpr int kStep = kThreads / kPieces;
  const T* rows;
  int64_t row;
  int depth;
  bool aligned;
  int own_row, own_column;
  const T* own;

  AIT_DEVICE RowCopy(const T* p, int64_t stride, int columns, bool is_aligned)
      : rows(p),
        row(stride),
        depth(columns),
        aligned(is_aligned),
        own_row(thread() / kPieces),
        own_column(thread() % kPieces * 8),
        own(p + own_row * stride + own_column) {}

  AIT_DEVICE void piece(T* to, int r, int c, const T* from, int count) const {
    const bool inside = r < count && c < depth;
    if constexpr (kWhole) {
      if (aligned) return cp_async16(to + r * kPitch + c, inside ? from : rows, inside);
    }
    Vec<T, 8> v;
    AIT_UNROLL
    for (int k = 0; k < 8; k++) v.v[k] = inside && c + k < depth ? from[k] : T{};
    store(to + r * kPitch + c, v);
  }
  /// The rows from `first` on, of which there are `count`.
  AIT_DEVICE void operator()(T* to, int first, int count) const {
    if (kWhole && kSteady && aligned && count >= kRows && kColumns == depth) {
      const T* from = own + first * row;
      T* const at = to + own_row * kPitch + own_column;
      AIT_UNROLL
      for (int i = 0; i < (kRows + kStep - 1) / kStep; i++) {
        if (kRows % kStep != 0 && own_row + i * kStep >= kRows) break;
        cp_async16(at + i * kStep * kPitch, from, true);
        from += kStep * row;
      }
      return;
    }
    AIT_UNROLL_BY(1)
    for (int u = thread(); u < kRows * kPieces; u += kThreads) {
      const int r = u / kPieces, c = u % kPieces * 8;
      piece(to, r, c, rows + (first + r) * row + c, count);
    }
  }
};

/// A lane's part of a row of the mask for a tile of keys, of which those before `limit` are read.
template <class Tile, int kKeys, class M>
AIT_DEVICE void load_mask(M (&m)[Tile::kScores], const M* row, int c, int limit) {
  if (c + kKeys <= limit) {
    const M* const own = row + c + Tile::column_of(0);
    AIT_UNROLL
    for (int n = 0; n < Tile::kScores; n++) m[n] = own[Tile::step_of(n)];
  } else {
    AIT_UNROLL
    for (int n = 0; n < Tile::kScores; n++) {
      const int key = c + Tile::column_of(n);
      m[n] = row[key < limit ? key : limit - 1];
    }
  }
}
template <class M>
AIT_DEVICE float with_mask(float x, M m) {
  if constexpr (kIsSame<M, bool>) {
    return m ? x : -infinity();
  } else {
    return x + to_f32(m);
  }
}

/// y = softmax(scale * q k^T + mask) v. A query that sees no key gets zeros. block_x counts tiles of rows
/// within the heads (or groups of packed heads) within the batch. T is f16 or bf16.
template <class Form, class T, class M>
AIT_DEVICE void attention(const AttentionShape& s, const HeadsView<const T>& q, const HeadsView<const T>& k,
                          const HeadsView<const T>& v, const MaskView<M>& mask, const HeadsView<T>& y,
                          const AttentionParts& parts) {
  using Tile = WarpTile<T, Form::kTiles, Form::kDepth, Form::kValueDepth, Form::kKeys>;
  constexpr int kLaneRows = Tile::kLaneRows, kKeys = Form::kKeys, kThreads = Form::kThreads;
  constexpr bool kMasked = !kIsSame<M, NoMask>;
  auto* const tile_q = reinterpret_cast<T*>(dynamic_shared());
  T* const tile_k = tile_q + Form::kRows * Form::kRowPitch;
  T* const tile_v = tile_k + 2 * kKeys * Form::kKeyPitch;

  // The last tiles of a causal head are the longest: they go first.
  const int rows = s.packed * s.queries, tiles = (rows + Form::kRows - 1) / Form::kRows;
  const int groups = s.heads / s.packed;
  const int tile = tiles - 1 - block_x() % tiles, group = block_x() / tiles % groups;
  const int b = block_x() / tiles / groups, head = group * s.packed, kv = head / (s.heads / s.kv_heads);
  const int row0 = tile * Form::kRows;
  const int count = rows - row0 < Form::kRows ? rows - row0 : Form::kRows;

  // Keys that some row of the tile sees, and of those the tiles of this part.
  const int valid = valid_keys(s, b);
  int first = 0, last = valid;
  if constexpr (kMasked) last = mask.width < last ? mask.width : last;
  if constexpr (Form::kBounded) {
    first = visible_keys(s, valid, s.packed > 1 ? 0 : row0).first / kKeys * kKeys;
    const int seen = visible_keys(s, valid, s.packed > 1 ? s.queries - 1 : row0 + count - 1).last;
    last = seen < last ? seen : last;
  }
  if constexpr (Form::kSplit) {
    const int all = last > first ? (last - first + kKeys - 1) / kKeys : 0;
    const int step = (all + grid_y() - 1) / grid_y() * kKeys;
    first += block_y() * step;
    last = first + step < last ? first + step : last;
  }

  const bool aligned = (address(q.p) | address(k.p) | address(v.p) | address(y.p)) % 16 == 0;
  const RowCopy<kKeys, Form::kDepth, Form::kKeyPitch, kThreads, Form::kWhole, T> copy_keys(
      k.at(b, kv, 0), k.row, s.depth, aligned);
  const RowCopy<kKeys, Form::kValueDepth, Form::kValuePitch, kThreads, Form::kWhole, T> copy_values(
      v.at(b, kv, 0), v.row, s.value_depth, aligned);
  const auto key_tile = [&](int stage) { return tile_k + stage * kKeys * Form::kKeyPitch; };
  const auto value_tile = [&](int stage) { return tile_v + stage * kKeys * Form::kValuePitch; };
  if (s.packed == 1) {
    const RowCopy<Form::kRows, Form::kDepth, Form::kRowPitch, kThreads, Form::kWhole, T> copy(
        q.at(b, head, 0), q.row, s.depth, aligned);
    copy(tile_q, row0, count);
  } else {
    AIT_UNROLL_BY(1)
    for (int r = 0; r < Form::kRows; r++) {
      const int at = row0 + r, h = r < count ? at / s.queries : 0;
      const T* const from = q.at(b, head + h, r < count ? at - h * s.queries : 0);
      for (int c = thread(); c < Form::kDepth; c += kThreads)
        tile_q[r * Form::kRowPitch + c] = r < count && c < s.depth ? from[c] : T{};
    }
  }
  if (first < last) copy_keys(key_tile(0), first, last - first);
  cp_async_commit();
  if (first < last) copy_values(value_tile(0), first, last - first);
  cp_async_commit();

  // This lane's rows.
  Tile t;
  const int warp_row = warp() * Form::kWarpRows;
  const bool works = warp_row < count;
  int lane_query[kLaneRows], lane_head[kLaneRows];
  KeyRange range[kLaneRows];
  float most[kLaneRows], total[kLaneRows];
  const T* const warp_q = tile_q + warp_row * Form::kRowPitch;
  AIT_UNROLL
  for (int i = 0; i < kLaneRows; i++) {
    int at = row0 + warp_row + Tile::row_of(i);
    at = at < rows ? at : rows - 1;
    lane_head[i] = at / s.queries;
    lane_query[i] = at - lane_head[i] * s.queries;
    range[i] = Form::kBounded ? visible_keys(s, valid, lane_query[i]) : KeyRange{0, valid};
    if constexpr (kMasked) range[i].last = mask.width < range[i].last ? mask.width : range[i].last;
    most[i] = -infinity();
    total[i] = 0;
    AIT_UNROLL
    for (int n = 0; n < Tile::kSums; n++) t.sum(i, n) = 0;
  }

  int stage = 0;
  for (int c = first; c < last; c += kKeys, stage ^= 1) {
    cp_async_wait<1>();
    barrier();
    if (c == first && works) t.keep_queries(warp_q, Form::kRowPitch);
    if (c + kKeys < last) copy_keys(key_tile(stage ^ 1), c + kKeys, last - c - kKeys);
    cp_async_commit();
    if (works) {
      // The mask is under way while the scores are computed.
      M m[kMasked ? kLaneRows : 1][Tile::kScores];
      if constexpr (kMasked) {
        AIT_UNROLL
        for (int i = 0; i < kLaneRows; i++) {
          const int64_t at = b * mask.batch + (head + lane_head[i]) * mask.head + lane_query[i] * mask.query;
          load_mask<Tile, kKeys>(m[i], mask.p + at, c, last);
        }
      }
      t.multiply_keys(warp_q, Form::kRowPitch, key_tile(stage), Form::kKeyPitch);
      AIT_UNROLL
      for (int i = 0; i < kLaneRows; i++) {
        if constexpr (!Form::kPlain) {
          AIT_UNROLL
          for (int n = 0; n < Tile::kScores; n++) {
            float x = t.score(i, n) * s.scale;
            if constexpr (Form::kCapped) x = s.softcap * tanhf(x / s.softcap);
            if constexpr (kMasked) x = with_mask(x, m[i][n]);
            t.score(i, n) = x;
          }
        }
        const bool cut = (Form::kBounded && c < range[i].first) || c + kKeys > range[i].last;
        if (cut) {
          AIT_UNROLL
          for (int n = 0; n < Tile::kScores; n++) {
            const int key = c + Tile::column_of(n);
            if ((Form::kBounded && key < range[i].first) || key >= range[i].last) t.score(i, n) = -infinity();
          }
        }
        float now = most[i];
        AIT_UNROLL
        for (int n = 0; n < Tile::kScores; n++) now = fmaxf(now, t.score(i, n));
        AIT_UNROLL
        for (int m = Tile::kFirstMask; m <= Tile::kLastMask; m *= 2) now = fmaxf(now, shuffle_xor(now, m));
        const float base = now == -infinity() ? 0.f : now;
        const float unit = Form::kPlain ? s.scale * kLog2e : kLog2e, shift = base * unit;
        const float shrink = power_of_two(Form::kPlain ? most[i] * unit - shift : (most[i] - base) * unit);
        most[i] = now;
        float sum = 0;
        AIT_UNROLL
        for (int n = 0; n < Tile::kScores; n++) {
          // Without a mask scores are moderate, and one multiply-add does.
          const float x = t.score(i, n);
          const float p = power_of_two(Form::kPlain ? x * unit - shift : (x - base) * unit);
          t.score(i, n) = p;
          sum += p;
        }
        total[i] = total[i] * shrink + sum;
        AIT_UNROLL
        for (int n = 0; n < Tile::kSums; n++) t.sum(i, n) *= shrink;
      }
    }
    cp_async_wait<1>();
    barrier();
    if (c + kKeys < last) copy_values(value_tile(stage ^ 1), c + kKeys, last - c - kKeys);
    cp_async_commit();
    if (works) t.multiply_values(value_tile(stage), Form::kValuePitch);
  }
  cp_async_wait<0>();
  // A block without keys has not yet waited for the other threads' copies of the queries.
  barrier();
  if (!works) return;

  AIT_UNROLL
  for (int i = 0; i < kLaneRows; i++) {
    AIT_UNROLL
    for (int m = Tile::kFirstMask; m <= Tile::kLastMask; m *= 2) total[i] += shuffle_xor(total[i], m);
  }
  if constexpr (Form::kSplit) {
    const int64_t all = int64_t{s.batch} * s.heads * s.queries;
    AIT_UNROLL
    for (int i = 0; i < kLaneRows; i++) {
      if (warp_row + Tile::row_of(i) >= count) continue;
      const int64_t row =
          block_y() * all + (int64_t{b} * s.heads + head + lane_head[i]) * s.queries + lane_query[i];
      AIT_UNROLL
      for (int n = 0; n < Tile::kSums; n++) {
        const int e = Tile::column_of(n);
        if (e < s.value_depth) parts.sums[row * s.value_depth + e] = t.sum(i, n);
      }
      if (Tile::column_of(0) != 0) continue;
      parts.statistics[2 * row] = Form::kPlain ? most[i] * s.scale : most[i];
      parts.statistics[2 * row + 1] = total[i];
    }
  } else {
    // The rows go through the warp's own part of the queries' memory, so that they are stored 16 bytes at a
    // time.
    T* const result = tile_q + warp_row * Form::kRowPitch;
    warp_sync();
    AIT_UNROLL
    for (int i = 0; i < kLaneRows; i++) {
      const float by = total[i] == 0.f ? 0.f : 1.f / total[i];
      AIT_UNROLL
      for (int n = 0; n < Tile::kSums; n += 2) {
        *reinterpret_cast<uint32_t*>(result + Tile::row_of(i) * Form::kRowPitch + Tile::column_of(n)) =
            pack2<T>(t.sum(i, n) * by, t.sum(i, n + 1) * by);
      }
    }
    warp_sync();
    const int own = count - warp_row < Form::kWarpRows ? count - warp_row : Form::kWarpRows,
              pieces = (s.value_depth + 7) / 8;
    for (int u = lane(); u < own * pieces; u += kWarp) {
      const int r = u / pieces, c = u % pieces * 8, at = row0 + warp_row + r, h = at / s.queries;
      T* const to = y.at(b, head + h, at - h * s.queries) + c;
      const Vec<T, 8> x = load<8>(result + r * Form::kRowPitch + c);
      if (Form::kWhole && aligned) {
        store(to, x);
      } else {
        for (int e = 0; e < 8 && c + e < s.value_depth; e++) to[e] = x.v[e];
      }
    }
  }
}

/// Joins the sums of the parts: a thread an element of a row.
template <class T>
AIT_DEVICE void attention_join(const AttentionShape& s, const AttentionParts& parts, int count,
                               const HeadsView<T>& y) {
  const int64_t u = int64_t{block_x()} * threads() + thread();
  const int64_t row = u / s.value_depth, all = int64_t{s.batch} * s.heads * s.queries;
  if (row >= all) return;
  float most = -infinity();
  for (int p = 0; p < count; p++) most = fmaxf(most, parts.statistics[2 * (p * all + row)]);
  const float base = most == -infinity() ? 0.f : most;
  float total = 0, sum = 0;
  for (int p = 0; p < count; p++) {
    const float weight = expf(parts.statistics[2 * (p * all + row)] - base);
    total += weight * parts.statistics[2 * (p * all + row) + 1];
    sum += weight * parts.sums[p * all * s.value_depth + u];
  }
  const int e = static_cast<int>(u - row * s.value_depth);
  const auto query = static_cast<int>(row % s.queries), head = static_cast<int>(row / s.queries % s.heads);
  const auto b = static_cast<int>(row / s.queries / s.heads);
  y.at(b, head, query)[e] = from_f32<T>(total == 0.f ? 0.f : sum / total);
}

// ---- In float -----------------------------------------------------------------------------------------

/// The same for any type and any depths up to 8 * kColumns of the values, by multiply-adds in float: a block
/// of 128 threads has 16 rows, 8 threads each. Dynamic shared memory: attention_shared floats.
constexpr int kPlainRows = 16, kPlainKeys = 32;

template <int kColumns, class T, class M>
AIT_DEVICE void attention_in_float(const AttentionShape& s, const HeadsView<const T>& q,
                                   const HeadsView<const T>& k, const HeadsView<const T>& v,
                                   const MaskView<M>& mask, const HeadsView<T>& y) {
  constexpr int kRows = kPlainRows, kKeys = kPlainKeys, kShare = 8, kThreads = kRows * kShare;
  constexpr bool kMasked = !kIsSame<M, NoMask>;
  const int pitch = s.depth + 1;
  auto* const tile_q = reinterpret_cast<float*>(dynamic_shared());
  float* const tile_k = tile_q + kRows * pitch;
  float* const tile_v = tile_k + kKeys * pitch;
  float* const tile_p = tile_v + kKeys * s.value_depth;

  const int tiles = (s.queries + kRows - 1) / kRows;
  const int tile = tiles - 1 - block_x() % tiles, head = block_x() / tiles % s.heads;
  const int b = block_x() / tiles / s.heads, kv = head / (s.heads / s.kv_heads);
  const int row0 = tile * kRows, count = s.queries - row0 < kRows ? s.queries - row0 : kRows;
  const int row = thread() / kShare, part = thread() % kShare;
  const int query = row0 + (row < count ? row : count - 1);
  const int valid = valid_keys(s, b);
  const KeyRange range = visible_keys(s, valid, query);
  const int first = visible_keys(s, valid, row0).first / kKeys * kKeys;
  const int last = visible_keys(s, valid, row0 + count - 1).last;

  for (int u = thread(); u < kRows * s.depth; u += kThreads) {
    const int r = u / s.depth, d = u - r * s.depth;
    tile_q[r * pitch + d] = r < count ? to_f32(q.at(b, head, row0 + r)[d]) : 0.f;
  }
  float sum[kColumns] = {};
  float most = -infinity(), total = 0;
  for (int c = first; c < last; c += kKeys) {
    barrier();
    for (int u = thread(); u < kKeys * s.depth; u += kThreads) {
      const int r = u / s.depth, d = u - r * s.depth;
      tile_k[r * pitch + d] = c + r < last ? to_f32(k.at(b, kv, c + r)[d]) : 0.f;
    }
    for (int u = thread(); u < kKeys * s.value_depth; u += kThreads) {
      const int r = u / s.value_depth, e = u - r * s.value_depth;
      tile_v[u] = c + r < last ? to_f32(v.at(b, kv, c + r)[e]) : 0.f;
    }
    barrier();
    float x[kKeys / kShare] = {}, now = most;
    for (int d = 0; d < s.depth; d++) {
      const float a = tile_q[row * pitch + d];
      AIT_UNROLL
      for (int n = 0; n < kKeys / kShare; n++) x[n] += a * tile_k[(n * kShare + part) * pitch + d];
    }
    AIT_UNROLL
    for (int n = 0; n < kKeys / kShare; n++) {
      const int key = c + n * kShare + part;
      x[n] *= s.scale;
      if (s.softcap != 0.f) x[n] = s.softcap * tanhf(x[n] / s.softcap);
      if (key < range.first || key >= range.last) {
        x[n] = -infinity();
      } else if constexpr (kMasked) {
        const M* const row_mask = mask.p + b * mask.batch + head * mask.head + query * mask.query;
        x[n] = key < mask.width ? with_mask(x[n], row_mask[key]) : -infinity();
      }
      now = fmaxf(now, x[n]);
    }
    now = warp_reduce<kShare>(now, [](float p, float o) { return fmaxf(p, o); });
    const float base = now == -infinity() ? 0.f : now, shrink = expf(most - base);
    most = now;
    total *= shrink;
    AIT_UNROLL
    for (int n = 0; n < kKeys / kShare; n++) {
      const float p = expf(x[n] - base);
      tile_p[row * kKeys + n * kShare + part] = p;
      total += p;
    }
    AIT_UNROLL
    for (int i = 0; i < kColumns; i++) sum[i] *= shrink;
    warp_sync();
    for (int j = 0; j < kKeys; j++) {
      const float p = tile_p[row * kKeys + j];
      AIT_UNROLL
      for (int i = 0; i < kColumns; i++) {
        const int e = i * kShare + part;
        if (e < s.value_depth) sum[i] += p * tile_v[j * s.value_depth + e];
      }
    }
  }
  total = warp_reduce<kShare>(total, Sum{});
  if (row >= count) return;
  const float by = total == 0.f ? 0.f : 1.f / total;
  AIT_UNROLL
  for (int i = 0; i < kColumns; i++) {
    const int e = i * kShare + part;
    if (e < s.value_depth) y.at(b, head, query)[e] = from_f32<T>(sum[i] * by);
  }
}

}  // namespace ait::gpu
