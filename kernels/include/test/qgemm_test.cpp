// 8-bit products against plain integer loops: the sums must agree to the last bit.
#include "ait/qgemm.h"

#include <cmath>
#include <cstdio>
#include <initializer_list>

#include "ait/pool.h"

using namespace ait;

static int passed = 0;
static int failed = 0;

static uint32_t seed = 99;
static uint32_t next_random() {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 16;
}

template <class T>
struct Buffer {
  T* data;
  explicit Buffer(int64_t n) : data(new T[static_cast<size_t>(n > 0 ? n : 1)]) {
    for (int64_t i = 0; i < n; i++) {
      const uint32_t r = next_random();  // extremes often, to provoke saturation
      data[i] = static_cast<T>(r % 3 == 0 ? (r % 2 == 0 ? 255 : 128) : r % 3 == 1 ? 127 : r >> 4);
    }
  }
  ~Buffer() { delete[] data; }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  operator T*() { return data; }
};

static void done(bool ok, const char* what, int64_t a, int64_t b, int64_t c) {
  if (ok) {
    passed++;
    return;
  }
  failed++;
  std::printf("FAILED %s %ld %ld %ld\n", what, static_cast<long>(a), static_cast<long>(b),
              static_cast<long>(c));
}

template <class TA, class TB>
static void test_qgemm(Context& ctx, int64_t m, int64_t n, int64_t k, int variant) {
  const int64_t lda = k + 1;
  const int64_t ldc = n + 3;
  Buffer<TA> a(m * lda);
  Buffer<TB> b(k * n);
  Buffer<uint8_t> packed(packed_qb_bytes(k, n));
  Buffer<int32_t> c(m * ldc), a_zero(m), b_zero(n);
  Buffer<float> f(m * ldc), scale(n);
  Buffer<TA> q(m * ldc);
  const bool transposed = variant % 2 == 1;
  const int64_t stride_k = transposed ? 1 : n;
  const int64_t stride_n = transposed ? k : 1;
  for (int64_t i = 0; i < m; i++) a_zero[i] = static_cast<TA>(a_zero[i]);
  for (int64_t i = 0; i < n; i++) b_zero[i] = static_cast<TB>(b_zero[i]);
  for (int64_t i = 0; i < n; i++) scale[i] = 0.001f * static_cast<float>(1 + i % 7);
  QZeros zeros;
  zeros.a = variant == 0 ? 0 : static_cast<TA>(130);
  zeros.b = variant == 0 ? 0 : static_cast<TB>(3);
  if (variant >= 2) zeros.b_columns = b_zero;
  if (variant == 3) zeros.a_rows = a_zero;
  for (int64_t i = 0; i < m * ldc; i++) c[i] = 77;
  pack_qb<TB>(k, n, b, stride_k, stride_n, packed);
  qgemm<TB>(ctx, m, n, k, a.data, lda, packed, zeros, c.data, ldc);
  qgemm<TB>(ctx, m, n, k, a.data, lda, packed, zeros, f.data, ldc, QScaleEpilogue{scale, nullptr});
  qgemm<TB>(ctx, m, n, k, a.data, lda, packed, zeros, q.data, ldc,
            QRequantizeEpilogue<TA>{{scale, nullptr}, 5});
  bool ok = true;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      int64_t sum = 0;
      for (int64_t p = 0; p < k; p++) {
        const int64_t x = a[i * lda + p] - (zeros.a_rows != nullptr ? a_zero[i] : zeros.a);
        sum += x * (b[p * stride_k + j * stride_n] - (zeros.b_columns != nullptr ? b_zero[j] : zeros.b));
      }
      ok = ok && c[i * ldc + j] == static_cast<int32_t>(sum);
      const float scaled = static_cast<float>(static_cast<int32_t>(sum)) * scale[j];
      ok = ok && f[i * ldc + j] == scaled;
      const float low = detail::kIsSigned<TA> ? -128.0f : 0.0f;
      const float value = std::fmin(std::fmax(std::nearbyint(scaled) + 5.0f, low), low + 255.0f);
      ok = ok && static_cast<float>(q[i * ldc + j]) == value;
    }
    for (int64_t j = n; j < ldc; j++) ok = ok && c[i * ldc + j] == 77;
  }
  done(ok, "qgemm", m, n, k);
}

