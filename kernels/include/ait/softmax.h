#pragma once
// Softmax, its logarithm and hardmax over the middle axis of [outer][axis][inner]. The load functor is called
// once for each element and may scale, mask or compute; the store functor gets the results. Computes in
// float.
#include "reduce.h"

namespace ait {

enum class SoftmaxKind { Softmax, LogSoftmax };

namespace detail {

constexpr int64_t kSoftmaxGrain = 4096;

/// The sum of exp(row - maximum) over n floats; with Keep the row becomes these exponentials.
template <bool Keep>
inline float exp_row(float* row, int64_t n, float maximum) {
  auto exponential = [&](auto tag, int64_t i, int lanes) {
    using V = decltype(tag);
    const V x = exp_(V(load_some<V>(row + i, lanes) - maximum));
    if constexpr (Keep) store_some(row + i, x, lanes);
    return x;
  };
  return static_cast<float>(reduce_run<SumOp, float>(exponential, 0, n));
}

/// Copies n elements from `at` on to row and returns the largest. A NaN may get lost here: it comes back
/// with the sum.
template <class Load>
inline float load_row(Load& load, int64_t at, int64_t n, float* row) {
  const f32v least = k<f32v>(-INFINITY);
  f32v a = least, b = least;
  int64_t i = 0;
  for (; i + 2 * kF32 <= n; i += 2 * kF32) {
    const f32v x = load(f32v{}, at + i, kF32), y = load(f32v{}, at + i + kF32, kF32);
    ait::store(row + i, x);
    ait::store(row + i + kF32, y);
    a = greater(a, x);
    b = greater(b, y);
  }
  for (; i < n; i += kF32) {
    const int rest = static_cast<int>(min_of<int64_t>(kF32, n - i));
    const f32v x = load(f32v{}, at + i, rest);
    store_some(row + i, x, rest);
    a = greater(a, first_lanes(x, rest, least));
  }
  return fold(f32v(greater(a, b)), [](auto x, auto y) { return greater(x, y); });
}

}  // namespace detail

template <SoftmaxKind Kind, class Load, class Store>
inline void softmax(Context& ctx, int64_t outer, int64_t axis, int64_t inner, Load load, Store store) {
  constexpr bool log_form = Kind == SoftmaxKind::LogSoftmax;
  if (inner == 1) {
    const int64_t grain = ceil_div(detail::kSoftmaxGrain, max_of<int64_t>(1, axis));
    parallel_for(ctx, outer, grain, [&](int64_t begin, int64_t end) {
      auto* row = static_cast<float*>(thread_scratch(static_cast<size_t>(axis) * sizeof(float)));
      for (int64_t o = begin; o < end; o++) {
        const float m = detail::load_row(load, o * axis, axis, row);
        const float sum = detail::exp_row<!log_form>(row, axis, m);
        const float by = log_form ? m + log_(sum) : 1.f / sum;
        for (int64_t i = 0; i < axis; i += kF32) {
          const int n = static_cast<int>(min_of<int64_t>(kF32, axis - i));
          const f32v x = load_some<f32v>(row + i, n);
          store(o * axis + i, f32v(log_form ? x - by : x * by), n);
        }
      }
    });
    return;
  }
  const int64_t tiles = ceil_div(inner, kF32);
  const int64_t grain = ceil_div(detail::kSoftmaxGrain, max_of<int64_t>(1, axis * kF32));
  parallel_for(ctx, outer * tiles, grain, [&](int64_t begin, int64_t end) {
    auto* column = static_cast<float*>(thread_scratch(static_cast<size_t>(axis) * sizeof(f32v)));
    for (int64_t u = begin; u < end; u++) {
      const int64_t first = u % tiles * kF32, base = u / tiles * axis * inner + first;
      const int n = static_cast<int>(min_of<int64_t>(kF32, inner - first));
      f32v m = detail::k<f32v>(-INFINITY);
      for (int64_t i = 0; i < axis; i++) {
        const f32v x = load(f32v{}, base + i * inner, n);
        ait::store(column + i * kF32, x);
        m = detail::greater(m, x);
      }
      f32v sum = {};
      for (int64_t i = 0; i < axis; i++) {
        const f32v e = exp_(f32v(ait::load<f32v>(column + i * kF32) - m));
        if (!log_form) ait::store(column + i * kF32, e);
        sum += e;
      }
      const f32v by = log_form ? m + log_(sum) : f32v(1.f / sum);
      for (int64_t i = 0; i < axis; i++) {
        const f32v x = ait::load<f32v>(column + i * kF32);
        store(base + i * inner, f32v(log_form ? x - by : x * by), n);
      }
    }
  });
}

/// 1 at the first largest element of each column, 0 elsewhere.
template <class Load, class Store>
inline void hardmax(Context& ctx, int64_t outer, int64_t axis, int64_t inner, Load load, Store store) {
  auto* index = static_cast<int64_t*>(ctx.scratch(static_cast<size_t>(outer * inner) * sizeof(int64_t)));
  arg_extreme<float, true>(ctx, outer, axis, inner, false, load, index);
  parallel_for(ctx, outer * axis, ceil_div(kReduceGrain, max_of<int64_t>(1, inner)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t u = begin; u < end; u++) {
                   for (int64_t i = 0; i < inner; i++) {
                     store(u * inner + i, index[u / axis * inner + i] == u % axis ? 1.f : 0.f, 1);
                   }
                 }
               });
}

}  // namespace ait
