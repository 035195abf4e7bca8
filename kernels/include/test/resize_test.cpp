#include "../ait/resize.h"

#include <algorithm>

#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;

/// One axis by the text of the operator, in double: the nearest `n` elements to x, the smaller ones first
/// among equals, of the data continued by its edges.
static double interpolate(const ResizeSpec& s, const ResizeAxis& a, int64_t o,
                          const std::vector<double>& data) {
  const double in = static_cast<double>(a.in), out = static_cast<double>(a.out), scale = a.scale,
               v = static_cast<double>(o);
  double x = (v + 0.5) / scale - 0.5;
  if (s.coordinates == Coordinates::Asymmetric) x = v / scale;
  const double asked = scale * in > out + 1e-3 ? scale * in : out;
  if (s.coordinates == Coordinates::AlignCorners) x = out == 1 ? 0 : v * (in - 1) / (asked - 1);
  if (s.coordinates == Coordinates::PytorchHalfPixel && out == 1) x = 0;
  if (s.coordinates == Coordinates::TfHalfPixelForNN) x = (v + 0.5) / scale;
  if (s.coordinates == Coordinates::HalfPixelSymmetric) x += in / 2 * (1 - out / (scale * in));
  if (s.coordinates == Coordinates::TfCropAndResize) {
    x = out > 1 ? a.roi_start * (in - 1) + v * (double(a.roi_end) - a.roi_start) * (in - 1) / (out - 1)
                : 0.5 * (double(a.roi_start) + a.roi_end) * (in - 1);
    if (x < 0 || x > in - 1) return s.extrapolation;
  }
  const double low = std::floor(x);
  const bool whole = x == low;
  const double ratio = whole ? 1 : x - low, base = whole ? low - 1 : low;
  const double shrink = s.antialias && scale < 1 ? scale : 1, reach = s.mode == ResizeMode::Linear ? 1 : 2;
  const auto start = static_cast<int64_t>(std::floor(-reach / shrink)) + 1, stop = 2 - start;
  double sum = 0, total = 0;
  for (int64_t i = start; i < stop; i++) {
    const double d = std::fabs((static_cast<double>(i) - ratio) * shrink), c = s.cubic_a;
    double w = 0;
    if (s.mode == ResizeMode::Linear)
      w = d < 1 ? 1 - d : 0;
    else if (d <= 1)
      w = (c + 2) * d * d * d - (c + 3) * d * d + 1;
    else if (d < 2)
      w = c * d * d * d - 5 * c * d * d + 8 * c * d - 4 * c;
    const double at = base + static_cast<double>(i);
    if (s.exclude_outside && (at < 0 || at >= in)) w = 0;
    sum += w;
    total += w * data[static_cast<size_t>(std::min(std::max(at, 0.), in - 1))];
  }
  return s.antialias || s.exclude_outside ? total / sum : total;
}

/// All axes, one after the other.
static std::vector<double> reference(const ResizeSpec& s, const std::vector<ResizeAxis>& axes,
                                     const std::vector<float>& x) {
  std::vector<double> data(x.begin(), x.end());
  std::vector<int64_t> shape;
  for (const auto& a : axes) shape.push_back(a.in);
  std::vector<bool> outside;
  for (size_t k = 0; k < axes.size(); k++) {
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; i < k; i++) outer *= shape[i];
    for (size_t i = k + 1; i < axes.size(); i++) inner *= shape[i];
    std::vector<double> next;
    for (int64_t u = 0; u < outer; u++) {
      for (int64_t o = 0; o < axes[k].out; o++) {
        for (int64_t i = 0; i < inner; i++) {
          std::vector<double> column;
          for (int64_t a = 0; a < axes[k].in; a++)
            column.push_back(data[static_cast<size_t>((u * axes[k].in + a) * inner + i)]);
          next.push_back(resize_is_identity(s, axes[k]) ? column[static_cast<size_t>(o)]
                                                        : interpolate(s, axes[k], o, column));
        }
      }
    }
    data = next;
    shape[k] = axes[k].out;
  }
  return data;
}

static ResizeAxis same(int64_t n) { return {n, n, 1, 0, 1}; }
static ResizeAxis to(int64_t in, int64_t out) {
  return {in, out, static_cast<float>(out) / static_cast<float>(in), 0, 1};
}

static std::vector<float> run(const ResizeSpec& s, const std::vector<ResizeAxis>& axes,
                              const std::vector<float>& x) {
  int64_t n = 1;
  for (const auto& a : axes) n *= a.out;
  std::vector<float> y(static_cast<size_t>(n));
  Context ctx;
  ctx.threads = 2;
  if (s.mode == ResizeMode::Nearest)
    resize_nearest(ctx, s, static_cast<int>(axes.size()), axes.data(), x.data(), y.data());
  else
    resize_interpolate(ctx, s, static_cast<int>(axes.size()), axes.data(), x.data(), y.data());
  ctx.release_scratch();
  return y;
}

