#pragma once
#include "contraction.h"

// Convolutions of each channel by itself, channels last: a thread computes V channels of TW neighbouring
// pixels.
namespace ait::gpu {

struct DepthwiseShape {
  int batch, h, w, c, oh, ow;
  int pad_top, pad_left, dilation_h, dilation_w;
};

/// Threads that depthwise() is started for, which must be fewer than 2^31.
AIT_DEVICE int depthwise_items(const DepthwiseShape& s, int v, int tw) {
  return s.batch * s.oh * ceil_div(s.ow, tw) * (s.c / v);
}

/// Weights are [KH][KW][C]. `c` is a multiple of V. Dilations other than 1 need DILATED.
template <int KH, int KW, int SH, int SW, int V, int TW, bool DILATED, int THREADS, class T, class W, class O,
          class E>
AIT_DEVICE void depthwise(const DepthwiseShape& s, const T* x, const W* weights, O* y, const E& epilogue) {
  using S = SumType<T>;
  const int item = block_x() * THREADS + thread();
  if (item >= depthwise_items(s, V, TW)) return;
  const int chunks = s.c / V;
  const int strips = ceil_div(s.ow, TW);
  const int place = item / chunks;
  const int c = (item - place * chunks) * V;
  const int line = place / strips;
  const int ox = (place - line * strips) * TW;
  const int image = line / s.oh;
  const int oy = line - image * s.oh;
  const int x0 = ox * SW - s.pad_left;
  const int y0 = oy * SH - s.pad_top;

  S sums[TW][V] = {};
  AIT_UNROLL
  for (int i = 0; i < KH; i++) {
    const int iy = y0 + i * (DILATED ? s.dilation_h : 1);
    if (static_cast<unsigned>(iy) >= static_cast<unsigned>(s.h)) continue;
    const T* row = x + (static_cast<int64_t>(image) * s.h + iy) * s.w * s.c + c;
    Vec<W, V> taps[KW];
    AIT_UNROLL
    for (int j = 0; j < KW; j++) taps[j] = load<V>(weights + (i * KW + j) * s.c + c);
    if constexpr (DILATED) {
      AIT_UNROLL
      for (int t = 0; t < TW; t++) {
        AIT_UNROLL
        for (int j = 0; j < KW; j++) {
          const int ix = x0 + t * SW + j * s.dilation_w;
          if (static_cast<unsigned>(ix) >= static_cast<unsigned>(s.w)) continue;
          const Vec<T, V> v = load<V>(row + ix * s.c);
          AIT_UNROLL
          for (int e = 0; e < V; e++) sums[t][e] += widen<S>(v.v[e]) * widen<S>(taps[j].v[e]);
        }
      }
    } else {
      // Each pixel of the input is read once and used by every window over it.
      AIT_UNROLL
      for (int p = 0; p < (TW - 1) * SW + KW; p++) {
        const int ix = x0 + p;
        if (static_cast<unsigned>(ix) >= static_cast<unsigned>(s.w)) continue;
        const Vec<T, V> v = load<V>(row + ix * s.c);
        S wide[V];
        AIT_UNROLL
        for (int e = 0; e < V; e++) wide[e] = widen<S>(v.v[e]);
        AIT_UNROLL
        for (int t = 0; t < TW; t++) {
          const int j = p - t * SW;
          if (j < 0 || j >= KW) continue;
          AIT_UNROLL
          for (int e = 0; e < V; e++) sums[t][e] += wide[e] * widen<S>(taps[j].v[e]);
        }
      }
    }
  }
  const int64_t first = static_cast<int64_t>(line) * s.ow + ox;
  AIT_UNROLL
  for (int t = 0; t < TW; t++) {
    if (ox + t >= s.ow) break;
    finish<V>(epilogue, sums[t], y + (first + t) * s.c + c, first + t, c);
  }
}

}  // namespace ait::gpu
