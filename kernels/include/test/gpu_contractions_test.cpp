// Products and convolutions of the device, emulated, against plain loops in double.
#include <type_traits>
#include <vector>

#include "../ait/gpu/conv.h"
#include "../ait/gpu/conv_direct.h"
#include "../ait/gpu/conv_stem.h"
#include "../ait/gpu/depthwise.h"
#include "../ait/gpu/fragment_store.h"
#include "../ait/gpu/gemv.h"
#include "gpu_check.h"

using ait::bf16;
using ait::f16;
using test::blocks;
using test::launch;
using test::Random;
using test::value;

namespace {

template <class T>
std::vector<T> random_of(Random& r, int64_t n) {
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) {
    if constexpr (sizeof(T) == 1)
      x = static_cast<T>(r.below(255) - 127);
    else
      x = g::stored<T>(r.between(-1, 1));
  }
  return v;
}

template <class T>
void compare(const std::vector<T>& got, const std::vector<double>& want, double depth, const char* what) {
  std::vector<double> have;
  for (const T& x : got) have.push_back(value(x));
  const double eps = sizeof(T) == 8           ? 1e-13
                     : sizeof(T) == 4         ? 1e-6
                     : std::is_same_v<T, f16> ? 0x1p-11
                                              : 0x1p-8;
  test::all_near(have, want, eps, eps * std::sqrt(depth), what);
}

/// Adds what depends on the place and on neighbours, so that a wrong row or column shows.
struct Places {
  using Result = float;
  const float* bias;
  template <int N>
  void apply(const float (&sums)[N], float (&results)[N], int64_t row, int64_t col) const {
    for (int i = 0; i < N; i++) results[i] = sums[i] + bias[col + i] + static_cast<float>(row % 5) * 0.25f;
  }
};

struct Case {
  int m, n, k;
};

template <class U, class G, bool AD, bool BD, int VA, int VB, int V, class O>
void gemm_case(Random& r, Case c, int batch, bool broadcast, int splits, const char* what) {
  using T = typename U::T;
  using S = typename U::S;
  using M = g::MatrixOperands<U, G, AD, BD, VA, VB>;
  const int64_t lda = AD ? c.k : c.m;
  const int64_t ldb = BD ? (c.k + VB - 1) / VB * VB : c.n;
  const int64_t a_size = static_cast<int64_t>(c.m) * c.k;
  const int64_t b_size = BD ? c.n * ldb : static_cast<int64_t>(c.k) * c.n;
  const auto a = random_of<T>(r, a_size * batch);
  auto b = random_of<T>(r, b_size * (broadcast ? 1 : batch));
  if (BD)
    for (int64_t j = 0; j < static_cast<int64_t>(b.size()); j++)
      if (j % ldb >= c.k) b[static_cast<size_t>(j)] = T{};
  std::vector<O> y(static_cast<size_t>(batch) * c.m * c.n, O{});
  std::vector<float> bias = r.floats(c.n);
  const g::MatrixShape shape = {c.m, c.n, c.k, lda, ldb};
  const g::Batches<1> batches = {{batch}, {a_size}, {broadcast ? 0 : b_size}};
  const int64_t grid = batch * blocks(c.m, G::kRows) * blocks(c.n, G::kColumns);
  auto run = [&](auto epilogue) {
    if (splits == 1) {
      launch(grid, 1, 1, G::kThreads, g::kTileShared<G, T>,
             [&] { g::gemm<U, G, M, V>(a.data(), b.data(), y.data(), shape, batches, epilogue); });
      return;
    }
    std::vector<S> partial(y.size() * static_cast<size_t>(splits));
    launch(grid, splits, 1, G::kThreads, g::kTileShared<G, T>, [&] {
      g::gemm<U, G, M, V>(a.data(), b.data(), partial.data(), shape, batches, g::NoEpilogue<S>{});
    });
    launch(blocks(static_cast<int64_t>(y.size()), 256 * V), 1, 1, 256, 0, [&] {
      g::reduce_splits<V>(partial.data(), y.data(), static_cast<int64_t>(batch) * c.m, c.n, splits, epilogue);
    });
  };
  constexpr bool kFloat = sizeof(S) == 4 && static_cast<S>(0.5) != 0;
  if constexpr (kFloat)
    run(Places{bias.data()});
  else
    run(g::NoEpilogue<S>{});
  std::vector<double> want(y.size());
  for (int q = 0; q < batch; q++)
    for (int i = 0; i < c.m; i++)
      for (int j = 0; j < c.n; j++) {
        double sum = 0;
        for (int k = 0; k < c.k; k++) {
          const double x = value(a[static_cast<size_t>(q * a_size + (AD ? i * lda + k : k * lda + i))]);
          const double w =
              value(b[static_cast<size_t>((broadcast ? 0 : q * b_size) + (BD ? j * ldb + k : k * ldb + j))]);
          sum += x * w;
        }
        const int64_t row = static_cast<int64_t>(q) * c.m + i;
        if (kFloat) sum += bias[static_cast<size_t>(j)] + static_cast<double>(row % 5) * 0.25;
        want[static_cast<size_t>(row * c.n + j)] = sum;
      }

  compare(y, want, c.k, what);
}

