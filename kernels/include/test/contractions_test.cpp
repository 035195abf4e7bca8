// Contractions against plain loops in double precision, on random data.
#include <cmath>
#include <cstdio>
#include <initializer_list>

#include "ait/conv_nd.h"
#include "ait/conv_transpose.h"
#include "ait/depthwise.h"
#include "ait/gemm_batched.h"
#include "ait/pool.h"
#include "ait/winograd.h"

using namespace ait;

static int passed = 0;
static int failed = 0;

static uint32_t seed = 12345;
static float random_value() {
  seed = seed * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<int32_t>(seed)) / 2147483648.0f;
}

/// A buffer of exactly n values, so that a sanitizer sees every step past its end.
struct Buffer {
  float* data;
  explicit Buffer(int64_t n, bool random = true) : data(new float[static_cast<size_t>(n > 0 ? n : 1)]) {
    for (int64_t i = 0; i < n; i++) data[i] = random ? random_value() : 7.0f;
  }
  ~Buffer() { delete[] data; }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  operator float*() { return data; }
};

/// Tracks the worst error over its bound: rounding in a sum of k products of magnitude `size` in all.
struct Check {
  double worst = 0;
  void see(double got, double want, double size, int64_t k) {
    if (got == want) return;
    const double bound = 2.0 * std::sqrt(static_cast<double>(k + 4)) * 1.2e-7 * size;
    const double error = std::fabs(got - want) / bound;
    if (!(error <= worst)) worst = error;
  }
  void done(const char* format, int64_t a, int64_t b, int64_t c, int64_t d) {
    if (worst <= 1) {
      passed++;
      return;
    }
    failed++;
    std::printf("FAILED (%g times the bound) ", worst);
    std::printf(format, static_cast<long>(a), static_cast<long>(b), static_cast<long>(c),
                static_cast<long>(d));
    std::printf("\n");
  }
};

/// relu(acc + bias[col]) + residual[row][col]
struct Fused {
  const float* bias;
  const float* residual;
  int64_t ldr;
  template <class V>
  V operator()(V acc, int64_t row, int64_t col, int lanes) const {
    V v = acc + load_cols<V>(bias, col, lanes);
    v = v > V{} ? v : V{};
    return v + load_cols<V>(residual + row * ldr, col, lanes);
  }
  double size(int64_t row, int64_t col) const {
    return std::fabs(static_cast<double>(bias[col])) +
           std::fabs(static_cast<double>(residual[row * ldr + col]));
  }
  double apply(double acc, int64_t row, int64_t col) const {
    const double v = acc + static_cast<double>(bias[col]);
    return (v > 0 ? v : 0) + static_cast<double>(residual[row * ldr + col]);
  }
};

static void test_gemm(Context& ctx, int64_t m, int64_t n, int64_t k, bool transposed) {
  const int64_t lda = k + 3;
  const int64_t ldc = n + 5;
  Buffer a(m * lda), b(k * n), packed(packed_b_size(k, n)), c(m * ldc, false), bias(n), residual(m * n);
  const int64_t stride_k = transposed ? 1 : n;
  const int64_t stride_n = transposed ? k : 1;
  pack_b(ctx, k, n, b, stride_k, stride_n, packed);
  const Fused fused = {bias, residual, n};
  gemm(ctx, m, n, k, a, lda, packed, c, ldc, fused);
  Check check;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      double size = 0;
      for (int64_t p = 0; p < k; p++) {
        const double term =
            static_cast<double>(a[i * lda + p]) * static_cast<double>(b[p * stride_k + j * stride_n]);
        sum += term;
        size += std::fabs(term);
      }
      check.see(static_cast<double>(c[i * ldc + j]), fused.apply(sum, i, j), size + fused.size(i, j), k);
    }
    for (int64_t j = n; j < ldc; j++) check.see(static_cast<double>(c[i * ldc + j]), 7.0, 0, 0);
  }
  check.done("gemm %ld x %ld x %ld, transposed %ld", m, n, k, transposed);
}