template <class TA, class TB>
static void test_qconv(Context& ctx, ConvShape s, int64_t extra, bool depthwise) {
  s.oh = (s.h + 2 * s.pad_top - (s.kh - 1) * s.dilation_h - 1) / s.stride_h + 1;
  s.ow = (s.w + 2 * s.pad_left - (s.kw - 1) * s.dilation_w - 1) / s.stride_w + 1;
  const int64_t cg = s.c / s.groups;
  const int64_t taps = s.kh * s.kw;
  const int64_t ldx = s.c + extra;
  const int64_t pixels = s.batch * s.oh * s.ow;
  Buffer<TA> x(s.batch * s.h * s.w * ldx);
  Buffer<TB> w(s.k * cg * taps), reordered(s.k * cg * taps);
  Buffer<uint8_t> packed(s.groups * packed_qb_bytes(taps * cg, s.k / s.groups));
  Buffer<int32_t> y(pixels * s.k), b_zero(s.k);
  for (int64_t i = 0; i < s.k; i++) b_zero[i] = static_cast<TB>(b_zero[i]);
  QZeros zeros;
  zeros.a = static_cast<TA>(200);
  zeros.b = static_cast<TB>(7);
  if (extra > 0) zeros.b_columns = b_zero;
  if (depthwise) {
    for (int64_t t = 0; t < taps; t++) {
      for (int64_t c = 0; c < s.c; c++) reordered[t * s.c + c] = w[c * taps + t];
    }
    qdepthwise_conv2d<TB>(ctx, s, x.data, ldx, reordered.data, zeros, y.data, s.k);
  } else {
    pack_qconv_weights<TB>(s.k, cg, taps, s.groups, w, packed);
    qconv2d<TB>(ctx, s, x.data, ldx, packed, zeros, y.data, s.k);
  }
  bool ok = true;
  for (int64_t p = 0; p < pixels; p++) {
    for (int64_t k = 0; k < s.k; k++) {
      int64_t sum = 0;
      for (int64_t t = 0; t < taps; t++) {
        const int64_t iy = p / s.ow % s.oh * s.stride_h - s.pad_top + t / s.kw * s.dilation_h;
        const int64_t ix = p % s.ow * s.stride_w - s.pad_left + t % s.kw * s.dilation_w;
        if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
        for (int64_t c = 0; c < cg; c++) {
          const int64_t pixel = (p / s.ow / s.oh * s.h + iy) * s.w + ix;
          const int64_t v = x[pixel * ldx + k / (s.k / s.groups) * cg + c] - zeros.a;
          sum += v * (w[(k * cg + c) * taps + t] - (zeros.b_columns != nullptr ? b_zero[k] : zeros.b));
        }
      }
      ok = ok && y[p * s.k + k] == static_cast<int32_t>(sum);
    }
  }
  done(ok, depthwise ? "qdepthwise" : "qconv", s.c, s.kw, s.groups);
}

template <class TA, class TB>
static void test_types(Context& ctx) {
  static const int64_t sizes[][3] = {{1, 1, 1},  {2, 33, 7},   {3, 16, 64},   {5, 40, 130},
                                     {9, 31, 4}, {14, 64, 66}, {31, 70, 1000}};
  for (const auto& d : sizes) {
    for (int variant = 0; variant < 4; variant++) test_qgemm<TA, TB>(ctx, d[0], d[1], d[2], variant);
  }
  for (int64_t groups : {1, 2}) {
    for (int64_t window : {1, 3}) {
      ConvShape s;
      s.batch = 2;
      s.h = 6;
      s.w = 9;
      s.c = 6;
      s.k = 38;
      s.kh = s.kw = window;
      s.pad_top = s.pad_left = window / 2;
      s.stride_w = groups;
      s.groups = groups;
      test_qconv<TA, TB>(ctx, s, groups - 1, false);
      s.c = s.k = s.groups = 19;
      test_qconv<TA, TB>(ctx, s, groups - 1, true);
    }
  }
}

int main() {
  for (int threads = 1; threads <= 3; threads += 2) {
    Context ctx;
    ctx.threads = threads;
    test_types<uint8_t, int8_t>(ctx);
    test_types<uint8_t, uint8_t>(ctx);
    test_types<int8_t, int8_t>(ctx);
    test_types<int8_t, uint8_t>(ctx);
    ctx.release_scratch();
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
