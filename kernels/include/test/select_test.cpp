#include "../ait/select.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "../ait/pool.h"
#include "../ait/scan.h"
#include "../ait/topk.h"
#include "check.h"

using namespace ait;

static test::Random rng;
using Ints = std::vector<int64_t>;

static int64_t product(const Ints& s) { return product(s.data(), static_cast<int>(s.size())); }
static Ints strides(const Ints& s) {
  Ints out(s.size(), 1);
  for (size_t a = s.size(); a-- > 1;) out[a - 1] = out[a] * s[a];
  return out;
}
/// Whether the kernel ran, its error taken away.
static bool ran(Context& ctx) {
  const bool ok = ctx.error == nullptr;
  ctx.error = nullptr;
  return ok;
}
static Ints coordinates(int64_t i, const Ints& s) {
  Ints c(s.size());
  for (size_t a = s.size(); a-- > 0; i /= s[a]) c[a] = i % s[a];
  return c;
}
static size_t offset(const Ints& c, const Ints& s) {
  int64_t o = 0;
  for (size_t a = 0; a < s.size(); a++) o = o * s[a] + c[a];
  return static_cast<size_t>(o);
}
static Ints indices(int64_t n, int64_t limit) {
  Ints v(static_cast<size_t>(n));
  for (auto& i : v) i = rng.below(2 * limit) - limit;
  return v;
}
static int64_t wrapped(int64_t i, int64_t n) { return i < 0 ? i + n : i; }

