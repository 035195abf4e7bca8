#pragma once
#include "pack.h"

// Matrix products on the register-tiled micro-kernel. C = epilogue(A x B): A is read in place through row
// pointers, B is packed (pack.h), C is row-major with any row stride.
//
// An epilogue is a functor with
//   template <class V> V operator()(V acc, int64_t row, int64_t col, int lanes) const
// called once per vector of C: lane i of acc is the finished sum of C[row][col + i]; the value returned is
// stored. lanes is kF32, or less in the last columns, where lanes past it are neither read nor stored: an
// epilogue reads its operands with load_cols. It never sees the same element twice and must be pure. One that
// expands to many instructions (an exponential, say) declares `static constexpr bool kHeavy = true`: it is
// then kept out of the unrolled kernels, for the sake of compile time.
namespace ait {

/// Bytes of packed B that one pass over the rows of A reads again and again: more than the second-level cache
/// holds, because the third level keeps up and each pass costs a look at A.
#ifndef AIT_GEMM_B_BYTES
#define AIT_GEMM_B_BYTES (2 * 1024 * 1024)
#endif
/// Multiply-adds below which work is not split any further over threads.
#ifndef AIT_GEMM_GRAIN
#define AIT_GEMM_GRAIN (192 * 1024)
#endif

/// Leaves the sum as it is.
struct NoEpilogue {
  template <class V>
  V operator()(V acc, int64_t, int64_t, int) const {
    return acc;
  }
};

/// Operand of an epilogue at columns col .. col + lanes: bias[col], or residual[row * ldr + col] by passing
/// the row's address.
template <class V = f32v, class T>
inline V load_cols(const T* p, int64_t col, int lanes) {
  constexpr int full = sizeof(V) / sizeof(T);
  return lanes == full ? load<V>(p + col) : load_n<V>(p + col, lanes);
}

/// acc + bias[col]
struct BiasEpilogue {
  const float* bias;
  template <class V>
  V operator()(V acc, int64_t, int64_t col, int lanes) const {
    return acc + load_cols<V>(bias, col, lanes);
  }
};

/// max(acc + bias[col], 0)
struct BiasReluEpilogue {
  const float* bias;
  template <class V>
  V operator()(V acc, int64_t, int64_t col, int lanes) const {
    const V v = acc + load_cols<V>(bias, col, lanes);
    return v > V{} ? v : V{};
  }
};

namespace detail {

/// Rows of A for one tile, per tap: rows[tap * kMR + r] points at `kc` consecutive values of row r.
using MicroKernel = void (*)(const float* const* rows, int64_t taps, int64_t kc, const float* b, float* out);

/// Row pointers a kernel keeps in registers; the others it re-reads from the table at every step, which is
/// free, where the compiler would keep them in vector registers, which is not.
#if defined(__x86_64__)
constexpr int kPointerRegisters = 10;
#else
constexpr int kPointerRegisters = kMR;
#endif

inline const float* table_row(const float* const* rows, int r) {
  return *const_cast<const float* const volatile*>(rows + r);
}

/// acc[0][r][0 .. VN vectors) = sum over taps and k of rows[tap][r][k] * b[tap * kc + k][..]. U partial sums
/// per element hide the latency of the multiply-add where R * VN alone cannot.
template <int R, int VN, int U>
__attribute__((always_inline)) inline void accumulate(const float* const* rows, int64_t taps, int64_t kc,
                                                      const float* b, f32v (&acc)[U][R][VN]) {
#pragma GCC unroll 16
  for (int u = 0; u < U; u++) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < VN; v++) acc[u][r][v] = f32v{};
    }
  }
  for (int64_t t = 0; t < taps; t++, rows += kMR) {
    const float* a[R];
#pragma GCC unroll 16
    for (int r = 0; r < R && r < kPointerRegisters; r++) a[r] = table_row(rows, r);
    int64_t k = 0;
    if (U > 1) {
      for (; k + U <= kc; k += U) {
#pragma GCC unroll 16
        for (int u = 0; u < U; u++) {
#pragma GCC unroll 16
          for (int r = 0; r < R; r++) {
            const f32v x = splat<f32v>(a[r][k + u]);
#pragma GCC unroll 4
            for (int v = 0; v < VN; v++) acc[u][r][v] += x * load<f32v>(b + u * kNR + v * kF32);
          }
        }
        b += U * kNR;
      }
    }
    for (; k < kc; k++) {
      f32v y[VN];
#pragma GCC unroll 4
      for (int v = 0; v < VN; v++) y[v] = load<f32v>(b + v * kF32);
      b += kNR;
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        const float* row = r < kPointerRegisters ? a[r] : table_row(rows, r);
        const f32v x = splat<f32v>(row[k]);
#pragma GCC unroll 4
        for (int v = 0; v < VN; v++) acc[0][r][v] += x * y[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int u = 1; u < U; u++) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < VN; v++) acc[0][r][v] += acc[u][r][v];
    }
  }
}

