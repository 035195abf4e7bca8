#pragma once
// Normalisations. Rows come through a load functor, called once for each element, and leave through a store
// functor that gets the normalised, scaled and shifted value. Computes in float, means and variances by two
// passes over a row that is held in cache.
#include "reduce.h"

namespace ait {

/// A parameter that is not there.
struct Nothing {
  template <class V>
  V operator()(V, int64_t, int) const {
    return V{};
  }
};
template <class T>
constexpr bool kIsNothing = __is_same(T, Nothing);

namespace detail {

constexpr int64_t kNormGrain = 8192;

/// Copies a row and returns the sum of its elements, or of their squares.
template <bool Squares, class Load>
inline double load_row_sum(Load& load, int64_t at, int64_t n, float* row) {
  auto keep = [&](auto tag, int64_t i, int lanes) {
    const auto x = load(tag, at + i, lanes);
    store_some(row + i, x, lanes);
    return x;
  };
  using Op = typename Choose<Squares, SumSquareOp, SumOp>::type;
  return reduce_run<Op, float>(keep, 0, n);
}

inline double centred_squares(const float* row, int64_t n, float mean) {
  auto centred = [&](auto tag, int64_t i, int lanes) {
    using V = decltype(tag);
    const V d = load_some<V>(row + i, lanes) - mean;
    return d;
  };
  return reduce_run<SumSquareOp, float>(centred, 0, n);
}

inline float inverse_root(double variance, double epsilon) {
  return static_cast<float>(1. / __builtin_sqrt(variance + epsilon));
}

}  // namespace detail

/// Layer normalisation of `rows` rows of n elements; scale and bias are load functors over [0, n) or Nothing.
/// `mean` and `inv_std`, when not null, get one value a row.
template <class Load, class Scale, class Bias, class Store>
inline void layer_norm(Context& ctx, int64_t rows, int64_t n, double epsilon, Load load, Scale scale,
                       Bias bias, Store store, float* mean = nullptr, float* inv_std = nullptr) {
  const int64_t grain = ceil_div(detail::kNormGrain, max_of<int64_t>(1, n));
  parallel_for(ctx, rows, grain, [&](int64_t begin, int64_t end) {
    auto* row = static_cast<float*>(thread_scratch(static_cast<size_t>(n) * sizeof(float)));
    for (int64_t r = begin; r < end; r++) {
      const auto m =
          static_cast<float>(detail::load_row_sum<false>(load, r * n, n, row) / static_cast<double>(n));
      const double variance = detail::centred_squares(row, n, m) / static_cast<double>(n);
      const float s = detail::inverse_root(variance, epsilon);
      if (mean != nullptr) mean[r] = m;
      if (inv_std != nullptr) inv_std[r] = s;
      for (int64_t i = 0; i < n; i += kF32) {
        const int lanes = static_cast<int>(min_of<int64_t>(kF32, n - i));
        f32v x = (load_some<f32v>(row + i, lanes) - m) * s;
        if constexpr (!kIsNothing<Scale>) x *= scale(f32v{}, i, lanes);
        if constexpr (!kIsNothing<Bias>) x += bias(f32v{}, i, lanes);
        store(r * n + i, x, lanes);
      }
    }
  });
}

/// x / sqrt(mean(x^2) + epsilon) * scale.
template <class Load, class Scale, class Store>
inline void rms_norm(Context& ctx, int64_t rows, int64_t n, double epsilon, Load load, Scale scale,
                     Store store) {
  const int64_t grain = ceil_div(detail::kNormGrain, max_of<int64_t>(1, n));
  parallel_for(ctx, rows, grain, [&](int64_t begin, int64_t end) {
    auto* row = static_cast<float*>(thread_scratch(static_cast<size_t>(n) * sizeof(float)));
    for (int64_t r = begin; r < end; r++) {
      const double squares = detail::load_row_sum<true>(load, r * n, n, row);
      const float s = detail::inverse_root(squares / static_cast<double>(n), epsilon);
      for (int64_t i = 0; i < n; i += kF32) {
        const int lanes = static_cast<int>(min_of<int64_t>(kF32, n - i));
        f32v x = load_some<f32v>(row + i, lanes) * s;
        if constexpr (!kIsNothing<Scale>) x *= scale(f32v{}, i, lanes);
        store(r * n + i, x, lanes);
      }
    }
  });
}

/// Group normalisation of [batch][channels][space]; instance normalisation has groups == channels. Scale and
/// bias are load functors over the channels. The load functor is called twice for each element.
template <class Load, class Scale, class Bias, class Store>
inline void group_norm(Context& ctx, int64_t batch, int64_t channels, int64_t space, int64_t groups,
                       double epsilon, Load load, Scale scale, Bias bias, Store store) {
  const int64_t members = channels / groups, n = members * space;
  const auto normalise_channel = [&](int64_t plane, float m, float s) {
    const int64_t c = plane % channels;
    float a = s, b = 0;
    if constexpr (!kIsNothing<Scale>) a *= scale(float{}, c, 1);
    if constexpr (!kIsNothing<Bias>) b = bias(float{}, c, 1);
    for (int64_t i = 0; i < space; i += kF32) {
      const int lanes = static_cast<int>(min_of<int64_t>(kF32, space - i));
      const f32v x = (load(f32v{}, plane * space + i, lanes) - m) * a + b;
      store(plane * space + i, x, lanes);
    }
  };
  const auto statistics = [&](int64_t g, float& m, float& s) {
    m = static_cast<float>(detail::reduce_run<SumOp, float>(load, g * n, n) / static_cast<double>(n));
    auto centred = [&](auto tag, int64_t i, int lanes) { return decltype(tag)(load(tag, i, lanes) - m); };
    const double squares = detail::reduce_run<SumSquareOp, float>(centred, g * n, n);
    s = detail::inverse_root(squares / static_cast<double>(n), epsilon);
  };
  parallel_for(ctx, batch * groups, ceil_div(detail::kNormGrain, max_of<int64_t>(1, n)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t g = begin; g < end; g++) {
                   float m, s;
                   statistics(g, m, s);
                   for (int64_t c = 0; c < members; c++) normalise_channel(g * members + c, m, s);
                 }
               });
}

