#pragma once
#include "conv.h"

// Products of 8-bit integers around zero points. The left operand is of either sign, the right one is packed
// as signed bytes in lines along the depth. With K steps along the depth
//   sum (a - za) (b - zb) = sum a b - zb sum a - za (sum b - K zb):
// matrix units sum a b, and sum a where zb may not be 0; of b the sums are known before.
namespace ait::gpu {

template <class U, bool ROW_SUMS>
struct ByteUnit {
  using T = int8_t;
  using S = int32_t;

  template <class G, bool A_DEEP, bool B_DEEP>
  struct Warp {
    static_assert(A_DEEP && B_DEEP, "slabs lie along the depth");
    static constexpr int kStrips = G::kWarpRows / kStripRows;
    static constexpr bool kRowSums = ROW_SUMS;
    using Sums = TileSums<U, G::kWarpRows, G::kWarpColumns>;

    Sums sums;
    RowSums<U, G::kWarpRows> row_sums;
    int row = warp() / G::kWarpsAcross * G::kWarpRows;
    int column = warp() % G::kWarpsAcross * G::kWarpColumns;

    AIT_DEVICE Warp() { sums.clear(); }

    AIT_DEVICE void multiply(T* a, T* b) {
      AIT_UNROLL
      for (int k = 0; k < G::kDepth; k += kUnitDepth<U>) {
        LeftFragment<U, G::kWarpRows> left;
        RightFragment<int8_t, G::kWarpColumns> right;
        left.load(SwizzledTile<T, G::kDepth>{a}, row, k);
        right.load(SwizzledTile<T, G::kDepth>{b}, column, k);
        sums.add(left, right);
        if constexpr (ROW_SUMS) row_sums.add(left);
      }
    }
    /// The sum of a row follows its part of the strip.
    AIT_DEVICE void spill(int i, S* strip) {
      sums.visit_strip(i, [&](int slot, int at, S(&run)[Sums::kRun]) {
        S* line = strip + (Sums::row_of(slot) - i * kStripRows) * kStripLine<G>;
        Vec<S, Sums::kRun> v;
        AIT_UNROLL
        for (int e = 0; e < Sums::kRun; e++) v[e] = run[e];
        store(line + at, v);
        if constexpr (ROW_SUMS) {
          if (at == 0) line[G::kWarpColumns] = row_sums.of(slot);
        }
      });
    }
  };
};

/// a - b c modulo 2^32.
AIT_DEVICE int32_t less_product(int32_t a, int32_t b, int32_t c) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b) * static_cast<uint32_t>(c));
}

/// The zero points of the right operand's columns.
struct RightPoints {
  const int32_t* points;
  int32_t less;   // than what is read count the elements of A in sums of rows, also zeros behind the depth
  int32_t depth;  // of the products

  /// Takes a row's sum over slabs of DEPTH off.
  template <int N, int DEPTH>
  AIT_DEVICE void subtract_row(int32_t (&sums)[N], int32_t row_sum, int64_t col) const {
    const Run<int32_t, N> zero = read_run<N>(points + col);
    const int32_t behind = ceil_div(depth, DEPTH) * DEPTH - depth;
    const int32_t sum = row_sum + (block_y() == 0 ? less * behind : 0);
    AIT_UNROLL
    for (int i = 0; i < N; i++) sums[i] = less_product(sums[i], zero.v[i], sum);
  }
};

/// What splits of the depth leave behind.
struct PartialByteSums : RightPoints {
  using Result = int32_t;
  template <int N>
  AIT_DEVICE void apply(const int32_t (&sums)[N], int32_t (&results)[N], int64_t, int64_t) const {
    AIT_UNROLL
    for (int i = 0; i < N; i++) results[i] = sums[i];
  }
};

/// Takes off what zero points add to sums, then does what is left to do.
template <class T, class E>
struct PointEpilogue : RightPoints {
  using Result = typename E::Result;
  E then;
  const int32_t* columns;  // sum b - K zb of each column, matrices one after another
  const T* left;           // zero points of A: one, or one a row
  int64_t left_step;
  int64_t matrix_size;  // elements of a matrix of B, and its columns
  int64_t matrix_columns;

  template <int N>
  AIT_DEVICE void apply(const int32_t (&sums)[N], Result (&results)[N], int64_t row, int64_t col) const {
    const int32_t zero = static_cast<int32_t>(left[row * left_step]) - less;
    const Run<int32_t, N> column = read_run<N>(columns + col);
    int32_t exact[N];
    AIT_UNROLL
    for (int i = 0; i < N; i++) exact[i] = less_product(sums[i], zero, column.v[i]);
    then.template apply<N>(exact, results, row, col);
  }
};
template <class T, class E>
AIT_DEVICE PointEpilogue<T, E> for_matrix(const PointEpilogue<T, E>& epilogue, int64_t offset) {
  PointEpilogue<T, E> own = epilogue;
  own.columns += offset / epilogue.matrix_size * epilogue.matrix_columns;
  return own;
}

