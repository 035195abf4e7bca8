#pragma once
#include "device.h"

namespace ait::gpu {

/// Block x's tile of y[r * y_row + c] = x[r + c * x_column], r < rows, c < columns: 32 × 32 elements through
/// shared memory, 256 threads.
template <class T>
AIT_DEVICE void transpose_tile(const T* x, int64_t x_column, T* y, int64_t y_row, int64_t rows,
                               int64_t columns) {
  AIT_SHARED T tile[32][33];
  const int64_t across = (columns + 31) / 32;
  const int64_t row0 = block_x() / across * 32;
  const int64_t column0 = block_x() % across * 32;
  const int a = thread() % 32;
  AIT_UNROLL
  for (int b = thread() / 32; b < 32; b += 8) {
    const int64_t r = row0 + a, c = column0 + b;
    if (r < rows && c < columns) tile[b][a] = x[r + c * x_column];
  }
  barrier();
  AIT_UNROLL
  for (int b = thread() / 32; b < 32; b += 8) {
    const int64_t r = row0 + b, c = column0 + a;
    if (r < rows && c < columns) y[r * y_row + c] = tile[a][b];
  }
}

}  // namespace ait::gpu
