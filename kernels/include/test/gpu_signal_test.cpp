// Transforms, recurrences, determinants and losses of the device, emulated, against plain loops in double.
#include <complex>

#include "../ait/gpu/algebra.h"
#include "../ait/gpu/linear_attention.h"
#include "../ait/gpu/loss.h"
#include "../ait/gpu/reduce.h"
#include "../ait/gpu/signal.h"
#include "gpu_check.h"

using ait::f16;
using test::launch;
using test::numbers;
using test::Random;
using test::value;

namespace {

template <class R>
void dft_case(Random& r, int64_t outer, int64_t in, int64_t inner, int64_t in_parts, int64_t n, bool inverse,
              bool in_shared, int threads, const char* what) {
  const ait::DftShape s{outer, in, inner, in_parts, n, n, 2};
  const std::vector<R> x = numbers<R>(r, outer * in * inner * in_parts);
  std::vector<R> y(static_cast<size_t>(outer * n * inner * 2)), roots(static_cast<size_t>(2 * n));
  for (int64_t k = 0; k < n; k++) {
    const auto z = g::rounded_root<R>(k, n);
    roots[static_cast<size_t>(2 * k)] = z.re;
    roots[static_cast<size_t>(2 * k + 1)] = z.im;
  }
  const int64_t bytes = 4 * n * static_cast<int64_t>(sizeof(R));
  std::vector<R> memory(in_shared ? 0 : static_cast<size_t>(4 * n * outer * inner));
  launch(outer * inner, 1, threads, in_shared ? bytes : 0, [&] {
    R* own = in_shared ? reinterpret_cast<R*>(g::dynamic_shared()) : memory.data() + g::block_x() * 4 * n;
    g::dft(x.data(), y.data(), s, inverse, static_cast<const R*>(roots.data()), own);
  });
  std::vector<double> want(y.size());
  for (int64_t i = 0; i < outer * inner; i++) {
    const int64_t o = i / inner, c = i % inner;
    for (int64_t k = 0; k < n; k++) {
      std::complex<double> sum = 0;
      for (int64_t j = 0; j < n && j < in; j++) {
        const auto at = static_cast<size_t>(((o * in + j) * inner + c) * in_parts);
        const std::complex<double> z(x[at], in_parts == 2 ? x[at + 1] : 0);
        const double turn = 6.283185307179586 * static_cast<double>(j * k % n) / static_cast<double>(n);
        sum += z * std::polar(1., inverse ? turn : -turn);
      }
      if (inverse) sum /= static_cast<double>(n);
      const auto to = static_cast<size_t>(((o * n + k) * inner + c) * 2);
      want[to] = sum.real();
      want[to + 1] = sum.imag();
    }
  }
  const double eps = (sizeof(R) == 4 ? 4e-7 : 1e-15) * std::sqrt(static_cast<double>(n)) * 4;
  test::all_near(y, want, eps, eps, what);
}

template <int kColumns>
void attention_case(Random& r, int64_t queries, int64_t heads, int64_t key, int64_t value, bool past,
                    int64_t decay, int64_t beta, const char* what) {
  const int64_t batch = 2, steps = 3, size = key * value;
  const ait::LinearAttentionShape s{batch, steps, queries, heads, key, value, decay, beta, 0.25f};
  const auto q = numbers<float>(r, batch * steps * queries * key);
  const auto k = numbers<float>(r, batch * steps * heads * key);
  const auto v = numbers<f16>(r, batch * steps * heads * value);
  std::vector<float> values;
  for (const f16 x : v) values.push_back(ait::to_f32(x));
  const auto first = numbers<float>(r, batch * heads * size);
  const auto fades = numbers<float>(r, batch * steps * decay, -1, 0);
  const auto betas = numbers<float>(r, batch * steps * beta, 0, 1);
  std::vector<float> y(static_cast<size_t>(batch * steps * queries * value)), last(first.size());
  launch(batch * heads, static_cast<int>((value + kColumns - 1) / kColumns), 256, key * kColumns * 4, [&] {
    g::linear_attention<kColumns, 256>(s, q.data(), k.data(), static_cast<const float*>(values.data()),
                                       past ? first.data() : nullptr, fades.data(), betas.data(), y.data(),
                                       last.data());
  });
  std::vector<double> want(y.size()), state(last.size());
  for (size_t i = 0; i < state.size(); i++) state[i] = past ? first[i] : 0;
  const auto at = [](const std::vector<float>& x, int64_t i) {
    return static_cast<double>(x[static_cast<size_t>(i)]);
  };
  for (int64_t i = 0; i < batch * heads; i++) {
    const int64_t b = i / heads, h = i % heads, each = decay / heads;
    for (int64_t t = b * steps; t < (b + 1) * steps; t++) {
      for (int64_t m = 0; m < value; m++) {
        const auto cell = [&](int64_t d) -> double& {
          return state[static_cast<size_t>(i * size + d * value + m)];
        };
        double known = 0;
        for (int64_t d = 0; d < key; d++) {
          if (decay > 0) cell(d) *= std::exp(at(fades, t * decay + h * each + d % each));
          if (beta > 0) known += cell(d) * at(k, (t * heads + h) * key + d);
        }
        const double weight = beta > 0 ? at(betas, t * beta + h % beta) : 1;
        const double written = weight * (at(values, (t * heads + h) * value + m) - known);
        for (int64_t d = 0; d < key; d++) cell(d) += at(k, (t * heads + h) * key + d) * written;
        for (int64_t e = h * queries / heads; e < (h + 1) * queries / heads; e++) {
          double sum = 0;
          for (int64_t d = 0; d < key; d++) sum += at(q, (t * queries + e) * key + d) * cell(d);
          want[static_cast<size_t>((t * queries + e) * value + m)] = 0.25 * sum;
        }
      }
    }
  }
  test::all_near(y, want, 1e-5, 1e-5, what);
  test::all_near(last, state, 1e-5, 1e-5, what);
}

template <class T, class F>
void det_case(Random& r, int64_t batch, int64_t n, int threads, double eps, const char* what) {
  const std::vector<T> x = numbers<T>(r, batch * n * n);
  std::vector<T> y(static_cast<size_t>(batch));
  launch(batch, 1, threads, n * n * 8,
         [&] { g::determinant<F>(n, x.data(), y.data(), reinterpret_cast<double*>(g::dynamic_shared())); });
  std::vector<double> want, got;
  for (int64_t b = 0; b < batch; b++) {
    std::vector<long double> a;
    for (int64_t i = 0; i < n * n; i++) a.push_back(value(x[static_cast<size_t>(b * n * n + i)]));
    const auto at = [&](int64_t i, int64_t j) -> long double& { return a[static_cast<size_t>(i * n + j)]; };
    long double product = 1;
    for (int64_t c = 0; c < n; c++) {
      for (int64_t i = c + 1; i < n && at(c, c) == 0; i++) {
        for (int64_t j = 0; j < n; j++) at(c, j) += at(i, j);
      }
      for (int64_t i = c + 1; i < n; i++) {
        const long double f = at(i, c) / at(c, c);
        for (int64_t j = c; j < n; j++) at(i, j) -= f * at(c, j);
      }
      product *= at(c, c);
    }
    want.push_back(static_cast<double>(product));
    got.push_back(value(y[static_cast<size_t>(b)]));
  }
  test::all_near(got, want, eps, eps, what);
}

void loss_case(Random& r) {
  const int64_t batch = 3, classes = 5, space = 70, n = batch * space;
  const auto x = numbers<f16>(r, n * classes), weights = numbers<f16>(r, classes, 0.5, 2);
  std::vector<int32_t> target;
  for (int64_t i = 0; i < n; i++) target.push_back(static_cast<int32_t>(r.below(classes)));
  target[7] = 11;
  int invalid = 0;
  std::vector<f16> y(1);
  const auto count = [&] { invalid++; };
  launch(1, 1, 256, 0, [&] {
    const auto load =
        g::read_loss<float>(x.data(), target.data(), weights.data(), classes, space, true, int64_t{2}, count);
    using Op = g::LossMean<float>;
    g::reduce_rows<Op, g::Loss<float>, 256, 1>(1, n, load, g::StoreResult<Op, f16>{y.data(), n});
  });
  double loss = 0, total = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t c = target[static_cast<size_t>(i)];
    if (c == 2 || c >= classes) continue;
    const double w = value(weights[static_cast<size_t>(c)]);
    loss -= w * value(x[static_cast<size_t>((i / space * classes + c) * space + i % space)]);
    total += w;
  }
  test::check(invalid == 1, "a target that is no class");
  test::check(test::near(value(y[0]), loss / total, 0x1p-10, 0x1p-12), "a mean loss in f16");
}

}  // namespace

