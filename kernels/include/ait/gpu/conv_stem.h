#pragma once
#include "contraction.h"

// The first convolution of a network, out of few channels into few: tiles of matrix units would be mostly
// empty. A thread computes N channels of P neighbouring pixels; the weights are in shared memory, widened
// once.
namespace ait::gpu {

struct StemShape {
  int batch, h, w, oh, ow, outputs, pad_top, pad_left;
};

/// Weights are [KH][KW][C][outputs]; `outputs` is a multiple of N, N of V. Started for ceil_div(batch * oh *
/// ceil_div(ow, P), THREADS) blocks, by outputs / N.
template <int C, int KH, int KW, int SH, int SW, int N, int P, int V, int THREADS, class T, class O, class E>
AIT_DEVICE void stem_conv(const StemShape& s, const T* x, const T* weights, O* y, const E& epilogue) {
  using S = SumType<T>;
  constexpr int kTaps = KH * KW * C;
  constexpr int kPiece = piece_of<S>(N);
  constexpr int kPieces = N / kPiece;
  AIT_SHARED Vec<S, kPiece> shared[kTaps * kPieces];
  const int first = block_y() * N;
  for (int i = thread(); i < kTaps * N; i += THREADS)
    shared[i / kPiece].v[i % kPiece] = compute<S>(weights[i / N * s.outputs + first + i % N]);
  barrier();

  const int strips = ceil_div(s.ow, P);
  const int item = block_x() * THREADS + thread();
  const int line = item / strips;
  if (line >= s.batch * s.oh) return;
  const int ox = (item - line * strips) * P;
  const int image = line / s.oh;
  const int y0 = (line - image * s.oh) * SH - s.pad_top;
  const int x0 = ox * SW - s.pad_left;
  constexpr int kWide = (P - 1) * SW + KW;

  S sums[P][N] = {};
  AIT_UNROLL_BY(1)
  for (int i = 0; i < KH; i++) {
    const int iy = y0 + i;
    if (static_cast<unsigned>(iy) >= static_cast<unsigned>(s.h)) continue;
    const T* row = x + (static_cast<int64_t>(image) * s.h + iy) * s.w * C;
    S pixels[kWide][C];
    AIT_UNROLL
    for (int p = 0; p < kWide; p++) {
      const int ix = x0 + p;
      const bool inside = static_cast<unsigned>(ix) < static_cast<unsigned>(s.w);
      AIT_UNROLL
      for (int c = 0; c < C; c++) pixels[p][c] = inside ? compute<S>(row[ix * C + c]) : S{};
    }
    AIT_UNROLL
    for (int j = 0; j < KW; j++) {
      AIT_UNROLL
      for (int c = 0; c < C; c++) {
        const Vec<S, kPiece>* tap = shared + ((i * KW + j) * C + c) * kPieces;
        AIT_UNROLL
        for (int n = 0; n < N; n += kPiece) {
          const Vec<S, kPiece> w = tap[n / kPiece];
          AIT_UNROLL
          for (int p = 0; p < P; p++) {
            AIT_UNROLL
            for (int e = 0; e < kPiece; e++) sums[p][n + e] += pixels[p * SW + j][c] * w.v[e];
          }
        }
      }
    }
  }
  AIT_UNROLL
  for (int p = 0; p < P; p++) {
    if (ox + p >= s.ow) break;
    const int64_t pixel = static_cast<int64_t>(line) * s.ow + ox + p;
    AIT_UNROLL
    for (int n = 0; n < N; n += V) {
      S run[V];
      AIT_UNROLL
      for (int e = 0; e < V; e++) run[e] = sums[p][n + e];
      finish<V>(epilogue, run, y + pixel * s.outputs + first + n, pixel, first + n);
    }
  }
}

}  // namespace ait::gpu
