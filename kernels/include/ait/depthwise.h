#pragma once
#include "conv.h"

// Depthwise convolution on channels-last activations: one filter a channel, vectorised over the channels.
// Weights are [KH][KW][C], not padded.
namespace ait {
namespace detail {

constexpr int kDepthwiseTile = 4;

/// One output row of one image: where its input rows lie.
struct DepthwiseLine {
  const float* x;  // the image
  int64_t ldx;     // distance of two pixels
  int64_t y0;      // input row of the first tap, perhaps outside
  int64_t row;     // the epilogue's row of output pixel 0
  const float* w;  // weights of the channel at hand, channels apart by s.c
  int64_t channel;
  int lanes;
};

inline f32v load_lanes(const float* p, int lanes) {
  return lanes == kF32 ? load<f32v>(p) : load_n<f32v>(p, lanes);
}

template <class E>
inline void depthwise_store(const f32v* acc, int count, const DepthwiseLine& line, int64_t ox, float* y,
                            int64_t ldy, const E& epilogue) {
  for (int t = 0; t < count; t++) {
    float* to = y + (ox + t) * ldy + line.channel;
    const int64_t row = line.row + ox + t;
    if (line.lanes == kF32) {
      store(to, epilogue(acc[t], row, line.channel, kF32));
    } else {
      store_n(to, epilogue(acc[t], row, line.channel, line.lanes), line.lanes);
    }
  }
}

/// Output pixels [ox, ox + count), count <= kDepthwiseTile, of a window of any size that may hang over the
/// image on every side.
template <class E>
inline void depthwise_any(const ConvShape& s, const DepthwiseLine& line, int64_t ox, int count, float* y,
                          int64_t ldy, const E& epilogue) {
  f32v acc[kDepthwiseTile] = {};
  const int64_t x0 = ox * s.stride_w - s.pad_left;
  for (int64_t i = 0; i < s.kh; i++) {
    const int64_t iy = line.y0 + i * s.dilation_h;
    if (!inside(iy, s.h)) continue;
    const float* row = line.x + iy * s.w * line.ldx;
    for (int64_t j = 0; j < s.kw; j++) {
      const f32v w = load_lanes(line.w + (i * s.kw + j) * s.c, line.lanes);
      for (int t = 0; t < count; t++) {
        const int64_t ix = x0 + t * s.stride_w + j * s.dilation_w;
        if (inside(ix, s.w)) acc[t] += w * load_lanes(row + ix * line.ldx, line.lanes);
      }
    }
  }
  depthwise_store(acc, count, line, ox, y, ldy, epilogue);
}

/// Whole tiles inside the image on the left and the right, [ox, end), for a K x K window of stride S.
template <int K, int S, class E>
inline void depthwise_inner(const ConvShape& s, const DepthwiseLine& line, int64_t ox, int64_t end, float* y,
                            int64_t ldy, const E& epilogue) {
  constexpr int T = kDepthwiseTile;
  const int64_t first = max_of<int64_t>(0, -line.y0);
  const int64_t last = min_of<int64_t>(K, s.h - line.y0);
  for (; ox + T <= end; ox += T) {
    f32v acc[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) acc[t] = f32v{};
    const float* row = line.x + ((line.y0 + first) * s.w + ox * S - s.pad_left) * line.ldx;
    const float* w = line.w + first * K * s.c;
    for (int64_t i = first; i < last; i++, row += s.w * line.ldx, w += K * s.c) {
      f32v in[(T - 1) * S + K];
#pragma GCC unroll 16
      for (int j = 0; j < (T - 1) * S + K; j++) in[j] = load<f32v>(row + j * line.ldx);
#pragma GCC unroll 8
      for (int j = 0; j < K; j++) {
        const f32v tap = load<f32v>(w + j * s.c);
#pragma GCC unroll 8
        for (int t = 0; t < T; t++) acc[t] += tap * in[t * S + j];
      }
    }
    depthwise_store(acc, T, line, ox, y, ldy, epilogue);
  }
}

template <int K, int S, class E>
inline void depthwise_line(const ConvShape& s, const DepthwiseLine& line, float* y, int64_t ldy,
                           const E& epilogue) {
  int64_t ox = 0;
  if constexpr (K > 0) {
    if (line.lanes == kF32) {
      const int64_t begin = min_of(s.ow, ceil_div(s.pad_left, S));
      const int64_t reach = s.w + s.pad_left - K;
      const int64_t end = reach < 0 ? begin : min_of(s.ow, reach / S + 1);
      if (end - begin >= kDepthwiseTile) {
        for (; ox < begin; ox += kDepthwiseTile) {
          const int64_t count = min_of<int64_t>(kDepthwiseTile, begin - ox);
          depthwise_any(s, line, ox, static_cast<int>(count), y, ldy, epilogue);
        }
        depthwise_inner<K, S>(s, line, begin, end, y, ldy, epilogue);
        ox = begin + (end - begin) / kDepthwiseTile * kDepthwiseTile;
      }
    }
  }
  for (; ox < s.ow; ox += kDepthwiseTile) {
    const int64_t count = min_of<int64_t>(kDepthwiseTile, s.ow - ox);
    depthwise_any(s, line, ox, static_cast<int>(count), y, ldy, epilogue);
  }
}

template <int K, int S, class E>
inline void depthwise_run(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* w,
                          float* y, int64_t ldy, const E& epilogue) {
  const int64_t line_work = s.ow * s.c * s.kh * s.kw;
  const int64_t grain = max_of<int64_t>(1, AIT_GEMM_GRAIN / 4 / max_of<int64_t>(1, line_work));
  parallel_for(ctx, s.batch * s.oh, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      DepthwiseLine line;
      line.ldx = ldx;
      line.y0 = i % s.oh * s.stride_h - s.pad_top;
      line.row = i * s.ow;
      const float* image = x + i / s.oh * s.h * s.w * ldx;
      for (int64_t c = 0; c < s.c; c += kF32) {
        line.x = image + c;
        line.w = w + c;
        line.channel = c;
        line.lanes = static_cast<int>(min_of<int64_t>(kF32, s.c - c));
        depthwise_line<K, S>(s, line, y + line.row * ldy, ldy, epilogue);
      }
    }
  });
}

}  // namespace detail

