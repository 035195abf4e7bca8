#pragma once
// Normalisations. Statistics are computed in float: in two passes where a group of threads holds the row,
// else from deviations about one of the elements, merged pairwise.
#include "contraction.h"
#include "softmax.h"

namespace ait::gpu {

/// A parameter that is not there.
struct Nothing {};

template <int N, class P>
AIT_DEVICE void scale_by(float (&v)[N], const P& p, int64_t i) {
  if constexpr (!kIsSame<P, Nothing>) {
    float s[N];
    p(s, i);
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] *= s[k];
  }
}
template <int N, class P>
AIT_DEVICE void shift_by(float (&v)[N], const P& p, int64_t i) {
  if constexpr (!kIsSame<P, Nothing>) {
    float s[N];
    p(s, i);
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] += s[k];
  }
}

/// Number, mean and squared deviations of some elements.
struct Moments {
  float n, mean, squares;
};

/// Sums of what one thread sees in kVec neighbouring places, less the first element of each, so that a mean
/// far from zero cancels nothing.
template <int kVec>
struct ShiftedSums {
  float base[kVec], sum[kVec], squares[kVec];
  int n = 0;
  AIT_DEVICE void add(const float (&x)[kVec]) {
    if (n++ == 0) {
      AIT_UNROLL
      for (int k = 0; k < kVec; k++) base[k] = x[k], sum[k] = squares[k] = 0;
      return;
    }
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      const float d = x[k] - base[k];
      sum[k] += d;
      squares[k] += d * d;
    }
  }
  AIT_DEVICE Moments moments(int k) const {
    if (n == 0) return {0.f, 0.f, 0.f};
    const auto count = static_cast<float>(n);
    const float mean = sum[k] / count;
    return {count, base[k] + mean, fmaxf(squares[k] - sum[k] * mean, 0.f)};
  }
};

/// The moments of what `count` moments describe, by a warp; `at(i)` gives the i-th. Every lane gets them.
template <class At>
AIT_DEVICE Moments joined_moments(int count, const At& at) {
  float n = 0, sum = 0, squares = 0;
  for (int i = lane(); i < count; i += kWarp) {
    const Moments m = at(i);
    n += m.n;
    sum += m.n * m.mean;
  }
  n = warp_sum(n);
  const float mean = n == 0.f ? 0.f : warp_sum(sum) / n;
  for (int i = lane(); i < count; i += kWarp) {
    const Moments m = at(i);
    squares += m.squares + m.n * (m.mean - mean) * (m.mean - mean);
  }
  return {n, mean, warp_sum(squares)};
}

AIT_DEVICE float inverse_root(float variance, float epsilon) { return 1.f / sqrtf(variance + epsilon); }

struct NoStatistics {
  AIT_DEVICE void operator()(int64_t, float, float) const {}
};
struct KeepStatistics {
  float* mean;
  float* inverse;
  AIT_DEVICE void operator()(int64_t row, float m, float s) const { mean[row] = m, inverse[row] = s; }
};

/// A parameter's share of a row, read before it is needed.
template <int kItems, int kVec>
struct HeldParameter {
  float v[kItems][kVec];
  template <class P>
  AIT_DEVICE void take(const P& p, int j, int i) {
    if constexpr (!kIsSame<P, Nothing>) p(v[j], i);
  }
};

/// Layer normalisation, or with kCentre false RMS normalisation, of rows of n elements that kGroup threads
/// hold (see softmax_rows). Everything is read at once, so that a row costs one trip to memory: beyond its
/// end a thread reads its beginning again.
template <bool kCentre, int kGroup, int kItems, int kVec, class Load, class Scale, class Bias, class Store,
          class Statistics>
