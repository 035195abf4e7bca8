#pragma once
// Scaled dot-product attention in one pass over the keys (FlashAttention-2, arXiv 2307.08691): a block keeps
// a tile of queries, runs over tiles of keys and values in shared memory, and rescales what it has summed
// whenever a larger score turns up. Scores, probabilities and sums are float. Where queries are few the keys
// are cut in parts, whose sums a second launch joins.
#include "attention_block.h"
#include "attention_warp.h"

namespace ait::gpu {

/// y = softmax(scale * q k^T + mask) v. A query that sees no key gets zeros. block_x counts tiles of rows
/// within the heads (or groups of packed heads) within the batch. T is f16 or bf16.
template <class Form, class T, class M>
AIT_DEVICE void attention(const AttentionShape& s, const HeadsView<const T>& q, const HeadsView<const T>& k,
                          const HeadsView<const T>& v, const MaskView<M>& mask, const HeadsView<T>& y,
                          const AttentionParts& parts) {
  using Tile = WarpTile<T, Form::kTiles, Form::kDepth, Form::kValueDepth, Form::kKeys>;
  constexpr int kLaneRows = Tile::kLaneRows, kKeys = Form::kKeys, kThreads = Form::kThreads;
  constexpr bool kMasked = !kSame<M, NoMask>;
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

}  // namespace ait::gpu
