// The order of elements and running sums on the device, emulated, against plain loops.
#include <algorithm>
#include <numeric>

#include "../ait/gpu/scan.h"
#include "../ait/gpu/topk.h"
#include "gpu_check.h"

using ait::bf16;
using test::launch;

namespace {

test::Random rng;

template <class T>
T element(double x) {
  if constexpr (sizeof(T) == 2)
    return ait::from_f32<T>(static_cast<float>(x));
  else
    return static_cast<T>(x);
}

/// Places of the k best of a row in their order.
template <class T>
std::vector<int64_t> best(const T* x, int64_t axis, int64_t step, int64_t k, bool largest) {
  std::vector<int64_t> places(static_cast<size_t>(axis));
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), [&](int64_t i, int64_t j) {
    const auto a = g::widen(x[i * step]), b = g::widen(x[j * step]);
    const auto less = [](auto p, auto q) { return p < q || (q != q && p == p); };
    return largest ? less(b, a) : less(a, b);
  });
  places.resize(static_cast<size_t>(k));
  return places;
}

template <bool LARGEST, int SIZE, class T>
void order_case(int64_t outer, int64_t axis, int64_t inner, int64_t k, int parts, const std::vector<T>& x,
                const char* what) {
  const auto n = static_cast<size_t>(outer * k * inner);
  std::vector<T> values(n), again(n);
  std::vector<int64_t> places(n), second(n);
  launch(outer * inner, 1, 128,
         [&] { g::top_k<LARGEST, SIZE>(axis, inner, k, x.data(), values.data(), places.data()); });
  std::vector<g::Ranked<g::ElementKey<T>>> ranks(n * static_cast<size_t>(parts));
  launch(outer * inner, parts, 128,
         [&] { g::top_k_parts<LARGEST, SIZE>(axis, inner, k, x.data(), ranks.data()); });
  launch(outer * inner, 1, 128, [&] {
    g::top_k_of_parts<SIZE>(axis, inner, k, parts, x.data(),
                            static_cast<const g::Ranked<g::ElementKey<T>>*>(ranks.data()), again.data(),
                            second.data());
  });
  for (int64_t row = 0; row < outer * inner; row++) {
    const int64_t from = row / inner * axis * inner + row % inner, to = row / inner * k * inner + row % inner;
    const auto want = best(x.data() + from, axis, inner, k, LARGEST);
    for (int64_t i = 0; i < k; i++) {
      const auto at = static_cast<size_t>(to + i * inner);
      const int64_t place = want[static_cast<size_t>(i)];
      test::check(places[at] == place && second[at] == place, what, i);
      const T& value = x[static_cast<size_t>(from + place * inner)];
      test::check(std::memcmp(&values[at], &value, sizeof(T)) == 0, what, i);
      test::check(std::memcmp(&again[at], &value, sizeof(T)) == 0, what, i);
    }
  }
}

template <class T>
void order_cases(const char* what) {
  const auto random = [](int64_t n, double low, double high) {
    std::vector<T> x;
    for (int64_t i = 0; i < n; i++) x.push_back(element<T>(rng.between(low, high)));
    return x;
  };
  const double low = static_cast<T>(-1) < T(0) ? -100 : 0;
  order_case<true, 64>(2, 50, 3, 7, 2, random(300, low, 100), what);
  order_case<false, 64>(1, 500, 1, 60, 3, random(500, low, 100), what);
  // Equal elements, several rounds, and parts without elements.
  order_case<true, 32>(1, 300, 2, 290, 4, random(600, 0, 3), what);
  order_case<false, 32>(1, 90, 1, 90, 64, random(90, 0, 2), what);
}

template <class F, class E, class T>
void scan_case(int64_t outer, int64_t axis, int64_t inner, bool exclusive, bool reverse, E start) {
  std::vector<T> x, want;
  for (int64_t i = 0; i < outer * axis * inner; i++)
    x.push_back(static_cast<T>(start == E(1) ? rng.between(0.9, 1.1) : rng.below(100) - 50));
  want.resize(x.size());
  for (int64_t column = 0; column < outer * inner; column++) {
    E sum = start;
    for (int64_t i = 0; i < axis; i++) {
      const int64_t at =
          column / inner * axis * inner + column % inner + (reverse ? axis - 1 - i : i) * inner;
      const E next = F::of(sum, static_cast<E>(x[static_cast<size_t>(at)]));
      want[static_cast<size_t>(at)] = static_cast<T>(exclusive ? sum : next);
      sum = next;
    }
  }
  const double eps = start == E(1) ? 1e-4 : 0;
  std::vector<T> y(x.size());
  const auto same = [&](const char* what) {
    test::all_near(y, want, eps, 0, what);
    std::fill(y.begin(), y.end(), T(7));
  };
  launch((inner + 3) / 4 * outer, 1, 128,
         [&] { g::scan_columns<F, 4, 128>(axis, inner, exclusive, reverse, start, x.data(), y.data()); });
  same("columns");
  if (inner != 1) return;
  const E* none = nullptr;
  launch(outer, 1, 64, [&] { g::scan_rows<F>(axis, exclusive, reverse, start, none, x.data(), y.data()); });
  same("rows");
  std::vector<E> totals(static_cast<size_t>(outer * 5));
  launch(outer, 5, 64, [&] { g::scan_totals<F>(axis, reverse, start, x.data(), totals.data()); });
  launch(outer, 5, 64, [&] {
    g::scan_rows<F>(axis, exclusive, reverse, start, static_cast<const E*>(totals.data()), x.data(),
                    y.data());
  });
  same("parts of rows");
}

}  // namespace

int main() {
  order_cases<float>("f32");
  order_cases<double>("f64");
  order_cases<int64_t>("i64");
  order_cases<int8_t>("i8");
  order_cases<uint32_t>("u32");
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  order_case<true, 32>(1, 9, 1, 9, 2, std::vector<float>{1, nan, 0, -0.f, inf, -inf, nan, -1, 1}, "NaN");
  order_case<false, 32>(1, 9, 1, 9, 2, std::vector<float>{1, nan, 0, -0.f, inf, -inf, nan, -1, 1}, "NaN");
  std::vector<bf16> halves;
  for (int i = 0; i < 200; i++) halves.push_back(element<bf16>(rng.between(-2, 2)));
  order_case<true, 64>(1, 200, 1, 33, 2, halves, "bf16");
  for (bool exclusive : {false, true}) {
    for (bool reverse : {false, true}) {
      scan_case<g::AddOf, float, float>(2, 777, 1, exclusive, reverse, 0);
      scan_case<g::AddOf, uint64_t, int64_t>(3, 5, 1, exclusive, reverse, 0);
      scan_case<g::AddOf, uint32_t, int32_t>(2, 100, 7, exclusive, reverse, 0);
      scan_case<g::MulOf, float, float>(1, 300, 1, exclusive, reverse, 1);
    }
  }
  return test::summary();
}
