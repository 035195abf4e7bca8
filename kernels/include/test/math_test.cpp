#include "../ait/math.h"

#include <cstdlib>

#include "check.h"

using namespace ait;

/// |got - want| in units of the last place of a float at want.
static double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  const float rounded = static_cast<float>(want);
  if (std::isinf(rounded) || std::isinf(got))
    return rounded == got ? 0 : std::fabs(want) > 3.4028235e38 * (1 - 1e-6) ? 1 : 1e9;
  int e;
  std::frexp(want, &e);
  const double unit = std::ldexp(1.0, (e - 24 < -149 ? -149 : e - 24));
  return std::fabs(got - want) / unit;
}

static uint32_t same_bits_failures = 0;
static uint64_t step = 12289;

/// f on every `step`-th float and on dense ranges around zero, vectors against scalars and against libm.
template <class F, class G>
static void unary(const char* name, F f, G exact, double bound, double lo = -1e39, double hi = 1e39) {
  double worst = 0;
  float where = 0;
  float lanes[kF32];
  int filled = 0;
  const auto flush = [&] {
    const f32v r = f(load<f32v>(lanes));
    for (int i = 0; i < filled; i++) {
      const float alone = f(lanes[i]);
      if (bit_cast<uint32_t>(alone) != bit_cast<uint32_t>(float(r[i])) && !std::isnan(alone)) {
        if (same_bits_failures++ < 5)
          std::printf("  %s(%a): lane %a, alone %a\n", name, lanes[i], float(r[i]), alone);
      }
      const double e = ulps(r[i], exact(static_cast<double>(lanes[i])));
      if (e > worst) worst = e, where = lanes[i];
    }
    filled = 0;
  };
  const auto add = [&](float x) {
    if (!(x < lo || x > hi)) lanes[filled++] = x;
    if (filled == kF32) flush();
  };
  for (uint64_t b = 0; b < 1ull << 32; b += step) add(bit_cast<float>(static_cast<uint32_t>(b)));
  test::Random random;
  for (double range : {0.1, 1.0, 4.0, 20.0, 110.0}) {
    for (int i = 0; i < 40000; i++) add(random.between(-range, range));
  }
  for (float x : {0.f, -0.f, 1.f, -1.f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 1.17549435e-38f,
                  3.4028235e38f, 0.5f, 2.f})
    add(x);
  for (float x : {0.625f, 0.92f, 3.95f, 88.7f, 88.73f, -103.9f, -104.f, 0.01f, 1e-7f}) add(x), add(-x);
  while (filled != 0) add(lo > 0 ? 1.5f : 0.25f);
  std::printf("%-10s %6.3f ULP at %.9g (bound %g)\n", name, worst, where, bound);
  test::check(worst <= bound, name);
}

template <class F, class G>
static void close(const char* name, F f, G exact, double relative, double absolute) {
  test::Random random;
  double worst = 0;
  bool ok = true;
  for (int i = 0; i < 200000; i++) {
    const float x = random.between(-12, 12);
    const double want = exact(x), got = f(x);
    ok &= test::near(got, want, relative, absolute * std::fabs(x));
    worst = std::fmax(worst, std::fabs(got - want) / std::fmax(1, std::fabs(double(x))));
    if (i % 97 == 0) ok &= bit_cast<uint32_t>(float(f(detail::k<f32v>(x))[1])) == bit_cast<uint32_t>(f(x));
  }
  std::printf("%-10s %.2e of max(1, |x|)\n", name, worst);
  test::check(ok, name);
}

#define BOTH(name) [](auto x) { return name(x); }