/// The same for [batch][space][channels].
template <class Load, class Scale, class Bias, class Store>
inline void group_norm_last(Context& ctx, int64_t batch, int64_t space, int64_t channels, int64_t groups,
                            double epsilon, Load load, Scale scale, Bias bias, Store store) {
  const int64_t members = channels / groups;
  const double count = static_cast<double>(members * space);
  // Chunks of the space make work for the threads; their number follows from the shape alone.
  const int64_t parts =
      max_of<int64_t>(1, min_of(min_of(space, int64_t{64}), space * channels / detail::kNormGrain));
  const int64_t step = ceil_div(space, parts);
  const auto floats = static_cast<size_t>(batch * channels * (parts + 2));
  auto* partial = static_cast<float*>(ctx.scratch(floats * sizeof(float)));
  float* mean = partial + batch * parts * channels;
  float* factor = mean + batch * channels;
  const auto width = [&](int64_t c) { return static_cast<int>(min_of<int64_t>(kF32, channels - c)); };

  /// Sums over the space, chunk by chunk, of x - shift or of its square, Op's choice.
  const auto sums = [&](auto op, const float* shift) {
    using Op = decltype(op);
    parallel_for(ctx, batch * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; u++) {
        const int64_t b = u / parts, first = min_of(space, u % parts * step);
        const int64_t rows = min_of(space, first + step) - first;
        const int64_t base = (b * space + first) * channels;
        for (int64_t c = 0; c < channels; c += kF32) {
          const int n = width(c);
          const f32v by = load_some<f32v>(shift + b * channels + c, n);
          auto shifted = [&](auto tag, int64_t i, int lanes) { return f32v(load(tag, i, lanes) - by); };
          const f32v s = detail::reduce_columns<Op, float>(shifted, base + c, rows, channels, n);
          store_some(partial + u * channels + c, s, n);
        }
      }
    });
  };
  /// The chunks' and the group's channels' sums into one value a group, written to each of its channels.
  const auto spread = [&](float* to, auto f) {
    for (int64_t b = 0; b < batch; b++) {
      for (int64_t g = 0; g < groups; g++) {
        double total = 0;
        for (int64_t p = 0; p < parts; p++) {
          for (int64_t c = g * members; c < (g + 1) * members; c++)
            total += partial[(b * parts + p) * channels + c];
        }
        for (int64_t c = g * members; c < (g + 1) * members; c++) to[b * channels + c] = f(total / count);
      }
    }
  };
  for (int64_t c = 0; c < batch * channels; c++) mean[c] = 0;
  sums(SumOp{}, mean);
  spread(mean, [](double m) { return static_cast<float>(m); });
  sums(SumSquareOp{}, mean);
  spread(factor, [&](double v) { return detail::inverse_root(v, epsilon); });

  parallel_for(ctx, batch * space, ceil_div(detail::kNormGrain, max_of<int64_t>(1, channels)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; r++) {
                   const int64_t at = r / space * channels;
                   for (int64_t c = 0; c < channels; c += kF32) {
                     const int n = width(c);
                     f32v x = (load(f32v{}, r * channels + c, n) - load_some<f32v>(mean + at + c, n)) *
                              load_some<f32v>(factor + at + c, n);
                     if constexpr (!kIsNothing<Scale>) x *= scale(f32v{}, c, n);
                     if constexpr (!kIsNothing<Bias>) x += bias(f32v{}, c, n);
                     store(r * channels + c, x, n);
                   }
                 }
               });
}

