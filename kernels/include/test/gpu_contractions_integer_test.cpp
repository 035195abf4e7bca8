// Products and convolutions of 8-bit integers around zero points, emulated, against plain loops.
#include <type_traits>
#include <vector>

#include "../ait/gpu/conv_direct.h"
#include "../ait/gpu/integer_gemm.h"
#include "gpu_check.h"

using test::blocks;
using test::launch;
using test::Random;

namespace {

template <class T>
std::vector<T> random_of(Random& r, int64_t n) {
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) x = static_cast<T>(r.below(256));
  return v;
}

template <class A, class B>
void compare(const A& got, const B& want, const char* what) {
  test::all_near(got, want, 0, 0, what);
}

/// Adds what depends on the place, so that a wrong row or column shows.
struct Places {
  using Result = int32_t;
  template <int N>
  void apply(const int32_t (&sums)[N], int32_t (&results)[N], int64_t row, int64_t col) const {
    for (int i = 0; i < N; i++) results[i] = sums[i] + static_cast<int32_t>(row * 1000 + col + i);
  }
};

template <class T>
constexpr int32_t kLess = g::kWarp == 64 && static_cast<T>(-1) > T(0) ? 128 : 0;

const int8_t* as_bytes(const void* p) { return static_cast<const int8_t*>(p); }

template <class G, int VA, int V, class TA, class TB>
void product_case(Random& r, int m, int n, int k, int batch, int splits, bool per_row, bool per_column,
                  bool turned, const char* what) {
  using U = g::ByteUnit<TA, true>;
  using M = g::MatrixOperands<U, G, true, true, VA, 16>;
  const int64_t pitch = blocks(k, 16) * 16;
  const auto a = random_of<TA>(r, static_cast<int64_t>(batch) * m * k);
  const auto b = random_of<TB>(r, static_cast<int64_t>(batch) * k * n);
  const auto za = random_of<TA>(r, per_row ? batch * m : 1);
  const auto zb = random_of<TB>(r, per_column ? n : 1);
  std::vector<int8_t> packed(static_cast<size_t>(batch * n * pitch));
  std::vector<int32_t> columns(static_cast<size_t>(batch * n)), points(static_cast<size_t>(n));
  const g::ByteLines lines = {
      n, turned ? k : 1, static_cast<int64_t>(k) * n, 1, k, k, 0, turned ? 1 : n, pitch, per_column ? 1 : 0};
  launch(blocks(batch * n, 256), 1, 256, 0, [&] {
    g::pack_bytes(b.data(), zb.data(), batch, lines, packed.data(), columns.data(), points.data());
  });
  const g::MatrixShape shape = {m, n, k, k, pitch};
  const g::Batches<1> batches = {{batch}, {static_cast<int64_t>(m) * k}, {n * pitch}};
  const g::RightPoints right = {points.data(), kLess<TA>, k};
  std::vector<int32_t> y(static_cast<size_t>(batch * m * n));
  // A's rows as they are, or filled up.
  std::vector<int8_t> filled(static_cast<size_t>(batch * m * pitch));
  const bool odd = k % VA != 0;
  if (odd)
    launch(blocks(static_cast<int64_t>(filled.size()), 256 * 16), 1, 256, 0, [&] {
      g::fill_bytes<16>(as_bytes(a.data()), filled.data(), static_cast<int64_t>(batch) * m, 1, k,
                        static_cast<int>(pitch), nullptr);
    });
  g::MatrixShape own = shape;
  g::Batches<1> own_batches = batches;
  if (odd) own.lda = pitch, own_batches.a[0] = m * pitch;
  const int8_t* left = odd ? filled.data() : as_bytes(a.data());
  const int64_t grid = batch * blocks(m, G::kRows) * blocks(n, G::kColumns);
  const auto epilogue = [&] {
    return g::around_points(right, Places{}, columns.data(), za.data(), per_row ? 1 : 0, n * pitch, n);
  };
  if (splits == 1) {
    launch(grid, 1, G::kThreads, g::kTileShared<G, int8_t>,
           [&] { g::gemm<U, G, M, V>(left, packed.data(), y.data(), own, own_batches, epilogue()); });
  } else {
    std::vector<int32_t> partial(y.size() * static_cast<size_t>(splits));
    launch(grid, splits, G::kThreads, g::kTileShared<G, int8_t>, [&] {
      g::gemm<U, G, M, V>(left, packed.data(), partial.data(), own, own_batches, g::PartialByteSums{right});
    });
    launch(blocks(static_cast<int64_t>(y.size()), 256 * V), 1, 256, 0, [&] {
      g::reduce_splits<V>(partial.data(), y.data(), static_cast<int64_t>(batch) * m, n, splits, epilogue());
    });
  }
  std::vector<int32_t> want;
  for (int q = 0; q < batch; q++)
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        const int row = q * m + i;
        int32_t sum = row * 1000 + j;
        for (int e = 0; e < k; e++)
          sum += (a[static_cast<size_t>(row * k + e)] - za[static_cast<size_t>(per_row ? row : 0)]) *
                 (b[static_cast<size_t>(q * k * n + (turned ? j * k + e : e * n + j))] -
                  zb[static_cast<size_t>(per_column ? j : 0)]);
        want.push_back(sum);
      }
  compare(y, want, what);
}

