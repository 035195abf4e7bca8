// Sampling on the device, emulated, against plain loops: a volume that is the sum of its coordinates, so that
// what lies between its elements is known.
#include "../ait/gpu/sampling.h"
#include "gpu_check.h"

using ait::bf16;
using ait::f16;
using test::launch;
using test::Random;

namespace {

/// f(i) for each i below n, in a thread of its own.
template <class F>
void each(int64_t n, const F& f) {
  launch((n + 63) / 64, 1, 64, [&] {
    const int64_t i = int64_t{g::block_x()} * 64 + g::thread();
    if (i < n) f(i);
  });
}

/// Element (y, x) of channel c of an image.
double plane(int64_t c, double y, double x) { return 0.5 * y - 0.25 * x + static_cast<double>(c); }

template <class T>
std::vector<T> images(int64_t count, int64_t h, int64_t w) {
  std::vector<T> x;
  for (int64_t i = 0; i < count * h * w; i++)
    x.push_back(ait::from_f32<T>(
        static_cast<float>(plane(i / (h * w), static_cast<double>(i / w % h), static_cast<double>(i % w)))));
  return x;
}

template <class T, ait::Outside kOutside>
void grid_case(Random& r, double eps, const char* what) {
  const int64_t batch = 2, channels = 5, h = 6, w = 7, points = 33;
  const auto x = images<T>(batch * channels, h, w);
  const std::vector<float> grid = r.floats(batch * points * 2, -1.3, 1.3);
  std::vector<T> y(static_cast<size_t>(batch * channels * points));
  launch((batch * points + 31) / 32, 3, 32, [&] {
    const int64_t size[] = {h, w};
    g::grid_sample<2, ait::Sampling::Linear, kOutside, true, float>(x.data(), grid.data(), y.data(), batch,
                                                                    channels, size, points, 2);
  });
  std::vector<double> want, got;
  for (const T v : y) got.push_back(ait::to_f32(v));
  for (int64_t i = 0; i < batch * channels * points; i++) {
    const int64_t n = i / points / channels, p = i % points;
    const auto at = static_cast<size_t>((n * points + p) * 2);
    const double px = (grid[at] + 1.) / 2 * static_cast<double>(w - 1);
    const double py = (grid[at + 1] + 1.) / 2 * static_cast<double>(h - 1);
    const auto weigh = [&](int64_t a, int64_t b) {
      const double u = 1 - std::fabs(py - static_cast<double>(a)),
                   v = 1 - std::fabs(px - static_cast<double>(b));
      return u > 0 && v > 0 ? u * v : 0;
    };
    const auto within = [](double v, int64_t n) {
      return std::fmin(std::fmax(v, 0), static_cast<double>(n - 1));
    };
    double sum = 0;
    if (kOutside == ait::Outside::Border) {
      sum = plane(i / points, within(py, h), within(px, w));
    } else {
      for (int64_t a = 0; a < h; a++) {
        for (int64_t b = 0; b < w; b++)
          sum += weigh(a, b) * plane(i / points, static_cast<double>(a), static_cast<double>(b));
      }
    }
    want.push_back(sum);
  }
  test::all_near(got, want, eps, eps, what);
}

template <class T>
void roi_case(double eps, const char* what) {
  constexpr int channels = 3;
  const int64_t h = 9, w = 12;
  const auto x = images<T>(channels, h, w);
  const ait::RoiShape s{1, channels, h, w, 3, 4, 1, 2, 0.5f, true, true};
  const float roi[] = {3, 4, 19, 13};
  std::vector<double> got(static_cast<size_t>(channels * 12)), want;
  each(12, [&](int64_t i) {
    float result[channels];
    g::roi_align<true, channels, float>(x.data(), roi, static_cast<int>(i / 4), static_cast<int>(i % 4), s,
                                        result);
    for (int64_t c = 0; c < channels; c++) got[static_cast<size_t>(c * 12 + i)] = result[c];
  });
  // The mean of a plane over the samples of a bin is its value in the middle.
  for (int64_t i = 0; i < channels * 12; i++) {
    const double oy = static_cast<double>(i / 4 % 3), ox = static_cast<double>(i % 4);
    want.push_back(plane(i / 12, 1.5 + (oy + 0.5) * 4.5 / 3, 1 + (ox + 0.5) * 8 / 4));
  }
  test::all_near(got, want, eps, eps, what);
  const float whole[] = {0, 0, 0, 22, 16};
  std::vector<double> most;
  for (int64_t c = 0; c < channels; c++) {
    const ait::RoiShape one{1, channels, h, w, 1, 1, 1, 0, 0.5f, false, false};
    double best = 0;
    each(1, [&](int64_t) { best = g::max_roi_pool<float>(x.data() + c * h * w, whole, 0, 0, one); });
    most.push_back(best - plane(c, static_cast<double>(h - 1), 0));
  }
  test::all_near(most, std::vector<double>(most.size()), eps, eps, what);
}

void deform_case(Random& r) {
  const ait::DeformShape s{2, 4, 6, 7, 10, 3, 2, 6, 6, 2, 2, 1, 1, 1, 1, 1, 0};
  const int64_t taps = 6, places = 36, terms = 2 * taps;
  const auto x = r.floats(2 * 4 * 42), w = r.floats(10 * terms), bias = r.floats(10);
  const auto offset = r.floats(2 * 2 * taps * 2 * places, -2, 2), mask = r.floats(2 * 2 * taps * places);
  std::vector<float> columns(static_cast<size_t>(2 * 4 * taps * places)),
      y(static_cast<size_t>(2 * 10 * places));
  each(2 * 4 * taps * places, [&](int64_t i) {
    g::deform_columns<float>(i, x.data(), offset.data(), mask.data(), columns.data(), s);
  });
  each(2 * 2 * places, [&](int64_t i) {
    g::deform_products<8>(i / places / 2, i / places % 2, 0, i % places,
                          static_cast<const float*>(columns.data()), w.data(), bias.data(), y.data(), s);
  });
  std::vector<double> want;
  for (int64_t i = 0; i < 2 * 10 * places; i++) {
    const int64_t n = i / places / 10, o = i / places % 10, p = i % places;
    double sum = bias[static_cast<size_t>(o)];
    for (int64_t t = 0; t < terms; t++) {
      const int64_t c = o / 5 * 2 + t / taps, k = t % taps;
      const int64_t at = (n * 2 + c / 2) * taps + k;
      const double py =
          static_cast<double>(p / 6 - 1 + k / 2) + offset[static_cast<size_t>(2 * at * places + p)];
      const double px =
          static_cast<double>(p % 6 + k % 2) + offset[static_cast<size_t>((2 * at + 1) * places + p)];
      double value = 0;
      for (int64_t e = 0; e < 42; e++) {
        const double u = 1 - std::fabs(py - static_cast<double>(e / 7)),
                     v = 1 - std::fabs(px - static_cast<double>(e % 7));
        if (u > 0 && v > 0) value += u * v * x[static_cast<size_t>((n * 4 + c) * 42 + e)];
      }
      sum += value * mask[static_cast<size_t>(at * places + p)] * w[static_cast<size_t>(o * terms + t)];
    }
    want.push_back(sum);
  }
  test::all_near(y, want, 1e-5, 1e-5, "a deformable convolution");
}

void blocks_case(Random& r) {
  const ait::BlockAxis axes[] = {{7, 3, 3, 1, 1, 2}, {6, 2, 6, 2, 1, 1}};
  const int64_t count = 2 * 6 * 18;
  const auto x = r.floats(count);
  std::vector<float> y(2 * 42);
  each(84, [&](int64_t i) { g::col2im<float>(i, x.data(), y.data(), axes); });
  std::vector<double> want(84);
  for (int64_t i = 0; i < count; i++) {
    const int64_t b = i / 18 % 6, c = i % 18;
    const int64_t row = c / 6 * 2 - 1 + b / 2, column = c % 6 - 1 + b % 2 * 2;
    if (row >= 0 && row < 7 && column >= 0 && column < 6)
      want[static_cast<size_t>(i / 108 * 42 + row * 6 + column)] += x[static_cast<size_t>(i)];
  }
  test::all_near(y, want, 1e-6, 1e-6, "blocks of columns");
}

}  // namespace

int main() {
  Random r;
  grid_case<float, ait::Outside::Zeros>(r, 1e-5, "a grid over zeros");
  grid_case<float, ait::Outside::Border>(r, 1e-5, "a grid over a border");
  grid_case<f16, ait::Outside::Border>(r, 0x1p-9, "a grid in f16");
  grid_case<bf16, ait::Outside::Zeros>(r, 0x1p-6, "a grid in bf16");
  roi_case<float>(1e-5, "regions");
  roi_case<f16>(0x1p-9, "regions in f16");
  deform_case(r);
  blocks_case(r);
  return test::summary();
}
