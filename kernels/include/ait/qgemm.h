#pragma once
#include "conv.h"

// Products of 8-bit integers, exact in 32 bits, for MatMulInteger, ConvInteger, QLinear* and what they fuse
// to. Inside, A is always unsigned and B always signed: a signed A and an unsigned B are shifted by 128, and
// so are their zero points. C[m][n] = epilogue(sum over k of (A[m][k] - a_zero) * (B[k][n] - b_zero)).
//
// Packed B, for panels of kNR columns as in pack.h: k is cut into groups of kQGroup, so that one multiply-add
// instruction sums a group in each 32-bit lane.
//
//   packed[((p * ceil(K / kQGroup) + k / kQGroup) * kNR + j) * kQGroup + k % kQGroup] = B[k][p * kNR + j]
//
// as QElement (with VNNI: groups of 4 int8_t; without: groups of 2 int16_t), shifted by -128 if B is
// unsigned, 0 where k or the column lies outside. After the panels follow ceil(N / kNR) * kNR values of
// int32_t: the sums of the columns of what is packed. Convolution weights: k as in pack.h; groups follow one
// another, each with its panels and its sums (packed_qb_bytes(K, N / groups) bytes apart).
namespace ait {

#if defined(__AVX512VNNI__) && defined(__GNUC__) && !defined(__clang__)
#define AIT_QGEMM_VNNI 1
constexpr int kQGroup = 4;
using QElement = int8_t;
#else
constexpr int kQGroup = 2;
using QElement = int16_t;
#endif

inline int64_t packed_qb_bytes(int64_t k, int64_t n) {
  return ceil_div(n, kNR) * kNR * (ceil_div(k, kQGroup) * 4 + 4);
}

/// Zero points as the model states them. Arrays, where given, hold one a row of A or a column of B.
struct QZeros {
  int32_t a = 0;
  int32_t b = 0;
  const int32_t* a_rows = nullptr;
  const int32_t* b_columns = nullptr;
};

/// Leaves the 32-bit sums as they are.
struct QNoEpilogue {
  i32v operator()(i32v acc, int64_t, int64_t, int) const { return acc; }
};

/// Rounds to nearest even, adds the zero point and saturates to T, in 32-bit lanes.
template <class T>
inline i32v quantize_lanes(f32v x, int32_t zero) {
  const float low = static_cast<float>((sizeof(T) == 1 && T(-1) < T(0) ? -128 : 0) - zero);
  const float high = static_cast<float>((sizeof(T) == 1 && T(-1) < T(0) ? 127 : 255) - zero);
  const f32v magic = splat<f32v>(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  x = x > low ? x : splat<f32v>(low);
  x = x < high ? x : splat<f32v>(high);
  return __builtin_convertvector((x + magic) - magic, i32v) + zero;
}

/// (acc + bias[col]) * scale[col] as float, or quantised to T; either array may be null for none.
struct QScaleEpilogue {
  const float* scale;
  const int32_t* bias;
  f32v operator()(i32v acc, int64_t, int64_t col, int lanes) const {
    if (bias != nullptr) acc += load_cols<i32v>(bias, col, lanes);
    const f32v v = __builtin_convertvector(acc, f32v);
    return scale != nullptr ? v * load_cols<f32v>(scale, col, lanes) : v;
  }
};
template <class T>
struct QRequantizeEpilogue {
  QScaleEpilogue scaled;
  int32_t zero;
  i32v operator()(i32v acc, int64_t row, int64_t col, int lanes) const {
    return quantize_lanes<T>(scaled(acc, row, col, lanes), zero);
  }
};

namespace detail {

template <class T>
constexpr bool kIsSigned = T(-1) < T(0);

using u32v = Vec<uint32_t>;

/// acc + the products of the groups in x and y.
inline i32v group_multiply_add(i32v acc, i32v x, i32v y) {
#if defined(AIT_QGEMM_VNNI)
  return __builtin_ia32_vpdpbusd_v16si(acc, x, y);
#elif defined(__AVX512BW__) && defined(__GNUC__) && !defined(__clang__)
  using V = Vec<int16_t>;
  return acc + __builtin_ia32_pmaddwd512_mask(reinterpret_cast<V>(x), reinterpret_cast<V>(y), i32v{}, 0xffff);
#elif defined(__AVX2__) && !defined(__AVX512F__)
  using V = Vec<int16_t>;
  return acc + __builtin_ia32_pmaddwd256(reinterpret_cast<V>(x), reinterpret_cast<V>(y));
#elif defined(__SSE2__) && !defined(__AVX__)
  using V = Vec<int16_t>;
  return acc + __builtin_ia32_pmaddwd128(reinterpret_cast<V>(x), reinterpret_cast<V>(y));
#else
  const i32v low = (reinterpret_cast<i32v>(reinterpret_cast<u32v>(x) << 16) >> 16) *
                   (reinterpret_cast<i32v>(reinterpret_cast<u32v>(y) << 16) >> 16);
  return acc + low + (x >> 16) * (y >> 16);
#endif
}

/// out[r][..] = sum over groups of rows[r] * b. Rows are `ld` elements apart. U partial sums per element hide
/// the latency of the instruction where few rows cannot.
template <int R, int U = 1>
__attribute__((noinline)) void q_micro_kernel(const QElement* a, int64_t ld, int64_t groups,
                                              const QElement* b, int32_t* out) {
  const QElement* rows[kMR];
  for (int r = 0; r < R; r++) rows[r] = a + r * ld;
  i32v acc[U][R][2];
#pragma GCC unroll 4
  for (int u = 0; u < U; u++) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) acc[u][r][0] = acc[u][r][1] = i32v{};
  }
  const auto group = [&](int u, int64_t g) __attribute__((always_inline)) {
    const i32v y0 = load<i32v>(b);
    const i32v y1 = load<i32v>(b + kF32 * kQGroup);
    b += kNR * kQGroup;
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      const QElement* row = *const_cast<const QElement* const volatile*>(rows + r);
      const i32v x = i32v{} + load<int32_t>(row + g * kQGroup);
      acc[u][r][0] = group_multiply_add(acc[u][r][0], x, y0);
      acc[u][r][1] = group_multiply_add(acc[u][r][1], x, y1);
    }
  };
  int64_t g = 0;
  for (; g + U <= groups; g += U) {
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) group(u, g + u);
  }
  if (U > 1) {
    for (; g < groups; g++) group(0, g);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int u = 1; u < U; u++) acc[0][r][0] += acc[u][r][0], acc[0][r][1] += acc[u][r][1];
    store(out + r * kNR, acc[0][r][0]);
    store(out + r * kNR + kF32, acc[0][r][1]);
  }
}

