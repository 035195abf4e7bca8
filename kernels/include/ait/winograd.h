#pragma once
#include "conv.h"

// 3 x 3 convolution of stride 1 by Winograd's minimal filtering, F(4 x 4, 3 x 3): 36 products for 16 outputs
// instead of 144. The interpolation points are 0, +-5/8, +-3/2 and infinity: all constants of the data
// transforms are exact in fp32, and the error is about twice that of the direct sum, where the usual points
// (0, +-1, +-2) lose four times as much.
//
// Packed weights: 36 matrices U[6 * i + j] = (G g G^T)[i][j] of C x K, each in the panels of pack.h, one
// after another (packed_b_size(C, K) values apart); g[ky][kx] is the filter of one channel pair. With a =
// 5/8, b = 3/2
//   G = [ 1/(a a b b)  0                    0      ]
//       [ u            +-a u                a a u  ]   u = 1 / (2 a a (a a - b b)), rows +a, -a
//       [ v            +-b v                b b v  ]   v = 1 / (2 b b (b b - a a)), rows +b, -b
//       [ 0            0                    1      ]
// to be computed in double precision and rounded once.
namespace ait {

/// Bytes of transformed data a thread works on at a time.
#ifndef AIT_WINOGRAD_BYTES
#define AIT_WINOGRAD_BYTES (640 * 1024)
#endif

namespace detail {

constexpr int kWinogradTile = 4;
constexpr int kWinogradPlanes = 36;
constexpr float kA = 0.625f;
constexpr float kB = 1.5f;

/// Values at the six points of what d interpolates.
inline void winograd_input(const f32v d[6], f32v out[6]) {
  constexpr float product = kA * kA * kB * kB;
  constexpr float sum = kA * kA + kB * kB;
  out[0] = product * d[0] - sum * d[2] + d[4];
  out[5] = product * d[1] - sum * d[3] + d[5];
  const f32v even_a = d[4] - kB * kB * d[2];
  const f32v odd_a = d[3] - kB * kB * d[1];
  out[1] = even_a + kA * odd_a;
  out[2] = even_a - kA * odd_a;
  const f32v even_b = d[4] - kA * kA * d[2];
  const f32v odd_b = d[3] - kA * kA * d[1];
  out[3] = even_b + kB * odd_b;
  out[4] = even_b - kB * odd_b;
}

/// Four outputs from the six points.
inline void winograd_output(const f32v m[6], f32v out[4]) {
  const f32v sum_a = m[1] + m[2];
  const f32v difference_a = m[1] - m[2];
  const f32v sum_b = m[3] + m[4];
  const f32v difference_b = m[3] - m[4];
  out[0] = m[0] + sum_a + sum_b;
  out[1] = kA * difference_a + kB * difference_b;
  out[2] = kA * kA * sum_a + kB * kB * sum_b;
  out[3] = kA * kA * kA * difference_a + kB * kB * kB * difference_b + m[5];
}

/// Transforms one tile of one vector of channels; planes of v are `plane` apart.
__attribute__((noinline)) inline void winograd_transform_input(const float* const* inputs, int64_t c,
                                                               int lanes, float* v, int64_t plane) {
  f32v t[6][6];
  for (int j = 0; j < 6; j++) {
    f32v d[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) d[i] = load_cols<f32v>(inputs[i * 6 + j], c, lanes);
    f32v out[6];
    winograd_input(d, out);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) t[i][j] = out[i];
  }
  for (int i = 0; i < 6; i++) {
    f32v out[6];
    winograd_input(t[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++, v += plane) store(v, out[j]);
  }
}

/// The 4 x 4 outputs of one tile of one vector of channels.
__attribute__((noinline)) inline void winograd_transform_output(const float* m, int64_t plane, f32v* out) {
  f32v t[4][6];
  for (int j = 0; j < 6; j++) {
    f32v column[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) column[i] = load<f32v>(m + (i * 6 + j) * plane);
    f32v rows[4];
    winograd_output(column, rows);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) t[i][j] = rows[i];
  }
  for (int i = 0; i < 4; i++) winograd_output(t[i], out + i * 4);
}

/// Steps through the tiles of the output in memory order.
struct WinogradGrid {
  int64_t rows;
  int64_t columns;