/// Depthwise convolution, s.c == s.k == s.groups. y[pixel][c] = epilogue(...), as conv2d. K and S name the
/// window (K x K, dilation 1, stride S both ways) when it is known, which saves compile time; with K = 0 the
/// fast ones, 3 and 5 with stride 1 and 2, are chosen at run time.
template <int K = 0, int S = 0, class E = NoEpilogue>
inline void depthwise_conv2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* w,
                             float* y, int64_t ldy, const E& epilogue = E{}) {
  if constexpr (K != 0) {
    return detail::depthwise_run<K, S>(ctx, s, x, ldx, w, y, ldy, epilogue);
  } else {
    if (s.kh == s.kw && s.stride_h == s.stride_w && s.dilation_h == 1 && s.dilation_w == 1) {
      if (s.kw == 3 && s.stride_w == 1)
        return detail::depthwise_run<3, 1>(ctx, s, x, ldx, w, y, ldy, epilogue);
      if (s.kw == 3 && s.stride_w == 2)
        return detail::depthwise_run<3, 2>(ctx, s, x, ldx, w, y, ldy, epilogue);
      if (s.kw == 5 && s.stride_w == 1)
        return detail::depthwise_run<5, 1>(ctx, s, x, ldx, w, y, ldy, epilogue);
      if (s.kw == 5 && s.stride_w == 2)
        return detail::depthwise_run<5, 2>(ctx, s, x, ldx, w, y, ldy, epilogue);
    }
    detail::depthwise_run<0, 0>(ctx, s, x, ldx, w, y, ldy, epilogue);
  }
}

}  // namespace ait