void products(Random& r) {
  using Wide = g::Tiling<64, 64, 128, 2, 2, 3>;
  using Thin = g::Tiling<16, 64, 128, 1, 4, 5>;
  using Large = g::Tiling<128, 128, 64, 2, 2, 4>;
  product_case<Wide, 16, 4, uint8_t, uint8_t>(r, 70, 72, 144, 1, 1, false, false, false, "u8 u8");
  product_case<Wide, 16, 1, uint8_t, int8_t>(r, 33, 37, 67, 3, 1, false, true, false, "u8 s8, odd");
  product_case<Thin, 4, 4, int8_t, uint8_t>(r, 5, 100, 60, 2, 1, true, true, true, "s8 u8, points of rows");
  product_case<Thin, 8, 2, uint8_t, uint8_t>(r, 17, 66, 712, 1, 3, true, false, true, "u8 u8, split");
  product_case<Large, 16, 8, int8_t, int8_t>(r, 130, 136, 96, 1, 1, false, false, false, "s8 s8, large");
}

struct Image {
  int batch, h, w, c, groups, k, kh, kw, sh, sw, dh, dw, pad;
};

int count(int n, int kernel, int stride, int dilation, int pad) {
  return (n + 2 * pad - ((kernel - 1) * dilation + 1)) / stride + 1;
}

