#pragma once
#include "contraction.h"

// How results of whole warpgroups leave registers.
namespace ait::gpu {

namespace detail {
/// One step of turning 4 x 4 pairs that four lanes hold: lanes that differ in bit BIT swap the pairs that do.
template <int BIT>
AIT_DEVICE void exchange_pairs(float (&v)[4][2], int q) {
  AIT_UNROLL
  for (int t = 0; t < 4; t++) {
    if (t & BIT) continue;
    AIT_UNROLL
    for (int e = 0; e < 2; e++) {
      const bool high = q & BIT;
      const float low_pair = v[t][e];
      const float high_pair = v[t + BIT][e];
      const float got = shuffle_xor(high ? low_pair : high_pair, BIT);
      v[t][e] = high ? got : low_pair;
      v[t + BIT][e] = high ? high_pair : got;
    }
  }
}
}  // namespace detail

/// Sums of 64 HIGH rows by COLUMNS, held as wgmma leaves them: lane l of warp w has of every 64 rows 16 w + l
/// / 4 and 8 further, of every 8 columns two from 2 (l % 4) on. Four lanes exchange theirs, so that each has
/// eight neighbouring columns; `columns` is a multiple of 8.
template <int HIGH, int COLUMNS, class O, class E>
AIT_DEVICE void store_fragments(const float (&d)[HIGH][COLUMNS / 2], O* y, int64_t ldy, int first_row,
                                int first_column, int rows, int columns, const E& epilogue) {
  constexpr int kRegisters = COLUMNS / 2;
  constexpr int kAcross = HIGH == 1 && kRegisters >= 64 && kRegisters % 32 == 0 ? 2 : 1;
  constexpr int kDown = HIGH * kRegisters > 160 ? 1 : HIGH;
  constexpr int kRuns = kAcross * kDown * 2;
  constexpr int kRounds = HIGH / kDown * (kRegisters / 16 / kAcross);
  const int q = lane() % 4;
  AIT_UNROLL
  for (int round = 0; round < kRounds; round++) {
    const int first = round % (HIGH / kDown) * kDown;
    const int j = round / (HIGH / kDown) * 16 * kAcross;
    // Every operand of the runs is read before anything is stored, so that reads are under way together.
    typename E::Result results[kRuns][8];
    AIT_UNROLL
    for (int run = 0; run < kRuns; run++) {
      const int h = run % 2;
      const int i = first + run / 2 % kDown;
      const int part = j + run / 2 / kDown * 16;
      float v[4][2];
      AIT_UNROLL
      for (int t = 0; t < 4; t++) {
        v[t][0] = d[i][part + t * 4 + h * 2];
        v[t][1] = d[i][part + t * 4 + h * 2 + 1];
      }
      detail::exchange_pairs<1>(v, q);
      detail::exchange_pairs<2>(v, q);
      const float sums[8] = {v[0][0], v[0][1], v[1][0], v[1][1], v[2][0], v[2][1], v[3][0], v[3][1]};
      const int row = first_row + i * 64 + warp() % 4 * 16 + h * 8 + lane() / 4;
      epilogue.template apply<8>(sums, results[run], min_of(row, rows - 1),
                                 min_of(first_column + part * 2 + q * 8, columns - 8));
    }
    AIT_UNROLL
    for (int run = 0; run < kRuns; run++) {
      const int row = first_row + (first + run / 2 % kDown) * 64 + warp() % 4 * 16 + run % 2 * 8 + lane() / 4;
      const int column = first_column + (j + run / 2 / kDown * 16) * 2 + q * 8;
      if (row < rows && column < columns) store_run<8>(results[run], y + row * ldy + column);
    }
  }
}

}  // namespace ait::gpu
