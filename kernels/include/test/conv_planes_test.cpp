#include "../ait/conv_planes.h"

#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;

struct Case {
  int64_t batch, h, w, c, kh, kw, stride_h, dilation_h, dilation_w, top, left, bottom, right, gap;
};

/// Adds the output's row and a constant of the channel, so that both reach the epilogue.
struct Shift {
  template <class V>
  V operator()(V v, int64_t row, int64_t column, int) const {
    for (size_t i = 0; i < sizeof(V) / sizeof(float); i++) {
      v[i] += static_cast<float>(row % 5) + 0.5f * static_cast<float>(column + static_cast<int64_t>(i));
    }
    return v;
  }
};

template <int N>
static void convolve(Context& ctx, const Case& t) {
  ConvShape s;
  s.batch = t.batch, s.h = t.h, s.w = t.w, s.c = t.c, s.k = N, s.kh = t.kh, s.kw = t.kw;
  s.stride_h = t.stride_h, s.stride_w = 1, s.dilation_h = t.dilation_h, s.dilation_w = t.dilation_w;
  s.pad_top = t.top, s.pad_left = t.left;
  s.oh = (t.h + t.top + t.bottom - (t.kh - 1) * t.dilation_h - 1) / t.stride_h + 1;
  s.ow = (t.w + t.left + t.right - (t.kw - 1) * t.dilation_w - 1) / 1 + 1;
  // The buffers end with the last element, so that a sanitizer sees every step past it.
  const int64_t ldx = t.c + t.gap, ldy = N + t.gap;
  const auto x = rng.floats(s.batch * s.h * s.w * ldx - t.gap);
  const auto w = rng.floats(N * s.kh * s.kw * s.c);
  std::vector<float> packed(w.size());
  for (size_t i = 0; i < w.size(); i++) {
    const size_t taps = w.size() / N;
    packed[i % taps * N + i / taps] = w[i];
  }
  const int64_t rows = s.batch * s.oh * s.ow;
  std::vector<float> y(static_cast<size_t>(rows * ldy - t.gap), 7);
  plane_conv2d<N, false>(ctx, s, x.data(), ldx, packed.data(), y.data(), ldy, Shift{});

  // Every sum has at most 4 kh kw c terms of at most 1: the bound is that of any order of f32 additions.
  const double tolerance = static_cast<double>(s.kh * s.kw * s.c + 8) * 0x1p-23;
  bool ok = true, untouched = true;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t b = r / (s.oh * s.ow), oy = r / s.ow % s.oh, ox = r % s.ow;
    for (int64_t o = 0; o < ldy && r * ldy + o < static_cast<int64_t>(y.size()); o++) {
      const float got = y[static_cast<size_t>(r * ldy + o)];
      if (o >= N) {
        untouched &= got == 7;
        continue;
      }
      double sum = 0, size = 0;
      for (int64_t ky = 0; ky < s.kh; ky++) {
        for (int64_t kx = 0; kx < s.kw; kx++) {
          const int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
          const int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
          if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
          for (int64_t c = 0; c < s.c; c++) {
            const double p =
                static_cast<double>(x[static_cast<size_t>(((b * s.h + iy) * s.w + ix) * ldx + c)]) *
                static_cast<double>(w[static_cast<size_t>(((o * s.kh + ky) * s.kw + kx) * s.c + c)]);
            sum += p, size += std::fabs(p);
          }
        }
      }
      const double shift = static_cast<double>(r % 5) + 0.5 * static_cast<double>(o);
      ok &= test::near(got, sum + shift, 0, tolerance * (size + shift + 1));
    }
  }
  test::check(ok, "planes", N);
  test::check(untouched, "nothing between the rows is written", N);
}

int main() {
  Context ctx;
  ctx.threads = 2;
  const Case cases[] = {
      // batch h w c, window, stride, dilations, pads top left bottom right, gap between rows
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0},
      {2, 9, 11, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 0},
      {1, 8, 133, 17, 3, 5, 2, 1, 1, 1, 2, 0, 2, 0},
      {3, 7, 10, 5, 2, 3, 1, 2, 1, 0, 3, 1, 0, 0},
      {1, 12, 75, 16, 3, 3, 1, 2, 3, 2, 3, 2, 3, 0},
      {1, 10, 264, 8, 3, 39, 1, 1, 1, 1, 19, 1, 19, 0},
      {2, 6, 19, 33, 1, 3, 1, 1, 1, 0, 1, 0, 1, 5},
      // A window larger than the image, windows all in the padding, and more lines than fit at once.
      {1, 2, 3, 4, 5, 7, 1, 1, 1, 3, 3, 3, 3, 0},
      {1, 3, 20, 2, 1, 1, 1, 1, 1, 4, 0, 4, 0, 1},
      {1, 150, 40, 60, 3, 3, 1, 1, 1, 1, 1, 1, 1, 0},
  };
  for (const Case& t : cases) {
    convolve<1>(ctx, t);
    convolve<2>(ctx, t);
    convolve<3>(ctx, t);
    convolve<8>(ctx, t);
  }
  ctx.release_scratch();
  return test::summary();
}