int main() {
  Random r;
  dft_case<float>(r, 2, 64, 3, 2, 64, false, true, 32, "radix 4 in f32");
  dft_case<float>(r, 1, 90, 2, 1, 90, false, true, 64, "radices 2, 3 and 5");
  dft_case<double>(r, 2, 77, 1, 2, 77, true, false, 64, "an inverse of radices 7 and 11");
  dft_case<double>(r, 1, 53, 2, 2, 53, false, true, 32, "a prime");
  dft_case<double>(r, 1, 10, 1, 1, 24, false, false, 32, "a signal that is filled up");
  dft_case<double>(r, 1, 5, 1, 2, 1, false, true, 32, "one sample");
  attention_case<32>(r, 4, 2, 17, 40, true, 0, 0, "a state that grows");
  attention_case<32>(r, 2, 2, 16, 33, false, 2, 2, "a decay a head");
  attention_case<8>(r, 3, 3, 20, 9, true, 60, 1, "a decay a row");
  det_case<float, float>(r, 3, 5, 32, 1e-5, "determinants");
  det_case<double, double>(r, 2, 19, 128, 1e-11, "large determinants");
  det_case<f16, float>(r, 2, 4, 32, 0x1p-9, "determinants in f16");
  loss_case(r);
  return test::summary();
}