/// Two batch dimensions; `heads` puts the inner one inside the rows, as attention does, `share` broadcasts b.
static void test_batched(Context& ctx, int64_t m, int64_t n, int64_t k, bool transposed_a, bool transposed_b,
                         int share) {
  const int64_t outer = 2;
  const int64_t inner = 3;
  const int64_t lda = (transposed_a ? m : k) * inner;
  const int64_t a_size = (transposed_a ? k : m) * lda;
  const int64_t ldb = transposed_b ? k : n;
  const int64_t ldc = n + 2;
  Buffer a(outer * a_size), b(outer * inner * k * n), c(outer * inner * m * ldc, false), bias(n),
      residual(outer * inner * m * n);
  BatchShape shape;
  shape.rank = 2;
  shape.size[0] = outer;
  shape.size[1] = inner;
  shape.a[0] = a_size;
  shape.a[1] = transposed_a ? m : k;
  shape.b[0] = share == 2 ? 0 : inner * k * n;
  shape.b[1] = share >= 1 ? 0 : k * n;
  shape.c[0] = inner * m * ldc;
  shape.c[1] = m * ldc;
  const int64_t a_m = transposed_a ? 1 : lda;
  const int64_t a_k = transposed_a ? lda : 1;
  const int64_t b_k = transposed_b ? 1 : ldb;
  const int64_t b_n = transposed_b ? ldb : 1;
  const Fused fused = {bias, residual, n};
  batched_gemm(ctx, shape, m, n, k, a, a_m, a_k, b, b_k, b_n, c, ldc, fused);
  Check check;
  for (int64_t item = 0; item < outer * inner; item++) {
    const float* x = a + shape.offset(shape.a, item);
    const float* y = b + shape.offset(shape.b, item);
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        double size = 0;
        for (int64_t p = 0; p < k; p++) {
          const double term =
              static_cast<double>(x[i * a_m + p * a_k]) * static_cast<double>(y[p * b_k + j * b_n]);
          sum += term;
          size += std::fabs(term);
        }
        const int64_t row = item * m + i;
        check.see(static_cast<double>(c[row * ldc + j]), fused.apply(sum, row, j), size + fused.size(row, j),
                  k);
      }
      for (int64_t j = n; j < ldc; j++)
        check.see(static_cast<double>(c[(item * m + i) * ldc + j]), 7.0, 0, 0);
    }
  }
  check.done("batched gemm %ld x %ld x %ld, variant %ld", m, n, k,
             transposed_a + 2 * transposed_b + 4 * share);
}

/// The convolution sum in double precision, weights in ONNX order.
static double naive_conv(const ConvShape& s, const float* x, int64_t ldx, const float* w, int64_t pixel,
                         int64_t k, double* size) {
  const int64_t ox = pixel % s.ow;
  const int64_t oy = pixel / s.ow % s.oh;
  const int64_t image = pixel / s.ow / s.oh;
  const int64_t cg = s.c / s.groups;
  const int64_t group = k / (s.k / s.groups);
  double sum = 0;
  for (int64_t i = 0; i < s.kh; i++) {
    for (int64_t j = 0; j < s.kw; j++) {
      const int64_t iy = oy * s.stride_h - s.pad_top + i * s.dilation_h;
      const int64_t ix = ox * s.stride_w - s.pad_left + j * s.dilation_w;
      if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
      for (int64_t c = 0; c < cg; c++) {
        const double term = static_cast<double>(x[((image * s.h + iy) * s.w + ix) * ldx + group * cg + c]) *
                            static_cast<double>(w[((k * cg + c) * s.kh + i) * s.kw + j]);
        sum += term;
        *size += std::fabs(term);
      }
    }
  }
  return sum;
}

enum Algorithm { kDirect, kDepthwise, kGrouped, kWinograd };

