#include "../ait/pooling.h"

#include <functional>

#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;

/// fold(values inside, positions counted) for each output, straight from the definition.
static std::vector<double> reference(const Window& w, const std::vector<float>& x,
                                     const std::function<double(const std::vector<double>&, int64_t)>& f) {
  std::vector<double> y;
  for (int64_t nc = 0; nc < w.batch * w.channels; nc++) {
    for (int64_t od = 0; od < w.out[0]; od++) {
      for (int64_t oh = 0; oh < w.out[1]; oh++) {
        for (int64_t ow = 0; ow < w.out[2]; ow++) {
          std::vector<double> inside;
          int64_t counted = 0;
          for (int64_t i = 0; i < w.kernel[0]; i++) {
            for (int64_t j = 0; j < w.kernel[1]; j++) {
              for (int64_t l = 0; l < w.kernel[2]; l++) {
                const int64_t p[3] = {od * w.stride[0] - w.pad[0] + i * w.dilation[0],
                                      oh * w.stride[1] - w.pad[1] + j * w.dilation[1],
                                      ow * w.stride[2] - w.pad[2] + l * w.dilation[2]};
                bool in = true, padded = true;
                for (int a = 0; a < 3; a++) {
                  in &= p[a] >= 0 && p[a] < w.in[a];
                  padded &= p[a] < w.in[a] + w.pad_end[a];
                }
                if (in)
                  inside.push_back(
                      x[static_cast<size_t>(((nc * w.in[0] + p[0]) * w.in[1] + p[1]) * w.in[2] + p[2])]);
                counted += w.count_padding ? padded : in;
              }
            }
          }
          y.push_back(f(inside, counted));
        }
      }
    }
  }
  return y;
}

template <class T>
static std::vector<T> to_last(const std::vector<T>& x, int64_t batch, int64_t channels) {
  std::vector<T> y(x.size());
  const int64_t space = static_cast<int64_t>(x.size()) / batch / channels;
  for (int64_t n = 0; n < batch; n++) {
    for (int64_t c = 0; c < channels; c++) {
      for (int64_t s = 0; s < space; s++)
        y[static_cast<size_t>((n * space + s) * channels + c)] =
            x[static_cast<size_t>((n * channels + c) * space + s)];
    }
  }
  return y;
}

template <class Op>
static void pooling(const Window& w, const char* name, double tolerance,
                    const std::function<double(const std::vector<double>&, int64_t)>& f) {
  const auto x = rng.floats(w.batch * w.channels * w.in[0] * w.in[1] * w.in[2], -1, 1);
  const auto want = reference(w, x, f);
  Context ctx;
  ctx.threads = 2;
  std::vector<float> y(want.size());
  pool_channels_first<Op, float>(ctx, w, x.data(), y.data());
  test::all_near(y, want, tolerance, tolerance, name);
  const auto xl = to_last(x, w.batch, w.channels);
  pool_channels_last<Op, float>(ctx, w, xl.data(), y.data());
  test::all_near(y, to_last(want, w.batch, w.channels), tolerance, tolerance, name);
  ctx.release_scratch();
}

