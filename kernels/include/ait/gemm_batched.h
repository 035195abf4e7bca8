#pragma once
#include "gemm.h"

// Products of matrices that are both known only at run time, one after another over any batch dimensions:
// attention, and MatMul of two activations. Strides say how each operand is read, so transposed operands,
// heads inside a row and broadcast batches need no copy of their own.
namespace ait {

/// Outer dimensions, at most four: the sizes, and per operand the distance from one item to the next, 0 where
/// the operand is broadcast.
struct BatchShape {
  int rank = 0;
  int64_t size[4] = {};
  int64_t a[4] = {};
  int64_t b[4] = {};
  int64_t c[4] = {};

  int64_t count() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= size[i];
    return n;
  }
  int64_t offset(const int64_t* strides, int64_t index) const {
    int64_t at = 0;
    for (int i = rank - 1; i > 0; i--) {
      at += index % size[i] * strides[i];
      index /= size[i];
    }
    return rank > 0 ? at + index * strides[0] : 0;
  }
};

namespace detail {

struct BatchRows {
  MatrixRows matrix;
  const BatchShape& shape;

  size_t space() const { return matrix.space(); }
  void fill(int64_t batch, int64_t row, int count, const float** table, float* space) const {
    matrix.fill_from(matrix.a + shape.offset(shape.a, batch) + row * matrix.stride_m, count, table, space);
  }
};

/// Every item's packed b follows the last one's, or all share one.
struct PackedBatch {
  const BatchShape& shape;
  int64_t b;
  int64_t row;
  int64_t col;
  int64_t first_col;

  int64_t b_at(int64_t batch) const { return batch * b; }
  int64_t c_at(int64_t batch) const { return shape.offset(shape.c, batch); }
};

constexpr int kFewRows = 4;

/// A few rows against a b read in place, columns contiguous.
template <int R, class E>
inline void few_rows_times_rows(int64_t n, int64_t k, const float* a, int64_t stride_m, int64_t stride_k,
                                const float* b, int64_t stride_b, float* c, int64_t ldc, int64_t row,
                                const E& epilogue) {
  constexpr int VN = 4;
  for (int64_t j = 0; j < n; j += VN * kF32) {
    const int64_t left = n - j;
    if (left >= VN * kF32) {
      f32v acc[R][VN] = {};
      for (int64_t i = 0; i < k; i++) {
        for (int v = 0; v < VN; v++) {
          const f32v y = load<f32v>(b + i * stride_b + j + v * kF32);
          for (int r = 0; r < R; r++) acc[r][v] += splat<f32v>(a[r * stride_m + i * stride_k]) * y;
        }
      }
      for (int r = 0; r < R; r++) {
        for (int v = 0; v < VN; v++) {
          const int64_t col = j + v * kF32;
          store(c + r * ldc + col, epilogue(acc[r][v], row + r, col, kF32));
        }
      }
      continue;
    }
    for (int64_t col = j; col < n; col += kF32) {
      const int lanes = static_cast<int>(min_of<int64_t>(kF32, n - col));
      f32v acc[R] = {};
      for (int64_t i = 0; i < k; i++) {
        const f32v y = load_cols<f32v>(b + i * stride_b, col, lanes);
        for (int r = 0; r < R; r++) acc[r] += splat<f32v>(a[r * stride_m + i * stride_k]) * y;
      }
      for (int r = 0; r < R; r++) store_n(c + r * ldc + col, epilogue(acc[r], row + r, col, lanes), lanes);
    }
  }
}

/// Lane i of the result is the sum of the lanes of v[i].
inline f32v sum_each(f32v (&v)[kF32]) {
#pragma GCC unroll 4
  for (int half = kF32 / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; i++) {
      v[i] = interleave_low(v[i], v[i + half]) + interleave_high(v[i], v[i + half]);
    }
  }
  return v[0];
}

/// One row against a b read in place, k contiguous in both.
template <class E>
inline void row_times_columns(int64_t n, int64_t k, const float* a, const float* b, int64_t stride_n,
                              float* c, int64_t row, const E& epilogue) {
  for (int64_t j = 0; j < n; j += kF32) {
    const int lanes = static_cast<int>(min_of<int64_t>(kF32, n - j));
    f32v acc[kF32];
    // Four columns at a time: their chains hide the latency, and memory is still read nearly in order.
    for (int i = 0; i < kF32; i += 4) {
      const float* y[4];
      for (int t = 0; t < 4; t++) y[t] = b + (j + min_of(i + t, lanes - 1)) * stride_n;
      f32v part[4] = {};
      int64_t p = 0;
      for (; p + kF32 <= k; p += kF32) {
        const f32v x = load<f32v>(a + p);
        for (int t = 0; t < 4; t++) part[t] += x * load<f32v>(y[t] + p);
      }
      if (p < k) {
        const int depth = static_cast<int>(k - p);
        const f32v x = load_n<f32v>(a + p, depth);
        for (int t = 0; t < 4; t++) part[t] += x * load_n<f32v>(y[t] + p, depth);
      }
      for (int t = 0; t < 4; t++) acc[i + t] = part[t];
    }
    const f32v sum = sum_each(acc);
    if (lanes == kF32) {
      store(c + j, epilogue(sum, row, j, kF32));
    } else {
      store_n(c + j, epilogue(sum, row, j, lanes), lanes);
    }
  }
}

