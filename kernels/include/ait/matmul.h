#pragma once
#include "gemm.h"
#include "numeric.h"

// Batched products and the conversions around them.
namespace ait {

/// An epilogue whose rows count from `first_row`.
template <class E>
struct ShiftedRows {
  E epilogue;
  int64_t first_row;
  template <class V>
  auto operator()(V acc, int64_t row, int64_t col, int lanes) const {
    return epilogue(acc, first_row + row, col, lanes);
  }
  static constexpr bool kHeavy = detail::is_heavy<E>(0);
};
template <class E>
inline ShiftedRows<E> shifted(const E& epilogue, int64_t first_row) {
  return {epilogue, first_row};
}

/// `batch` products of one shape: item i reads A at i * a_batch and panels at i * b_batch, and writes C at
/// i * m * n. The epilogue's row counts over the whole batch.
struct Products {
  int64_t batch;
  int64_t m;
  int64_t n;
  int64_t k;
  int64_t a_row;
  int64_t a_batch;
  int64_t b_batch;
};

template <class E>
inline void matmul(Context& ctx, const Products& p, const float* a, const float* packed_b, float* c,
                   const E& epilogue) {
  if (p.m == 0 || p.n == 0) return;
  for (int64_t i = 0; i < p.batch; i++) {
    gemm(ctx, p.m, p.n, p.k, a + i * p.a_batch, p.a_row, packed_b + i * p.b_batch, c + i * p.m * p.n, p.n,
         shifted(epilogue, i * p.m));
  }
}

/// Packs `count` matrices of b, k x n each (n x k when transposed), one after another.
inline void pack_matrices(Context& ctx, int64_t count, int64_t k, int64_t n, const float* b, bool transposed,
                          float* out) {
  for (int64_t i = 0; i < count; i++)
    pack_b(ctx, k, n, b + i * k * n, transposed ? 1 : n, transposed ? k : 1, out + i * packed_b_size(k, n));
}

/// Elements converted to or from f32.
template <class From, class To>
inline void convert(Context& ctx, const From* from, int64_t n, To* to) {
  parallel_for(ctx, n, 1 << 15, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kF32 <= end; i += kF32) store_as(to + i, load_as<f32v>(from + i));
    for (; i < end; i++) to[i] = cast_to<To>(cast_to<float>(from[i]));
  });
}

/// `count` matrices of rows x cols to cols x rows, converted.
template <class From, class To>
inline void transpose_matrices(Context& ctx, int64_t count, int64_t rows, int64_t cols, const From* from,
                               To* to) {
  constexpr int64_t tile = 16;
  const int64_t strips = ceil_div(rows, tile);
  parallel_for(ctx, count * strips, max_of<int64_t>(1, (1 << 13) / (cols * tile + 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t s = begin; s < end; s++) {
                   const From* x = from + s / strips * rows * cols;
                   To* y = to + s / strips * rows * cols;
                   const int64_t r0 = s % strips * tile;
                   const int64_t r1 = min_of(rows, r0 + tile);
                   for (int64_t c0 = 0; c0 < cols; c0 += tile) {
                     const int64_t c1 = min_of(cols, c0 + tile);
                     for (int64_t c = c0; c < c1; c++) {
                       for (int64_t r = r0; r < r1; r++)
                         y[c * rows + r] = cast_to<To>(cast_to<float>(x[r * cols + c]));
                     }
                   }
                 }
               });
}

/// Products of element types without a fast path, summed in T (integers wrap). `to` may be another type.
struct PlainProducts {
  int64_t batch;
  int64_t m;
  int64_t n;
  int64_t k;
  int64_t a_row;
  int64_t a_k;
  int64_t a_batch;
  int64_t b_k;
  int64_t b_col;
  int64_t b_batch;
};

template <class T, class To, class E>
inline void plain_matmul(Context& ctx, const PlainProducts& p, const T* a, const T* b, To* c,
                         const E& epilogue) {
  constexpr int64_t width = 64;
  parallel_for(ctx, p.batch * p.m, max_of<int64_t>(1, (1 << 15) / (p.n * p.k + 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; row++) {
                   const T* x = a + row / p.m * p.a_batch + row % p.m * p.a_row;
                   const T* y = b + row / p.m * p.b_batch;
                   for (int64_t first = 0; first < p.n; first += width) {
                     const int64_t cols = min_of(width, p.n - first);
                     T acc[width] = {};
                     for (int64_t i = 0; i < p.k; i++) {
                       const T value = x[i * p.a_k];
                       const T* line = y + i * p.b_k + first * p.b_col;
                       for (int64_t j = 0; j < cols; j++) {
                         if constexpr (detail::kIsFloat<T>) {
                           acc[j] += value * line[j * p.b_col];
                         } else {
                           acc[j] = wrap_add(acc[j], wrap_mul(value, line[j * p.b_col]));
                         }
                       }
                     }
                     for (int64_t j = 0; j < cols; j++)
                       c[row * p.n + first + j] = cast_to<To>(epilogue(acc[j], row, first + j, 1));
                   }
                 }
               });
}

}  // namespace ait