AIT_DEVICE void norm_rows(int64_t rows, int n, float epsilon, const Load& load, const Scale& scale,
                          const Bias& bias, const Store& store, const Statistics& keep) {
  const int t = thread() % kGroup;
  const int64_t own = int64_t{block_x()} * (threads() / kGroup) + thread() / kGroup;
  const int64_t row = own < rows ? own : rows - 1, at = row * n;
  if (n == 0) return;
  float v[kItems][kVec];
  HeldParameter<kItems, kVec> scales, biases;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    load(v[j], at + (i < n ? i : 0));
  }
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    scales.take(scale, j, i < n ? i : 0);
    biases.take(bias, j, i < n ? i : 0);
  }
  float sum = 0;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const bool inside = (j * kGroup + t) * kVec < n;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum += inside ? v[j][k] : 0.f;
  }
  const float mean = kCentre ? group_sum<kGroup>(sum) / static_cast<float>(n) : 0.f;
  float squares = 0;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const bool inside = (j * kGroup + t) * kVec < n;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      v[j][k] -= mean;
      squares += inside ? v[j][k] * v[j][k] : 0.f;
    }
  }
  const float by = inverse_root(group_sum<kGroup>(squares) / static_cast<float>(n), epsilon);
  if (own >= rows) return;
  if (t == 0) keep(row, mean, by);
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    if (i >= n) continue;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      v[j][k] *= by;
      if constexpr (!kIsSame<Scale, Nothing>) v[j][k] *= scales.v[j][k];
      if constexpr (!kIsSame<Bias, Nothing>) v[j][k] += biases.v[j][k];
    }
    store(at + i, v[j]);
  }
}

/// The mean of f(x) over n elements from `at` on, by a block.
template <int kThreads, int kVec, class Load, class F>
AIT_DEVICE float mean_over(int64_t at, int64_t n, const Load& load, const F& f) {
  float sum[kVec] = {};
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum[k] += f(v[k]);
  }
  AIT_UNROLL
  for (int k = 1; k < kVec; k++) sum[0] += sum[k];
  return group_sum<kThreads>(sum[0]) / static_cast<float>(n);
}

/// The same for rows of any length, one a block.
template <bool kCentre, int kThreads, int kVec, class Load, class Scale, class Bias, class Store,
          class Statistics>
AIT_DEVICE void norm_long_rows(int64_t n, float epsilon, const Load& load, const Scale& scale,
                               const Bias& bias, const Store& store, const Statistics& keep) {
  const int64_t row = block_x(), at = row * n;
  float mean = 0;
  if (kCentre) mean = mean_over<kThreads, kVec>(at, n, load, [](float x) { return x; });
  const float variance =
      mean_over<kThreads, kVec>(at, n, load, [&](float x) { return (x - mean) * (x - mean); });
  const float by = inverse_root(variance, epsilon);
  if (thread() == 0) keep(row, mean, by);
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = (v[k] - mean) * by;
    scale_by(v, scale, i);
    shift_by(v, bias, i);
    store(at + i, v);
  }
}

// ---- Groups of channels ---------------------------------------------------------------------------------
//
// Two launches: the moments of parts of each group, then the normalised elements. The moments lie as
// [batch * groups][parts]; every block of the second launch merges those it needs, in the same order.

/// Moments of parts of [batch * groups][n]: block_x is the group, block_y the part.
template <int kThreads, int kVec, class Load>
AIT_DEVICE void group_moments(int64_t n, const Load& load, Moments* partial) {
  AIT_SHARED Moments of_warps[kThreads / kWarp];
  const int64_t step = (n / kVec + grid_y() - 1) / grid_y() * kVec;
  const int64_t first = block_y() * step, last = first + step < n ? first + step : n;
  ShiftedSums<kVec> sums;
  AIT_UNROLL_BY(2)
  for (int64_t i = first + thread() * kVec; i < last; i += kThreads * kVec) {
    float v[kVec];
    load(v, block_x() * n + i);
    sums.add(v);
  }
  // Each lane gives kVec moments.
  float count = 0, sum = 0, squares = 0;
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) {
    const Moments m = sums.moments(k);
    count += m.n;
    sum += m.n * m.mean;
  }
  count = warp_sum(count);
  const float mean = count == 0.f ? 0.f : warp_sum(sum) / count;
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) {
    const Moments m = sums.moments(k);
    squares += m.squares + m.n * (m.mean - mean) * (m.mean - mean);
  }
  squares = warp_sum(squares);
  if (lane() == 0) of_warps[warp()] = {count, mean, squares};
  barrier();
  if (warp() != 0) return;
  const Moments all = joined_moments(kThreads / kWarp, [&](int i) { return of_warps[i]; });
  if (lane() == 0) partial[int64_t{block_x()} * grid_y() + block_y()] = all;
}

struct GroupStatistics {
  float mean, by;
};
/// What a warp makes of a group's parts.
AIT_DEVICE GroupStatistics group_statistics(const Moments* partial, int parts, float epsilon) {
  const Moments m = joined_moments(parts, [&](int i) { return partial[i]; });
  return {m.mean, inverse_root(m.squares / m.n, epsilon)};
}