using QMicroKernel = void (*)(const QElement*, int64_t, int64_t, const QElement*, int32_t*);

/// A kernel for at least `rows` rows; the rows past them are computed from padding and dropped.
inline QMicroKernel choose_q_micro_kernel(int rows) {
  if (rows == 1) return q_micro_kernel<1, 4>;
  if (rows <= 3) return q_micro_kernel<3, 2>;
  if (rows <= 6 && kMR > 6) return q_micro_kernel<6>;
  if (rows <= 10 && kMR > 10) return q_micro_kernel<(kMR > 10 ? 10 : kMR)>;
  return q_micro_kernel<kMR>;
}

#if defined(AIT_SHARED_KERNELS)
QMicroKernel q_micro_kernel_for(int rows);
#else
inline QMicroKernel q_micro_kernel_for(int rows) { return choose_q_micro_kernel(rows); }
#endif

/// Brings `n` values to the form A has inside.
template <class T>
inline void widen_row(const T* from, int64_t n, QElement* to) {
  if constexpr (sizeof(QElement) == 1 && !kIsSigned<T>) {
    std::memcpy(to, from, static_cast<size_t>(n));
  } else {
    for (int64_t i = 0; i < n; i++) to[i] = static_cast<QElement>(kIsSigned<T> ? from[i] + 128 : from[i]);
  }
}

/// The sum of `n` values of a row of A, a multiple of what a vector holds.
inline int32_t row_sum(const QElement* row, int64_t n) {
  i32v ones{};
  for (int i = 0; i < 4; i += static_cast<int>(sizeof(QElement))) ones |= i32v{} + (1 << (8 * i));
  i32v sums{};
  for (int64_t i = 0; i < n; i += kF32 * kQGroup) sums = group_multiply_add(sums, load<i32v>(row + i), ones);
  int32_t lanes[kF32], sum = 0;
  store(lanes, sums);
  for (int i = 0; i < kF32; i++) sum += lanes[i];
  return sum;
}

// Outputs: the epilogue yields floats or 32-bit integers; 8-bit ones are cut from the latter.
inline void store_lanes(float* p, f32v v, int lanes) {
  if (lanes == kF32) return store(p, v);
  store_n(p, v, lanes);
}
inline void store_lanes(int32_t* p, i32v v, int lanes) {
  if (lanes == kF32) return store(p, v);
  store_n(p, v, lanes);
}
template <class T>
inline void store_lanes(T* p, i32v v, int lanes) {
  static_assert(sizeof(T) == 1, "8-bit output");
  const auto narrow = __builtin_convertvector(v, Vec<T, kF32>);
  if (lanes == kF32) return store(p, narrow);
  std::memcpy(p, &narrow, static_cast<size_t>(lanes));
}