static void test_conv(Context& ctx, ConvShape s, int64_t pad_bottom, int64_t pad_right, int64_t extra,
                      Algorithm algorithm) {
  s.oh = (s.h + s.pad_top + pad_bottom - (s.kh - 1) * s.dilation_h - 1) / s.stride_h + 1;
  s.ow = (s.w + s.pad_left + pad_right - (s.kw - 1) * s.dilation_w - 1) / s.stride_w + 1;
  const int64_t ldx = s.c + extra;
  const int64_t ldy = s.k + 2 * extra;
  const int64_t cg = s.c / s.groups;
  const int64_t taps = s.kh * s.kw;
  const int64_t pixels = s.batch * s.oh * s.ow;
  Buffer x(s.batch * s.h * s.w * ldx - extra), w(s.k * cg * taps), y(pixels * ldy, false), bias(s.k),
      residual(pixels * s.k), packed(s.groups * packed_b_size(taps * cg, s.k / s.groups));
  const Fused fused = {bias, residual, s.k};
  if (algorithm == kWinograd) {
    Buffer transformed(36 * packed_b_size(cg, s.k));
    pack_winograd_weights(ctx, s.k, cg, w, transformed);
    winograd_conv2d(ctx, s, x, ldx, transformed, y, ldy, fused);
  } else if (algorithm == kGrouped) {
    Buffer spread(taps * cg * s.k);
    for (int64_t t = 0; t < taps; t++) {
      for (int64_t i = 0; i < cg * s.k; i++)
        spread[t * cg * s.k + i] = w[(i % s.k * cg + i / s.k) * taps + t];
    }
    grouped_conv2d(ctx, s, x, ldx, spread, y, ldy, fused);
  } else if (algorithm == kDepthwise) {
    for (int64_t t = 0; t < taps; t++) {
      for (int64_t c = 0; c < s.c; c++) packed[t * s.c + c] = w[c * taps + t];
    }
    depthwise_conv2d(ctx, s, x, ldx, packed, y, ldy, fused);
  } else {
    pack_conv_weights(ctx, s.k, cg, taps, s.groups, w, packed);
    conv2d(ctx, s, x, ldx, packed, y, ldy, fused);
  }
  // Winograd's data transforms add to the rounding, most where there are few channels.
  const double factor = algorithm == kWinograd ? 3 : 1;
  Check check;
  for (int64_t p = 0; p < pixels; p++) {
    for (int64_t k = 0; k < s.k; k++) {
      double size = 0;
      const double sum = naive_conv(s, x, ldx, w, p, k, &size);
      check.see(static_cast<double>(y[p * ldy + k]), fused.apply(sum, p, k), factor * size + fused.size(p, k),
                taps * cg);
    }
    for (int64_t k = s.k; k < ldy; k++) check.see(static_cast<double>(y[p * ldy + k]), 7.0, 0, 0);
  }
  check.done(algorithm == kWinograd    ? "winograd %ld channels, map %ld, window %ld, stride %ld"
             : algorithm == kDepthwise ? "depthwise %ld channels, map %ld, window %ld, stride %ld"
                                       : "conv %ld channels, map %ld, window %ld, stride %ld",
             s.c, s.w, s.kw, s.stride_w);
}

static void test_volume(Context& ctx, int64_t groups, int64_t stride) {
  ConvNdShape s;
  s.rank = 3;
  s.batch = 2;
  s.c = 6;
  s.k = 10;
  s.groups = groups;
  for (int d = 0; d < 3; d++) {
    s.in[d] = 4 + d;
    s.kernel[d] = 3 - d % 2;
    s.stride[d] = stride;
    s.dilation[d] = d == 2 ? 2 : 1;
    s.pad[d] = d % 2;
    s.out[d] = (s.in[d] + 1 - (s.kernel[d] - 1) * s.dilation[d] - 1) / stride + 1;
  }
  const int64_t taps = ConvNdShape::product(s.kernel, 3);
  const int64_t pixels = s.batch * ConvNdShape::product(s.out, 3);
  const int64_t cg = s.c / groups;
  Buffer x(s.batch * ConvNdShape::product(s.in, 3) * s.c), w(s.k * cg * taps), y(pixels * s.k, false),
      bias(s.k), residual(pixels * s.k), packed(groups * packed_b_size(taps * cg, s.k / groups));
  const Fused fused = {bias, residual, s.k};
  pack_conv_weights(ctx, s.k, cg, taps, groups, w, packed);
  conv_nd(ctx, s, x, s.c, packed, y, s.k, fused);
  Check check;
  for (int64_t p = 0; p < pixels; p++) {
    for (int64_t k = 0; k < s.k; k++) {
      double sum = 0;
      double size = 0;
      for (int64_t t = 0; t < taps; t++) {
        const int64_t z =
            p / s.out[2] / s.out[1] % s.out[0] * stride - s.pad[0] + t / s.kernel[2] / s.kernel[1];
        const int64_t i = p / s.out[2] % s.out[1] * stride - s.pad[1] + t / s.kernel[2] % s.kernel[1];
        const int64_t j = p % s.out[2] * stride - s.pad[2] + t % s.kernel[2] * 2;
        if (z < 0 || z >= s.in[0] || i < 0 || i >= s.in[1] || j < 0 || j >= s.in[2]) continue;
        const int64_t image = p / s.out[2] / s.out[1] / s.out[0];
        const int64_t pixel = ((image * s.in[0] + z) * s.in[1] + i) * s.in[2] + j;
        for (int64_t c = 0; c < cg; c++) {
          const double term = static_cast<double>(x[pixel * s.c + k / (s.k / groups) * cg + c]) *
                              static_cast<double>(w[(k * cg + c) * taps + t]);
          sum += term;
          size += std::fabs(term);
        }
      }
      check.see(static_cast<double>(y[p * s.k + k]), fused.apply(sum, p, k), size + fused.size(p, k),
                cg * taps);
    }
  }
  check.done("volume of %ld channels, %ld groups, stride %ld", s.c, groups, stride, 0);
}

