// Norms, softmax and reductions of the device, emulated, against plain loops in double: types that
// onnxruntime lacks on the host, tensors that begin anywhere, parts of one sum.
#include <type_traits>
#include <vector>

#include "../ait/gpu/group_norm.h"
#include "../ait/gpu/reduce.h"
#include "../ait/gpu/softmax.h"
#include "gpu_check.h"

using ait::bf16;
using ait::f16;
using test::blocks;
using test::launch;
using test::Random;

namespace {

/// Elements that begin `off` elements behind a multiple of 16 bytes.
template <class T>
struct Tensor {
  std::vector<T> memory;
  T* p;
  int64_t n;
  Tensor(int64_t count, int off) : memory(static_cast<size_t>(count) + 32), n(count) {
    auto at = reinterpret_cast<uintptr_t>(memory.data());
    p = reinterpret_cast<T*>((at + 15) / 16 * 16) + off;
  }
  Tensor(Random& r, int64_t count, int off, double low, double high) : Tensor(count, off) {
    for (int64_t i = 0; i < n; i++) p[i] = ait::from_f32<T>(r.between(low, high));
  }
  double at(int64_t i) const { return ait::to_f32(p[i]); }
};

/// `centre` is about what the results are differences from; a mean is rounded to float.
template <class T>
void compare(const Tensor<T>& got, const std::vector<double>& want, const char* what, double centre = 0) {
  std::vector<double> have;
  for (int64_t i = 0; i < got.n; i++) have.push_back(got.at(i));
  const double eps = sizeof(T) == 4 ? 4e-6 : std::is_same_v<T, f16> ? 0x1p-10 : 0x1p-7;
  test::all_near(have, want, eps, eps + centre * 0x1p-23, what);
}

template <class T, int kGroup, int kItems, int kVec>
void rows_case(Random& r, int64_t rows, int n, int off, double centre, const char* what) {
  const Tensor<T> x(r, rows * n, off, centre - 2, centre + 2), scale(r, n, off, 0.5, 2), bias(r, n, 0, -1, 1);
  Tensor<T> y(rows * n, off), soft(rows * n, off);
  Tensor<float> mean(rows, 0), inverse(rows, 0);
  const int threads = kGroup < 128 ? 128 : kGroup;
  const int64_t grid = blocks(rows, threads / kGroup);
  launch(grid, 1, threads, 0, [&] {
    g::norm_rows<true, kGroup, kItems, kVec>(rows, n, 1e-5f, g::read(x.p), g::read(scale.p), g::read(bias.p),
                                             g::write(y.p), g::KeepStatistics{mean.p, inverse.p});
  });
  launch(grid, 1, threads, 0, [&] {
    g::softmax_rows<g::SoftmaxForm::Softmax, kGroup, kItems, kVec>(rows, n, g::read(x.p), g::write(soft.p));
  });
  std::vector<double> norm, softmax, means;
  for (int64_t i = 0; i < rows; i++) {
    double sum = 0, squares = 0, powers = 0;
    for (int j = 0; j < n; j++) sum += x.at(i * n + j);
    const double m = sum / n;
    for (int j = 0; j < n; j++) squares += (x.at(i * n + j) - m) * (x.at(i * n + j) - m);
    for (int j = 0; j < n; j++) powers += std::exp(x.at(i * n + j) - m);
    means.push_back(m);
    for (int j = 0; j < n; j++) {
      norm.push_back((x.at(i * n + j) - m) / std::sqrt(squares / n + 1e-5) * scale.at(j) + bias.at(j));
      softmax.push_back(std::exp(x.at(i * n + j) - m) / powers);
    }
  }
  compare(y, norm, what, centre);
  compare(soft, softmax, what);
  compare(mean, means, what);
}

/// An epilogue that tells places apart.
struct Places {
  using Result = float;
  template <int N>
  void apply(const float (&v)[N], float (&y)[N], int64_t row, int64_t col) const {
    for (int i = 0; i < N; i++) y[i] = v[i] * 0.5f + static_cast<float>((row + col + i) % 7);
  }
};

template <class T, int kVec>
void group_case(Random& r, int64_t batch, int64_t space, int64_t channels, int64_t groups, int parts, int off,
                double centre, const char* what) {
  constexpr int kThreads = 64;
  const Tensor<T> x(r, batch * space * channels, off, centre - 2, centre + 2);
  const Tensor<T> scale(r, channels, 0, 0.5, 2), bias(r, channels, off, -1, 1);
  Tensor<T> y(x.n, off);
  std::vector<g::Moments> partial(static_cast<size_t>(batch * groups * parts));
  const int64_t vectors = channels / kVec, rows = vectors < kThreads ? kThreads / vectors : 1;
  launch(batch, parts, kThreads, rows * channels * 12, [&] {
    g::group_moments_last<kThreads, kVec>(space, channels, groups, g::read(x.p), partial.data());
  });
  launch(batch, parts, kThreads, groups * 8, [&] {
    g::group_norm_last<kThreads, kVec>(space, channels, groups, 1e-5f, partial.data(), parts, g::read(x.p),
                                       g::read(scale.p), g::read(bias.p), Places{}, g::write(y.p));
  });
  std::vector<double> want(static_cast<size_t>(x.n));
  const int64_t members = channels / groups;
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t q = 0; q < groups; q++) {
      const auto each = [&](auto f) {
        for (int64_t i = 0; i < space; i++) {
          for (int64_t c = q * members; c < (q + 1) * members; c++) f((b * space + i) * channels + c, c);
        }
      };
      double sum = 0, squares = 0;
      each([&](int64_t i, int64_t) { sum += x.at(i); });
      const double count = static_cast<double>(space * members), m = sum / count;
      each([&](int64_t i, int64_t) { squares += (x.at(i) - m) * (x.at(i) - m); });
      each([&](int64_t i, int64_t c) {
        const double v = (x.at(i) - m) / std::sqrt(squares / count + 1e-5) * scale.at(c) + bias.at(c);
        want[static_cast<size_t>(i)] = v * 0.5 + static_cast<double>((i / channels + c) % 7);
      });
    }
  }
  compare(y, want, what, centre);
}

