#pragma once
#include "matmul.h"
#include "qgemm.h"

// What products of 8-bit integers need around qgemm.h: zero points of any type and copies into the layout
// it reads.
namespace ait {

/// Zero points as 32-bit integers.
template <class T>
inline const int32_t* widen_points(const T* from, int64_t n, void* to) {
  auto* out = static_cast<int32_t*>(to);
  for (int64_t i = 0; i < n; i++) out[i] = from[i];
  return out;
}

/// Packs `count` matrices of b, k x n each (n x k when transposed), one after another.
template <class TB>
inline void pack_q_matrices(Context& ctx, int64_t count, int64_t k, int64_t n, const TB* b, bool transposed,
                            void* out) {
  parallel_for(ctx, count, max_of<int64_t>(1, (1 << 14) / (k * n + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      pack_qb(k, n, b + i * k * n, transposed ? 1 : n, transposed ? k : 1,
              static_cast<uint8_t*>(out) + i * packed_qb_bytes(k, n));
  });
}

/// `count` matrices of rows x cols to cols x rows.
template <class T>
inline void transpose_elements(Context& ctx, int64_t count, int64_t rows, int64_t cols, const T* from,
                               T* to) {
  parallel_for(ctx, count * rows, max_of<int64_t>(1, (1 << 14) / (cols + 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; r++) {
                   const T* x = from + r * cols;
                   T* y = to + r / rows * rows * cols + r % rows;
                   for (int64_t c = 0; c < cols; c++) y[c * rows] = x[c];
                 }
               });
}

/// An epilogue whose rows count from `first_row`.
template <class E>
struct QShiftedRows {
  E epilogue;
  int64_t first_row;
  auto operator()(i32v acc, int64_t row, int64_t col, int lanes) const {
    return epilogue(acc, first_row + row, col, lanes);
  }
};

/// Products of one shape, as matmul.h's; A's rows are k apart. zeros.a_rows counts over the whole batch.
template <class TB, class TA, class TC, class E>
inline void q_matmul(Context& ctx, int64_t batch, int64_t m, int64_t n, int64_t k, const TA* a,
                     int64_t a_batch, const uint8_t* packed_b, int64_t b_batch, QZeros zeros, TC* c,
                     int64_t first_row, const E& epilogue) {
  for (int64_t i = 0; i < batch; i++) {
    QZeros own = zeros;
    if (own.a_rows != nullptr) own.a_rows += first_row + i * m;
    qgemm<TB>(ctx, m, n, k, a + i * a_batch, k, packed_b + i * b_batch * packed_qb_bytes(k, n), own,
              c + i * m * n, n, QShiftedRows<E>{epilogue, first_row + i * m});
  }
}

}  // namespace ait