/// Divides by the L1 or L2 norm over the middle axis of [outer][axis][inner]; a norm of 0 gives 0. The load
/// functor is called twice for each element.
template <int P, class Load, class Store>
inline void lp_normalize(Context& ctx, int64_t outer, int64_t axis, int64_t inner, Load load, Store store) {
  using Op = typename detail::Choose<P == 1, L1Op, L2Op>::type;
  const auto inverse = [](auto norm) {
    using V = decltype(norm);
    return norm == 0.f ? V{} : V(1.f / norm);
  };
  const int64_t tiles = inner == 1 ? 1 : ceil_div(inner, kF32);
  const int64_t work = max_of<int64_t>(1, axis * min_of<int64_t>(inner, kF32));
  parallel_for(ctx, outer * tiles, ceil_div(detail::kNormGrain, work), [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; u++) {
      if (inner == 1) {
        const float by =
            inverse(static_cast<float>(Op::finish(detail::reduce_run<Op, float>(load, u * axis, axis), 0)));
        for (int64_t i = 0; i < axis; i += kF32) {
          const int n = static_cast<int>(min_of<int64_t>(kF32, axis - i));
          store(u * axis + i, f32v(load(f32v{}, u * axis + i, n) * by), n);
        }
        continue;
      }
      const int64_t first = u % tiles * kF32, base = u / tiles * axis * inner + first;
      const int n = static_cast<int>(min_of<int64_t>(kF32, inner - first));
      const f32v by =
          inverse(f32v(Op::finish(detail::reduce_columns<Op, float>(load, base, axis, inner, n), 0)));
      for (int64_t i = 0; i < axis; i++) {
        store(base + i * inner, f32v(load(f32v{}, base + i * inner, n) * by), n);
      }
    }
  });
}

/// Local response normalisation over the middle axis of [batch][channels][space] (space == 1 and batch the
/// pixels for channels-last): x / (bias + alpha / size * sum of squares of the neighbours)^beta.
template <class Load, class Store>
inline void local_response_norm(Context& ctx, int64_t batch, int64_t channels, int64_t space, int64_t size,
                                float alpha, float beta, float bias, Load load, Store store) {
  const int64_t before = (size - 1) / 2, after = size - 1 - before;
  const float factor = alpha / static_cast<float>(size);
  const auto divide = [&](auto x, auto squares) {
    using V = decltype(x);
    const V base = squares * factor + bias;
    if (beta == 0.75f) {
      const V root = sqrt_(base);
      return V(x / (root * sqrt_(root)));
    }
    return V(x / pow_(base, V(detail::k<V>(beta))));
  };
  const int64_t tiles = ceil_div(space, kF32);
  parallel_for(ctx, batch * channels * tiles, 256, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; u++) {
      const int64_t t = u % tiles, c = u / tiles % channels, b = u / tiles / channels;
      const int n = static_cast<int>(min_of<int64_t>(kF32, space - t * kF32));
      const int64_t plane = b * channels;
      const int64_t first = max_of<int64_t>(0, c - before), last = min_of(channels - 1, c + after);
      const auto run = [&](auto tag) {
        using V = decltype(tag);
        V squares{};
        for (int64_t j = first; j <= last; j++) {
          const V x = load(tag, (plane + j) * space + t * kF32, n);
          squares += x * x;
        }
        const int64_t at = (plane + c) * space + t * kF32;
        store(at, divide(V(load(tag, at, n)), squares), n);
      };
      if (space == 1) {
        run(float{});
      } else {
        run(f32v{});
      }
    }
  });
}

}  // namespace ait
