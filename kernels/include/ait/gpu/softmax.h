#pragma once
// Softmax and its logarithm over the middle axis of [outer][axis][inner]. Computes in float. Operands come
// and go through functors (elements.h).
#include "elements.h"
#include "thread_group.h"

namespace ait::gpu {

enum class SoftmaxForm { Softmax, Log };

/// The largest element so far and the sum of exp(x - largest).
struct SoftmaxOp {
  struct State {
    float most, sum;
  };
  AIT_DEVICE static State start() { return {-infinity(), 0.f}; }
  AIT_DEVICE static void add(State& s, float x, int64_t) {
    const float most = fmaxf(s.most, x);
    if (most > s.most) s.sum *= expf(s.most - most);
    s.sum += x == -infinity() ? 0.f : expf(x - most);
    s.most = most;
  }
  AIT_DEVICE static void merge(State& s, const State& t) {
    const float most = fmaxf(s.most, t.most);
    s.sum = relative(s, most) + relative(t, most);
    s.most = most;
  }
  AIT_DEVICE static float relative(const State& s, float most) {
    return s.most == most ? s.sum : s.sum * expf(s.most - most);
  }
};

/// Turns an element into its result; `by` is 1 / sum, or log(sum) in the logarithmic form.
template <SoftmaxForm kForm>
AIT_DEVICE float softmax_by(float sum) {
  return kForm == SoftmaxForm::Log ? logf(sum) : 1.f / sum;
}
template <SoftmaxForm kForm>
AIT_DEVICE float softmax_of(float x, float most, float by) {
  return kForm == SoftmaxForm::Log ? x - most - by : expf(x - most) * by;
}

/// Rows of n elements, each by kGroup threads (merge_group) that hold it: n is at most kGroup * kItems * kVec
/// and a multiple of kVec.
template <SoftmaxForm kForm, int kGroup, int kItems, int kVec, class Load, class Store>
AIT_DEVICE void softmax_rows(int64_t rows, int n, const Load& load, const Store& store) {
  const int t = thread() % kGroup;
  const int64_t own = int64_t{block_x()} * (threads() / kGroup) + thread() / kGroup;
  const int64_t at = (own < rows ? own : rows - 1) * n;
  if (n == 0) return;
  float v[kItems][kVec];
  float most = -infinity();
  // Beyond the end of the row a thread reads its beginning again, so that all reads are under way at once.
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    load(v[j], at + (i < n ? i : 0));
  }
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const bool inside = (j * kGroup + t) * kVec < n;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      if (!inside) v[j][k] = -infinity();
      most = fmaxf(most, v[j][k]);
    }
  }
  most = group_max<kGroup>(most);
  float sum = 0;
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      const float e = expf(v[j][k] - most);
      sum += e;
      v[j][k] = kForm == SoftmaxForm::Log ? v[j][k] - most : e;
    }
  }
  sum = group_sum<kGroup>(sum);
  const float by = softmax_by<kForm>(sum);
  AIT_UNROLL
  for (int j = 0; j < kItems; j++) {
    const int i = (j * kGroup + t) * kVec;
    if (own >= rows || i >= n) continue;
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[j][k] = kForm == SoftmaxForm::Log ? v[j][k] - by : v[j][k] * by;
    store(at + i, v[j]);
  }
}

/// Rows of any length, one a block, read twice.
template <SoftmaxForm kForm, int kThreads, int kVec, class Load, class Store>
AIT_DEVICE void softmax_long_rows(int64_t n, const Load& load, const Store& store) {
  const int64_t at = block_x() * n;
  SoftmaxOp::State s = SoftmaxOp::start();
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) SoftmaxOp::add(s, v[k], i);
  }
  merge_group<SoftmaxOp, kThreads>(s);
  const float by = softmax_by<kForm>(s.sum);
  for (int64_t i = thread() * kVec; i < n; i += kThreads * kVec) {
    float v[kVec];
    load(v, at + i);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = softmax_of<kForm>(v[k], s.most, by);
    store(at + i, v);
  }
}

/// An axis that is not the last: kColumns columns a block, each shared by kThreads / kColumns threads.
template <SoftmaxForm kForm, int kColumns, int kThreads, int kVec, class Load, class Store>
AIT_DEVICE void softmax_columns(int64_t axis, int64_t inner, const Load& load, const Store& store) {
  using State = SoftmaxOp::State;
  constexpr int kShare = kThreads / kColumns;
  const int64_t tiles = (inner + kColumns * kVec - 1) / (kColumns * kVec);
  const int64_t o = block_x() / tiles;
  const int64_t column = (block_x() % tiles * kColumns + thread() % kColumns) * kVec;
  const int share = thread() / kColumns;
  State s[kVec];
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) s[k] = SoftmaxOp::start();
  if (column < inner) {
    for (int64_t i = share; i < axis; i += kShare) {
      float v[kVec];
      load(v, (o * axis + i) * inner + column);
      AIT_UNROLL
      for (int k = 0; k < kVec; k++) SoftmaxOp::add(s[k], v[k], i);
    }
  }
  if constexpr (kShare > 1) {
    AIT_SHARED State shares[kVec][kThreads];
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) shares[k][thread()] = s[k];
    barrier();
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) {
      s[k] = shares[k][thread() % kColumns];
      for (int other = 1; other < kShare; other++)
        SoftmaxOp::merge(s[k], shares[k][other * kColumns + thread() % kColumns]);
    }
  }
  if (column >= inner) return;
  float by[kVec];
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) by[k] = softmax_by<kForm>(s[k].sum);
  for (int64_t i = share; i < axis; i += kShare) {
    float v[kVec];
    load(v, (o * axis + i) * inner + column);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = softmax_of<kForm>(v[k], s[k].most, by[k]);
    store((o * axis + i) * inner + column, v);
  }
}

}  // namespace ait::gpu
