#pragma once
// Negative log likelihood, as ../loss.h has it.
#include "elements.h"

namespace ait::gpu {

/// What one place adds to the sum of losses and to that of weights.
template <class E>
struct Loss {
  E loss, weight;
};

/// The loss of place i of [batch][space]; `invalid` is called where the target is no class.
template <class E, class T, class I, class Invalid>
struct LossRead {
  const T* x;
  const I* target;
  const T* weights;  ///< Of the classes; null: 1.
  int64_t classes, space;
  bool ignores;
  int64_t ignored;
  Invalid invalid;

  AIT_DEVICE Loss<E> at(int64_t i) const {
    const auto c = static_cast<int64_t>(target[i]);
    if (ignores && c == ignored) return {E(0), E(0)};
    if (c < 0 || c >= classes) {
      invalid();
      return {E(0), E(0)};
    }
    const E w = weights ? compute<E>(weights[c]) : E(1);
    return {-w * compute<E>(x[(i / space * classes + c) * space + i % space]), w};
  }
  AIT_DEVICE void operator()(Loss<E> (&v)[1], int64_t i) const { v[0] = at(i); }
};
template <class E, class T, class I, class Invalid>
AIT_DEVICE LossRead<E, T, I, Invalid> read_loss(const T* x, const I* target, const T* weights,
                                                int64_t classes, int64_t space, bool ignores, int64_t ignored,
                                                const Invalid& invalid) {
  return {x, target, weights, classes, space, ignores, ignored, invalid};
}

template <class E>
struct LossSum {
  using State = Loss<E>;
  AIT_DEVICE static State start() { return {E(0), E(0)}; }
  AIT_DEVICE static void add(State& s, const Loss<E>& x, int64_t) { merge(s, x); }
  AIT_DEVICE static void merge(State& s, const State& t) {
    s.loss += t.loss;
    s.weight += t.weight;
  }
  AIT_DEVICE static E finish(const State& s, int64_t) { return s.loss; }
};
template <class E>
struct LossMean : LossSum<E> {
  AIT_DEVICE static E finish(const Loss<E>& s, int64_t) { return s.loss / s.weight; }
};

}  // namespace ait::gpu
