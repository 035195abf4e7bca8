#include "../ait/norm.h"

#include "../ait/pool.h"
#include "../ait/softmax.h"
#include "check.h"

using namespace ait;

static test::Random rng;
using Doubles = std::vector<double>;

struct Shape {
  int64_t outer, axis, inner;
};

/// f on every column of [outer][axis][inner], in double.
template <class F>
static Doubles by_columns(const std::vector<float>& x, const Shape& s, F f) {
  Doubles y(x.size());
  for (int64_t o = 0; o < s.outer; o++) {
    for (int64_t i = 0; i < s.inner; i++) {
      Doubles column;
      const auto at = [&](int64_t a) { return static_cast<size_t>((o * s.axis + a) * s.inner + i); };
      for (int64_t a = 0; a < s.axis; a++) column.push_back(x[at(a)]);
      f(column);
      for (int64_t a = 0; a < s.axis; a++) y[at(a)] = column[static_cast<size_t>(a)];
    }
  }
  return y;
}

/// Runs f with one thread and with three, checks that they agree to the bit, and compares with want.
template <class F>
static void expect(F f, const Doubles& want, double relative, double absolute, const char* what) {
  std::vector<float> one(want.size(), -99.f), three(want.size());
  Context ctx;
  f(ctx, one.data());
  ctx.threads = 3;
  f(ctx, three.data());
  test::check(std::memcmp(one.data(), three.data(), one.size() * 4) == 0, "threads do not change a bit");
  test::all_near(one, want, relative, absolute, what);
  ctx.release_scratch();
}

static void softmax_tests() {
  // x - max is rounded to float at a magnitude of up to 60, which the exponential passes on.
  constexpr double difference = 60 * 0x1p-24 + 5e-7;
  for (const Shape& s : {Shape{1, 1, 1},
                         {7, 5, 1},
                         {3, 16, 1},
                         {4, 77, 1},
                         {2, 1000, 1},
                         {1, 50000, 1},
                         {3, 10, 7},
                         {2, 33, 40},
                         {1, 300, 16}}) {
    auto x = rng.floats(s.outer * s.axis * s.inner, -30, 30);
    const auto soft = by_columns(x, s, [](Doubles& c) {
      double m = -INFINITY, t = 0;
      for (double v : c) m = std::fmax(m, v);
      for (double& v : c) t += v = std::exp(v - m);
      for (double& v : c) v /= t;
    });
    Doubles log_soft = soft;
    for (double& v : log_soft) v = std::log(v);
    const auto hard = by_columns(x, s, [](Doubles& c) {
      size_t best = 0;
      for (size_t i = 0; i < c.size(); i++) best = c[i] > c[best] ? i : best;
      for (size_t i = 0; i < c.size(); i++) c[i] = i == best;
    });
    const auto in = read(x.data());
    expect([&](Context& ctx,
               float* y) { softmax<SoftmaxKind::Softmax>(ctx, s.outer, s.axis, s.inner, in, write(y)); },
           soft, difference, 1e-30, "softmax");
    expect([&](Context& ctx,
               float* y) { softmax<SoftmaxKind::LogSoftmax>(ctx, s.outer, s.axis, s.inner, in, write(y)); },
           log_soft, 4e-7, 4e-6, "log softmax");
    expect([&](Context& ctx, float* y) { hardmax(ctx, s.outer, s.axis, s.inner, in, write(y)); }, hard, 0, 0,
           "hardmax");
    Doubles halved = by_columns(x, s, [](Doubles& c) {
      double t = 0;
      for (double& v : c) t += v = std::exp(v * 0.5);
      for (double& v : c) v /= t;
    });
    expect(
        [&](Context& ctx, float* y) {
          softmax<SoftmaxKind::Softmax>(
              ctx, s.outer, s.axis, s.inner, [&](auto v, int64_t i, int n) { return in(v, i, n) * 0.5f; },
              write(y));
        },
        halved, difference, 1e-30, "scaled softmax");
  }
  Context ctx;
  const float inf = INFINITY;
  float x[20] = {-inf, 1, 2, -inf}, y[20];
  softmax<SoftmaxKind::Softmax>(ctx, 1, 4, 1, read(x), write(y));
  test::check(y[0] == 0 && test::near(y[2], 1 / (1 + std::exp(-1)), 1e-6, 0), "masked elements are zero");
  for (float& v : x) v = -inf;
  softmax<SoftmaxKind::Softmax>(ctx, 1, 20, 1, read(x), write(y));
  test::check(std::isnan(y[0]) && std::isnan(y[19]), "nothing but -inf");
  for (int i = 0; i < 20; i++) x[i] = i == 3 ? NAN : 0;
  softmax<SoftmaxKind::Softmax>(ctx, 1, 20, 1, read(x), write(y));
  test::check(std::isnan(y[0]) && std::isnan(y[19]), "NaN reaches the whole row");
}

