#pragma once
#include "attention_shape.h"

namespace ait::gpu {

/// As attention() for any type and any depths up to 8 * kColumns of the values, by multiply-adds in float: a
/// block of 128 threads has 16 rows, 8 threads each. Dynamic shared memory: tiles of queries and keys, of
/// depth + 1 floats a row, of values, and of probabilities.
template <int kColumns, class T, class M>
AIT_DEVICE void attention_in_float(const AttentionShape& s, const HeadsView<const T>& q,
                                   const HeadsView<const T>& k, const HeadsView<const T>& v,
                                   const MaskView<M>& mask, const HeadsView<T>& y) {
  constexpr int kRows = 16, kKeys = 32, kShare = 8, kThreads = kRows * kShare;
  constexpr bool kMasked = !kSame<M, NoMask>;
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
