#pragma once
#include "winograd.h"

// Convolutions among few channels through windows three wide. Panels of output channels would leave lanes
// empty, so here lanes run along the lines of the image: each line is cut into tiles of four pixels,
// transformed once (Winograd's F(4, 3) along the line, half the products, at the points of winograd.h), and a
// vector holds one point of one channel of kF32 neighbouring tiles.
//
// Weights: u[(point * KH + ky) * C + c][k] = sum over t of G[point][t] g[k][c][ky][t], with G as winograd.h
// has it.
namespace ait {

/// Most channels out: their sums stay in registers.
constexpr int kMostLineOutputs = 12;

/// Bytes of transformed lines a thread works on at a time.
#ifndef AIT_LINE_BYTES
#define AIT_LINE_BYTES (512 * 1024)
#endif

namespace detail {

constexpr int kLinePoints = 6;
/// Pixels of kF32 tiles.
constexpr int kLinePixels = 4 * kF32;

/// Vectors one transformed line takes: [point][channel].
inline int64_t line_vectors(const ConvShape& s) { return kLinePoints * s.c; }

/// The transformed tiles of one line, of which the first begins at pixel x0 - pad_left.
inline void transform_line(const ConvShape& s, const float* line, int64_t ldx, int64_t x0, const float* zeros,
                           float* v) {
  alignas(64) float points[kLinePoints * kF32 * kF32];
  for (int64_t c = 0; c < s.c; c += kF32) {
    const int lanes = static_cast<int>(min_of<int64_t>(kF32, s.c - c));
    for (int64_t t = 0; t < kF32; t++) {
      const int64_t first = x0 + 4 * t - s.pad_left;
      f32v d[kLinePoints];
      for (int64_t i = 0; i < kLinePoints; i++) {
        const float* at = inside(first + i, s.w) ? line + (first + i) * ldx : zeros;
        d[i] = load_cols<f32v>(at, c, lanes);
      }
      f32v out[kLinePoints];
      winograd_input(d, out);
      for (int i = 0; i < kLinePoints; i++) store(points + (i * kF32 + t) * kF32, out[i]);
    }
    for (int i = 0; i < kLinePoints; i++)
      transpose_block(points + i * kF32 * kF32, kF32, kF32, lanes, v + (i * s.c + c) * kF32, kF32);
  }
}

/// The products at every point for one output line, m[point][k], from `taps` transformed lines `step` apart.
template <int K>
inline void multiply_lines(const ConvShape& s, const float* v, int64_t step, int64_t first_tap, int64_t taps,
                           const float* u, f32v (*m)[K]) {
  for (int64_t i = 0; i < kLinePoints; i++) {
    f32v acc[K] = {};
    for (int64_t tap = 0; tap < taps; tap++) {
      const float* line = v + tap * step + i * s.c * kF32;
      const float* w = u + (i * s.kh + first_tap + tap) * s.c * K;
      for (int64_t c = 0; c < s.c; c++, line += kF32, w += K) {
        const f32v x = load<f32v>(line);
#pragma GCC unroll 12
        for (int k = 0; k < K; k++) acc[k] += splat<f32v>(w[k]) * x;
      }
    }
#pragma GCC unroll 12
    for (int k = 0; k < K; k++) m[i][k] = acc[k];
  }
}

/// The pixels of the tiles from the products at their points.
template <int K, class E>
inline void store_line(const f32v (*m)[K], int64_t pixels, int64_t row, float* y, int64_t ldy,
                       const E& epilogue) {
  constexpr int vectors = (K + kF32 - 1) / kF32;
  alignas(64) float lines[4 * vectors * kF32 * kF32] = {};
  alignas(64) float out[kLinePixels * vectors * kF32];
  for (int k = 0; k < K; k++) {
    f32v points[kLinePoints];
    for (int i = 0; i < kLinePoints; i++) points[i] = m[i][k];
    f32v four[4];
    winograd_output(points, four);
    for (int j = 0; j < 4; j++) store(lines + (j * vectors * kF32 + k) * kF32, four[j]);
  }
  for (int j = 0; j < 4; j++) {
    for (int part = 0; part < vectors; part++)
      transpose_block(lines + (j * vectors + part) * kF32 * kF32, kF32, kF32, kF32,
                      out + (j * vectors + part) * kF32, 4 * vectors * kF32);
  }
  for (int64_t pixel = 0; pixel < pixels; pixel++) {
#pragma GCC unroll 3
    for (int part = 0; part < vectors; part++) {
      const int lanes = min_of(kF32, K - part * kF32);
      const f32v sums = load<f32v>(out + (pixel * vectors + part) * kF32);
      store_n(y + (row + pixel) * ldy + part * kF32, epilogue(sums, row + pixel, part * kF32, lanes), lanes);
    }
  }
}

}  // namespace detail

/// As conv2d, for windows three wide with stride and dilation 1 along the line, one group and K channels out.
template <int K, class E = NoEpilogue>
inline void line_conv2d(Context& ctx, const ConvShape& shape, const float* x, int64_t ldx, const float* u,
                        float* y, int64_t ldy, const E& epilogue = E{}) {
  static_assert(K <= kMostLineOutputs, "more sums than registers");
  const float* zeros = detail::zero_row(ctx, shape.c);
  const int64_t line = detail::line_vectors(shape) * kF32;
  const int64_t reach = (shape.kh - 1) * shape.dilation_h + 1;
  const int64_t fitting = AIT_LINE_BYTES / static_cast<int64_t>(sizeof(float)) / line;
  const int64_t blocks = ceil_div(shape.ow, detail::kLinePixels);
  // Strips of output lines; each transforms the lines that its windows reach.
  const int64_t even = ceil_div(shape.oh, ceil_div(2 * ctx.threads, shape.batch * blocks));
  const int64_t high =
      max_of<int64_t>(1, min_of((fitting - reach) / shape.stride_h + 1, ctx.threads == 1 ? shape.oh : even));
  const int64_t strips = ceil_div(shape.oh, high);
  parallel_for(ctx, shape.batch * blocks * strips, 1, [=](int64_t begin, int64_t end) {
    const ConvShape s = shape;
    const int64_t most = (high - 1) * s.stride_h + reach;
    auto* v = static_cast<float*>(thread_scratch(sizeof(float) * static_cast<size_t>(most * line)));
    f32v m[detail::kLinePoints][K];
    for (int64_t item = begin; item < end; item++) {
      const int64_t from = item % strips * high;
      const int64_t to = min_of(from + high, s.oh);
      const int64_t x0 = item / strips % blocks * detail::kLinePixels;
      const int64_t image = item / strips / blocks;
      const int64_t top = from * s.stride_h - s.pad_top;
      for (int64_t i = max_of<int64_t>(0, -top); i < (to - from - 1) * s.stride_h + reach && top + i < s.h;
           i++) {
        const float* source = x + (image * s.h + top + i) * s.w * ldx;
        detail::transform_line(s, source, ldx, x0, zeros, v + i * line);
      }
      for (int64_t oy = from; oy < to; oy++) {
        const int64_t first = oy * s.stride_h - s.pad_top;
        const int64_t skipped = first < 0 ? min_of(s.kh, ceil_div(-first, s.dilation_h)) : 0;
        const int64_t stop = first >= s.h ? 0 : min_of(s.kh, ceil_div(s.h - first, s.dilation_h));
        const float* lines = v + (first + skipped * s.dilation_h - top) * line;
        detail::multiply_lines<K>(s, lines, s.dilation_h * line, skipped, stop - skipped, u, m);
        detail::store_line<K>(m, min_of<int64_t>(detail::kLinePixels, s.ow - x0),
                              (image * s.oh + oy) * s.ow + x0, y, ldy, epilogue);
      }
    }
  });
}

}  // namespace ait