int main() {
  using C = Coordinates;
  using N = NearestMode;
  const std::vector<std::vector<ResizeAxis>> cases = {
      {same(1), same(2), to(4, 8), to(5, 10)},
      {same(2), to(7, 3), to(9, 5), same(20)},
      {same(1), same(1), to(6, 2), to(3, 9)},
      {to(5, 1), to(3, 1)},
      {to(10, 4), to(2, 7), to(3, 5)},
      {same(3), to(11, 17)},
      {same(1), {4, 6, 1.6f, 0, 1}, {5, 3, 0.6f, 0, 1}},
      {same(4)},
  };
  for (const auto& axes : cases) {
    int64_t n = 1;
    for (const auto& a : axes) n *= a.in;
    const auto x = rng.floats(n);
    for (C c : {C::HalfPixel, C::HalfPixelSymmetric, C::PytorchHalfPixel, C::AlignCorners, C::Asymmetric}) {
      for (bool antialias : {false, true}) {
        for (bool exclude : {false, true}) {
          for (ResizeMode m : {ResizeMode::Linear, ResizeMode::Cubic}) {
            const ResizeSpec s{m, c, N::Floor, -0.75f, antialias, exclude, 0};
            test::all_near(run(s, axes, x), reference(s, axes, x), 2e-6, 4e-6, "interpolation");
          }
        }
      }
      // Nearest: the index by its definition.
      for (N mode : {N::RoundPreferFloor, N::RoundPreferCeil, N::Floor, N::Ceil}) {
        const ResizeSpec s{ResizeMode::Nearest, c, mode, 0, false, false, 0};
        const auto y = run(s, axes, x);
        bool ok = true;
        for (size_t i = 0; i < y.size(); i++) {
          int64_t rest = static_cast<int64_t>(i), source = 0, step = 1;
          for (size_t k = axes.size(); k-- > 0;) {
            const auto& a = axes[k];
            const float v = resize_coordinate(c, a, rest % a.out);
            const float frac = v - std::floor(v);
            const bool up = mode == N::Ceil              ? frac > 0
                            : mode == N::RoundPreferCeil ? frac >= 0.5f
                                                         : mode == N::RoundPreferFloor && frac > 0.5f;
            const auto at = static_cast<int64_t>(std::floor(v)) + up;
            source += std::min(std::max(at, int64_t{0}), a.in - 1) * step;
            step *= a.in;
            rest /= a.out;
          }
          ok &= y[i] == x[static_cast<size_t>(source)];
        }
        test::check(ok, "nearest");
      }
    }
  }
  // Cropping: part of the region lies outside.
  const std::vector<ResizeAxis> crop = {same(1), {4, 3, 0.8f, 0.4f, 0.6f}, {4, 5, 0.8f, 0.6f, 1.7f}};
  const auto x = rng.floats(16);
  for (ResizeMode m : {ResizeMode::Linear, ResizeMode::Cubic}) {
    const ResizeSpec s{m, C::TfCropAndResize, N::Floor, -0.75f, false, false, 10};
    test::all_near(run(s, crop, x), reference(s, crop, x), 2e-6, 2e-6, "crop and resize");
  }
  const auto y =
      run({ResizeMode::Nearest, C::TfCropAndResize, N::RoundPreferFloor, 0, false, false, 10}, crop, x);
  test::check(y[4] == 10 && y[0] != 10, "nearest outside of the region");
  {  // Known values of the operator's documentation: 2x2 upsampled by 2.
    const std::vector<float> small = {1, 2, 3, 4};
    const auto z =
        run({ResizeMode::Linear, C::HalfPixel, N::Floor, 0, false, false, 0}, {to(2, 4), to(2, 4)}, small);
    test::check(z[0] == 1 && z[1] == 1.25f && z[2] == 1.75f && z[5] == 1.75f && z[15] == 4,
                "upsampled by two");
    std::vector<uint8_t> bytes = {10, 20, 30, 40}, out(16);
    Context ctx;
    const ResizeAxis axes[] = {to(2, 4), to(2, 4)};
    resize_nearest(ctx, {ResizeMode::Nearest, C::Asymmetric, N::Floor, 0, false, false, 0}, 2, axes,
                   bytes.data(), out.data());
    test::check(out[0] == 10 && out[1] == 10 && out[2] == 20 && out[15] == 40, "bytes");
    std::vector<half> h(4, from_f32<half>(2)), ho(16);
    resize_interpolate(ctx, {ResizeMode::Linear, C::AlignCorners, N::Floor, 0, false, false, 0}, 2, axes,
                       h.data(), ho.data());
    test::check(to_f32(ho[7]) == 2, "half");
    ctx.release_scratch();
  }
  return test::summary();
}
