#include "../ait/reduce.h"

#include <algorithm>

#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;

struct Shape {
  int64_t outer, axis, inner;
};
static const Shape shapes[] = {{1, 1, 1},    {3, 7, 1},      {2, 64, 1},     {5, 129, 1},
                               {1, 5000, 1}, {1, 200001, 1}, {2, 3, 5},      {3, 17, 16},
                               {2, 100, 33}, {1, 70000, 3},  {1, 3000, 100}, {40, 9, 2},
                               {1, 2, 300},  {2, 0, 3},      {3, 0, 1},      {1, 131, 64}};

/// Op on type E against a fold in double (or in E for integers).
template <class Op, class E, class Fold>
static void reduction(const char* name, Fold fold_all, double tolerance, double lo, double hi) {
  for (const Shape& s : shapes) {
    std::vector<E> x(static_cast<size_t>(s.outer * s.axis * s.inner));
    for (E& v : x) v = static_cast<E>(rng.between(lo, hi));
    std::vector<E> got(static_cast<size_t>(s.outer * s.inner)), again(got.size());
    std::vector<double> want(got.size());
    for (int64_t o = 0; o < s.outer; o++) {
      for (int64_t i = 0; i < s.inner; i++) {
        std::vector<double> column;
        for (int64_t a = 0; a < s.axis; a++)
          column.push_back(static_cast<double>(x[static_cast<size_t>((o * s.axis + a) * s.inner + i)]));
        want[static_cast<size_t>(o * s.inner + i)] = fold_all(column);
      }
    }
    Context ctx;
    reduce<Op, E>(ctx, s.outer, s.axis, s.inner, read(x.data()), write(got.data()));
    ctx.threads = 3;
    reduce<Op, E>(ctx, s.outer, s.axis, s.inner, read(x.data()), write(again.data()));
    if (s.axis > 0 || detail::kIsFloat<E>) test::all_near(got, want, tolerance, tolerance, name);
    test::check(std::memcmp(got.data(), again.data(), got.size() * sizeof(E)) == 0,
                "threads do not change a bit");
    ctx.release_scratch();
  }
}

template <class T>
static double sum(const T& v) {
  long double s = 0;
  for (double x : v) s += x;
  return static_cast<double>(s);
}

template <class E, bool Largest>
static void arg(bool last) {
  for (const Shape& s : shapes) {
    if (s.axis == 0) continue;
    std::vector<E> x(static_cast<size_t>(s.outer * s.axis * s.inner));
    for (E& v : x) v = static_cast<E>(rng.below(20) - 10);
    if (detail::kIsFloat<E> && s.outer == 3) x[x.size() / 2] = static_cast<E>(NAN);
    std::vector<int64_t> got(static_cast<size_t>(s.outer * s.inner)), want(got.size());
    for (int64_t o = 0; o < s.outer; o++) {
      for (int64_t i = 0; i < s.inner; i++) {
        int64_t best = 0;
        const auto at = [&](int64_t a) {
          return static_cast<double>(x[static_cast<size_t>((o * s.axis + a) * s.inner + i)]);
        };
        for (int64_t a = 1; a < s.axis; a++) {
          const double v = at(a), b = at(best);
          const bool same = v == b || (std::isnan(v) && std::isnan(b));
          const bool more = std::isnan(v) ? !std::isnan(b) : !std::isnan(b) && (Largest ? v > b : v < b);
          if (more || (last && same)) best = a;
        }
        want[static_cast<size_t>(o * s.inner + i)] = best;
      }
    }
    Context ctx;
    ctx.threads = 2;
    arg_extreme<E, Largest>(ctx, s.outer, s.axis, s.inner, last, read(x.data()), got.data());
    test::check(got == want, "arg", s.axis * 1000 + s.inner);
  }
}