void products(Random& r) {
  using G = g::Tiling<64, 64, 64, 2, 2, 3>;
  using Small = g::Tiling<32, 64, 32, 2, 2, 4>;
  using Large = g::Tiling<128, 128, 32, 2, 4, 3>;
  using H = g::MatrixUnit<f16>;
  gemm_case<H, G, true, true, 8, 8, 8, f16>(r, {70, 72, 136}, 1, false, 1, "f16 NT");
  gemm_case<H, Large, true, true, 8, 8, 8, f16>(r, {130, 136, 104}, 2, true, 1, "f16 NT large");
  gemm_case<H, Small, true, true, 1, 8, 1, f16>(r, {33, 65, 67}, 3, true, 1, "f16 NT odd");
  gemm_case<H, G, true, false, 8, 8, 4, f16>(r, {50, 104, 72}, 2, false, 1, "f16 NN");
  gemm_case<H, Small, true, false, 2, 1, 1, f16>(r, {50, 37, 70}, 2, false, 1, "f16 NN odd");
  // Strips of two vectors a row, fewer than a warp of 64 lanes takes.
  gemm_case<H, g::Tiling<16, 64, 64, 1, 4, 5>, true, false, 2, 8, 8, f16>(r, {20, 72, 18}, 2, false, 1,
                                                                          "f16 NN thin");
  gemm_case<H, G, false, false, 8, 4, 2, f16>(r, {56, 100, 72}, 1, false, 1, "f16 TN");
  gemm_case<H, Large, false, true, 4, 4, 8, f16>(r, {100, 64, 60}, 1, false, 1, "f16 TT");
  gemm_case<H, G, true, true, 8, 8, 4, float>(r, {40, 68, 584}, 1, false, 3, "f16 split");
  gemm_case<g::MatrixUnit<bf16>, G, true, true, 8, 8, 8, bf16>(r, {65, 64, 64}, 1, false, 1, "bf16");
  gemm_case<g::MatrixUnit<int8_t>, g::Tiling<64, 64, 64, 2, 2, 3>, true, true, 16, 16, 4, int32_t>(
      r, {65, 60, 96}, 1, false, 1, "s8");
  gemm_case<g::MatrixUnit<int8_t>, g::Tiling<64, 64, 64, 2, 2, 3>, true, false, 1, 1, 1, int32_t>(
      r, {33, 61, 97}, 2, false, 1, "s8 NN");
  using F = g::MatrixUnit<float>;
  using Flat = g::Tiling<64, 64, 32, 1, 2, 3>;
  gemm_case<F, Flat, true, true, 4, 4, 4, float>(r, {65, 68, 68}, 1, false, 1, "f32");
  gemm_case<F, Flat, true, false, 1, 1, 1, float>(r, {65, 63, 37}, 2, false, 1, "f32 NN odd");
  gemm_case<F, Flat, false, false, 1, 1, 1, float>(r, {65, 63, 37}, 1, false, 1, "f32 TN odd");
#if !defined(AIT_MFMA)
  gemm_case<g::MatrixUnit<double>, g::Tiling<32, 32, 16, 2, 1, 2>, true, true, 2, 2, 2, double>(
      r, {33, 34, 18}, 1, false, 1, "f64");
#endif
  gemm_case<g::ScalarUnit<double>, g::Tiling<32, 32, 16, 2, 1, 2>, true, true, 2, 2, 2, double>(
      r, {33, 34, 18}, 1, false, 1, "f64, plain");
  gemm_case<g::ScalarUnit<int32_t>, g::Tiling<32, 32, 16, 2, 1, 2>, true, false, 1, 1, 1, int32_t>(
      r, {33, 34, 19}, 1, false, 1, "s32");
}