template <class T, int kGroup, int kVec>
void sum_case(Random& r, int64_t rows, int64_t n, int parts, int off, const char* what) {
  using Op = g::MeanOp<float>;
  const Tensor<T> x(r, rows * n, off, -1, 3);
  Tensor<T> y(rows, 0);
  std::vector<float> states(static_cast<size_t>(rows * parts));
  launch(blocks(rows, 128 / kGroup), parts, 128, 0, [&] {
    g::reduce_rows<Op, float, kGroup, kVec>(rows, n, g::read(x.p), g::StoreState<float>{states.data()});
  });
  launch(blocks(rows, 128 / 32), 1, 128, 0, [&] {
    g::reduce_rows<g::MergeOp<Op>, float, 32, 1>(rows, parts, g::ReadStates<float>{states.data()},
                                                 g::StoreResult<Op, T>{y.p, n});
  });
  std::vector<double> want;
  for (int64_t i = 0; i < rows; i++) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += x.at(i * n + j);
    want.push_back(sum / static_cast<double>(n));
  }
  compare(y, want, what);
}

}  // namespace

int main() {
  Random r;
  rows_case<bf16, 32, 3, 8>(r, 5, 768, 0, 0, "a row a warp");
  rows_case<f16, 32, 3, 8>(r, 5, 768, 3, 0, "rows that begin anywhere");
  rows_case<float, 8, 3, 1>(r, 37, 19, 1, 100, "short rows far from zero");
  rows_case<bf16, 256, 2, 4>(r, 3, 2000, 1, 0, "a row a block");
  group_case<bf16, 2>(r, 2, 45, 12, 3, 4, 0, 0, "groups");
  group_case<f16, 8>(r, 1, 70, 40, 5, 3, 5, 0, "groups that begin anywhere");
  group_case<float, 1>(r, 2, 33, 70, 7, 1, 0, 300, "groups far from zero");
  group_case<float, 4>(r, 1, 9, 512, 32, 16, 0, 0, "more parts than places");
  sum_case<bf16, 32, 8>(r, 7, 264, 3, 0, "sums in parts");
  sum_case<f16, 128, 8>(r, 2, 4000, 7, 1, "long sums in parts");
  sum_case<float, 8, 1>(r, 33, 5, 1, 0, "short sums");
  return test::summary();
}
