#pragma once
#include "contraction.h"

// How results of whole warpgroups leave registers.
namespace ait::gpu {

namespace detail {
/// One step of turning 4 x 4 values that four lanes hold: lanes that differ in bit BIT swap those that do.
template <int BIT, class X>
AIT_DEVICE void exchange(X (&v)[4], int q) {
  AIT_UNROLL
  for (int t = 0; t < 4; t++) {
    if (t & BIT) continue;
    const bool high = q & BIT;
    const X low = v[t];
    const X other = v[t + BIT];
    const X got = shuffle_xor(high ? low : other, BIT);
    v[t] = high ? got : low;
    v[t + BIT] = high ? other : got;
  }
}
template <class X>
AIT_DEVICE void turn(X (&v)[4], int q) {
  exchange<1>(v, q);
  exchange<2>(v, q);
}

/// Two neighbouring results as they are stored.
template <class O>
union Pair {
  Vec<O, 2> v;
  uint32_t word;
};
}  // namespace detail

/// Sums of 64 HIGH rows by COLUMNS, held as wgmma leaves them: lane l of warp w has of every 64 rows 16 w + l
/// / 4 and 8 further, of every 8 columns two from 2 (l % 4) on. Four lanes exchange theirs, so that each has
/// eight neighbouring columns, BATCH such runs at a time; `columns` is a multiple of 8.
template <int HIGH, int COLUMNS, int BATCH, class O, class E>
AIT_DEVICE void store_fragments(const float (&d)[HIGH][COLUMNS / 2], O* y, int64_t ldy, int first_row,
                                int first_column, int rows, int columns, const E& epilogue) {
  constexpr int kAll = HIGH * COLUMNS / 16;
  constexpr int kRuns = kAll % BATCH == 0 ? BATCH : kAll % 2 == 0 && BATCH >= 2 ? 2 : 1;
  // Results of two bytes that depend on their column alone are exchanged as such, two in a word.
  constexpr bool kPairs = ByColumn<E>::value && sizeof(O) == 2;
  const int q = lane() % 4;
  AIT_UNROLL
  for (int batch = 0; batch < kAll; batch += kRuns) {
    // Runs of the same columns follow one another.
    const auto sums_of = [&](int run) { return d[run / 2 % HIGH] + run / 2 / HIGH * 16 + run % 2 * 2; };
    const auto row_of = [&](int run) {
      return first_row + run / 2 % HIGH * 64 + warp() % 4 * 16 + run % 2 * 8 + lane() / 4;
    };
    const auto column_of = [&](int run) { return first_column + run / 2 / HIGH * 32; };
    if constexpr (kPairs) {
      uint32_t words[kRuns][4];
      AIT_UNROLL
      for (int i = 0; i < kRuns; i++) {
        const float* own = sums_of(batch + i);
        AIT_UNROLL
        for (int t = 0; t < 4; t++) {
          const float sums[2] = {own[t * 4], own[t * 4 + 1]};
          const int column = min_of(column_of(batch + i) + t * 8, columns - 8) + q * 2;
          typename E::Result results[2];
          epilogue.template apply<2>(sums, results, 0, column);
          detail::Pair<O> pair;
          pair.v.v[0] = stored<O>(results[0]);
          pair.v.v[1] = stored<O>(results[1]);
          words[i][t] = pair.word;
        }
        detail::turn(words[i], q);
      }
      AIT_UNROLL
      for (int i = 0; i < kRuns; i++) {
        const uint32_t(&own)[4] = words[i];
        const int row = row_of(batch + i);
        const int column = column_of(batch + i) + q * 8;
        const Vec<uint32_t, 4> whole = {own[0], own[1], own[2], own[3]};
        if (row < rows && column < columns) store(reinterpret_cast<uint32_t*>(y + row * ldy + column), whole);
      }
    } else {
      // Every operand of the runs is read before anything is stored, so that reads are under way together.
      typename E::Result results[kRuns][8];
      AIT_UNROLL
      for (int i = 0; i < kRuns; i++) {
        const float* own = sums_of(batch + i);
        float even[4] = {own[0], own[4], own[8], own[12]};
        float odd[4] = {own[1], own[5], own[9], own[13]};
        detail::turn(even, q);
        detail::turn(odd, q);
        const float sums[8] = {even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]};
        epilogue.template apply<8>(sums, results[i], min_of(row_of(batch + i), rows - 1),
                                   min_of(column_of(batch + i) + q * 8, columns - 8));
      }
      AIT_UNROLL
      for (int i = 0; i < kRuns; i++) {
        const int row = row_of(batch + i);
        const int column = column_of(batch + i) + q * 8;
        if (row < rows && column < columns) store_run<8>(results[i], y + row * ldy + column);
      }
    }
  }
}

/// Words of shared memory that a warp needs for the following, and a line of them, so that neither side
/// collides.
constexpr int kApartLine = 40;
constexpr int kApartWords = 16 * kApartLine;

/// The same for any number of columns: a warp stores 32 elements of one row at a time, wherever they begin.
template <int HIGH, int COLUMNS, class O, class E>
AIT_DEVICE void store_fragments_apart(const float (&d)[HIGH][COLUMNS / 2], float* strip, O* y, int64_t ldy,
                                      int first_row, int first_column, int rows, int columns,
                                      const E& epilogue) {
  float* own = strip + lane() / 4 * kApartLine + lane() % 4 * 2;
  AIT_UNROLL
  for (int i = 0; i < HIGH; i++) {
    AIT_UNROLL
    for (int part = 0; part < COLUMNS / 2; part += 16) {
      warp_sync();
      AIT_UNROLL
      for (int j = 0; j < 16; j += 2)
        store(own + j / 2 % 2 * 8 * kApartLine + j / 4 * 8,
              Vec<float, 2>{d[i][part + j], d[i][part + j + 1]});
      warp_sync();
      int row = first_row + i * 64 + warp() % 4 * 16;
#if defined(AIT_CUDA)
      // Addresses of all rows at once would not fit the registers.
      asm volatile("" : "+r"(row));
#endif
      const int column = first_column + part * 2 + lane();
      AIT_UNROLL
      for (int first = 0; first < 16; first += 4) {
        typename E::Result results[4][1];
        AIT_UNROLL
        for (int r = 0; r < 4; r++) {
          const float sums[1] = {strip[(first + r) * kApartLine + lane()]};
          epilogue.template apply<1>(sums, results[r], min_of(row + first + r, rows - 1),
                                     min_of(column, columns - 1));
        }
        O* to = y + (row + first) * ldy + column;
        AIT_UNROLL
        for (int r = 0; r < 4; r++, to += ldy) {
          if (row + first + r < rows && column < columns) store_run<1>(results[r], to);
        }
      }
    }
  }
}

}  // namespace ait::gpu
