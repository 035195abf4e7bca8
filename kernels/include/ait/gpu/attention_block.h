#pragma once
#include "attention_shape.h"

// What blocks of attention have in common: their form, copies, and parts that are joined later.
namespace ait::gpu {

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

}  // namespace ait::gpu
