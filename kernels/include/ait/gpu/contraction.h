#pragma once
#include "convert.h"

// What products of matrices and convolutions share: sums, epilogues, the order of tiles, reduction of splits.
namespace ait::gpu {

/// The type in which products of T are added up.
template <class T>
struct SumOf {
  using type = T;
};
template <>
struct SumOf<f16> {
  using type = float;
};
template <>
struct SumOf<bf16> {
  using type = float;
};
template <>
struct SumOf<int8_t> {
  using type = int32_t;
};
template <>
struct SumOf<uint8_t> {
  using type = int32_t;
};
template <class T>
using SumType = typename SumOf<T>::type;

/// An epilogue turns N neighbouring sums of one row into N results. `col` is a multiple of N where N > 1, and
/// so is the number of columns.
template <class S = float>
struct NoEpilogue {
  using Result = S;
  static constexpr bool kByColumn = true;
  template <int N>
  AIT_DEVICE void apply(const S (&sums)[N], S (&results)[N], int64_t, int64_t) const {
    AIT_UNROLL
    for (int i = 0; i < N; i++) results[i] = sums[i];
  }
};

/// Whether an epilogue reads nothing that differs from row to row, so that columns may come two by two.
template <class...>
using Void = void;
template <class E, class = void>
struct ByColumn {
  static constexpr bool value = false;
};
template <class E>
struct ByColumn<E, Void<decltype(E::kByColumn)>> {
  static constexpr bool value = E::kByColumn;
};

/// The elements that one access moves where there are `n`.
template <class T>
constexpr AIT_DEVICE int piece_of(int n) {
  return n < kVector<T> ? n : kVector<T>;
}

/// N neighbouring elements, however many accesses they take.
template <class T, int N>
struct Run {
  T v[N];
};
template <int N, class T>
AIT_DEVICE Run<T, N> read_run(const T* p) {
  constexpr int kPiece = piece_of<T>(N);
  Run<T, N> run;
  AIT_UNROLL
  for (int i = 0; i < N; i += kPiece) {
    const Vec<T, kPiece> v = load<kPiece>(p + i);
    AIT_UNROLL
    for (int j = 0; j < kPiece; j++) run.v[i + j] = v.v[j];
  }
  return run;
}

/// Stores N neighbouring results.
template <int N, class T, class R>
AIT_DEVICE void store_run(const R (&results)[N], T* to) {
  constexpr int kPiece = piece_of<T>(N);
  AIT_UNROLL
  for (int i = 0; i < N; i += kPiece) {
    Vec<T, kPiece> v;
    AIT_UNROLL
    for (int j = 0; j < kPiece; j++) v.v[j] = stored<T>(results[i + j]);
    store(to + i, v);
  }
}

/// Applies an epilogue to N sums and stores them.
template <int N, class T, class S, class E>
AIT_DEVICE void finish(const E& epilogue, const S (&sums)[N], T* to, int64_t row, int64_t col) {
  typename E::Result results[N];
  epilogue.template apply<N>(sums, results, row, col);
  store_run<N>(results, to);
}

/// Of what is not negative; 64 bits only where they are needed.
AIT_DEVICE int64_t divide(int64_t a, int64_t b) {
  if ((a | b) >> 32 == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
  return a / b;
}
AIT_DEVICE int ceil_div(int a, int b) { return (a + b - 1) / b; }
AIT_DEVICE int min_of(int a, int b) { return a < b ? a : b; }

/// Where a tile of the result lies. Tiles are visited in bands, so that those that run at once share
/// operands.
struct TilePlace {
  int row;
  int column;
};
template <int BAND = 8>
AIT_DEVICE TilePlace tile_place(int index, int rows, int columns) {
  const int band = index / (BAND * columns);
  const int first = band * BAND;
  const int height = min_of(BAND, rows - first);
  const int within = index - first * columns;
  return {first + within % height, within / height};
}

/// The row of the result as the epilogue and the memory see it.
struct SameRow {
  AIT_DEVICE int64_t operator()(int row) const { return row; }
};

/// Adds up the partial sums of a product whose depth was split: partial sums are [splits][rows * columns].
/// Started for ceil_div(rows * columns, 256 * N) blocks of 256 threads.
template <int N, class T, class S, class E>
AIT_DEVICE void reduce_splits(const S* partial, T* y, int64_t rows, int64_t columns, int splits,
                              const E& epilogue) {
  const int64_t size = rows * columns;
  const int64_t at = (static_cast<int64_t>(block_x()) * 256 + thread()) * N;
  if (at >= size) return;
  S sums[N] = {};
  for (int i = 0; i < splits; i++) {
    const Run<S, N> run = read_run<N>(partial + i * size + at);
    AIT_UNROLL
    for (int j = 0; j < N; j++) sums[j] += run.v[j];
  }
  const int64_t row = divide(at, columns);
  finish<N>(epilogue, sums, y + at, row, at - row * columns);
}

}  // namespace ait::gpu
