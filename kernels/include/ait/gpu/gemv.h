#pragma once
#include "contraction.h"

// Products with few rows on the left: every weight is read once, 16 bytes at a time.
namespace ait::gpu {

/// y[M][columns] = epilogue(x[M][depth] w[columns][depth]). A group of SPLIT warps takes N neighbouring
/// columns and shares the depth; a block has WARPS warps, so the grid is ceil_div(columns, N * WARPS / SPLIT)
/// blocks. `depth`, `ldx` and `ldw` are multiples of V.
template <int M, int N, int V, int WARPS, int SPLIT, class T, class O, class E>
AIT_DEVICE void gemv(const T* x, int64_t ldx, const T* w, int64_t ldw, O* y, int columns, int depth, int rows,
                     const E& epilogue) {
  using S = SumType<T>;
  constexpr int kStep = kWarp * SPLIT * V;
  const int group = warp() / SPLIT;
  const int part = warp() % SPLIT;
  const int first = (block_x() * (WARPS / SPLIT) + group) * N;
  S sums[M][N] = {};

  const T* lines[N];
  AIT_UNROLL
  for (int j = 0; j < N; j++) lines[j] = w + min_of(first + j, columns - 1) * ldw;
  AIT_UNROLL_BY(2)
  for (int k = (part * kWarp + lane()) * V; k < depth; k += kStep) {
    Vec<T, V> b[N];
    AIT_UNROLL
    for (int j = 0; j < N; j++) b[j] = load<V>(lines[j] + k);
    AIT_UNROLL
    for (int i = 0; i < M; i++) {
      const Vec<T, V> a = load<V>(x + min_of(i, rows - 1) * ldx + k);
      AIT_UNROLL
      for (int j = 0; j < N; j++) {
        AIT_UNROLL
        for (int e = 0; e < V; e++) sums[i][j] += compute<S>(a.v[e]) * compute<S>(b[j].v[e]);
      }
    }
  }

  AIT_SHARED S shared[WARPS * M * N];
  AIT_UNROLL
  for (int i = 0; i < M; i++) {
    AIT_UNROLL
    for (int j = 0; j < N; j++) {
      const S sum = warp_sum(sums[i][j]);
      if (lane() == 0) shared[(warp() * M + i) * N + j] = sum;
    }
  }
  barrier();
  for (int at = thread(); at < WARPS / SPLIT * M * N; at += WARPS * kWarp) {
    const int j = at % N;
    const int i = at / N % M;
    const int g = at / (M * N);
    const int col = (block_x() * (WARPS / SPLIT) + g) * N + j;
    if (i >= rows || col >= columns) continue;
    S sum[1] = {};
    AIT_UNROLL
    for (int p = 0; p < SPLIT; p++) sum[0] += shared[((g * SPLIT + p) * M + i) * N + j];
    finish<1>(epilogue, sum, y + static_cast<int64_t>(i) * columns + col, i, col);
  }
}

}  // namespace ait::gpu