  explicit WinogradGrid(const ConvShape& s)
      : rows(ceil_div(s.oh, kWinogradTile)), columns(ceil_div(s.ow, kWinogradTile)) {}
};

inline void winograd_pointers(const ConvShape& s, const float* image, int64_t ldx, int64_t y0, int64_t x0,
                              const float* zeros, const float** table) {
  for (int64_t i = 0; i < 6; i++) {
    const bool row_inside = inside(y0 + i, s.h);
    const float* line = image + (row_inside ? (y0 + i) * s.w * ldx : 0);
    for (int64_t j = 0; j < 6; j++) {
      table[i * 6 + j] = row_inside && inside(x0 + j, s.w) ? line + (x0 + j) * ldx : zeros;
    }
  }
}

}  // namespace detail

/// Packs weights given as [K][C][3][3].
inline void pack_winograd_weights(Context& ctx, int64_t out_channels, int64_t channels, const float* w,
                                  float* out) {
  const double a2 = 25.0 / 64;
  const double b2 = 9.0 / 4;
  const double u = 1 / (2 * a2 * (a2 - b2));
  const double v = 1 / (2 * b2 * (b2 - a2));
  const double g[6][3] = {{1 / (a2 * b2), 0, 0}, {u, 0.625 * u, a2 * u}, {u, -0.625 * u, a2 * u},
                          {v, 1.5 * v, b2 * v},  {v, -1.5 * v, b2 * v},  {0, 0, 1}};
  const int64_t size = packed_b_size(channels, out_channels);
  parallel_for(ctx, ceil_div(out_channels, kNR), 1, [&](int64_t begin, int64_t end) {
    for (int64_t col = begin * kNR; col < end * kNR; col++) {
      for (int64_t c = 0; c < channels; c++) {
        float* to = out + (col / kNR * channels + c) * kNR + col % kNR;
        const float* filter = w + (col * channels + c) * 9;
        for (int i = 0; i < 6; i++) {
          double line[3] = {};
          for (int t = 0; t < 9 && col < out_channels; t++)
            line[t % 3] += g[i][t / 3] * static_cast<double>(filter[t]);
          for (int j = 0; j < 6; j++) {
            to[(i * 6 + j) * size] =
                static_cast<float>(g[j][0] * line[0] + g[j][1] * line[1] + g[j][2] * line[2]);
          }
        }
      }
    }
  });
}

/// Whether winograd_conv2d takes the convolution and is worth its weights, four times the size: measured, it
/// wins from 8 channels on, and the weights are few or used for many pixels.
inline bool winograd_wins(const ConvShape& s) {
  return s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
         s.dilation_w == 1 && s.groups == 1 && s.c >= 8 && s.k >= 8 && s.oh >= 4 && s.ow >= 4 &&
         (s.c * s.k <= 128 * 1024 || s.batch * s.oh * s.ow >= 100);
}