template <class T, class E>
AIT_DEVICE PointEpilogue<T, E> around_points(const RightPoints& right, const E& then, const int32_t* columns,
                                             const T* left, int64_t left_step, int64_t matrix_size,
                                             int64_t matrix_columns) {
  return {right, then, columns, left, left_step, matrix_size, matrix_columns};
}

// ---- Operands -----------------------------------------------------------------------------------------

/// How the depth of a right operand lies in memory: [outer][inner], and `padded` inner steps in the packed
/// line, which is filled up to `pitch`.
struct ByteLines {
  int64_t count;        // lines of a matrix
  int64_t line_step;    // from line to line
  int64_t matrix_step;  // from matrix to matrix
  int outer, inner, padded;
  int64_t outer_step, inner_step;
  int64_t pitch;
  int64_t point_step;  // of the zero points: 0 or 1
};

/// The right operand's lines as signed bytes, and for each line sum b - K zb and zb. Started for a thread for
/// each line of each matrix, in blocks of 256.
template <class T>
AIT_DEVICE void pack_bytes(const T* b, const T* zero, int64_t matrices, const ByteLines& s, int8_t* packed,
                           int32_t* columns, int32_t* points) {
  constexpr int32_t kLess = static_cast<T>(-1) > T(0) ? 128 : 0;
  const int64_t line = static_cast<int64_t>(block_x()) * 256 + thread();
  if (line >= matrices * s.count) return;
  const int64_t matrix = line / s.count;
  const int64_t own = line - matrix * s.count;
  const T* from = b + matrix * s.matrix_step + own * s.line_step;
  int8_t* to = packed + line * s.pitch;
  int32_t sum = 0;
  int outer = 0, inner = 0;
  for (int64_t k = 0; k < s.pitch; k += 16) {
    Vec<int8_t, 16> v;
    AIT_UNROLL
    for (int e = 0; e < 16; e++) {
      int32_t x = 0;
      if (outer < s.outer && inner < s.inner)
        x = static_cast<int32_t>(from[outer * s.outer_step + inner * s.inner_step]) - kLess;
      sum += x;
      v[e] = static_cast<int8_t>(x);
      if (++inner == s.padded) inner = 0, outer++;
    }
    store(to + k, v);
  }
  const int32_t point = static_cast<int32_t>(zero[own * s.point_step]) - kLess;
  columns[line] = less_product(sum, s.outer * s.padded, point);
  if (matrix == 0) points[own] = point;
}

/// The same of lines whose sums are known. Started for a thread for each line of each matrix.
template <class T>
AIT_DEVICE void column_points(const int32_t* sums, const T* zero, int64_t point_step, int64_t matrices,
                              int64_t count, int32_t less, int32_t depth, int32_t* columns, int32_t* points) {
  const int64_t line = static_cast<int64_t>(block_x()) * 256 + thread();
  if (line >= matrices * count) return;
  const int64_t own = line % count;
  const int32_t point = static_cast<int32_t>(zero[own * point_step]) - less;
  columns[line] = less_product(sums[line], depth, point);
  if (line < count) points[own] = point;
}

/// Lines [count][groups][own] with each group filled up to `padded`, a multiple of N, by *fill, or by zeros
/// where there is none. Started for a thread for each N bytes, in blocks of 256.
template <int N>
AIT_DEVICE void fill_bytes(const int8_t* x, int8_t* y, int64_t count, int groups, int own, int padded,
                           const int8_t* fill) {
  const int64_t at = (static_cast<int64_t>(block_x()) * 256 + thread()) * N;
  const int64_t line = static_cast<int64_t>(groups) * padded;
  if (at >= count * line) return;
  const int64_t row = divide(at, line);
  const int within = static_cast<int>(at - row * line);
  const int group = within / padded;
  const int first = within - group * padded;
  const int8_t* from = x + (row * groups + group) * own;
  const int8_t rest = fill == nullptr ? static_cast<int8_t>(0) : *fill;
  Vec<int8_t, N> v;
  AIT_UNROLL
  for (int i = 0; i < N; i++) v[i] = first + i < own ? from[first + i] : rest;
  store(y + at, v);
}

}  // namespace ait::gpu
