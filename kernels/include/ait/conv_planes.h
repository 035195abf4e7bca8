#pragma once
#include "conv.h"

// Convolutions into few channels from few: panels of output channels would leave lanes empty, so lanes run
// along the lines of the image. For that its lines are brought into planes, where a line of one channel is
// contiguous.
//
// Weights: w[(ky * KW + kx) * C + c][k].
namespace ait {

constexpr int kMostPlaneOutputs = 8;

/// Bytes of lines in planes that a thread works on at a time.
#ifndef AIT_PLANE_BYTES
#define AIT_PLANE_BYTES (512 * 1024)
#endif

namespace detail {

/// Vectors of pixels whose sums for K channels stay in registers.
template <int K>
constexpr int kPlaneVectors = (K > 4   ? 2
                               : K > 2 ? 4
                                       : 8) /
                              (kVectorBytes == 64 ? 1 : 2);

/// Pixels of a line that are worked on together.
constexpr int kPlanePixels = 8 * kF32;

/// Values of a line of one channel, with what the windows of the pixels reach.
inline int64_t plane_line(const ConvShape& s) {
  return ceil_div(kPlanePixels + (s.kw - 1) * s.dilation_w, kF32) * kF32;
}

/// Brings a line, from the pixel that the windows of x0 begin with, into planes; zeros stand in for padding.
inline void fill_planes(const ConvShape& s, const float* line, int64_t ldx, int64_t x0, float* v) {
  const int64_t length = plane_line(s);
  alignas(64) float edge[kF32 * kF32];
  for (int64_t i = 0; i < length; i += kF32) {
    const int64_t first = x0 - s.pad_left + i;
    for (int64_t c = 0; c < s.c; c += kF32) {
      const int lanes = static_cast<int>(min_of<int64_t>(kF32, s.c - c));
      float* to = v + c * length + i;
      if (first >= 0 && first + kF32 <= s.w) {
        transpose_block(line + first * ldx + c, ldx, kF32, lanes, to, length);
        continue;
      }
      std::memset(edge, 0, sizeof edge);
      for (int64_t p = max_of<int64_t>(0, -first); p < min_of<int64_t>(kF32, s.w - first); p++) {
        std::memcpy(edge + p * kF32, line + (first + p) * ldx + c,
                    sizeof(float) * static_cast<size_t>(lanes));
      }
      transpose_block(edge, kF32, kF32, lanes, to, length);
    }
  }
}

/// The sums of V vectors of pixels, out[k][..], from `taps` lines `step` apart.
template <int K, int V>
inline void sum_planes(const ConvShape& s, const float* v, int64_t step, int64_t taps, const float* w,
                       float* out) {
  const int64_t length = plane_line(s);
  f32v acc[K][V] = {};
  for (int64_t tap = 0; tap < taps; tap++) {
    for (int64_t x = 0; x < s.kw; x++) {
      const float* at = v + tap * step + x * s.dilation_w;
      for (int64_t c = 0; c < s.c; c++, at += length, w += K) {
        f32v pixels[V];
#pragma GCC unroll 8
        for (int i = 0; i < V; i++) pixels[i] = load<f32v>(at + i * kF32);
#pragma GCC unroll 8
        for (int k = 0; k < K; k++) {
          const f32v weight = splat<f32v>(w[k]);
#pragma GCC unroll 8
          for (int i = 0; i < V; i++) acc[k][i] += weight * pixels[i];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < K; k++) {
#pragma GCC unroll 8
    for (int i = 0; i < V; i++) store(out + (k * V + i) * kF32, acc[k][i]);
  }
}

/// Stores up to kF32 pixels whose sums are `stride` apart.
template <int K, bool Along, class E>
inline void store_planes(const float* sums, int64_t stride, int pixels, int64_t row, float* y, int64_t ldy,
                         const E& epilogue) {
  if constexpr (Along) {
    static_assert(K == 1, "one channel lies along the pixels");
    store_n(y + row, epilogue(load<f32v>(sums), row, 0, pixels), pixels);
  } else {
    alignas(64) float out[kF32 * kF32];
    for (int k = 0; k < K; k += kF32) {
      const int lanes = min_of(kF32, K - k);
      transpose_block(sums + k * stride, stride, lanes, kF32, out, kF32);
      for (int p = 0; p < pixels; p++) {
        store_n(y + (row + p) * ldy + k, epilogue(load<f32v>(out + p * kF32), row + p, k, lanes), lanes);
      }
    }
  }
}

}  // namespace detail

/// As conv2d, for stride 1 along the line, one group and K channels out. Along: there is one channel, its
/// pixels follow one another, and the epilogue reads no operand by row or column, so that its lanes may be
/// pixels.
template <int K, bool Along, class E = NoEpilogue>
inline void plane_conv2d(Context& ctx, const ConvShape& shape, const float* x, int64_t ldx, const float* w,
                         float* y, int64_t ldy, const E& epilogue = E{}) {
  static_assert(K <= kMostPlaneOutputs, "more sums than registers");
  const int64_t line = detail::plane_line(shape) * shape.c;
  const int64_t reach = (shape.kh - 1) * shape.dilation_h + 1;
  const int64_t fitting = AIT_PLANE_BYTES / static_cast<int64_t>(sizeof(float)) / line;
  const int64_t blocks = ceil_div(shape.ow, detail::kPlanePixels);
  // Strips of output lines; each has the lines that its windows reach.
  const int64_t even = ceil_div(shape.oh, ceil_div(2 * ctx.threads, shape.batch * blocks));
  const int64_t wanted = ctx.threads == 1 ? shape.oh : even;
  const int64_t high = max_of<int64_t>(1, min_of((fitting - reach) / shape.stride_h + 1, wanted));
  const int64_t strips = ceil_div(shape.oh, high);
  parallel_for(ctx, shape.batch * blocks * strips, 1, [=](int64_t begin, int64_t end) {
    const ConvShape s = shape;
    constexpr int V = detail::kPlaneVectors<K>;
    const int64_t most = (high - 1) * s.stride_h + reach;
    auto* v = static_cast<float*>(thread_scratch(sizeof(float) * static_cast<size_t>(most * line)));
    alignas(64) float sums[K * V * kF32];
    for (int64_t item = begin; item < end; item++) {
      const int64_t from = item % strips * high;
      const int64_t to = min_of(from + high, s.oh);
      const int64_t x0 = item / strips % blocks * detail::kPlanePixels;
      const int64_t image = item / strips / blocks;
      const int64_t top = from * s.stride_h - s.pad_top;
      const int64_t lines = (to - from - 1) * s.stride_h + reach;
      for (int64_t i = max_of<int64_t>(0, -top); i < min_of(lines, s.h - top); i++) {
        detail::fill_planes(s, x + (image * s.h + top + i) * s.w * ldx, ldx, x0, v + i * line);
      }
      for (int64_t oy = from; oy < to; oy++) {
        const int64_t first = oy * s.stride_h - s.pad_top;
        const int64_t skipped = first < 0 ? min_of(s.kh, ceil_div(-first, s.dilation_h)) : 0;
        const int64_t stop = first >= s.h ? 0 : min_of(s.kh, ceil_div(s.h - first, s.dilation_h));
        const float* source = v + (first + skipped * s.dilation_h - top) * line;
        const float* weights = w + skipped * s.kw * s.c * K;
        const int64_t row = (image * s.oh + oy) * s.ow + x0;
        const int64_t pixels = min_of<int64_t>(detail::kPlanePixels, s.ow - x0);
        for (int64_t p = 0; p < pixels; p += V * kF32) {
          detail::sum_planes<K, V>(s, source + p, s.dilation_h * line, stop - skipped, weights, sums);
          for (int64_t i = 0; i < V && p + i * kF32 < pixels; i++) {
            const int some = static_cast<int>(min_of<int64_t>(kF32, pixels - p - i * kF32));
            detail::store_planes<K, Along>(sums + i * kF32, V * kF32, some, row + p + i * kF32, y, ldy,
                                           epilogue);
          }
        }
      }
    }
  });
}

}  // namespace ait