/// The sums of R rows and VN vectors of columns; rows of `out` are kNR apart.
template <int R, int VN, int U>
__attribute__((noinline)) void micro_kernel(const float* const* rows, int64_t taps, int64_t kc,
                                            const float* b, float* out) {
  f32v acc[U][R][VN];
  accumulate<R, VN, U>(rows, taps, kc, b, acc);
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < VN; v++) store(out + r * kNR + v * kF32, acc[0][r][v]);
  }
}

/// kMR rows against panels that follow one another, the epilogue applied to the registers. Whole: panels of
/// kNR columns; else there is one panel and its last vector has `lanes`. The loop over panels is inside
/// because anything stored between two of them would wait for the tile's own stores.
template <bool Whole, class E>
__attribute__((noinline)) void fused_kernel(const float* const* rows, int64_t taps, int64_t kc,
                                            const float* b, float* c, int64_t ldc, int64_t row, int64_t col,
                                            int64_t panels, int lanes, E epilogue) {
  for (; panels > 0; panels--, b += taps * kc * kNR, c += kNR, col += kNR) {
    f32v acc[1][kMR][2];
    accumulate<kMR, 2, 1>(rows, taps, kc, b, acc);
    float* to = c;
#pragma GCC unroll 16
    for (int r = 0; r < kMR; r++, to += ldc) {
      store(to, epilogue(acc[0][r][0], row + r, col, kF32));
      if (Whole) {
        store(to + kF32, epilogue(acc[0][r][1], row + r, col + kF32, kF32));
      } else {
        store_n(to + kF32, epilogue(acc[0][r][1], row + r, col + kF32, lanes), lanes);
      }
    }
  }
}

template <class E>
constexpr auto is_heavy(int) -> decltype(E::kHeavy) {
  return E::kHeavy;
}
template <class E>
constexpr bool is_heavy(...) {
  return false;
}

constexpr int k_split(int rows, int vectors) { return rows * vectors >= 6 ? 1 : rows * vectors >= 3 ? 2 : 4; }

template <int R>
inline MicroKernel choose_micro_kernel(int rows, bool narrow) {
  if constexpr (R > 1) {
    if (rows < R) return choose_micro_kernel<R - 1>(rows, narrow);
  }
  return narrow ? micro_kernel<R, 1, k_split(R, 1)> : micro_kernel<R, 2, k_split(R, 2)>;
}

// With AIT_SHARED_KERNELS defined the kernels that no epilogue enters are compiled once a library, in the
// unit that includes shared_kernels.h.
#if defined(AIT_SHARED_KERNELS)
MicroKernel micro_kernel_for(int rows, bool narrow);
#else
inline MicroKernel micro_kernel_for(int rows, bool narrow) { return choose_micro_kernel<kMR>(rows, narrow); }
#endif

/// Sizes of a batch of products: each is m x n, contracting taps * kc values.
struct Extents {
  int64_t batch;
  int64_t m;
  int64_t n;
  int64_t taps;
  int64_t kc;
};

/// Where a batch item's b and c lie and what its epilogue's first row and column are.
struct BatchStrides {
  int64_t b;
  int64_t c;
  int64_t row;
  int64_t col;
  int64_t first_col = 0;

  int64_t b_at(int64_t batch) const { return batch * b; }
  int64_t c_at(int64_t batch) const { return batch * c; }
};