static void test_transpose(Context& ctx, const ConvShape& s, int64_t extra) {
  const int64_t ldx = s.c + extra;
  const int64_t ldy = s.k + extra;
  const int64_t cg = s.c / s.groups;
  const int64_t kg = s.k / s.groups;
  const int64_t pixels = s.batch * s.oh * s.ow;
  Buffer x(s.batch * s.h * s.w * ldx - extra), w(s.c * kg * s.kh * s.kw), y(pixels * ldy, false), bias(s.k),
      residual(pixels * s.k), packed(packed_conv_transpose_size(s));
  const Fused fused = {bias, residual, s.k};
  pack_conv_transpose_weights(s, w, packed);
  conv_transpose2d(ctx, s, x, ldx, packed, y, ldy, fused);
  Check check;
  for (int64_t p = 0; p < pixels; p++) {
    for (int64_t k = 0; k < s.k; k++) {
      double sum = 0;
      double size = 0;
      for (int64_t i = 0; i < s.h; i++) {
        for (int64_t j = 0; j < s.w; j++) {
          for (int64_t tap = 0; tap < s.kh * s.kw; tap++) {
            if (i * s.stride_h - s.pad_top + tap / s.kw * s.dilation_h != p / s.ow % s.oh) continue;
            if (j * s.stride_w - s.pad_left + tap % s.kw * s.dilation_w != p % s.ow) continue;
            for (int64_t c = 0; c < cg; c++) {
              const int64_t channel = k / kg * cg + c;
              const double term =
                  static_cast<double>(x[((p / s.ow / s.oh * s.h + i) * s.w + j) * ldx + channel]) *
                  static_cast<double>(w[(channel * kg + k % kg) * s.kh * s.kw + tap]);
              sum += term;
              size += std::fabs(term);
            }
          }
        }
      }
      check.see(static_cast<double>(y[p * ldy + k]), fused.apply(sum, p, k), size + fused.size(p, k),
                cg * s.kh * s.kw);
    }
    for (int64_t k = s.k; k < ldy; k++) check.see(static_cast<double>(y[p * ldy + k]), 7.0, 0, 0);
  }
  check.done("transposed conv %ld channels, window %ld, stride %ld, dilation %ld", s.c, s.kw, s.stride_w,
             s.dilation_w);
}