template <class E>
inline void few_rows(int64_t m, int64_t n, int64_t k, const float* a, int64_t stride_m, int64_t stride_k,
                     const float* b, int64_t b_k, int64_t b_n, float* c, int64_t ldc, int64_t row,
                     const E& epilogue) {
  if (b_n == 1) {
    if (m == 1) return few_rows_times_rows<1>(n, k, a, stride_m, stride_k, b, b_k, c, ldc, row, epilogue);
    for (; m >= 2; m -= 2, a += 2 * stride_m, c += 2 * ldc, row += 2) {
      few_rows_times_rows<2>(n, k, a, stride_m, stride_k, b, b_k, c, ldc, row, epilogue);
    }
    if (m > 0) few_rows_times_rows<1>(n, k, a, stride_m, stride_k, b, b_k, c, ldc, row, epilogue);
    return;
  }
  for (int64_t i = 0; i < m; i++) {
    row_times_columns(n, k, a + i * stride_m, b, b_n, c + i * ldc, row + i, epilogue);
  }
}

}  // namespace detail

/// For every item of the batch: C[m][n] = epilogue(sum over k of A[m][k] * B[k][n]) with A[m][k] at
/// a[m * a_m + k * a_k], B[k][n] at b[k * b_k + n * b_n] and C[m][n] at c[m * ldc + n], each displaced by its
/// batch offset. The epilogue's row counts on over the batch: item * m + row. Uses ctx.scratch().
template <class E = NoEpilogue>
inline void batched_gemm(Context& ctx, const BatchShape& shape, int64_t m, int64_t n, int64_t k,
                         const float* a, int64_t a_m, int64_t a_k, const float* b, int64_t b_k, int64_t b_n,
                         float* c, int64_t ldc, const E& epilogue = E{}) {
  const int64_t batch = shape.count();
  if (batch <= 0 || m <= 0 || n <= 0) return;
  bool shared = true;
  for (int i = 0; i < shape.rank; i++) shared = shared && (shape.b[i] == 0 || shape.size[i] == 1);
  const int64_t work = max_of<int64_t>(1, m * n * k);
  if (m <= detail::kFewRows && (b_n == 1 || (b_k == 1 && a_k == 1)) &&
      (batch >= ctx.threads || work < 65536)) {
    parallel_for(ctx, batch, max_of<int64_t>(1, AIT_GEMM_GRAIN / 4 / work), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        detail::few_rows(m, n, k, a + shape.offset(shape.a, i), a_m, a_k, b + shape.offset(shape.b, i), b_k,
                         b_n, c + shape.offset(shape.c, i), ldc, i * m, epilogue);
      }
    });
    return;
  }
  const detail::MatrixRows matrix = detail::matrix_rows(a, a_m, a_k, 0, m, n, k);
  const int64_t packed = packed_b_size(k, n);
  const int64_t panels = ceil_div(n, kNR);
  if (!shared && batch >= ctx.threads && (batch % ctx.threads == 0 || batch >= 4 * ctx.threads)) {
    // Each thread packs an item's b for itself and uses it while it is in its cache.
    const size_t packed_bytes = sizeof(float) * static_cast<size_t>(packed);
    const int64_t block = max_of<int64_t>(1, AIT_GEMM_B_BYTES / (max_of<int64_t>(k, 1) * kNR * 4));
    parallel_for(ctx, batch, max_of<int64_t>(1, AIT_GEMM_GRAIN / work), [&](int64_t begin, int64_t end) {
      auto* buffer = static_cast<float*>(thread_scratch(packed_bytes + matrix.space()));
      const float* table[kMR];
      const detail::Extents x = {1, m, n, 1, k};
      for (int64_t i = begin; i < end; i++) {
        const float* from = b + shape.offset(shape.b, i);
        for (int64_t p = 0; p < panels; p++) {
          const int cols = static_cast<int>(min_of<int64_t>(kNR, n - p * kNR));
          detail::pack_panel(from + p * kNR * b_n, k, cols, b_k, b_n, buffer + p * k * kNR);
        }
        const float* rows = a + shape.offset(shape.a, i);
        float* to = c + shape.offset(shape.c, i);
        for (int64_t p = 0; p < panels; p += block) {
          for (int64_t row = 0; row < m; row += kMR) {
            const int count = static_cast<int>(min_of<int64_t>(kMR, m - row));
            matrix.fill_from(rows + row * a_m, count, table, buffer + packed);
            detail::multiply_panels(table, count, x, p, min_of(panels, p + block), buffer, to + row * ldc,
                                    ldc, i * m + row, 0, epilogue);
          }
        }
      }
    });
    return;
  }
  const int64_t items = shared ? 1 : batch;
  auto* buffer = static_cast<float*>(ctx.scratch(sizeof(float) * static_cast<size_t>(items * packed)));
  const int64_t grain = ceil_div(int64_t{1} << 14, k * kNR + 1);
  parallel_for(ctx, items * panels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t first = i % panels * kNR;
      const int cols = static_cast<int>(min_of<int64_t>(kNR, n - first));
      detail::pack_panel(b + shape.offset(shape.b, i / panels) + first * b_n, k, cols, b_k, b_n,
                         buffer + i * k * kNR);
    }
  });
  detail::contract(ctx, {batch, m, n, 1, k}, detail::BatchRows{matrix, shape}, buffer, c, ldc,
                   detail::PackedBatch{shape, shared ? 0 : packed, m, 0, 0}, epilogue);
}

}  // namespace ait