template <int M, int N, int V, int WARPS, int SPLIT, class T>
void gemv_case(Random& r, int rows, int columns, int depth) {
  const auto x = random_of<T>(r, static_cast<int64_t>(rows) * depth);
  const auto w = random_of<T>(r, static_cast<int64_t>(columns) * depth);
  std::vector<T> y(static_cast<size_t>(rows * columns));
  const auto bias = r.floats(columns);
  launch(blocks(columns, N * WARPS / SPLIT), 1, 1, WARPS * g::kWarp, 0, [&] {
    g::gemv<M, N, V, WARPS, SPLIT>(x.data(), depth, w.data(), depth, y.data(), columns, depth, rows,
                                   Places{bias.data()});
  });
  std::vector<double> want;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++) {
      double sum = bias[static_cast<size_t>(j)] + i % 5 * 0.25;
      for (int k = 0; k < depth; k++)
        sum += value(x[static_cast<size_t>(i * depth + k)]) * value(w[static_cast<size_t>(j * depth + k)]);
      want.push_back(sum);
    }
  compare(y, want, depth, "gemv");
}

struct Image {
  int batch, d, h, w, c, groups, k, kd, kh, kw, sd, sh, sw, dd, dh, dw, pad;
};

std::vector<double> plain_conv(const Image& s, int od, int oh, int ow, const std::vector<double>& x,
                               const std::vector<double>& w, const std::vector<float>& bias) {
  std::vector<double> y;
  const int c = s.c / s.groups, n = s.k / s.groups;
  int64_t pixel = 0;
  for (int b = 0; b < s.batch; b++)
    for (int z = 0; z < od; z++)
      for (int i = 0; i < oh; i++)
        for (int j = 0; j < ow; j++, pixel++)
          for (int o = 0; o < s.k; o++) {
            double sum = bias[static_cast<size_t>(o)] + static_cast<double>(pixel % 5) * 0.25;
            for (int t = 0; t < s.kd; t++)
              for (int u = 0; u < s.kh; u++)
                for (int v = 0; v < s.kw; v++) {
                  const int iz = z * s.sd - (s.kd > 1 ? s.pad : 0) + t * s.dd;
                  const int iy = i * s.sh - s.pad + u * s.dh, ix = j * s.sw - s.pad + v * s.dw;
                  if (iz < 0 || iz >= s.d || iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
                  for (int e = 0; e < c; e++)
                    sum += x[static_cast<size_t>((((b * s.d + iz) * s.h + iy) * s.w + ix) * s.c + o / n * c +
                                                 e)] *
                           w[static_cast<size_t>((((o * c + e) * s.kd + t) * s.kh + u) * s.kw + v)];
                }
            y.push_back(sum);
          }
  return y;
}

template <class T>
std::vector<double> values(const std::vector<T>& v) {
  std::vector<double> out;
  for (const T& x : v) out.push_back(value(x));
  return out;
}

int count(int n, int kernel, int stride, int dilation, int pad) {
  return (n + 2 * pad - ((kernel - 1) * dilation + 1)) / stride + 1;
}

template <class U, class G, int VI, int V, int RANK>
void conv_case(Random& r, const Image& s, int splits, const char* what) {
  using T = typename U::T;
  const int od = count(s.d, s.kd, s.sd, s.dd, s.kd > 1 ? s.pad : 0), oh = count(s.h, s.kh, s.sh, s.dh, s.pad),
            ow = count(s.w, s.kw, s.sw, s.dw, s.pad);
  const int c = s.c / s.groups, padded = (c + VI - 1) / VI * VI;
  const int taps = s.kd * s.kh * s.kw;
  const int64_t whole = 16 / sizeof(T);
  const int64_t ldw = blocks(static_cast<int64_t>(taps) * padded, whole) * whole;
  const int64_t pixels = static_cast<int64_t>(s.batch) * s.d * s.h * s.w;
  const auto x = random_of<T>(r, pixels * s.c);
  const auto w = random_of<T>(r, static_cast<int64_t>(s.k) * c * taps);
  const auto bias = r.floats(s.k);
  std::vector<T> spread(static_cast<size_t>(pixels * padded * s.groups)),
      packed(static_cast<size_t>(s.k * ldw));
  launch(blocks(static_cast<int64_t>(spread.size()) / VI, 256), 1, 1, 256, 0, [&] {
    g::spread_channels<VI>(x.data(), spread.data(), pixels, pixels, s.groups, c, padded, 0, s.c, 1);
  });
  launch(blocks(static_cast<int64_t>(packed.size()), 256), 1, 1, 256, 0,
         [&] { g::pack_conv_weights(w.data(), packed.data(), s.k, c, taps, padded, ldw); });
  const g::ImageWindows windows = {s.d,   s.h,   s.w,    od,
                                   oh,    ow,    s.kd,   s.kh,
                                   s.kw,  s.sd,  s.sh,   s.sw,
                                   s.dd,  s.dh,  s.dw,   s.kd > 1 ? s.pad : 0,
                                   s.pad, s.pad, padded, static_cast<int64_t>(padded) * s.groups};
  const g::ConvShape shape = {windows, s.batch, s.groups, s.k / s.groups, taps};
  const int64_t rows = static_cast<int64_t>(s.batch) * od * oh * ow;
  std::vector<T> y(static_cast<size_t>(rows * s.k));
  using M = g::ImageOperands<U, G, VI, RANK>;
  const int64_t grid = s.groups * blocks(rows, G::kRows) * blocks(s.k / s.groups, G::kColumns);
  if (splits == 1) {
    launch(grid, 1, 1, G::kThreads, g::kTileShared<G, T>, [&] {
      g::conv<U, G, M, V>(spread.data(), packed.data(), ldw, y.data(), shape, Places{bias.data()});
    });
  } else {
    std::vector<float> partial(y.size() * static_cast<size_t>(splits));
    launch(grid, splits, 1, G::kThreads, g::kTileShared<G, T>, [&] {
      g::conv<U, G, M, V>(spread.data(), packed.data(), ldw, partial.data(), shape, g::NoEpilogue<float>{});
    });
    launch(blocks(static_cast<int64_t>(y.size()), 256), 1, 1, 256, 0,
           [&] { g::reduce_splits<1>(partial.data(), y.data(), rows, s.k, splits, Places{bias.data()}); });
  }
  const auto want = plain_conv(s, od, oh, ow, values(x), values(w), bias);

  compare(y, want, c * taps, what);

  const g::DirectShape direct = {s.batch,
                                 c,
                                 s.k / s.groups,
                                 s.groups,
                                 {s.d, s.h, s.w},
                                 {od, oh, ow},
                                 {s.kd, s.kh, s.kw},
                                 {s.sd, s.sh, s.sw},
                                 {s.dd, s.dh, s.dw},
                                 {s.kd > 1 ? s.pad : 0, s.pad, s.pad}};
  std::vector<T> again(y.size());
  launch(blocks(static_cast<int64_t>(y.size()), 256), 1, 1, 256, 0, [&] {
    g::direct_conv<3, true, false>(direct, x.data(), w.data(), again.data(), Places{bias.data()});
  });
  compare(again, want, c * taps, "direct");
}

void convolutions(Random& r) {
  using H = g::MatrixUnit<f16>;
  using G = g::Tiling<64, 64, 64, 2, 2, 3>;
  using Small = g::Tiling<32, 32, 32, 2, 1, 4>;
  conv_case<H, G, 8, 8, 2>(r, {2, 1, 9, 7, 16, 1, 24, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1}, 1, "conv 3x3");
  conv_case<H, G, 8, 8, 2>(r, {1, 1, 12, 11, 72, 1, 64, 1, 3, 3, 1, 2, 2, 1, 1, 1, 1}, 3, "conv split");
  conv_case<H, Small, 4, 4, 2>(r, {1, 1, 17, 15, 3, 1, 20, 1, 7, 7, 1, 2, 2, 1, 1, 1, 3}, 1, "conv stem");
  conv_case<H, Small, 8, 1, 2>(r, {1, 1, 9, 9, 30, 3, 15, 1, 3, 1, 1, 2, 1, 1, 2, 1, 1}, 1, "conv groups");
  conv_case<H, Small, 8, 2, 3>(r, {2, 5, 6, 4, 8, 1, 6, 3, 3, 3, 1, 1, 2, 2, 1, 1, 1}, 1, "conv 3d");
  conv_case<g::MatrixUnit<float>, g::Tiling<64, 64, 32, 1, 2, 3>, 4, 1, 2>(
      r, {1, 1, 9, 8, 6, 2, 10, 1, 3, 3, 1, 1, 1, 1, 1, 2, 1}, 1, "conv f32");
}

template <int KH, int KW, int SH, int SW, bool DILATED>
void depthwise_case(Random& r, int c, int dilation) {
  const Image s = {2, 1, 9, 11, c, c, c, 1, KH, KW, 1, SH, SW, 1, dilation, dilation, 1};
  const int oh = count(s.h, KH, SH, dilation, 1), ow = count(s.w, KW, SW, dilation, 1);
  const auto x = random_of<f16>(r, s.batch * s.h * s.w * c);
  const auto w = random_of<f16>(r, c * KH * KW);
  const auto bias = r.floats(c);
  std::vector<f16> packed(w.size()), y(static_cast<size_t>(s.batch * oh * ow * c));
  for (int i = 0; i < c; i++)
    for (int t = 0; t < KH * KW; t++)
      packed[static_cast<size_t>(t * c + i)] = w[static_cast<size_t>(i * KH * KW + t)];
  const g::DepthwiseShape shape = {s.batch, s.h, s.w, c, oh, ow, 1, 1, dilation, dilation};
  launch(blocks(s.batch * blocks(oh, 2) * blocks(ow, 3), 16), static_cast<int>(blocks(c, 32)), 1, 128, 0,
         [&] {
           g::depthwise<KH, KW, SH, SW, 4, 2, 3, DILATED, 128>(shape, x.data(), packed.data(), y.data(),
                                                               Places{bias.data()});
         });
  compare(y, plain_conv(s, 1, oh, ow, values(x), values(w), bias), KH * KW, "depthwise");
}

/// An epilogue for columns two by two.
struct BiasAlone {
  using Result = float;
  static constexpr bool kByColumn = true;
  const float* bias;
  template <int N>
  AIT_DEVICE void apply(const float (&sums)[N], float (&results)[N], int64_t, int64_t col) const {
    for (int i = 0; i < N; i++) results[i] = sums[i] + bias[col + i];
  }
};

template <int HIGH, int COLUMNS, int BATCH, class T, class E>
void fragments_case(Random& r, int rows, int columns) {
  const auto bias = r.floats(columns);
  std::vector<T> y(static_cast<size_t>(rows * columns));
  launch(1, 1, 1, 128, 0, [&] {
    float d[HIGH][COLUMNS / 2];
    for (int i = 0; i < HIGH; i++)
      for (int j = 0; j < COLUMNS / 2; j++) {
        const int row = 5 + i * 64 + g::warp() * 16 + j / 2 % 2 * 8 + g::lane() / 4;
        d[i][j] = static_cast<float>(row * 8 + 16 + j / 4 * 8 + g::lane() % 4 * 2 + j % 2);
      }
    g::store_fragments<HIGH, COLUMNS, BATCH>(d, y.data(), columns, 5, 16, rows, columns, E{bias.data()});
  });
  bool right = true;
  for (int i = 5; i < rows; i++)
    for (int j = 16; j < columns; j++) {
      const float place = g::ByColumn<E>::value ? 0.0f : static_cast<float>(i % 5) * 0.25f;
      const float want = static_cast<float>(i * 8 + j) + bias[static_cast<size_t>(j)] + place;
      right = right && value(y[static_cast<size_t>(i * columns + j)]) == value(g::stored<T>(want));
    }
  test::check(right, "fragments");
}

/// The same, stored wherever rows begin.
template <int HIGH, int COLUMNS, class T>
void apart_case(Random& r, int rows, int columns) {
  const auto bias = r.floats(columns);
  std::vector<T> y(static_cast<size_t>(rows * columns));
  launch(1, 1, 1, 128, 4 * g::kApartWords * 4, [&] {
    float d[HIGH][COLUMNS / 2];
    for (int i = 0; i < HIGH; i++)
      for (int j = 0; j < COLUMNS / 2; j++) {
        const int row = 5 + i * 64 + g::warp() * 16 + j / 2 % 2 * 8 + g::lane() / 4;
        d[i][j] = static_cast<float>(row * 8 + 3 + j / 4 * 8 + g::lane() % 4 * 2 + j % 2);
      }
    float* strip = reinterpret_cast<float*>(g::dynamic_shared()) + g::warp() * g::kApartWords;
    g::store_fragments_apart<HIGH, COLUMNS>(d, strip, y.data(), columns, 5, 3, rows, columns,
                                            Places{bias.data()});
  });
  bool right = true;
  for (int i = 5; i < rows; i++)
    for (int j = 3; j < columns; j++) {
      const float want =
          static_cast<float>(i * 8 + j) + bias[static_cast<size_t>(j)] + static_cast<float>(i % 5) * 0.25f;
      right = right && value(y[static_cast<size_t>(i * columns + j)]) == value(g::stored<T>(want));
    }
  test::check(right, "fragments apart");
}

void stem_case(Random& r) {
  const Image s = {2, 1, 9, 12, 3, 1, 16, 1, 3, 3, 1, 2, 2, 1, 1, 1, 1};
  const int oh = count(s.h, 3, 2, 1, 1), ow = count(s.w, 3, 2, 1, 1);
  const auto x = random_of<f16>(r, s.batch * s.h * s.w * 3);
  const auto w = random_of<f16>(r, 16 * 3 * 9);
  const auto bias = r.floats(16);
  std::vector<f16> packed(w.size()), y(static_cast<size_t>(s.batch * oh * ow * 16));
  for (int o = 0; o < 16; o++)
    for (int i = 0; i < 27; i++)
      packed[static_cast<size_t>((i % 9 * 3 + i / 9) * 16 + o)] = w[static_cast<size_t>(o * 27 + i)];
  const g::StemShape shape = {s.batch, s.h, s.w, oh, ow, 16, 1, 1};
  launch(blocks(s.batch * oh * blocks(ow, 2), 32), 2, 1, 32, 0, [&] {
    g::stem_conv<3, 3, 3, 2, 2, 8, 2, 4, 32>(shape, x.data(), packed.data(), y.data(), Places{bias.data()});
  });
  compare(y, plain_conv(s, 1, oh, ow, values(x), values(w), bias), 27, "stem");
}

void transposed_case(Random& r, int kernel, int stride, int dilation, int pad, int extra, int groups) {
  const int batch = 2, h = 5, w = 4, c = 8 * groups, k = 6 * groups;
  const int oh = (h - 1) * stride - 2 * pad + (kernel - 1) * dilation + 1 + extra;
  const int ow = (w - 1) * stride - 2 * pad + (kernel - 1) * dilation + 1 + extra;
  const auto x = random_of<f16>(r, batch * h * w * c);
  const auto weights = random_of<f16>(r, c * k / groups * kernel * kernel);
  const auto bias = r.floats(k);
  const auto reaches = [&](int phase, int tap) { return (phase + pad - tap * dilation) % stride == 0; };
  std::vector<f16> packed;
  for (int py = 0; py < stride; py++)
    for (int px = 0; px < stride; px++)
      for (int o = 0; o < k; o++)
        for (int i = 0; i < kernel; i++)
          for (int j = 0; j < kernel; j++)
            if (reaches(py, i) && reaches(px, j))
              for (int e = 0; e < 8; e++)
                packed.push_back(
                    weights[static_cast<size_t>((((o / 6 * 8 + e) * 6 + o % 6) * kernel + i) * kernel + j)]);
  using H = g::MatrixUnit<f16>;
  using G = g::Tiling<32, 32, 32, 2, 1, 4>;
  using M = g::ImageOperands<H, G, 8>;
  const g::TransposedShape s = {batch,    h,        w,   oh,  ow,     kernel, kernel, stride, stride,
                                dilation, dilation, pad, pad, groups, 8,      6,      c};
  std::vector<f16> y(static_cast<size_t>(batch * oh * ow * k)), again(y.size());
  launch(groups * blocks(batch * blocks(oh, stride) * blocks(ow, stride), 32) * blocks(6, 32), 1,
         stride * stride, G::kThreads, g::kTileShared<G, f16>,
         [&] { g::conv_transpose<H, G, M, 2>(x.data(), packed.data(), y.data(), s, Places{bias.data()}); });
  std::vector<double> want;
  for (int64_t p = 0; p < batch * oh * ow; p++)
    for (int o = 0; o < k; o++)
      want.push_back(bias[static_cast<size_t>(o)] + static_cast<double>(p % 5) * 0.25);
  for (int b = 0; b < batch; b++)
    for (int i = 0; i < h; i++)
      for (int j = 0; j < w; j++)
        for (int u = 0; u < kernel; u++)
          for (int v = 0; v < kernel; v++) {
            const int oy = i * stride - pad + u * dilation, ox = j * stride - pad + v * dilation;
            if (oy < 0 || oy >= oh || ox < 0 || ox >= ow) continue;
            for (int e = 0; e < c; e++)
              for (int o = 0; o < 6; o++)
                want[static_cast<size_t>(((b * oh + oy) * ow + ox) * k + e / 8 * 6 + o)] +=
                    value(x[static_cast<size_t>(((b * h + i) * w + j) * c + e)]) *
                    value(weights[static_cast<size_t>(((e * 6 + o) * kernel + u) * kernel + v)]);
          }
  compare(y, want, 8 * kernel * kernel, "transposed");
  const g::DirectShape direct = {
      batch,     8, 6, groups, {h, w}, {oh, ow}, {kernel, kernel}, {stride, stride}, {dilation, dilation},
      {pad, pad}};
  launch(blocks(static_cast<int64_t>(y.size()), 256), 1, 1, 256, 0, [&] {
    g::direct_conv<2, true, true>(direct, x.data(), weights.data(), again.data(), Places{bias.data()});
  });
  compare(again, want, 8 * kernel * kernel, "transposed, direct");
}

}  // namespace