/// In place: (c - mean) / sqrt(var + eps).
static void standardise(Doubles& c, double eps) {
  double m = 0, v = 0;
  for (double x : c) m += x;
  m /= static_cast<double>(c.size());
  for (double x : c) v += (x - m) * (x - m);
  v /= static_cast<double>(c.size());
  for (double& x : c) x = (x - m) / std::sqrt(v + eps);
}

static void norm_tests() {
  for (const Shape& s :
       {Shape{1, 1, 1}, {3, 5, 1}, {4, 16, 1}, {5, 77, 1}, {3, 768, 1}, {64, 300, 1}, {1, 10007, 1}}) {
    auto x = rng.floats(s.outer * s.axis, 3, 7), g = rng.floats(s.axis), b = rng.floats(s.axis);
    auto want = by_columns(x, s, [&](Doubles& c) {
      standardise(c, 1e-5);
      for (size_t i = 0; i < c.size(); i++) c[i] = c[i] * g[i] + b[i];
    });
    const auto in = read(x.data()), scale = read(g.data()), bias = read(b.data());
    expect([&](Context& ctx, float* y) { layer_norm(ctx, s.outer, s.axis, 1e-5, in, scale, bias, write(y)); },
           want, 1e-6, 6e-6, "layer norm");
    want = by_columns(x, s, [&](Doubles& c) { standardise(c, 1e-5); });
    expect([&](Context& ctx,
               float* y) { layer_norm(ctx, s.outer, s.axis, 1e-5, in, Nothing{}, Nothing{}, write(y)); },
           want, 1e-6, 6e-6, "plain layer norm");
    want = by_columns(x, s, [&](Doubles& c) {
      double q = 0;
      for (double v : c) q += v * v;
      for (size_t i = 0; i < c.size(); i++)
        c[i] *= g[i] / std::sqrt(q / static_cast<double>(c.size()) + 1e-6);
    });
    expect([&](Context& ctx, float* y) { rms_norm(ctx, s.outer, s.axis, 1e-6, in, scale, write(y)); }, want,
           1e-6, 1e-7, "rms norm");
  }
  {
    float x[3] = {1, 2, 6}, y[3], mean, inv_std;
    Context ctx;
    layer_norm(ctx, 1, 3, 0, read(x), Nothing{}, Nothing{}, write(y), &mean, &inv_std);
    test::check(mean == 3 && test::near(inv_std, 1 / std::sqrt(14. / 3), 1e-6, 0),
                "mean and inverse deviation");
  }
  struct Groups {
    int64_t batch, channels, space, groups;
  };
  for (const Groups& s : {Groups{1, 4, 9, 2},
                          {2, 6, 49, 6},
                          {3, 32, 100, 8},
                          {1, 64, 1000, 32},
                          {2, 3, 5000, 3},
                          {1, 20, 1, 4},
                          {1, 48, 3000, 1}}) {
    const int64_t members = s.channels / s.groups;
    auto x = rng.floats(s.batch * s.channels * s.space, -2, 5), g = rng.floats(s.channels),
         b = rng.floats(s.channels);
    auto want =
        by_columns(x, {s.batch * s.groups, members * s.space, 1}, [](Doubles& c) { standardise(c, 1e-3); });
    Doubles want_last(want.size());
    std::vector<float> last(x.size());
    for (size_t i = 0; i < want.size(); i++) {
      const int64_t p = static_cast<int64_t>(i), n = p / (s.channels * s.space), c = p / s.space % s.channels,
                    q = p % s.space;
      want[i] = want[i] * g[static_cast<size_t>(c)] + b[static_cast<size_t>(c)];
      const auto to = static_cast<size_t>((n * s.space + q) * s.channels + c);
      want_last[to] = want[i];
      last[to] = x[i];
    }
    const auto scale = read(g.data()), bias = read(b.data());
    expect(
        [&](Context& ctx, float* y) {
          group_norm(ctx, s.batch, s.channels, s.space, s.groups, 1e-3, read(x.data()), scale, bias,
                     write(y));
        },
        want, 1e-6, 3e-6, "group norm");
    expect(
        [&](Context& ctx, float* y) {
          group_norm_last(ctx, s.batch, s.space, s.channels, s.groups, 1e-3, read(last.data()), scale, bias,
                          write(y));
        },
        want_last, 1e-6, 3e-6, "group norm, channels last");
  }
  for (const Shape& s : {Shape{3, 7, 1}, {2, 130, 1}, {2, 9, 20}, {1, 40, 3}}) {
    auto x = rng.floats(s.outer * s.axis * s.inner);
    for (int64_t a = 0; a < s.axis; a++) x[static_cast<size_t>(a * s.inner)] = 0;
    const auto norm = [&](int p) {
      return by_columns(x, s, [&](Doubles& c) {
        double t = 0;
        for (double v : c) t += p == 1 ? std::fabs(v) : v * v;
        if (p == 2) t = std::sqrt(t);
        for (double& v : c) v = t == 0 ? 0 : v / t;
      });
    };
    expect([&](Context& ctx,
               float* y) { lp_normalize<1>(ctx, s.outer, s.axis, s.inner, read(x.data()), write(y)); },
           norm(1), 1e-6, 1e-9, "l1 normalise");
    expect([&](Context& ctx,
               float* y) { lp_normalize<2>(ctx, s.outer, s.axis, s.inner, read(x.data()), write(y)); },
           norm(2), 1e-6, 1e-9, "l2 normalise");
  }
  for (const Shape& s : {Shape{2, 5, 30}, {17, 12, 1}, {1, 3, 16}, {1, 64, 33}}) {
    for (float beta : {0.75f, 0.5f}) {
      for (int64_t size : {1, 2, 3, 5}) {
        auto x = rng.floats(s.outer * s.axis * s.inner, -3, 3);
        const auto want = by_columns(x, s, [&](Doubles& c) {
          const Doubles in = c;
          const auto n = static_cast<int64_t>(in.size());
          for (int64_t i = 0; i < n; i++) {
            double t = 0;
            for (int64_t j = i - (size - 1) / 2; j <= i + size / 2; j++) {
              if (j >= 0 && j < n) t += in[static_cast<size_t>(j)] * in[static_cast<size_t>(j)];
            }
            c[static_cast<size_t>(i)] /= std::pow(1.5 + 0.1 / static_cast<double>(size) * t, beta);
          }
        });
        expect(
            [&](Context& ctx, float* y) {
              local_response_norm(ctx, s.outer, s.axis, s.inner, size, 0.1f, beta, 1.5f, read(x.data()),
                                  write(y));
            },
            want, 1e-6, 1e-7, "lrn");
      }
    }
  }
}

int main() {
  softmax_tests();
  norm_tests();
  return test::summary();
}
