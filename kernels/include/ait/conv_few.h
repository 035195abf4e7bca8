#pragma once
#include "conv.h"

// Convolutions into one to four channels, and products with one to four columns. Panels of weights would
// leave most lanes empty, so sums run along the window instead: with channels last, a row of the window is
// contiguous in the image and in the weights.
namespace ait {

constexpr int kMostFew = 4;

namespace detail {

/// acc[p][o] += dot(x[p], w[o]) over n elements, for P places and N outputs; weights are `stride` apart.
template <int P, int N>
inline void dot_rows(const float* const* x, const float* w, int64_t stride, int64_t n, f32v (*acc)[N]) {
  int64_t i = 0;
  for (; i + kF32 <= n; i += kF32) {
    for (int o = 0; o < N; o++) {
      const f32v b = load<f32v>(w + o * stride + i);
      for (int p = 0; p < P; p++) acc[p][o] += load<f32v>(x[p] + i) * b;
    }
  }
  if (i == n) return;
  const int rest = static_cast<int>(n - i);
  for (int o = 0; o < N; o++) {
    const f32v b = load_n<f32v>(w + o * stride + i, rest);
    for (int p = 0; p < P; p++) acc[p][o] += load_n<f32v>(x[p] + i, rest) * b;
  }
}

inline float lane_sum(f32v v) {
  float lanes[kF32];
  store(lanes, v);
  for (int width = kF32 / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

template <int P, int N, class E>
inline void store_few(f32v (*acc)[N], int64_t row, float* y, int64_t ldy, const E& epilogue) {
  for (int p = 0; p < P; p++) {
    float sums[kF32] = {};
    for (int o = 0; o < N; o++) sums[o] = lane_sum(acc[p][o]);
    store_n(y + (row + p) * ldy, epilogue(load<f32v>(sums), row + p, 0, N), N);
  }
}

/// One output pixel anywhere; what the window covers outside the image is left out.
template <int N, class E>
inline void few_at_edge(const ConvShape& s, const float* image, int64_t ldx, const float* w, int64_t oy,
                        int64_t ox, int64_t row, float* y, int64_t ldy, const E& epilogue) {
  const int64_t taps = s.kh * s.kw * s.c;
  f32v acc[1][N] = {};
  for (int64_t ky = 0; ky < s.kh; ky++) {
    const int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
    if (iy < 0 || iy >= s.h) continue;
    for (int64_t kx = 0; kx < s.kw; kx++) {
      const int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (ix < 0 || ix >= s.w) continue;
      const float* x = image + (iy * s.w + ix) * ldx;
      dot_rows<1, N>(&x, w + (ky * s.kw + kx) * s.c, taps, s.c, acc);
    }
  }
  store_few<1, N>(acc, row, y, ldy, epilogue);
}

/// P neighbouring output pixels whose windows lie in the image from left to right.
template <int P, int N, class E>
inline void few_inside(const ConvShape& s, const float* image, int64_t ldx, const float* w, int64_t oy,
                       int64_t ox, int64_t row, float* y, int64_t ldy, const E& epilogue) {
  const int64_t taps = s.kh * s.kw * s.c;
  const bool dense = s.dilation_w == 1 && ldx == s.c;
  const int64_t pieces = dense ? 1 : s.kw;
  const int64_t length = dense ? s.kw * s.c : s.c;
  f32v acc[P][N] = {};
  for (int64_t ky = 0; ky < s.kh; ky++) {
    const int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
    if (iy < 0 || iy >= s.h) continue;
    for (int64_t kx = 0; kx < pieces; kx++) {
      const int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      const float* x[P];
      for (int p = 0; p < P; p++) x[p] = image + (iy * s.w + ix + p * s.stride_w) * ldx;
      dot_rows<P, N>(x, w + (ky * s.kw + kx) * s.c, taps, length, acc);
    }
  }
  store_few<P, N>(acc, row, y, ldy, epilogue);
}

template <int N, class E>
inline void few_run(Context& ctx, const ConvShape& shape, const float* x, int64_t ldx, const float* w,
                    float* y, int64_t ldy, const E& epilogue) {
  const int64_t work = shape.ow * shape.kh * shape.kw * shape.c * N;
  const int64_t grain = max_of<int64_t>(1, 65536 / max_of<int64_t>(1, work));
  // Columns in pieces as well: a signal is an image of one line.
  const int64_t piece = shape.oh * shape.batch >= 4 * ctx.threads ? shape.ow : min_of<int64_t>(shape.ow, 256);
  const int64_t pieces = ceil_div(shape.ow, piece);
  parallel_for(ctx, shape.batch * shape.oh * pieces, pieces > 1 ? 1 : grain, [&](int64_t begin, int64_t end) {
    const ConvShape s = shape;
    const int64_t reach = (s.kw - 1) * s.dilation_w;
    const int64_t first = ceil_div(s.pad_left, s.stride_w);
    const int64_t last =
        (s.w - 1 - reach + s.pad_left) < 0 ? -1 : (s.w - 1 - reach + s.pad_left) / s.stride_w;
    constexpr int P = N == 1 ? 4 : 2;
    for (int64_t r = begin; r < end; r++) {
      const int64_t line = r / pieces;
      const float* image = x + line / s.oh * s.h * s.w * ldx;
      const int64_t oy = line % s.oh;
      const int64_t stop = min_of(s.ow, (r % pieces + 1) * piece);
      for (int64_t ox = r % pieces * piece; ox < stop;) {
        const int64_t row = line * s.ow + ox;
        if (ox >= first && ox + P - 1 <= last && ox + P <= stop) {
          few_inside<P, N>(s, image, ldx, w, oy, ox, row, y, ldy, epilogue);
          ox += P;
        } else {
          few_at_edge<N>(s, image, ldx, w, oy, ox, row, y, ldy, epilogue);
          ox++;
        }
      }
    }
  });
}

}  // namespace detail

/// As conv2d, for one group and at most four channels out. Weights are [K][KH][KW][C], not packed.
template <int N, class E = NoEpilogue>
inline void few_conv2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* w,
                       float* y, int64_t ldy, const E& epilogue = E{}) {
  detail::few_run<N>(ctx, s, x, ldx, w, y, ldy, epilogue);
}

}  // namespace ait
