#pragma once
#include "context.h"
#include "vec.h"

// Packed B ("panels"), the one layout every fp32 contraction reads.
//
// B is K x N: K runs over the contraction, N over output columns. Columns are cut into panels of kNR; panel
// p holds columns [p * kNR, (p + 1) * kNR) and is stored as K rows of kNR consecutive values:
//
//   packed[(p * K + k) * kNR + j] = B[k][p * kNR + j], 0 where p * kNR + j >= N
//
// packed_b_size(K, N) = ceil(N / kNR) * K * kNR values. Aligning the whole to 64 bytes is faster, not needed.
//
// Convolution weights use the same layout with K = KH * KW * (C / groups), the channel fastest:
// k = (kh * KW + kw) * (C / groups) + c, and N = output channels of one group; groups follow one another,
// each with its own panels: group g starts at g * packed_b_size(K, N).
namespace ait {

// kMR x kNR is the register tile: kNR columns are two native vectors.
#if defined(__AVX512F__)
constexpr int kMR = 14;
#elif defined(__AVX__)
constexpr int kMR = 6;
#elif defined(__aarch64__)
constexpr int kMR = 12;
#else
constexpr int kMR = 6;
#endif
constexpr int kNR = 2 * kF32;

inline int64_t packed_b_size(int64_t k, int64_t n) { return ceil_div(n, kNR) * k * kNR; }

namespace detail {

/// Transposes up to kF32 rows of kF32 columns: dst row i, lane j <- src row j, lane i. Rows past `rows` count
/// as zeros and, with `columns` below kF32, only that many columns are read and only that many rows written.
inline void transpose_block(const float* src, int64_t src_row, int rows, int columns, float* dst,
                            int64_t dst_row) {
  f32v v[kF32];
  if (rows == kF32 && columns == kF32) {
#pragma GCC unroll 16
    for (int i = 0; i < kF32; i++) v[i] = load<f32v>(src + i * src_row);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < kF32; i++) v[i] = i < rows ? load_n<f32v>(src + i * src_row, columns) : f32v{};
  }
  // Interleaving row i with row i + half, log2(lanes) times over, transposes the block.
#pragma GCC unroll 4
  for (int step = 1; step < kF32; step *= 2) {
    f32v t[kF32];
#pragma GCC unroll 8
    for (int i = 0; i < kF32 / 2; i++) {
      t[2 * i] = interleave_low(v[i], v[i + kF32 / 2]);
      t[2 * i + 1] = interleave_high(v[i], v[i + kF32 / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kF32; i++) v[i] = t[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < kF32; i++) {
    if (i < columns) store(dst + i * dst_row, v[i]);
  }
}

/// One panel of a B whose columns are contiguous in memory along n.
inline void pack_panel_rows(const float* b, int64_t k, int cols, int64_t stride_k, float* out) {
  if (cols == kNR) {
    for (int64_t i = 0; i < k; i++) {
      const float* row = b + i * stride_k;
      store(out + i * kNR, load<f32v>(row));
      store(out + i * kNR + kF32, load<f32v>(row + kF32));
    }
    return;
  }
  const int low = min_of(cols, kF32);
  const int high = cols - low;
  for (int64_t i = 0; i < k; i++) {
    const float* row = b + i * stride_k;
    store(out + i * kNR, load_n<f32v>(row, low));
    store(out + i * kNR + kF32, high > 0 ? load_n<f32v>(row + low, high) : f32v{});
  }
}

/// One panel of a B whose elements are contiguous along k.
inline void pack_panel_columns(const float* b, int64_t k, int cols, int64_t stride_n, float* out) {
  for (int64_t i = 0; i < k; i += kF32) {
    const int depth = static_cast<int>(min_of<int64_t>(kF32, k - i));
    for (int j = 0; j < kNR; j += kF32) {
      const int width = max_of(0, min_of(kF32, cols - j));
      transpose_block(b + j * stride_n + i, stride_n, width, depth, out + i * kNR + j, kNR);
    }
  }
}

inline void pack_panel(const float* b, int64_t k, int cols, int64_t stride_k, int64_t stride_n, float* out) {
  if (stride_n == 1) return pack_panel_rows(b, k, cols, stride_k, out);
  if (stride_k == 1) return pack_panel_columns(b, k, cols, stride_n, out);
  for (int64_t i = 0; i < k; i++) {
    for (int j = 0; j < kNR; j++) out[i * kNR + j] = j < cols ? b[i * stride_k + j * stride_n] : 0.0f;
  }
}

}  // namespace detail

/// Packs B, read as b[k * stride_k + n * stride_n], into panels: packed_b_size(k, n) values at `out`.
/// stride_n == 1 is a plain row-major B, stride_k == 1 a transposed one.
inline void pack_b(Context& ctx, int64_t k, int64_t n, const float* b, int64_t stride_k, int64_t stride_n,
                   float* out) {
  const int64_t grain = ceil_div(int64_t{1} << 14, k * kNR + 1);
  parallel_for(ctx, ceil_div(n, kNR), grain, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) {
      const int cols = static_cast<int>(min_of<int64_t>(kNR, n - p * kNR));
      detail::pack_panel(b + p * kNR * stride_n, k, cols, stride_k, stride_n, out + p * k * kNR);
    }
  });
}

/// Packs convolution weights given as [K][C / groups][KH][KW] (the ONNX order) for conv2d at run time.
inline void pack_conv_weights(Context& ctx, int64_t out_channels, int64_t group_channels, int64_t taps,
                              int64_t groups, const float* w, float* out) {
  const int64_t n = out_channels / groups;
  const int64_t panels = ceil_div(n, kNR);
  parallel_for(ctx, groups * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t first = i % panels * kNR;
      const float* source = w + (i / panels * n + first) * group_channels * taps;
      float* panel = out + i * taps * group_channels * kNR;
      for (int64_t t = 0; t < taps; t++) {
        for (int64_t c = 0; c < group_channels; c++) {
          float* row = panel + (t * group_channels + c) * kNR;
          for (int j = 0; j < kNR; j++) {
            row[j] = first + j < n ? source[(j * group_channels + c) * taps + t] : 0.0f;
          }
        }
      }
    }
  });
}

}  // namespace ait