int main() {
  const Window windows[] = {
      {1, 3, {1, 1, 10}, {1, 1, 8}, {1, 1, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, false},
      {2, 5, {1, 9, 11}, {1, 5, 6}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, true},
      {1, 64, {1, 14, 14}, {1, 7, 7}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 0, 0}, false},
      {1, 70, {1, 7, 40}, {1, 7, 40}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, false},
      {2, 20, {4, 6, 5}, {3, 3, 2}, {2, 3, 2}, {1, 2, 3}, {1, 1, 2}, {0, 1, 0}, {0, 1, 0}, true},
      // ceil_mode: the last window reaches beyond the padding
      {1, 4, {1, 6, 6}, {1, 3, 3}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, false},
      {1, 4, {1, 6, 6}, {1, 4, 4}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, true},
      {1, 2, {1, 12, 12}, {1, 3, 3}, {1, 2, 3}, {1, 5, 4}, {1, 2, 2}, {0, 1, 0}, {0, 1, 1}, true},
  };
  for (const Window& w : windows) {
    pooling<MaxPool>(w, "max", 0, [](auto& v, int64_t) {
      double m = -INFINITY;
      for (double x : v) m = std::fmax(m, x);
      return m;
    });
    pooling<AveragePool>(w, "average", 1e-6, [](auto& v, int64_t n) {
      double s = 0;
      for (double x : v) s += x;
      return s / static_cast<double>(n);
    });
    pooling<LpPool<1>>(w, "l1", 1e-6, [](auto& v, int64_t) {
      double s = 0;
      for (double x : v) s += std::fabs(x);
      return s;
    });
    pooling<LpPool<2>>(w, "l2", 1e-6, [](auto& v, int64_t) {
      double s = 0;
      for (double x : v) s += x * x;
      return std::sqrt(s);
    });
    pooling<LpPool<3>>(w, "l3", 1e-6, [](auto& v, int64_t) {
      double s = 0;
      for (double x : v) s += std::pow(std::fabs(x), 3);
      return std::cbrt(s);
    });

    const auto x = rng.floats(w.batch * w.channels * w.in[0] * w.in[1] * w.in[2], -1, 1);
    const auto want = reference(w, x, [](auto& v, int64_t) {
      double m = -INFINITY;
      for (double e : v) m = std::fmax(m, e);
      return m;
    });
    std::vector<float> y(want.size());
    std::vector<int64_t> rows(want.size()), columns(want.size());
    Context ctx;
    max_pool_indices<float>(ctx, w, false, x.data(), y.data(), rows.data());
    test::all_near(y, want, 0, 0, "max with indices");
    max_pool_indices<float>(ctx, w, true, x.data(), y.data(), columns.data());
    bool right = true;
    const int64_t plane = w.in[0] * w.in[1] * w.in[2];
    for (size_t i = 0; i < want.size(); i++) {
      right &= x[static_cast<size_t>(rows[i])] == y[i];
      const int64_t r = rows[i] % plane, d = r / (w.in[1] * w.in[2]), h = r / w.in[2] % w.in[1],
                    v = r % w.in[2];
      right &= columns[i] == rows[i] - r + (v * w.in[1] + h) * w.in[0] + d;
    }
    test::check(right, "indices of the maxima");
    ctx.release_scratch();
  }
  {
    const Window w = windows[2];
    std::vector<uint8_t> x(static_cast<size_t>(w.channels * 14 * 14)),
        y(static_cast<size_t>(w.channels * 49)), z(y.size());
    for (auto& v : x) v = static_cast<uint8_t>(rng.below(256));
    Context ctx;
    pool_channels_first<MaxPool, uint8_t>(ctx, w, x.data(), y.data());
    const auto xl = to_last(x, 1, w.channels);
    pool_channels_last<MaxPool, uint8_t>(ctx, w, xl.data(), z.data());
    test::check(to_last(y, 1, w.channels) == z, "bytes, either layout");
    std::vector<half> h(x.size(), from_f32<half>(0.5f)), out(y.size());
    h[0] = from_f32<half>(NAN);
    pool_channels_last<AveragePool, float>(ctx, w, h.data(), out.data());
    test::check(to_f32(out[100]) == 0.5f && std::isnan(to_f32(out[0])), "half and NaN");
    ctx.release_scratch();
  }
  {
    const float x[] = {5, 6, 7, 8};
    const int64_t at[] = {5, 7, 13, 15}, bad[] = {0, 1, 2, 16};
    float y[16];
    test::check(max_unpool(x, at, 4, y, 16) && y[5] == 5 && y[15] == 8 && y[0] == 0, "unpool");
    test::check(!max_unpool(x, bad, 4, y, 16), "unpool out of range");
  }
  return test::summary();
}