static void gathers(Context& ctx) {
  for (const auto& [outer, axis, block, count] :
       {std::array<int64_t, 4>{1, 10, 1, 7}, {3, 5, 4, 9}, {2, 300, 64, 1000}, {4, 3, 1, 0}}) {
    const auto x = rng.floats(outer * axis * block);
    const auto at = indices(count, axis);
    std::vector<float> y(static_cast<size_t>(outer * count * block)), want;
    for (int64_t o = 0; o < outer; o++)
      for (int64_t i : at)
        for (int64_t b = 0; b < block; b++)
          want.push_back(x[static_cast<size_t>((o * axis + wrapped(i, axis)) * block + b)]);
    gather(ctx, y.data(), x.data(), at.data(), outer, axis, count, block);
    test::check(ran(ctx) && y == want, "gather");
  }
  const float x[] = {1, 2, 3};
  float y[2] = {7, 7};
  const int32_t high[] = {0, 3}, low[] = {-4, 0}, fine[] = {-3, 2};
  for (const auto* bad : {high, low}) {
    gather(ctx, y, x, bad, 1, 3, 2, 1);
    test::check(!ran(ctx) && y[0] == 7 && y[1] == 7, "gather out of range writes nothing");
  }
  gather(ctx, y, x, fine, 1, 3, 2, 1);
  test::check(ran(ctx) && y[0] == 1 && y[1] == 3, "gather from the end");

  for (const auto& [xs, is, axis] : {std::tuple<Ints, Ints, int>{{5}, {9}, 0},
                                     {{3, 4}, {2, 9}, 1},
                                     {{7, 4}, {20, 3}, 0},
                                     {{3, 5, 6}, {3, 4, 6}, 1},
                                     {{2, 3, 4, 50}, {2, 3, 4, 77}, 3}}) {
    const auto data = rng.floats(product(xs));
    const auto at = indices(product(is), xs[static_cast<size_t>(axis)]);
    std::vector<float> got(at.size()), want(at.size());
    for (size_t i = 0; i < at.size(); i++) {
      auto c = coordinates(static_cast<int64_t>(i), is);
      c[static_cast<size_t>(axis)] = wrapped(at[i], xs[static_cast<size_t>(axis)]);
      want[i] = data[offset(c, xs)];
    }
    const auto rank = static_cast<int>(xs.size());
    const Ints steps = strides(xs);
    const int64_t n = xs[static_cast<size_t>(axis)];
    gather_elements(ctx, got.data(), data.data(), at.data(), rank, is.data(), steps.data(), axis, n);
    test::check(ran(ctx) && got == want, "gather elements");

    // Scatter into y of shape xs along the axis.
    Ints us = is;
    us[static_cast<size_t>(axis)] = std::min(is[static_cast<size_t>(axis)], xs[static_cast<size_t>(axis)]);
    const auto to = indices(product(us), xs[static_cast<size_t>(axis)]);
    const auto updates = rng.floats(product(us));
    const auto scatter = [&](auto combine, auto reference, const char* name) {
      std::vector<float> out(data.size()), expected = data;
      for (size_t i = 0; i < to.size(); i++) {
        auto c = coordinates(static_cast<int64_t>(i), us);
        c[static_cast<size_t>(axis)] = wrapped(to[i], n);
        float& e = expected[offset(c, xs)];
        e = reference(e, updates[i]);
      }
      scatter_elements<decltype(combine)>(ctx, out.data(), data.data(), to.data(), updates.data(),
                                          product(xs), rank, us.data(), steps.data(), axis, n);
      test::check(ran(ctx) && out == expected, name);
      auto over = data;
      scatter_elements<decltype(combine)>(ctx, over.data(), over.data(), to.data(), updates.data(),
                                          product(xs), rank, us.data(), steps.data(), axis, n);
      test::check(ran(ctx) && over == expected, "scatter in place");
    };
    scatter(Replace{}, [](float, float u) { return u; }, "scatter elements");
    scatter(Combine<AddOf>{}, [](float e, float u) { return e + u; }, "scatter elements, adding");
    scatter(Combine<MulOf>{}, [](float e, float u) { return e * u; }, "scatter elements, multiplying");
    scatter(Combine<MaxOf>{}, [](float e, float u) { return std::max(e, u); }, "scatter elements, largest");
    scatter(Combine<MinOf>{}, [](float e, float u) { return std::min(e, u); }, "scatter elements, smallest");
  }
  {  // gather_nd and scatter_nd: [2 batches][3][4][5 block]
    const auto data = rng.floats(2 * 3 * 4 * 5);
    const int64_t dims[] = {3, 4}, steps[] = {20, 5};
    Ints at;
    for (int i = 0; i < 2 * 6; i++) at.push_back(rng.below(6) - 3), at.push_back(rng.below(8) - 4);
    std::vector<float> y(2 * 6 * 5), want;
    for (int64_t u = 0; u < 12; u++) {
      for (int64_t b = 0; b < 5; b++)
        want.push_back(data[static_cast<size_t>((u / 6 * 12 + wrapped(at[static_cast<size_t>(2 * u)], 3) * 4 +
                                                 wrapped(at[static_cast<size_t>(2 * u + 1)], 4)) *
                                                    5 +
                                                b)]);
    }
    const Places<int64_t> places{at.data(), 2, dims, steps};
    gather_nd(ctx, y.data(), data.data(), places, 2, 60, 6, 5);
    test::check(ran(ctx) && y == want, "gather nd");
    auto out = std::vector<float>(data.begin(), data.begin() + 60), expected = out;
    for (int64_t u = 0; u < 6; u++)
      for (int64_t b = 0; b < 5; b++)
        expected[static_cast<size_t>((wrapped(at[static_cast<size_t>(2 * u)], 3) * 4 +
                                      wrapped(at[static_cast<size_t>(2 * u + 1)], 4)) *
                                         5 +
                                     b)] += y[static_cast<size_t>(u * 5 + b)];
    scatter_nd<Combine<AddOf>>(ctx, out.data(), out.data(), places, y.data(), 60, 6, 5);
    test::check(ran(ctx) && out == expected, "scatter nd, adding");
    for (const Ints& bad : {Ints{0, 4}, Ints{-4, 0}}) {
      const Places<int64_t> outside{bad.data(), 2, dims, steps};
      gather_nd(ctx, y.data(), data.data(), outside, 1, 60, 1, 5);
      test::check(!ran(ctx), "gather nd out of range");
      scatter_nd<Replace>(ctx, out.data(), out.data(), outside, y.data(), 60, 1, 5);
      test::check(!ran(ctx) && out == expected, "scatter nd out of range writes nothing");
    }
    half h[] = {from_f32<half>(1), from_f32<half>(2)};
    const half u[] = {from_f32<half>(0.5f)};
    const int64_t one = 1, two = 2;
    scatter_nd<Combine<AddOf>>(ctx, h, h, Places<int64_t>{&one, 1, &two, &one}, u, 2, 1, 1);
    test::check(ran(ctx) && to_f32(h[1]) == 2.5f && to_f32(h[0]) == 1, "scatter half");
  }
}