template <class E>
inline void store_tile(const float* tile, int rows, int cols, float* c, int64_t ldc, int64_t row, int64_t col,
                       const E& epilogue) {
  for (int r = 0; r < rows; r++) {
    const float* from = tile + r * kNR;
    float* to = c + r * ldc;
    int j = 0;
    for (; j + kF32 <= cols; j += kF32) {
      store(to + j, epilogue(load<f32v>(from + j), row + r, col + j, kF32));
    }
    if (j < cols) store_n(to + j, epilogue(load<f32v>(from + j), row + r, col + j, cols - j), cols - j);
  }
}

constexpr int kLocalTaps = 16;

/// One tile of rows against panels [p, last) of the packed b; row, col: the epilogue's first of c.
template <class E>
inline void multiply_panels(const float* const* table, int count, const Extents& x, int64_t p, int64_t last,
                            const float* b, float* c, int64_t ldc, int64_t row, int64_t col,
                            const E& epilogue) {
  const int64_t taps = x.taps;
  const int64_t kc = x.kc;
  const int64_t panel_size = taps * kc * kNR;
  if constexpr (!is_heavy<E>(0)) {
    if (count == kMR) {
      const int64_t whole = min_of(last, x.n / kNR) - p;
      if (whole > 0) {
        fused_kernel<true, E>(table, taps, kc, b + p * panel_size, c + p * kNR, ldc, row, col + p * kNR,
                              whole, kF32, epilogue);
        p += whole;
      }
      const int64_t lanes = x.n - p * kNR - kF32;
      if (p < last && lanes > 0) {
        fused_kernel<false, E>(table, taps, kc, b + p * panel_size, c + p * kNR, ldc, row, col + p * kNR, 1,
                               static_cast<int>(lanes), epilogue);
        p++;
      }
    }
  }
  alignas(64) float tile[kMR * kNR];
  for (; p < last; p++) {
    const int64_t j = p * kNR;
    const int cols = static_cast<int>(min_of<int64_t>(kNR, x.n - j));
    micro_kernel_for(count, cols <= kF32)(table, taps, kc, b + p * panel_size, tile);
    store_tile(tile, count, cols, c + j, ldc, row, col + j, epilogue);
  }
}

/// Runs every product of the batch. `rows.fill(batch, row, count, table, space)` writes the row pointers of a
/// tile and may use `space`, `rows.space()` bytes that belong to the calling thread.
template <class Rows, class Strides, class E>
inline void contract(Context& ctx, const Extents& x, const Rows& rows, const float* b, float* c, int64_t ldc,
                     const Strides& strides, const E& epilogue) {
  if (x.batch <= 0 || x.m <= 0 || x.n <= 0) return;
  const int64_t k = max_of<int64_t>(x.taps * x.kc, 1);
  const int64_t tiles = ceil_div(x.m, kMR);
  const int64_t panels = ceil_div(x.n, kNR);
  int64_t block = max_of<int64_t>(1, AIT_GEMM_B_BYTES / (k * kNR * 4));
  if (ctx.threads > 1) {
    // Enough items that the threads' shares differ little.
    const int64_t wanted = ceil_div(int64_t{4} * ctx.threads, x.batch * tiles);
    block = min_of(block, max_of<int64_t>(1, panels / wanted));
  }
  const int64_t blocks = ceil_div(panels, min_of(block, panels));
  const int64_t item_work = kMR * ceil_div(panels, blocks) * kNR * k;
  const int64_t grain = max_of<int64_t>(1, AIT_GEMM_GRAIN / item_work);
  const size_t table_bytes = x.taps > kLocalTaps ? sizeof(float*) * static_cast<size_t>(x.taps * kMR) : 0;
  const size_t space_bytes = rows.space();
  parallel_for(ctx, x.batch * blocks * tiles, grain, [=](int64_t begin, int64_t end) {
    const float* local[kLocalTaps * kMR];
    uint8_t* space = table_bytes + space_bytes > 0
                         ? static_cast<uint8_t*>(thread_scratch(table_bytes + space_bytes))
                         : nullptr;
    const float** table = table_bytes > 0 ? reinterpret_cast<const float**>(space + space_bytes) : local;
    int64_t tile = begin % tiles;
    int64_t block_index = begin / tiles % blocks;
    int64_t batch = begin / tiles / blocks;
    for (int64_t item = begin; item < end; item++) {
      const int64_t row = tile * kMR;
      const int count = static_cast<int>(min_of<int64_t>(kMR, x.m - row));
      rows.fill(batch, row, count, table, reinterpret_cast<float*>(space));
      multiply_panels(table, count, x, panels * block_index / blocks, panels * (block_index + 1) / blocks,
                      b + strides.b_at(batch), c + strides.c_at(batch) + row * ldc, ldc,
                      batch * strides.row + row, strides.first_col + batch * strides.col, epilogue);
      if (++tile < tiles) continue;
      tile = 0;
      if (++block_index < blocks) continue;
      block_index = 0;
      batch++;
    }
  });
}

