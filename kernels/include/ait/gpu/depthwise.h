#pragma once
#include "contraction.h"

// Convolutions of each channel by itself, channels last. A block has a few channels, whose weights are
// widened once in shared memory; a thread computes V channels of TH x TW neighbouring pixels.
namespace ait::gpu {

struct DepthwiseShape {
  int batch, h, w, c, oh, ow;
  int pad_top, pad_left, dilation_h, dilation_w;
};

/// Threads of a block along the channels.
constexpr int kDepthwiseLanes = 8;

/// Weights are [KH][KW][C]. `c` is a multiple of V. Dilations other than 1 need DILATED. Started for
/// ceil_div(batch * ceil_div(oh, TH) * ceil_div(ow, TW), THREADS / 8) blocks, by ceil_div(c, 8 * V).
template <int KH, int KW, int SH, int SW, int V, int TH, int TW, bool DILATED, int THREADS, class T, class W,
          class O, class E>
AIT_DEVICE void depthwise(const DepthwiseShape& s, const T* x, const W* weights, O* y, const E& epilogue) {
  using S = SumType<T>;
  constexpr int kLanes = kDepthwiseLanes;
  AIT_SHARED Vec<S, V> taps[KH * KW * kLanes];
  const int first = block_y() * kLanes * V;
  for (int i = thread(); i < KH * KW * kLanes * V; i += THREADS) {
    const int c = first + i % (kLanes * V);
    taps[i / V].v[i % V] = c < s.c ? compute<S>(weights[i / (kLanes * V) * s.c + c]) : S{};
  }
  barrier();

  const int lane_c = thread() % kLanes;
  const int c = first + lane_c * V;
  const int across = ceil_div(s.ow, TW);
  const int down = ceil_div(s.oh, TH);
  const int place = block_x() * (THREADS / kLanes) + thread() / kLanes;
  const int line = place / across;
  const int image = line / down;
  if (image >= s.batch || c >= s.c) return;
  const int ox = (place - line * across) * TW;
  const int oy = (line - image * down) * TH;
  const int x0 = ox * SW - s.pad_left;
  const int y0 = oy * SH - s.pad_top;
  const T* picture = x + static_cast<int64_t>(image) * s.h * s.w * s.c + c;

  S sums[TH][TW][V] = {};
  if constexpr (DILATED) {
    AIT_UNROLL
    for (int i = 0; i < KH; i++) {
      AIT_UNROLL
      for (int j = 0; j < KW; j++) {
        const Vec<S, V> tap = taps[(i * KW + j) * kLanes + lane_c];
        AIT_UNROLL
        for (int u = 0; u < TH; u++) {
          AIT_UNROLL
          for (int t = 0; t < TW; t++) {
            const int iy = y0 + u * SH + i * s.dilation_h;
            const int ix = x0 + t * SW + j * s.dilation_w;
            if (static_cast<unsigned>(iy) >= static_cast<unsigned>(s.h) ||
                static_cast<unsigned>(ix) >= static_cast<unsigned>(s.w))
              continue;
            const Vec<T, V> v = load<V>(picture + (static_cast<int64_t>(iy) * s.w + ix) * s.c);
            AIT_UNROLL
            for (int e = 0; e < V; e++) sums[u][t][e] += compute<S>(v.v[e]) * tap.v[e];
          }
        }
      }
    }
  } else {
    // Each pixel of the input is read once and used by every window over it.
    constexpr int kWide = (TW - 1) * SW + KW;
    AIT_UNROLL
    for (int r = 0; r < (TH - 1) * SH + KH; r++) {
      const int iy = y0 + r;
      if (static_cast<unsigned>(iy) >= static_cast<unsigned>(s.h)) continue;
      const T* row = picture + static_cast<int64_t>(iy) * s.w * s.c;
      S pixels[kWide][V];
      AIT_UNROLL
      for (int p = 0; p < kWide; p++) {
        const int ix = x0 + p;
        Vec<T, V> v{};
        if (static_cast<unsigned>(ix) < static_cast<unsigned>(s.w)) v = load<V>(row + ix * s.c);
        AIT_UNROLL
        for (int e = 0; e < V; e++) pixels[p][e] = compute<S>(v.v[e]);
      }
      AIT_UNROLL
      for (int u = 0; u < TH; u++) {
        const int i = r - u * SH;
        if (i < 0 || i >= KH) continue;
        AIT_UNROLL
        for (int j = 0; j < KW; j++) {
          const Vec<S, V> tap = taps[(i * KW + j) * kLanes + lane_c];
          AIT_UNROLL
          for (int t = 0; t < TW; t++) {
            AIT_UNROLL
            for (int e = 0; e < V; e++) sums[u][t][e] += pixels[t * SW + j][e] * tap.v[e];
          }
        }
      }
    }
  }
  AIT_UNROLL
  for (int u = 0; u < TH; u++) {
    if (oy + u >= s.oh) break;
    const int64_t pixel = (static_cast<int64_t>(image) * s.oh + oy + u) * s.ow + ox;
    AIT_UNROLL
    for (int t = 0; t < TW; t++) {
      if (ox + t >= s.ow) break;
      finish<V>(epilogue, sums[u][t], y + (pixel + t) * s.c + c, pixel + t, c);
    }
  }
}

}  // namespace ait::gpu