/// As conv2d, for windows of 3 x 3 with stride and dilation 1 and one group.
template <class E = NoEpilogue>
inline void winograd_conv2d(Context& ctx, const ConvShape& shape, const float* x, int64_t ldx,
                            const float* packed_u, float* y, int64_t ldy, const E& epilogue = E{}) {
  const float* zeros = detail::zero_row(ctx, shape.c);
  const detail::WinogradGrid grid(shape);
  const int64_t tiles = shape.batch * grid.rows * grid.columns;
  // An odd number of cache lines a row and a plane, so that neither rows nor planes collide.
  const int64_t ldv = (ceil_div(shape.c, 16) | 1) * 16;
  const int64_t n = ceil_div(shape.k, kF32) * kF32;
  const int64_t ldm = (ceil_div(n, 16) | 1) * 16;
  const int64_t fitting = AIT_WINOGRAD_BYTES / (detail::kWinogradPlanes * (ldv + ldm) * 4) / kMR * kMR;
  int64_t blocks = ceil_div(tiles, max_of<int64_t>(kMR, fitting));
  blocks = min_of(ceil_div(blocks, ctx.threads) * ctx.threads, ceil_div(tiles, kMR / 2));
  parallel_for(ctx, blocks, 1, [=](int64_t begin, int64_t end) {
    const ConvShape s = shape;
    const int64_t most = ceil_div(tiles, blocks);
    const int64_t v_plane = (most | 1) * ldv;
    const int64_t m_plane = (most | 1) * ldm;
    auto* v = static_cast<float*>(
        thread_scratch(sizeof(float) * static_cast<size_t>(detail::kWinogradPlanes * (v_plane + m_plane))));
    float* m = v + detail::kWinogradPlanes * v_plane;
    const detail::Extents extents = {1, most, n, 1, s.c};
    const int64_t panels = ceil_div(n, kNR);
    const float* table[detail::kWinogradPlanes];
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = tiles * block / blocks;
      const int64_t count = tiles * (block + 1) / blocks - first;
      for (int64_t t = 0; t < count; t++) {
        const int64_t tx = (first + t) % grid.columns * detail::kWinogradTile;
        const int64_t ty = (first + t) / grid.columns % grid.rows * detail::kWinogradTile;
        const float* image = x + (first + t) / grid.columns / grid.rows * s.h * s.w * ldx;
        detail::winograd_pointers(s, image, ldx, ty - s.pad_top, tx - s.pad_left, zeros, table);
        for (int64_t c = 0; c < s.c; c += kF32) {
          const int lanes = static_cast<int>(min_of<int64_t>(kF32, s.c - c));
          detail::winograd_transform_input(table, c, lanes, v + t * ldv + c, v_plane);
        }
      }
      for (int64_t plane = 0; plane < detail::kWinogradPlanes; plane++) {
        const float* u = packed_u + plane * packed_b_size(s.c, s.k);
        for (int64_t row = 0; row < count; row += kMR) {
          const int rows = static_cast<int>(min_of<int64_t>(kMR, count - row));
          for (int r = 0; r < rows; r++) table[r] = v + plane * v_plane + (row + r) * ldv;
          detail::multiply_panels(table, rows, extents, 0, panels, u, m + plane * m_plane + row * ldm, ldm, 0,
                                  0, NoEpilogue{});
        }
      }
      for (int64_t t = 0; t < count; t++) {
        const int64_t tx = (first + t) % grid.columns * detail::kWinogradTile;
        const int64_t ty = (first + t) / grid.columns % grid.rows * detail::kWinogradTile;
        const int64_t image = (first + t) / grid.columns / grid.rows;
        const int64_t height = min_of<int64_t>(detail::kWinogradTile, s.oh - ty);
        const int64_t width = min_of<int64_t>(detail::kWinogradTile, s.ow - tx);
        const int64_t pixel = (image * s.oh + ty) * s.ow + tx;
        for (int64_t k = 0; k < s.k; k += kF32) {
          const int lanes = static_cast<int>(min_of<int64_t>(kF32, s.k - k));
          f32v out[detail::kWinogradTile * detail::kWinogradTile];
          detail::winograd_transform_output(m + t * ldm + k, m_plane, out);
          for (int64_t i = 0; i < height; i++) {
            for (int64_t j = 0; j < width; j++) {
              const int64_t row = pixel + i * s.ow + j;
              const f32v value = out[i * detail::kWinogradTile + j];
              if (lanes == kF32) {
                store(y + row * ldy + k, epilogue(value, row, k, kF32));
              } else {
                store_n(y + row * ldy + k, epilogue(value, row, k, lanes), lanes);
              }
            }
          }
        }
      }
    }
  });
}

}  // namespace ait