static void selections(Context& ctx) {
  const Ints at = {1, -1, 5, 0};
  std::vector<int8_t> y(12), want;
  one_hot<int8_t>(ctx, y.data(), at.data(), 4, 3, 1, 2, 3);
  want = {2, 3, 2, 2, 2, 3, 2, 2, 2, 3, 2, 2};
  test::check(y == want, "one-hot, last axis");
  one_hot<int8_t>(ctx, y.data(), at.data(), 1, 3, 4, 0, 1);
  test::check(y == std::vector<int8_t>{0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0}, "one-hot, first axis");

  const Ints shape = {3, 4, 5};
  auto x = rng.floats(60);
  for (auto& v : x) v = v < 0 ? 0 : v;
  const int64_t n = count_nonzero(x.data(), 60);
  Ints got(static_cast<size_t>(3 * n)), expected(got.size());
  int64_t found = 0;
  for (int64_t i = 0; i < 60; i++) {
    if (x[static_cast<size_t>(i)] == 0) continue;
    const auto c = coordinates(i, shape);
    for (size_t a = 0; a < 3; a++) expected[a * static_cast<size_t>(n) + static_cast<size_t>(found)] = c[a];
    found++;
  }
  nonzero(got.data(), x.data(), 3, shape.data(), n);
  test::check(found == n && got == expected, "nonzero");

  const bool condition[] = {false, true, true, false};
  float kept[30];
  compress(ctx, kept, x.data(), condition, 3, 4, 5, 4, 2);
  test::check(kept[0] == x[5] && kept[9] == x[14] && kept[10] == x[25] && kept[29] == x[54], "compress");
  compress(ctx, kept, x.data(), condition, 3, 4, 5, 2, 1);
  test::check(kept[0] == x[5] && kept[5] == x[25] && kept[14] == x[49], "compress with a short condition");

  const int64_t lengths[] = {4, 2, 1}, falling[] = {3, 2, 1, 0}, bad[] = {5, 1, 1};
  const int64_t batch_first[] = {1, 3, 1, 4, 5}, time_first[] = {1, 3, 1, 4, 5};
  float z[60];
  const auto reversed = [&](const int64_t* n, bool first) {
    for (int64_t t = 0; t < (first ? 3 : 4); t++) {
      for (int64_t b = 0; b < (first ? 4 : 3); b++) {
        const int64_t from = t < n[b] ? n[b] - 1 - t : t;
        const auto at = [&](int64_t step) { return (first ? step * 4 + b : b * 4 + step) * 5; };
        for (int64_t i = 0; i < 5; i++) {
          if (z[at(t) + i] != x[static_cast<size_t>(at(from) + i)]) return false;
        }
      }
    }
    return true;
  };
  reverse_sequence(ctx, z, x.data(), lengths, batch_first, false);
  test::check(ran(ctx) && reversed(lengths, false), "reverse, time last");
  reverse_sequence(ctx, z, x.data(), falling, time_first, true);
  test::check(ran(ctx) && reversed(falling, true), "reverse, time first");
  reverse_sequence(ctx, z, x.data(), bad, batch_first, false);
  test::check(!ran(ctx) && reversed(falling, true), "reverse out of range writes nothing");
}

static void uniques(Context& ctx) {
  for (const auto& [outer, axis, inner] :
       {std::array<int64_t, 3>{1, 200, 1}, {2, 50, 2}, {1, 1, 1}, {1, 5000, 1}, {3, 40, 1}}) {
    std::vector<float> x(static_cast<size_t>(outer * axis * inner));
    for (auto& v : x) v = static_cast<float>(rng.below(outer * inner > 1 ? 2 : 60));
    const auto slice = [&](int64_t a) {
      std::vector<float> s;
      for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) s.push_back(x[static_cast<size_t>((o * axis + a) * inner + i)]);
      return s;
    };
    for (bool sorted : {true, false}) {
      std::map<std::vector<float>, std::pair<int64_t, int64_t>> seen;
      for (int64_t a = 0; a < axis; a++) {
        auto it = seen.try_emplace(slice(a), a, 0).first;
        it->second.second++;
      }
      std::vector<std::pair<int64_t, int64_t>> want;
      for (auto& s : seen) want.push_back(s.second);
      if (!sorted) std::sort(want.begin(), want.end());
      Ints first(static_cast<size_t>(axis)), inverse(first), counts(first);
      std::vector<float> rows(x.size());
      int64_t n = -1;
      unique(ctx, &n, rows.data(), first.data(), inverse.data(), counts.data(), x.data(), outer, axis, inner,
             sorted);
      bool ok = n == static_cast<int64_t>(want.size());
      for (size_t i = 0; ok && i < want.size(); i++) {
        ok = first[i] == want[i].first && counts[i] == want[i].second;
        const auto row = slice(first[i]);
        for (int64_t o = 0; o < outer; o++) {
          for (int64_t e = 0; e < inner; e++)
            ok &= rows[static_cast<size_t>((o * axis + static_cast<int64_t>(i)) * inner + e)] ==
                  row[static_cast<size_t>(o * inner + e)];
        }
      }
      for (int64_t a = 0; ok && a < axis; a++)
        ok = slice(first[static_cast<size_t>(inverse[static_cast<size_t>(a)])]) == slice(a);
      test::check(ok, "unique", axis);
    }
  }
}