static void test_transposes(Context& ctx) {
  for (int64_t stride = 1; stride <= 2; stride++) {
    test_volume(ctx, 1, stride);
    test_volume(ctx, 2, stride);
  }
  for (int64_t window = 1; window <= 4; window++) {
    for (int64_t stride = 1; stride <= 3; stride++) {
      for (int64_t groups = 1; groups <= 2; groups++) {
        ConvShape s;
        s.batch = 2;
        s.h = 5;
        s.w = 17;
        s.c = 6;
        s.k = window == 2 ? 40 : 10;
        s.groups = groups;
        s.kh = window;
        s.kw = window == 3 ? 2 : window;
        s.stride_h = stride;
        s.stride_w = stride == 3 ? 2 : stride;
        s.dilation_h = window == 4 ? 2 : 1;
        s.pad_top = window / 2;
        s.pad_left = window > 2;
        s.oh = (s.h - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1 - 2 * s.pad_top + stride - 1;
        s.ow = (s.w - 1) * s.stride_w + s.kw - s.pad_left;
        test_transpose(ctx, s, groups == 1 ? 0 : 3);
      }
    }
  }
}

static void test_gemms(Context& ctx) {
  static const int64_t sizes[][3] = {
      {1, 1, 1},    {1, 33, 7},   {2, 16, 5},   {3, 17, 64},  {4, 100, 31},  {5, 8, 9},    {6, 31, 16},
      {7, 32, 33},  {13, 65, 40}, {14, 64, 64}, {15, 48, 3},  {29, 70, 129}, {43, 96, 20}, {64, 130, 1},
      {8, 300, 17}, {9, 20, 500}, {10, 40, 0},  {100, 5, 77}, {11, 48, 18},  {12, 47, 19}, {33, 64, 509}};
  for (const auto& d : sizes) {
    test_gemm(ctx, d[0], d[1], d[2], false);
    test_gemm(ctx, d[0], d[1], d[2], true);
  }
}

static void test_batches(Context& ctx) {
  static const int64_t sizes[][3] = {{1, 70, 33},  {3, 9, 64},   {4, 129, 7}, {5, 16, 16},
                                     {17, 40, 64}, {31, 33, 50}, {1, 1, 1}};
  for (const auto& d : sizes) {
    for (int variant = 0; variant < 12; variant++) {
      test_batched(ctx, d[0], d[1], d[2], variant % 2 == 1, variant / 2 % 2 == 1, variant / 4);
    }
  }
  test_batched(ctx, 20, 40, 512, false, true, 0);  // rows 6144 bytes apart
}

static void test_convs(Context& ctx) {
  for (int64_t c : {1, 3, 5, 16, 33}) {
    for (int64_t window : {1, 2, 3, 5}) {
      for (int64_t stride = 1; stride <= 2; stride++) {
        ConvShape s;
        s.batch = 2;
        s.h = 9;
        s.w = 7 + c % 4;
        s.c = c;
        s.k = c == 16 ? 40 : 19;
        s.kh = window;
        s.kw = window;
        s.stride_h = stride;
        s.stride_w = stride;
        s.pad_top = window / 2;
        s.pad_left = (window - 1) / 2;
        test_conv(ctx, s, window / 2, window / 2, c % 2 == 0 ? 3 : 0, kDirect);
        s.k = s.groups = s.c;
        test_conv(ctx, s, window / 2, window / 2, c % 2 == 0 ? 3 : 0, kDepthwise);
        s.w = 23;
        test_conv(ctx, s, 0, window / 2, 1, kDepthwise);
      }
    }
  }
  ConvShape s;
  s.batch = 1;
  s.h = 11;
  s.w = 13;
  s.c = 12;
  s.k = 8;
  s.kh = 3;
  s.kw = 2;
  s.stride_h = 2;
  s.dilation_h = 2;
  s.dilation_w = 3;
  s.pad_top = 1;
  s.pad_left = 2;
  for (int64_t groups : {1, 2, 4}) {
    s.groups = groups;
    test_conv(ctx, s, 0, 3, 0, kDirect);
    test_conv(ctx, s, 2, 1, 4, kDirect);
  }
  s.groups = s.k = s.c;
  test_conv(ctx, s, 2, 1, 4, kDepthwise);
  ConvShape line;
  line.w = 50;
  line.c = 24;
  line.k = 33;
  line.kw = 3;
  line.pad_left = 1;
  test_conv(ctx, line, 0, 1, 0, kDirect);
  for (int64_t size : {2, 4, 8, 16}) {
    for (int64_t stride = 1; stride <= 2; stride++) {
      ConvShape grouped;
      grouped.batch = 2;
      grouped.h = 9;
      grouped.w = 20 + size;
      grouped.c = size == 16 ? 48 : 40;
      grouped.k = grouped.c;
      grouped.groups = grouped.c / size;
      grouped.kh = 3;
      grouped.kw = 3;
      grouped.stride_h = stride;
      grouped.stride_w = stride;
      grouped.pad_top = 1;
      grouped.pad_left = 1;
      if (grouped_conv_fits(grouped)) test_conv(ctx, grouped, 1, 1, 3, kGrouped);
    }
  }
  for (int64_t c : {1, 5, 32, 50}) {
    for (int64_t pad = 0; pad <= 1; pad++) {
      ConvShape square;
      square.batch = 2;
      square.h = 5 + c % 4;
      square.w = 14;
      square.c = c;
      square.k = 2 * c + 3;
      square.kh = 3;
      square.kw = 3;
      square.pad_top = pad;
      square.pad_left = 1;
      test_conv(ctx, square, 1, pad, c == 5 ? 2 : 0, kWinograd);
    }
  }
  ConvShape colliding;
  colliding.h = 4;
  colliding.w = 5;
  colliding.c = 1024;
  colliding.k = 9;
  colliding.kh = 2;
  colliding.kw = 2;
  test_conv(ctx, colliding, 0, 1, 0, kDirect);
  ConvShape wide;  // a window larger than the map, and more taps than fit the local table
  wide.h = 4;
  wide.w = 3;
  wide.c = 9;
  wide.k = 5;
  wide.kh = 7;
  wide.kw = 9;
  wide.pad_top = 3;
  wide.pad_left = 4;
  test_conv(ctx, wide, 3, 4, 0, kDirect);
  wide.c = 2;
  test_conv(ctx, wide, 3, 4, 0, kDirect);
}

int main() {
  for (int threads = 1; threads <= 3; threads += 2) {
    Context ctx;
    ctx.threads = threads;
    test_gemms(ctx);
    test_batches(ctx);
    test_convs(ctx);
    test_transposes(ctx);
    ctx.release_scratch();
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