/// Applies zero points and epilogue to sums of what lies inside.
template <class TA, class TB>
struct QCorrection {
  QZeros zeros;
  int64_t k;
  const int32_t* sums;  // of the columns

  i32v apply(i32v acc, int32_t row_sum, int64_t row, int64_t col, int64_t first_col, int lanes) const {
    const int32_t a = (zeros.a_rows != nullptr ? zeros.a_rows[row] : zeros.a) + (kIsSigned<TA> ? 128 : 0);
    const uint32_t ua = static_cast<uint32_t>(a);
    u32v v = reinterpret_cast<u32v>(acc);
    if (a != 0) v -= ua * reinterpret_cast<u32v>(load<i32v>(sums + col));
    const int32_t shift = kIsSigned<TB> ? 0 : 128;
    const uint32_t factor = static_cast<uint32_t>(row_sum) - ua * static_cast<uint32_t>(k);
    if (zeros.b_columns != nullptr) {
      v -= factor * reinterpret_cast<u32v>(load_cols<i32v>(zeros.b_columns, first_col + col, lanes) - shift);
    } else if (zeros.b != shift) {
      v -= u32v{} + factor * static_cast<uint32_t>(zeros.b - shift);
    }
    return reinterpret_cast<i32v>(v);
  }
};

/// Rows of A for one tile: `fill(batch, row, count, to, ld)` writes them, k values each.
template <class TA>
struct QMatrixRows {
  const TA* a;
  int64_t lda;
  int64_t k;

  void fill(int64_t, int64_t row, int count, QElement* to, int64_t ld) const {
    for (int r = 0; r < count; r++) widen_row(a + (row + r) * lda, k, to + r * ld);
  }
};

template <class TA>
struct QTapRows {
  const ConvShape& s;
  const TA* x;
  int64_t ldx;
  int32_t zero;

  void fill(int64_t group, int64_t row, int count, QElement* to, int64_t ld) const {
    const int64_t c = s.c / s.groups;
    const int32_t pad = zero + (kIsSigned<TA> ? 128 : 0);
    const bool dense = s.groups == 1 && ldx == c && s.dilation_w == 1;
    PixelCursor at(s, row);
    for (int r = 0; r < count; r++, at.next(s)) {
      QElement* out = to + r * ld;
      for (int64_t i = 0; i < s.kh; i++) {
        const int64_t iy = at.y * s.stride_h - s.pad_top + i * s.dilation_h;
        const int64_t x0 = at.x * s.stride_w - s.pad_left;
        if (dense && inside(iy, s.h) && x0 >= 0 && x0 + s.kw <= s.w) {
          // The taps of a line lie side by side.
          widen_row(x + ((at.image * s.h + iy) * s.w + x0) * c, s.kw * c, out);
          out += s.kw * c;
          continue;
        }
        for (int64_t j = 0; j < s.kw; j++, out += c) {
          const int64_t ix = x0 + j * s.dilation_w;
          if (inside(iy, s.h) && inside(ix, s.w)) {
            widen_row(x + ((at.image * s.h + iy) * s.w + ix) * ldx + group * c, c, out);
          } else {
            for (int64_t p = 0; p < c; p++) out[p] = static_cast<QElement>(pad);
          }
        }
      }
    }
  }
};