template <class E, bool Largest>
static void top(Context& ctx) {
  for (const auto& [outer, axis, inner, k] : {std::array<int64_t, 4>{1, 10, 1, 3},
                                              {3, 100, 1, 100},
                                              {2, 50, 7, 5},
                                              {1, 5000, 1, 10},
                                              {4, 1, 3, 1},
                                              {1, 5, 2, 0}}) {
    std::vector<E> x(static_cast<size_t>(outer * axis * inner));
    for (auto& v : x) v = static_cast<E>(rng.below(40) - 20);
    std::vector<E> values(static_cast<size_t>(outer * k * inner));
    Ints at(values.size());
    top_k<E, Largest>(ctx, outer, axis, inner, k, x.data(), values.data(), at.data());
    bool ok = true;
    for (int64_t o = 0; o < outer; o++) {
      for (int64_t i = 0; i < inner; i++) {
        Ints order(static_cast<size_t>(axis));
        for (int64_t a = 0; a < axis; a++) order[static_cast<size_t>(a)] = a;
        const auto v = [&](int64_t a) { return x[static_cast<size_t>((o * axis + a) * inner + i)]; };
        std::stable_sort(order.begin(), order.end(),
                         [&](int64_t a, int64_t b) { return Largest ? v(a) > v(b) : v(a) < v(b); });
        for (int64_t j = 0; j < k; j++) {
          const auto p = static_cast<size_t>((o * k + j) * inner + i);
          ok &= at[p] == order[static_cast<size_t>(j)] && values[p] == v(at[p]);
        }
      }
    }
    test::check(ok, "top k", axis);
  }
}

template <class Op, class E>
static void scans(Context& ctx) {
  for (const auto& [outer, axis, inner] :
       {std::array<int64_t, 3>{1, 10, 1}, {3, 7, 20}, {2, 100, 1}, {1, 5, 3}}) {
    for (int mode = 0; mode < 4; mode++) {
      const bool exclusive = mode & 1, reverse = mode & 2;
      std::vector<E> x(static_cast<size_t>(outer * axis * inner)), y(x.size());
      std::vector<double> want(x.size());
      for (auto& v : x) v = static_cast<E>(rng.below(3) + 1);
      const bool sum = __is_same(Op, SumOp);
      if (!sum)
        for (auto& v : x) v = static_cast<E>(rng.below(2) * 2 - 1);
      for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < inner; i++) {
          double t = sum ? 0 : 1;
          for (int64_t a = 0; a < axis; a++) {
            const auto at = static_cast<size_t>((o * axis + (reverse ? axis - 1 - a : a)) * inner + i);
            const double next = sum ? t + static_cast<double>(x[at]) : t * static_cast<double>(x[at]);
            want[at] = exclusive ? t : next;
            t = next;
          }
        }
      }
      scan<Op, E>(ctx, outer, axis, inner, exclusive, reverse, read(x.data()), write(y.data()));
      test::all_near(y, want, 0, 0, "scan");
    }
  }
}

int main() {
  Context ctx;
  ctx.threads = 2;
  gathers(ctx);
  selections(ctx);
  uniques(ctx);
  top<float, true>(ctx);
  top<float, false>(ctx);
  top<int32_t, true>(ctx);
  top<int8_t, false>(ctx);
  scans<SumOp, float>(ctx);
  scans<SumOp, int32_t>(ctx);
  scans<SumOp, double>(ctx);
  scans<ProdOp, float>(ctx);
  scans<SumOp, int64_t>(ctx);
  {
    const float x[] = {1, NAN, 3, 2};
    float v[2];
    int64_t i[2];
    top_k<float, true>(ctx, 1, 4, 1, 2, x, v, i);
    test::check(i[0] == 1 && i[1] == 2, "NaN is the largest");
    top_k<float, false>(ctx, 1, 4, 1, 2, x, v, i);
    test::check(i[0] == 0 && i[1] == 3, "NaN is not the smallest");
  }
  ctx.release_scratch();
  return test::summary();
}
