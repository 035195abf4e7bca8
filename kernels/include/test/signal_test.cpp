#include "../ait/signal.h"

#include "../ait/algebra.h"
#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;

static const long double pi = 3.14159265358979323846264338327950288L;

/// The transform by its definition.
static std::vector<double> defined(const std::vector<double>& x, int64_t n, long double sign) {
  std::vector<double> y(static_cast<size_t>(2 * n));
  for (int64_t k = 0; k < n; k++) {
    long double re = 0, im = 0;
    for (int64_t t = 0; t < n; t++) {
      const long double angle =
          sign * 2 * pi * static_cast<long double>(k * t % n) / static_cast<long double>(n);
      const long double a = x[static_cast<size_t>(2 * t)], b = x[static_cast<size_t>(2 * t + 1)];
      re += a * cosl(angle) - b * sinl(angle);
      im += a * sinl(angle) + b * cosl(angle);
    }
    y[static_cast<size_t>(2 * k)] = static_cast<double>(re);
    y[static_cast<size_t>(2 * k + 1)] = static_cast<double>(im);
  }
  return y;
}

static void transforms(Context& ctx) {
  for (const int64_t n : {1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 30, 31, 37, 64, 74, 97, 100, 256, 400, 480}) {
    std::vector<double> x(static_cast<size_t>(2 * n)), y(x), back(x);
    for (auto& v : x) v = rng.uniform() - 0.5;
    const DftShape shape = {1, n, 1, 2, n, n, 2};
    dft(ctx, y.data(), x.data(), shape, false);
    const double error = 1e-15 * static_cast<double>(n);
    test::all_near(y, defined(x, n, -1), 0, error, "dft");
    dft(ctx, back.data(), y.data(), shape, true);
    test::all_near(back, x, 0, error, "inverse dft");

    // Half the spectrum of a real signal is enough to get it back.
    std::vector<double> real(static_cast<size_t>(n)), again(real);
    std::vector<double> half(static_cast<size_t>(2 * (n / 2 + 1)));
    for (auto& v : real) v = rng.uniform() - 0.5;
    dft(ctx, half.data(), real.data(), DftShape{1, n, 1, 1, n, n / 2 + 1, 2}, false);
    dft(ctx, again.data(), half.data(), DftShape{1, n / 2 + 1, 1, 2, n, n, 1}, true);
    test::all_near(again, real, 0, error, "one-sided");
  }
}

static void frames(Context& ctx) {
  const int64_t n = 16, step = 5, count = 4;
  const auto x = rng.floats(40), window = rng.floats(n);
  std::vector<float> y(static_cast<size_t>(count * (n / 2 + 1) * 2));
  stft(ctx, y.data(), x.data(), window.data(), StftShape{1, 40, 1, step, count, n, n, n / 2 + 1});
  for (int64_t f = 0; f < count; f++) {
    std::vector<double> frame(static_cast<size_t>(2 * n));
    for (int64_t i = 0; i < n; i++)
      frame[static_cast<size_t>(2 * i)] =
          double(x[static_cast<size_t>(f * step + i)]) * window[static_cast<size_t>(i)];
    auto want = defined(frame, n, -1);
    want.resize(static_cast<size_t>(n + 2));
    const std::vector<float> got(y.begin() + f * (n + 2), y.begin() + (f + 1) * (n + 2));
    test::all_near(got, want, 1e-6, 1e-6, "stft");
  }
}

/// By expansion along the first row.
static double expanded(const std::vector<double>& a, size_t n) {
  if (n == 0) return 1;
  double sum = 0;
  for (size_t c = 0; c < n; c++) {
    std::vector<double> minor;
    for (size_t r = 1; r < n; r++)
      for (size_t k = 0; k < n; k++)
        if (k != c) minor.push_back(a[r * n + k]);
    sum += (c % 2 ? -1 : 1) * a[c] * expanded(minor, n - 1);
  }
  return sum;
}

static void determinants(Context& ctx) {
  for (const int64_t n : {1, 2, 3, 5, 7}) {
    std::vector<double> a(static_cast<size_t>(n * n));
    for (auto& v : a) v = static_cast<double>(rng.below(7) - 3);
    double got = 0;
    det(ctx, &got, a.data(), 1, n);
    test::check(test::near(got, expanded(a, static_cast<size_t>(n)), 1e-12, 1e-9), "det", n);
  }
}

int main() {
  for (const int threads : {1, 3}) {
    Context ctx;
    ctx.threads = threads;
    transforms(ctx);
    frames(ctx);
    determinants(ctx);
    ctx.release_scratch();
  }
  return test::summary();
}