template <class TB, class TA, class TC, class Rows, class E>
inline void q_contract(Context& ctx, int64_t batch_count, int64_t m, int64_t n, int64_t k, const Rows& rows,
                       const uint8_t* packed_b, const QZeros& zeros, TC* c, int64_t ldc, const E& epilogue) {
  if (batch_count <= 0 || m <= 0 || n <= 0) return;
  const int64_t groups = ceil_div(k, kQGroup);
  const int64_t tiles = ceil_div(m, kMR);
  const int64_t panels = ceil_div(n, kNR);
  const int64_t panel_bytes = groups * kNR * 4;
  int64_t block = max_of<int64_t>(1, AIT_GEMM_B_BYTES / max_of<int64_t>(panel_bytes, 1));
  if (ctx.threads > 1) {
    block =
        min_of(block, max_of<int64_t>(1, panels / ceil_div(int64_t{4} * ctx.threads, batch_count * tiles)));
  }
  const int64_t blocks = ceil_div(panels, min_of(block, panels));
  const int64_t item_work = kMR * ceil_div(panels, blocks) * kNR * max_of<int64_t>(groups, 1);
  const int64_t grain = max_of<int64_t>(1, AIT_GEMM_GRAIN / item_work);
  // An odd number of cache lines a row: rows of a tile do not collide in the first-level cache.
  const int64_t line = 64 / static_cast<int64_t>(sizeof(QElement));
  const int64_t ld = (ceil_div(groups * kQGroup, line) | 1) * line;
  parallel_for(ctx, batch_count * blocks * tiles, grain, [=](int64_t begin, int64_t end) {
    auto* a = static_cast<QElement*>(thread_scratch(sizeof(QElement) * static_cast<size_t>(kMR * ld)));
    std::memset(a, 0, sizeof(QElement) * static_cast<size_t>(kMR * ld));
    alignas(64) int32_t tile[kMR * kNR];
    int32_t row_sums[kMR];
    for (int64_t item = begin; item < end; item++) {
      const int64_t row = item % tiles * kMR;
      const int64_t part = item / tiles % blocks;
      const int64_t batch = item / tiles / blocks;
      const int count = static_cast<int>(min_of<int64_t>(kMR, m - row));
      rows.fill(batch, row, count, a, ld);
      for (int r = 0; r < count; r++) row_sums[r] = row_sum(a + r * ld, ld);
      const uint8_t* packed = packed_b + batch * packed_qb_bytes(k, n);
      const QCorrection<TA, TB> correction = {
          zeros, k, reinterpret_cast<const int32_t*>(packed + panels * panel_bytes)};
      const QMicroKernel kernel = q_micro_kernel_for(count);
      for (int64_t p = panels * part / blocks; p < panels * (part + 1) / blocks; p++) {
        kernel(a, ld, groups, reinterpret_cast<const QElement*>(packed + p * panel_bytes), tile);
        const int64_t last = min_of(n, (p + 1) * kNR);
        for (int r = 0; r < count; r++) {
          for (int64_t col = p * kNR; col < last; col += kF32) {
            const int lanes = static_cast<int>(min_of<int64_t>(kF32, last - col));
            const i32v acc = correction.apply(load<i32v>(tile + r * kNR + col - p * kNR), row_sums[r],
                                              row + r, col, batch * n, lanes);
            store_lanes(c + (row + r) * ldc + batch * n + col, epilogue(acc, row + r, batch * n + col, lanes),
                        lanes);
          }
        }
      }
    }
  });
}

template <class T>
inline void q_pack(int64_t k, int64_t n, const T* b, int64_t stride_k, int64_t stride_n, uint8_t* out) {
  const int64_t groups = ceil_div(k, kQGroup);
  const int64_t panels = ceil_div(n, kNR);
  auto* to = reinterpret_cast<QElement*>(out);
  auto* sums = reinterpret_cast<int32_t*>(out + panels * groups * kNR * 4);
  for (int64_t col = 0; col < panels * kNR; col++) {
    int32_t sum = 0;
    for (int64_t i = 0; i < groups * kQGroup; i++) {
      int v = 0;
      if (col < n && i < k) v = b[i * stride_k + col * stride_n] - (kIsSigned<T> ? 0 : 128);
      to[((col / kNR * groups + i / kQGroup) * kNR + col % kNR) * kQGroup + i % kQGroup] =
          static_cast<QElement>(v);
      sum += v;
    }
    sums[col] = sum;
  }
}

}  // namespace detail

/// Packs B, read as b[k * stride_k + n * stride_n]: packed_qb_bytes(k, n) bytes at `out`, 4-byte aligned.
template <class TB>
inline void pack_qb(int64_t k, int64_t n, const TB* b, int64_t stride_k, int64_t stride_n, uint8_t* out) {
  detail::q_pack(k, n, b, stride_k, stride_n, out);
}

/// Packs convolution weights given as [K][C / groups][KH][KW]: groups * packed_qb_bytes(taps * C / groups,
/// K / groups) bytes.
template <class TB>
inline void pack_qconv_weights(int64_t out_channels, int64_t group_channels, int64_t taps, int64_t groups,
                               const TB* w, uint8_t* out) {
  const int64_t n = out_channels / groups;
  const int64_t k = taps * group_channels;
  const int64_t depth = ceil_div(k, kQGroup);
  for (int64_t g = 0; g < groups; g++, out += packed_qb_bytes(k, n), w += n * k) {
    const int64_t panels = ceil_div(n, kNR);
    auto* to = reinterpret_cast<QElement*>(out);
    auto* sums = reinterpret_cast<int32_t*>(out + panels * depth * kNR * 4);
    for (int64_t col = 0; col < panels * kNR; col++) {
      sums[col] = 0;
      for (int64_t i = 0; i < depth * kQGroup; i++) {
        int v = 0;
        if (col < n && i < k) {
          v = w[(col * group_channels + i % group_channels) * taps + i / group_channels];
          v -= detail::kIsSigned<TB> ? 0 : 128;
        }
        to[((col / kNR * depth + i / kQGroup) * kNR + col % kNR) * kQGroup + i % kQGroup] =
            static_cast<QElement>(v);
        sums[col] += v;
      }
    }
  }
}