/// The factor and the term of a channel.
template <class Scale, class Bias>
AIT_DEVICE void channel_factors(const GroupStatistics& s, const Scale& scale, const Bias& bias, int64_t c,
                                float& factor, float& term) {
  float a[1] = {s.by}, b[1] = {0.f};
  scale_by(a, scale, c);
  shift_by(b, bias, c);
  factor = a[0];
  term = b[0];
}

/// [batch][channels][space]: block_x is a plane, block_y a part of it.
template <int kThreads, int kVec, class Load, class Scale, class Bias, class Store>
AIT_DEVICE void group_norm_planes(int64_t channels, int64_t space, int64_t members, float epsilon,
                                  const Moments* partial, int parts, const Load& load, const Scale& scale,
                                  const Bias& bias, const Store& store) {
  const int64_t plane = block_x();
  const GroupStatistics s = group_statistics(partial + plane / members * parts, parts, epsilon);
  float factor, term;
  channel_factors(s, scale, bias, plane % channels, factor, term);
  for (int64_t i = (int64_t{block_y()} * kThreads + thread()) * kVec; i < space;
       i += int64_t{grid_y()} * kThreads * kVec) {
    float v[kVec];
    load(v, plane * space + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = (v[k] - s.mean) * factor + term;
    store(plane * space + i, v);
  }
}

/// Both in one launch: a block for each group of n = members * space elements.
template <int kThreads, int kVec, class Load, class Scale, class Bias, class Store>
AIT_DEVICE void group_norm_block(int64_t channels, int64_t space, int64_t members, float epsilon,
                                 const Load& load, const Scale& scale, const Bias& bias, const Store& store) {
  const int64_t n = members * space, at = block_x() * n;
  GroupStatistics s;
  s.mean = mean_over<kThreads, kVec>(at, n, load, [](float x) { return x; });
  s.by = inverse_root(
      mean_over<kThreads, kVec>(at, n, load, [&](float x) { return (x - s.mean) * (x - s.mean); }), epsilon);
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float factor, term;
    channel_factors(s, scale, bias, (block_x() * members + i / space) % channels, factor, term);
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = (v[k] - s.mean) * factor + term;
    store(at + i, v);
  }
}

/// How the threads of a block share channels of [space][channels]: vectors of kVec of them side by side, and
/// places of the space one below the other.
template <int kThreads, int kVec>
struct ChannelShare {
  int vectors, across, rows, column, row;
  int64_t first, last;
  AIT_DEVICE ChannelShare(int64_t space, int64_t channels)
      : vectors(static_cast<int>(channels) / kVec),
        across(vectors < kThreads ? vectors : kThreads),
        rows(kThreads / across),
        column(thread() % across),
        row(thread() / across) {
    const int64_t step = (space + grid_y() - 1) / grid_y();
    first = block_y() * step;
    last = first + step < space ? first + step : space;
  }
};

/// Moments of [batch][space][channels], channels last: block_x is the batch item, block_y a part of the
/// space. Dynamic shared memory: a state for each channel and each row of threads.
template <int kThreads, int kVec, class Load>
AIT_DEVICE void group_moments_last(int64_t space, int64_t channels, int64_t groups, const Load& load,
                                   Moments* partial) {
  auto* of_threads = reinterpret_cast<Moments*>(dynamic_shared());
  const ChannelShare<kThreads, kVec> t(space, channels);
  for (int c = t.column; c < t.vectors && t.row < t.rows; c += t.across) {
    ShiftedSums<kVec> sums;
    AIT_UNROLL_BY(2)
    for (int64_t i = t.first + t.row; i < t.last; i += t.rows) {
      float v[kVec];
      load(v, (block_x() * space + i) * channels + c * kVec);
      sums.add(v);
    }
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) of_threads[t.row * channels + c * kVec + k] = sums.moments(k);
  }
  barrier();
  const int members = static_cast<int>(channels / groups);
  for (int g = warp(); g < groups; g += kThreads / kWarp) {
    const Moments m = joined_moments(members * t.rows, [&](int i) {
      return of_threads[i / members * channels + g * members + i % members];
    });
    if (lane() == 0) partial[(block_x() * groups + g) * grid_y() + block_y()] = m;
  }
}