/// With an argument, every so many floats are tried: `math_test 1` is exhaustive.
int main(int count, char** arguments) {
  if (count > 1) step = std::strtoull(arguments[1], nullptr, 10);
  unary("exp", BOTH(exp_), [](double x) { return std::exp(x); }, 1.1);
  unary("expm1", BOTH(expm1_), [](double x) { return std::expm1(x); }, 2);
  unary("log", BOTH(log_), [](double x) { return std::log(x); }, 1);
  unary("log1p", BOTH(log1p_), [](double x) { return std::log1p(x); }, 2);
  unary("tanh", BOTH(tanh_), [](double x) { return std::tanh(x); }, 2);
  unary("sigmoid", BOTH(sigmoid_), [](double x) { return detail::sigmoid_f64(x); }, 3);
  unary("erf", BOTH(erf_), [](double x) { return std::erf(x); }, 2);
  unary("exp2", BOTH(exp2_), [](double x) { return std::exp2(x); }, 1);
  unary("log2", BOTH(log2_), [](double x) { return std::log2(x); }, 1);
  unary("log10", BOTH(log10_), [](double x) { return std::log10(x); }, 1);
  unary("sin", BOTH(sin_), [](double x) { return std::sin(x); }, 1);
  unary("cos", BOTH(cos_), [](double x) { return std::cos(x); }, 1);
  unary("tan", BOTH(tan_), [](double x) { return std::tan(x); }, 1);
  unary("asin", BOTH(asin_), [](double x) { return std::asin(x); }, 1);
  unary("acos", BOTH(acos_), [](double x) { return std::acos(x); }, 1);
  unary("atan", BOTH(atan_), [](double x) { return std::atan(x); }, 1);
  unary("sinh", BOTH(sinh_), [](double x) { return std::sinh(x); }, 1);
  unary("cosh", BOTH(cosh_), [](double x) { return std::cosh(x); }, 1);
  unary("asinh", BOTH(asinh_), [](double x) { return std::asinh(x); }, 1);
  unary("acosh", BOTH(acosh_), [](double x) { return std::acosh(x); }, 1);
  unary("atanh", BOTH(atanh_), [](double x) { return std::atanh(x); }, 1);
  unary("sqrt", BOTH(sqrt_), [](double x) { return std::sqrt(x); }, 0.5000001);
  unary("rsqrt", BOTH(rsqrt_), [](double x) { return 1 / std::sqrt(x); }, 1.5);
  unary("recip", BOTH(recip_), [](double x) { return 1 / x; }, 0.5000001);
  unary("round", BOTH(round_), [](double x) { return std::rint(x); }, 0);
  unary("floor", BOTH(floor_), [](double x) { return std::floor(x); }, 0);
  unary("ceil", BOTH(ceil_), [](double x) { return std::ceil(x); }, 0);
  unary("trunc", BOTH(trunc_), [](double x) { return std::trunc(x); }, 0);
  unary("abs", BOTH(abs_), [](double x) { return std::fabs(x); }, 0);
  unary(
      "softplus", BOTH(softplus_),
      [](double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); }, 3);
  unary("silu", BOTH(silu_), [](double x) { return x * detail::sigmoid_f64(x); }, 4, -87, 1e39);
  unary(
      "mish", BOTH(mish_), [](double x) { return x > 700 ? x : x * std::tanh(std::log1p(std::exp(x))); }, 5,
      -85, 1e39);
  close("gelu", BOTH(gelu_), [](double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752); }, 0, 2e-7);
  close(
      "gelu_tanh", BOTH(gelu_tanh_),
      [](double x) { return x * detail::sigmoid_f64(1.5957691216057308 * x * (1 + 0.044715 * x * x)); }, 2e-5,
      1e-9);

  {  // pow: random pairs over the whole range, and C's special cases
    test::Random random;
    double worst = 0;
    bool same = true;
    const float special[] = {0.f,   -0.f,     1.f,       -1.f, 2.f,   -2.f,   3.f,    -3.f,       0.5f,
                             -0.5f, INFINITY, -INFINITY, NAN,  1e30f, -1e30f, 1e-40f, 16777217.f, 2.5f};
    const auto one = [&](float x, float y) {
      const float got = pow_(detail::k<f32v>(x), detail::k<f32v>(y))[kF32 - 1];
      const double want = std::pow(double(x), double(y));
      const double e = ulps(got, want);
      if (e > worst) worst = e;
      same &= bit_cast<uint32_t>(got) == bit_cast<uint32_t>(pow_(x, y)) || std::isnan(got);
      if (want == 0) test::check(std::signbit(got) == std::signbit(want), "sign of pow");
    };
    for (float x : special)
      for (float y : special) one(x, y);
    for (int i = 0; i < 200000; i++) one(std::exp(random.between(-20, 20)), random.between(-5, 5));
    for (int i = 0; i < 20000; i++) one(random.between(-30, 30), static_cast<float>(random.below(41) - 20));
    std::printf("%-10s %6.3f ULP\n", "pow", worst);
    test::check(worst <= 1 && same, "pow");
  }
  {
    const f32v nan = detail::k<f32v>(NAN), one = detail::k<f32v>(1.f);
    test::check(std::isnan(max_(nan, one)[0]) && std::isnan(max_(one, nan)[0]) &&
                    std::isnan(min_(one, nan)[0]) && std::isnan(min_(nan, one)[0]),
                "NaN propagates");
    test::check(std::isnan(max_(NAN, 1.f)) && max_(3, 5) == 5 && min_(2., 1.) == 1, "scalar max");
    test::check(std::signbit(sin_(-0.f)) && std::signbit(tanh_(-0.f)) && std::signbit(erf_(-0.f)) &&
                    std::signbit(expm1_(-0.f)) && std::signbit(log1p_(-0.f)),
                "the sign of zero");
    test::check(sign_(-3.f) == -1 && sign_(5) == 1 && std::isnan(sign_(NAN)), "sign");
    test::check(exp_(1.0) == std::exp(1.0) && tanh_(0.3) == std::tanh(0.3) &&
                    std::fabs(gelu_(1.0) - 0.8413447460685429) < 1e-15,
                "double goes to libm");
    test::check(round_(2.5f) == 2 && round_(-3.5f) == -4 && round_(0.5) == 0, "ties to even");
    test::check(mod_(-7.f, 3.f) == 2 && fmod_(-7.f, 3.f) == -1 && fmod_(one * 7.f, one * 4.f)[0] == 3, "mod");
    test::check(mish_(-INFINITY) != mish_(-INFINITY) && mish_(-100.f) <= 0 && mish_(INFINITY) == INFINITY,
                "mish at the ends");
    test::check(atan2_(1.f, -1.f) == 2.35619449f, "atan2");
    const Vec<float, 4> four = exp_(Vec<float, 4>{0, 1, 2, 3});
    test::check(four[1] == exp_(1.f) && four[3] == exp_(3.f), "other widths");
  }
  test::check(same_bits_failures == 0, "a lane and a scalar agree to the bit", same_bits_failures);
  return test::summary();
}