/// C[m][n] = epilogue(sum over k of (A[m][k] - a zero) * (B[k][n] - b zero)). TB is the type B had before it
/// was packed, TA is uint8_t or int8_t. `epilogue(i32v acc, row, col, lanes)` yields f32v for float C, i32v
/// for the others. The sums are exact modulo 2^32.
template <class TB, class TA, class TC, class E = QNoEpilogue>
inline void qgemm(Context& ctx, int64_t m, int64_t n, int64_t k, const TA* a, int64_t lda,
                  const uint8_t* packed_b, const QZeros& zeros, TC* c, int64_t ldc, const E& epilogue = E{}) {
  detail::q_contract<TB, TA>(ctx, 1, m, n, k, detail::QMatrixRows<TA>{a, lda, k}, packed_b, zeros, c, ldc,
                             epilogue);
}

/// Convolution, as conv2d; padding counts as the zero point of x. `zeros.a_rows` must be null.
template <class TB, class TA, class TC, class E = QNoEpilogue>
inline void qconv2d(Context& ctx, const ConvShape& s, const TA* x, int64_t ldx, const uint8_t* packed_w,
                    const QZeros& zeros, TC* y, int64_t ldy, const E& epilogue = E{}) {
  const int64_t pixels = s.batch * s.oh * s.ow;
  const int64_t k = s.kh * s.kw * (s.c / s.groups);
  detail::q_contract<TB, TA>(ctx, s.groups, pixels, s.k / s.groups, k,
                             detail::QTapRows<TA>{s, x, ldx, zeros.a}, packed_w, zeros, y, ldy, epilogue);
}

/// Depthwise convolution of 8-bit integers; weights are [KH][KW][C] as the model has them.
template <class TB, class TA, class TC, class E = QNoEpilogue>
inline void qdepthwise_conv2d(Context& ctx, const ConvShape& shape, const TA* x, int64_t ldx, const TB* w,
                              const QZeros& zeros, TC* y, int64_t ldy, const E& epilogue = E{}) {
  const int64_t pixel_work = shape.c * shape.kh * shape.kw;
  const int64_t grain = max_of<int64_t>(1, AIT_GEMM_GRAIN / 8 / max_of<int64_t>(1, pixel_work));
  parallel_for(ctx, shape.batch * shape.oh * shape.ow, grain, [=](int64_t begin, int64_t end) {
    const ConvShape s = shape;
    detail::PixelCursor at(s, begin);
    for (int64_t row = begin; row < end; row++, at.next(s)) {
      const int64_t y0 = at.y * s.stride_h - s.pad_top;
      const int64_t x0 = at.x * s.stride_w - s.pad_left;
      const TA* image = x + at.image * s.h * s.w * ldx;
      for (int64_t c = 0; c < s.c; c += kF32) {
        const int lanes = static_cast<int>(min_of<int64_t>(kF32, s.c - c));
        const i32v b_zero =
            zeros.b_columns != nullptr ? load_cols<i32v>(zeros.b_columns, c, lanes) : i32v{} + zeros.b;
        i32v acc = {};
        for (int64_t i = 0; i < s.kh; i++) {
          const int64_t iy = y0 + i * s.dilation_h;
          if (!detail::inside(iy, s.h)) continue;
          for (int64_t j = 0; j < s.kw; j++) {
            const int64_t ix = x0 + j * s.dilation_w;
            if (!detail::inside(ix, s.w)) continue;
            const auto xv = load_cols<Vec<TA, kF32>>(image + (iy * s.w + ix) * ldx, c, lanes);
            const auto wv = load_cols<Vec<TB, kF32>>(w + (i * s.kw + j) * s.c, c, lanes);
            acc +=
                (__builtin_convertvector(xv, i32v) - zeros.a) * (__builtin_convertvector(wv, i32v) - b_zero);
          }
        }
        detail::store_lanes(y + row * ldy + c, epilogue(acc, row, c, lanes), lanes);
      }
    }
  });
}

}  // namespace ait