int main() {
  Random r;
  products(r);
  gemv_case<1, 2, 8, 4, 1, f16>(r, 1, 37, 520);
  gemv_case<4, 1, 8, 4, 4, f16>(r, 3, 10, 1032);
  gemv_case<8, 4, 1, 4, 2, f16>(r, 8, 21, 77);
  gemv_case<2, 2, 4, 4, 2, float>(r, 2, 21, 300);
  convolutions(r);
  depthwise_case<3, 3, 1, 1, false>(r, 24, 1);
  depthwise_case<5, 3, 2, 2, false>(r, 16, 1);
  depthwise_case<3, 3, 1, 1, true>(r, 16, 2);
  stem_case(r);
  if constexpr (g::kWarp == 32) {
    fragments_case<1, 128, 4, float, Places>(r, 60, 128);
    fragments_case<2, 192, 1, float, Places>(r, 127, 208);
    fragments_case<1, 32, 4, f16, Places>(r, 69, 48);
    apart_case<1, 32, f16>(r, 60, 33);
    apart_case<2, 96, float>(r, 127, 97);
    fragments_case<1, 96, 4, f16, BiasAlone>(r, 69, 112);
    fragments_case<3, 64, 2, bf16, BiasAlone>(r, 190, 72);
    fragments_case<2, 128, 4, float, BiasAlone>(r, 127, 144);
  }
  transposed_case(r, 4, 2, 1, 1, 0, 1);
  transposed_case(r, 3, 2, 1, 1, 1, 2);
  transposed_case(r, 3, 3, 2, 0, 0, 1);
  transposed_case(r, 2, 3, 1, 0, 0, 1);
  return test::summary();
}
