#pragma once
// Products of small matrices by one warp, the same source for every device. A warp's part of a result, ROWS x
// COLUMNS, lives in registers as TileSums. A step loads kUnitDepth<U> of the contracted extent of both
// operands from shared memory into fragments and multiplies them:
//
//   TileSums<U, 64, 32> sums;                  // U: f16, bf16, tf32, int8_t, uint8_t, float, double
//   LeftFragment<U, 64> a;
//   RightFragment<U, 32> b;
//   sums.clear();
//   for (int k = 0; k < DEPTH; k += kUnitDepth<U>) {
//     a.load(left, row, k);                    // the lines of `left` are rows, along k
//     b.load_across(right, k, column);         // the lines of `right` are steps of k, along the columns
//     sums.add(a, b);
//   }
//   for (int i = 0; i < 64 / kStripRows; i++)  // of each strip of 16 rows, some neighbouring sums of a row
//     sums.visit_strip(i, [&](int slot, int column, float (&run)[kRun]) { ... row_of(slot) ... });
//
// Which lane holds what is known here only. Rows and columns are multiples of 16. All lanes take part.
#include "device.h"

namespace ait::gpu {

/// How a unit's elements lie in memory, and what their products are added up in.
template <class U>
struct MatrixElement {
  using Stored = U;
  using Sum = U;
};
template <>
struct MatrixElement<f16> {
  using Stored = f16;
  using Sum = float;
};
template <>
struct MatrixElement<bf16> {
  using Stored = bf16;
  using Sum = float;
};
template <>
struct MatrixElement<tf32> {
  using Stored = float;
  using Sum = float;
};
template <>
struct MatrixElement<int8_t> {
  using Stored = int8_t;
  using Sum = int32_t;
};
template <>
struct MatrixElement<uint8_t> {
  using Stored = uint8_t;
  using Sum = int32_t;
};
template <class U>
using MatrixStored = typename MatrixElement<U>::Stored;
template <class U>
using MatrixSum = typename MatrixElement<U>::Sum;

/// Lines of WIDTH elements of T in shared memory, in 16-byte chunks whose order within a line depends on the
/// line, so that eight lanes that read the same chunk of neighbouring lines meet no bank twice.
template <class T, int WIDTH>
struct SwizzledTile {
  static constexpr int kChunk = static_cast<int>(16 / sizeof(T));
  static constexpr int kChunks = WIDTH / kChunk;
  static_assert(WIDTH % kChunk == 0 && (kChunks % 8 == 0 || kChunks == 4 || kChunks == 2 || kChunks == 1),
                "a line takes 16, 32, 64 or a multiple of 128 bytes");

  T* base;

  AIT_DEVICE T* chunk(int line, int chunk) const {
    if constexpr (kChunks % 8 == 0) chunk ^= line & 7;
    if constexpr (kChunks == 4) chunk ^= line >> 1 & 3;
    if constexpr (kChunks == 2) chunk ^= line >> 2 & 1;
    return base + (line * kChunks + chunk) * kChunk;
  }
  AIT_DEVICE T* at(int line, int element) const { return chunk(line, element / kChunk) + element % kChunk; }
};

namespace detail {
template <class T>
AIT_DEVICE void clear(T& x) {
  x = 0;
}
/// An array of any rank.
template <class T, int N>
AIT_DEVICE void clear(T (&x)[N]) {
  AIT_UNROLL
  for (T& e : x) clear(e);
}
}  // namespace detail

template <class U, int ROWS>
struct LeftFragment;
template <class U, int COLUMNS>
struct RightFragment;
template <class U, int ROWS, int COLUMNS>
struct TileSums;
template <class U, int ROWS>
struct RowSums;

}  // namespace ait::gpu

#if defined(AIT_MFMA)
#include "mma_tile_mfma.h"
#else
#include "mma_tile_mma.h"
// Behind the former, whose kUnitDepth it takes.
#include "mma_tile_exact.h"
#endif