/// Normalises [batch][space][channels]: block_x is the batch item, block_y a part of the space. Dynamic
/// shared memory: a GroupStatistics for each group. The epilogue is as contraction.h says.
template <int kThreads, int kVec, class Load, class Scale, class Bias, class Epilogue, class Store>
AIT_DEVICE void group_norm_last(int64_t space, int64_t channels, int64_t groups, float epsilon,
                                const Moments* partial, int parts, const Load& load, const Scale& scale,
                                const Bias& bias, const Epilogue& epilogue, const Store& store) {
  auto* statistics = reinterpret_cast<GroupStatistics*>(dynamic_shared());
  for (int g = warp(); g < groups; g += kThreads / kWarp) {
    const GroupStatistics s = group_statistics(partial + (block_x() * groups + g) * parts, parts, epsilon);
    if (lane() == 0) statistics[g] = s;
  }
  barrier();
  const ChannelShare<kThreads, kVec> t(space, channels);
  const int members = static_cast<int>(channels / groups);
  for (int c = t.column; c < t.vectors && t.row < t.rows; c += t.across) {
    float mean[kVec], factor[kVec], term[kVec] = {};
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      const GroupStatistics s = statistics[(c * kVec + k) / members];
      mean[k] = s.mean;
      factor[k] = s.by;
    }
    scale_by(factor, scale, c * kVec);
    shift_by(term, bias, c * kVec);
    AIT_UNROLL_BY(2)
    for (int64_t i = t.first + t.row; i < t.last; i += t.rows) {
      const int64_t row = block_x() * space + i, at = row * channels + c * kVec;
      float v[kVec];
      load(v, at);
      AIT_UNROLL
      for (int k = 0; k < kVec; k++) v[k] = (v[k] - mean[k]) * factor[k] + term[k];
      typename Epilogue::Result y[kVec];
      epilogue.template apply<kVec>(v, y, row, c * kVec);
      store(at, y);
    }
  }
}

// ---- Others -----------------------------------------------------------------------------------------------

/// Divides rows of n elements by their L1 or L2 norm, one a block; a norm of 0 gives 0.
template <int P, int kThreads, int kVec, class Load, class Store>
AIT_DEVICE void lp_norm_rows(int64_t n, const Load& load, const Store& store) {
  const int64_t at = block_x() * n;
  float sum = 0;
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum += P == 1 ? fabsf(v[k]) : v[k] * v[k];
  }
  sum = group_sum<kThreads>(sum);
  const float norm = P == 1 ? sum : sqrtf(sum), by = norm == 0.f ? 0.f : 1.f / norm;
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] *= by;
    store(at + i, v);
  }
}

/// The same along the middle axis of [outer][axis][inner]: a thread for each outer and inner index.
template <int P, class Load, class Store>
AIT_DEVICE void lp_norm_columns(int64_t outer, int64_t axis, int64_t inner, const Load& load,
                                const Store& store) {
  const int64_t u = int64_t{block_x()} * threads() + thread();
  if (u >= outer * inner) return;
  const int64_t at = u / inner * axis * inner + u % inner;
  float sum = 0;
  for (int64_t i = 0; i < axis; i++) {
    float v[1];
    load(v, at + i * inner);
    sum += P == 1 ? fabsf(v[0]) : v[0] * v[0];
  }
  const float norm = P == 1 ? sum : sqrtf(sum), by = norm == 0.f ? 0.f : 1.f / norm;
  for (int64_t i = 0; i < axis; i++) {
    float v[1];
    load(v, at + i * inner);
    v[0] *= by;
    store(at + i * inner, v);
  }
}

/// x / (bias + alpha / size * sum of squares of the neighbours among the channels)^beta, a thread an element
/// of [batch][channels][space].
template <class Load, class Store>
AIT_DEVICE void local_response_norm(int64_t batch, int64_t channels, int64_t space, int64_t size, float alpha,
                                    float beta, float bias, const Load& load, const Store& store) {
  const int64_t u = int64_t{block_x()} * threads() + thread();
  if (u >= batch * channels * space) return;
  const int64_t c = u / space % channels, before = (size - 1) / 2, after = size - 1 - before;
  const int64_t first = c < before ? -c : -before, last = c + after < channels ? after : channels - 1 - c;
  float squares = 0, v[1];
  for (int64_t j = first; j <= last; j++) {
    load(v, u + j * space);
    squares += v[0] * v[0];
  }
  const float base = squares * (alpha / static_cast<float>(size)) + bias;
  load(v, u);
  if (beta == 0.75f) {
    const float half = sqrtf(base);
    v[0] /= half * sqrtf(half);
  } else {
    v[0] /= powf(base, beta);
  }
  store(u, v);
}

}  // namespace ait::gpu