template <class G, int VI, int V, class TA, class TB>
void conv_case(Random& r, const Image& s, int splits, const char* what) {
  using U = g::ByteUnit<TA, true>;
  using M = g::ImageOperands<U, G, VI, 2, true>;
  const int oh = count(s.h, s.kh, s.sh, s.dh, s.pad), ow = count(s.w, s.kw, s.sw, s.dw, s.pad);
  const int c = s.c / s.groups, n = s.k / s.groups, taps = s.kh * s.kw;
  const int padded = static_cast<int>(blocks(c, VI)) * VI, depth = taps * padded;
  const int64_t pitch = blocks(depth, 16) * 16, pixels = static_cast<int64_t>(s.batch) * s.h * s.w;
  const auto x = random_of<TA>(r, pixels * s.c);
  const auto w = random_of<TB>(r, static_cast<int64_t>(s.k) * c * taps);
  const auto za = random_of<TA>(r, 1);
  const auto zb = random_of<TB>(r, s.k);
  std::vector<int8_t> packed(static_cast<size_t>(s.k * pitch)),
      image(static_cast<size_t>(pixels * s.groups * padded));
  std::vector<int32_t> columns(static_cast<size_t>(s.k)), points(static_cast<size_t>(s.k));
  const g::ByteLines lines = {s.k, static_cast<int64_t>(c) * taps, 0, taps, c, padded, 1, taps, pitch, 1};
  launch(blocks(s.k, 256), 1, 256, 0,
         [&] { g::pack_bytes(w.data(), zb.data(), 1, lines, packed.data(), columns.data(), points.data()); });
  launch(blocks(static_cast<int64_t>(image.size()), 256 * VI), 1, 256, 0, [&] {
    g::fill_bytes<VI>(as_bytes(x.data()), image.data(), pixels, s.groups, c, padded, as_bytes(za.data()));
  });
  const g::ImageWindows windows = {
      1,        s.h,  s.w, 1,    oh,   ow, 1,     s.kh,  s.kw,   1,
      s.sh,     s.sw, 1,   s.dh, s.dw, 0,  s.pad, s.pad, padded, static_cast<int64_t>(padded) * s.groups,
      za.data()};
  const g::ConvShape shape = {windows, s.batch, s.groups, n, taps};
  const int64_t rows = static_cast<int64_t>(s.batch) * oh * ow;
  const g::RightPoints right = {points.data(), kLess<TA>, depth};
  std::vector<int32_t> y(static_cast<size_t>(rows * s.k));
  const int64_t grid = s.groups * blocks(rows, G::kRows) * blocks(n, G::kColumns);
  const auto epilogue = [&] {
    return g::around_points(right, Places{}, columns.data(), za.data(), 0, s.k * pitch, s.k);
  };
  if (splits == 1) {
    launch(grid, 1, G::kThreads, g::kTileShared<G, int8_t>,
           [&] { g::conv<U, G, M, V>(image.data(), packed.data(), pitch, y.data(), shape, epilogue()); });
  } else {
    std::vector<int32_t> partial(y.size() * static_cast<size_t>(splits));
    launch(grid, splits, G::kThreads, g::kTileShared<G, int8_t>, [&] {
      g::conv<U, G, M, V>(image.data(), packed.data(), pitch, partial.data(), shape,
                          g::PartialByteSums{right});
    });
    launch(blocks(static_cast<int64_t>(y.size()), 256 * V), 1, 256, 0,
           [&] { g::reduce_splits<V>(partial.data(), y.data(), rows, s.k, splits, epilogue()); });
  }
  std::vector<int32_t> want;
  int pixel = 0;
  for (int b = 0; b < s.batch; b++)
    for (int i = 0; i < oh; i++)
      for (int j = 0; j < ow; j++, pixel++)
        for (int o = 0; o < s.k; o++) {
          int32_t sum = pixel * 1000 + o;
          for (int u = 0; u < s.kh; u++)
            for (int v = 0; v < s.kw; v++) {
              const int iy = i * s.sh - s.pad + u * s.dh, ix = j * s.sw - s.pad + v * s.dw;
              if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
              for (int e = 0; e < c; e++)
                sum += (x[static_cast<size_t>(((b * s.h + iy) * s.w + ix) * s.c + o / n * c + e)] - za[0]) *
                       (w[static_cast<size_t>(((o * c + e) * s.kh + u) * s.kw + v)] -
                        zb[static_cast<size_t>(o)]);
            }
          want.push_back(sum);
        }
  compare(y, want, what);

  const g::DirectShape direct = {
      s.batch,       c, n, s.groups, {s.h, s.w}, {oh, ow}, {s.kh, s.kw}, {s.sh, s.sw}, {s.dh, s.dw},
      {s.pad, s.pad}};
  std::vector<int32_t> again(y.size());
  launch(blocks(static_cast<int64_t>(y.size()), 256), 1, 256, 0, [&] {
    g::direct_conv<2, true, false>(direct, x.data(), w.data(), again.data(), Places{},
                                   g::CentredFactors<TA, TB>{za.data(), zb.data(), 1});
  });
  compare(again, want, "direct");
}

void convolutions(Random& r) {
  using Wide = g::Tiling<64, 64, 64, 2, 2, 4>;
  using Thin = g::Tiling<32, 64, 128, 2, 2, 4>;
  conv_case<Wide, 16, 4, uint8_t, uint8_t>(r, {2, 9, 7, 16, 1, 24, 3, 3, 1, 1, 1, 1, 1}, 1, "u8 3x3");
  conv_case<Wide, 16, 4, uint8_t, int8_t>(r, {1, 12, 11, 80, 1, 64, 3, 3, 2, 2, 1, 1, 1}, 3, "u8 split");
  conv_case<Thin, 8, 2, int8_t, uint8_t>(r, {1, 13, 10, 3, 1, 18, 7, 7, 2, 2, 1, 1, 3}, 1, "s8 stem");
  conv_case<Thin, 16, 1, int8_t, int8_t>(r, {1, 9, 9, 39, 3, 15, 3, 1, 1, 2, 2, 1, 1}, 1, "s8 groups");
}

}  // namespace

int main() {
  Random r;
  products(r);
  convolutions(r);
  return test::summary();
}