int main() {
  const auto mean = [](const std::vector<double>& v) { return sum(v) / static_cast<double>(v.size()); };
  const auto squares = [](const std::vector<double>& v) {
    double s = 0;
    for (double x : v) s += x * x;
    return s;
  };
  const auto prod = [](const std::vector<double>& v) {
    double s = 1;
    for (double x : v) s *= x;
    return s;
  };
  const auto largest = [](const std::vector<double>& v) {
    double s = -INFINITY;
    for (double x : v) s = x > s ? x : s;
    return s;
  };
  const auto smallest = [](const std::vector<double>& v) {
    double s = INFINITY;
    for (double x : v) s = x < s ? x : s;
    return s;
  };
  const auto l1 = [](const std::vector<double>& v) {
    double s = 0;
    for (double x : v) s += std::fabs(x);
    return s;
  };
  reduction<SumOp, float>("sum", [](auto& v) { return sum(v); }, 2e-6, 0, 1);
  reduction<SumOp, double>("sum f64", [](auto& v) { return sum(v); }, 1e-13, 0, 1);
  reduction<SumOp, int32_t>("sum i32", [](auto& v) { return sum(v); }, 0, -100, 100);
  reduction<SumOp, int64_t>("sum i64", [](auto& v) { return sum(v); }, 0, -100, 100);
  reduction<MeanOp, float>("mean", mean, 2e-6, 0, 1);
  reduction<MeanOp, int32_t>(
      "mean i32", [&](auto& v) { return std::trunc(sum(v) / static_cast<double>(v.size())); }, 0, -100, 100);
  reduction<SumSquareOp, float>("sum of squares", squares, 2e-6, -1, 1);
  reduction<L1Op, float>("l1", l1, 2e-6, -1, 1);
  reduction<L1Op, int32_t>("l1 i32", l1, 0, -100, 100);
  reduction<L2Op, float>("l2", [&](auto& v) { return std::sqrt(squares(v)); }, 2e-6, -1, 1);
  reduction<LogSumOp, float>("log of sum", [](auto& v) { return std::log(sum(v)); }, 2e-6, 1, 2);
  reduction<ProdOp, float>("prod", prod, 1e-4, 0.999, 1.001);
  reduction<MaxOp, float>("max", largest, 0, -1, 1);
  reduction<MinOp, float>("min", smallest, 0, -1, 1);
  reduction<MaxOp, int8_t>("max i8", largest, 0, -100, 100);
  reduction<MinOp, uint8_t>("min u8", smallest, 0, 10, 100);
  reduction<MaxOp, int64_t>("max i64", largest, 0, -1000, 1000);
  test::check(detail::lowest<int8_t>() == INT8_MIN && detail::highest<int8_t>() == INT8_MAX &&
                  detail::lowest<int64_t>() == INT64_MIN && detail::highest<uint32_t>() == UINT32_MAX,
              "limits");

  for (const Shape& s : shapes) {
    if (s.axis == 0) continue;
    auto x = rng.floats(s.outer * s.axis * s.inner, -100, 100);
    std::vector<float> got(static_cast<size_t>(s.outer * s.inner));
    std::vector<double> want(got.size());
    for (int64_t o = 0; o < s.outer; o++) {
      for (int64_t i = 0; i < s.inner; i++) {
        double m = -INFINITY, t = 0;
        const auto at = [&](int64_t a) -> double {
          return x[static_cast<size_t>((o * s.axis + a) * s.inner + i)];
        };
        for (int64_t a = 0; a < s.axis; a++) m = std::fmax(m, at(a));
        for (int64_t a = 0; a < s.axis; a++) t += std::exp(at(a) - m);
        want[static_cast<size_t>(o * s.inner + i)] = m + std::log(t);
      }
    }
    Context ctx;
    ctx.threads = 2;
    reduce_log_sum_exp<float>(ctx, s.outer, s.axis, s.inner, read(x.data()), write(got.data()));
    test::all_near(got, want, 1e-6, 1e-6, "log sum exp");
  }
  for (bool last : {false, true}) {
    arg<float, true>(last);
    arg<float, false>(last);
    arg<int32_t, true>(last);
    arg<int8_t, false>(last);
    arg<double, true>(last);
  }
  {  // half in, prologue, epilogue, NaN
    std::vector<half> x(1000);
    for (size_t i = 0; i < x.size(); i++) x[i] = from_f32<half>(static_cast<float>(i % 7));
    std::vector<bf16> y(2);
    Context ctx;
    reduce<SumOp, float>(
        ctx, 2, 500, 1,
        [&](auto v, int64_t i, int n) { return load_some<decltype(v)>(x.data() + i, n) * 2.f; },
        [&](int64_t i, auto v, int n) { store_some(y.data() + i, -v, n); });
    test::check(to_f32(y[0]) == to_f32(from_f32<bf16>(-2 * 1494.f)),
                "half to bf16 with prologue and epilogue");
    std::vector<float> z(100, 1), out(4);
    z[50] = NAN;
    reduce<MaxOp, float>(ctx, 1, 100, 1, read(z.data()), write(out.data()));
    test::check(std::isnan(out[0]), "NaN in a row");
    reduce<MinOp, float>(ctx, 1, 25, 4, read(z.data()), write(out.data()));
    test::check(std::isnan(out[2]) && out[1] == 1, "NaN in a column");
    std::vector<float> many(1 << 22, 0.1f);
    reduce<SumOp, float>(ctx, 1, 1 << 22, 1, read(many.data()), write(out.data()));
    test::check(std::fabs(out[0] / (0.1f * (1 << 22)) - 1) < 1e-6, "a long sum");
    ctx.release_scratch();
  }
  return test::summary();
}
