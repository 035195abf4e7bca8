#pragma once
#include "contraction.h"
#include "moments.h"
#include "norm.h"

// Normalisation of groups of channels, in two launches: the moments of parts of each group, then the
// normalised elements. The moments lie as [batch * groups][parts]; every block of the second launch merges
// those it needs, in the same order.
namespace ait::gpu {

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
/// What kLanes lanes make of a group's parts.
template <int kLanes = kWarp>
AIT_DEVICE GroupStatistics group_statistics(const Moments* partial, int parts, float epsilon) {
  const Moments m = joined_moments<kLanes>(parts, [&](int i) { return partial[i]; });
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

/// Vectors that a thread reads before it needs the first of them.
constexpr int kReads = 4;

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
    const int64_t at = block_x() * space * channels + c * kVec;
    int64_t i = t.first + t.row;
    for (; i + (kReads - 1) * t.rows < t.last; i += kReads * t.rows) {
      float v[kReads][kVec];
      AIT_UNROLL
      for (int u = 0; u < kReads; u++) load(v[u], at + (i + u * t.rows) * channels);
      AIT_UNROLL
      for (int u = 0; u < kReads; u++) sums.add(v[u]);
    }
    for (; i < t.last; i += t.rows) {
      float v[kVec];
      load(v, at + i * channels);
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
  constexpr int kLanes = 8;
  for (int64_t first = 0; first < groups; first += kThreads / kLanes) {
    const int64_t g = first + thread() / kLanes;
    const Moments* const own = partial + (block_x() * groups + (g < groups ? g : 0)) * parts;
    const GroupStatistics s = group_statistics<kLanes>(own, parts, epsilon);
    if (g < groups && lane() % kLanes == 0) statistics[g] = s;
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
    const auto finish = [&](int64_t row, float(&v)[kVec]) {
      AIT_UNROLL
      for (int k = 0; k < kVec; k++) v[k] = (v[k] - mean[k]) * factor[k] + term[k];
      typename Epilogue::Result y[kVec];
      epilogue.template apply<kVec>(v, y, row, c * kVec);
      store(row * channels + c * kVec, y);
    };
    const int64_t at = block_x() * space;
    int64_t i = t.first + t.row;
    for (; i + (kReads - 1) * t.rows < t.last; i += kReads * t.rows) {
      float v[kReads][kVec];
      AIT_UNROLL
      for (int u = 0; u < kReads; u++) load(v[u], (at + i + u * t.rows) * channels + c * kVec);
      AIT_UNROLL
      for (int u = 0; u < kReads; u++) finish(at + i + u * t.rows, v[u]);
    }
    for (; i < t.last; i += t.rows) {
      float v[kVec];
      load(v, (at + i) * channels + c * kVec);
      finish(at + i, v);
    }
  }
}

}  // namespace ait::gpu