/// Rows this far apart (in floats) fall into so few sets of the first-level cache that a tile of them does
/// not stay there.
inline bool rows_collide(int64_t ld) {
  return ld > 0 && ld * static_cast<int64_t>(sizeof(float)) % 2048 == 0;
}

/// Copies a tile of rows so that k is contiguous; the copies are `ld` apart.
inline void copy_rows(const float* a, int64_t stride_m, int64_t stride_k, int count, int64_t k, float* to,
                      int64_t ld) {
  if (stride_k == 1) {
    for (int r = 0; r < count; r++) {
      std::memcpy(to + r * ld, a + r * stride_m, sizeof(float) * static_cast<size_t>(k));
    }
  } else if (stride_m == 1) {
    for (int64_t i = 0; i < k; i += kF32) {
      const int depth = static_cast<int>(min_of<int64_t>(kF32, k - i));
      for (int r = 0; r < count; r += kF32) {
        transpose_block(a + i * stride_k + r, stride_k, depth, min_of(kF32, count - r), to + r * ld + i, ld);
      }
    }
  } else {
    for (int r = 0; r < count; r++) {
      for (int64_t i = 0; i < k; i++) to[r * ld + i] = a[r * stride_m + i * stride_k];
    }
  }
}

/// Rows of a matrix. Those that collide, or whose k is not contiguous, are copied tile by tile.
struct MatrixRows {
  const float* a;
  int64_t stride_m;
  int64_t stride_k;
  int64_t batch_stride;
  int64_t k;
  bool copy;

  int64_t copy_stride() const { return ceil_div(k, 16) * 16 + 16; }
  size_t space() const { return copy ? sizeof(float) * static_cast<size_t>(kMR * copy_stride()) : 0; }
  void fill_from(const float* first, int count, const float** table, float* space) const {
    const int64_t ld = copy ? copy_stride() : stride_m;
    if (copy) {
      copy_rows(first, stride_m, stride_k, count, k, space, ld);
      first = space;
    }
    for (int r = 0; r < kMR; r++) table[r] = first + r * ld;  // a constant count makes vectors of it
  }
  void fill(int64_t batch, int64_t row, int count, const float** table, float* space) const {
    fill_from(a + batch * batch_stride + row * stride_m, count, table, space);
  }
};

inline MatrixRows matrix_rows(const float* a, int64_t stride_m, int64_t stride_k, int64_t batch_stride,
                              int64_t m, int64_t n, int64_t k) {
  const bool copy = stride_k != 1 || (m > 4 && n >= kNR && k >= 64 && rows_collide(stride_m));
  return {a, stride_m, stride_k, batch_stride, k, copy};
}

}  // namespace detail

/// C[m][n] = epilogue(sum over k of A[m][k] * B[k][n]). A's rows are lda apart with k contiguous, B is
/// packed, C's rows are ldc apart.
template <class E = NoEpilogue>
inline void gemm(Context& ctx, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                 const float* packed_b, float* c, int64_t ldc, const E& epilogue = E{}) {
  detail::contract(ctx, {1, m, n, 1, k}, detail::matrix_rows(a, lda, 1, 0, m, n, k), packed_b, c, ldc,
                   detail::BatchStrides{0, 0, 0, 0}, epilogue);
}

}  // namespace ait
