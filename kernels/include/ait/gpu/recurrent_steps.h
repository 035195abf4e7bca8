#pragma once
#include "recurrent.h"

// Each step of a recurrence in a launch that reads R once (recurrent_step), or in a product and a launch that
// makes states of it (recurrent_cells).
namespace ait::gpu {

/// States and memories in floats, [directions][batch][hidden]: two states that take turns, the memory, and
/// GRU's reset state and update gate.
struct RecurrentMemory {
  float* base;
  int64_t size;
  AIT_DEVICE float* state(int64_t step) const { return base + (step & 1) * size; }
  AIT_DEVICE float* memory() const { return base + 2 * size; }
  AIT_DEVICE float* reset() const { return base + 3 * size; }
  AIT_DEVICE float* update() const { return base + 4 * size; }
};

/// Begins with the states given, a thread a unit; they go to `operand` too unless that is null.
template <bool MEMORY, class T, class I>
AIT_DEVICE void recurrent_begin(const Sequences<I>& s, const RecurrentMemory& m, int hidden, const T* h0,
                                const T* c0, T* operand) {
  const int64_t at = static_cast<int64_t>(block_x()) * threads() + thread();
  if (at >= m.size) return;
  const int64_t item = at / hidden;
  const int64_t from =
      s.state(static_cast<int>(item / s.batch), static_cast<int>(item % s.batch)) * hidden + at % hidden;
  const float state = initial(h0, from);
  m.state(0)[at] = state;
  if (operand != nullptr) operand[at] = from_f32<T>(state);
  if constexpr (MEMORY) m.memory()[at] = initial(c0, from);
}

template <bool MEMORY, class T, class I>
AIT_DEVICE void recurrent_end(const Sequences<I>& s, const RecurrentMemory& m, int hidden, T* y_h, T* y_c) {
  const int64_t at = static_cast<int64_t>(block_x()) * threads() + thread();
  if (at >= m.size) return;
  const int64_t item = at / hidden;
  const int b = static_cast<int>(item % s.batch);
  const int64_t to = s.state(static_cast<int>(item / s.batch), b) * hidden + at % hidden;
  const bool empty = s.lengths != nullptr && s.length(b) <= 0;
  y_h[to] = from_f32<T>(empty ? 0.f : m.state(s.steps)[at]);
  if constexpr (MEMORY) y_c[to] = from_f32<T>(empty ? 0.f : m.memory()[at]);
}

/// The state as it enters its product with R, and the product as it leaves.
struct PlainState {
  AIT_DEVICE void look(const float*, int64_t) {}
  AIT_DEVICE float of(float x) const { return x; }
  AIT_DEVICE float product(float sum, int) const { return sum; }
};

/// Which gates a launch makes: all of them; GRU's first two; GRU's hidden gate of the reset state.
enum class StepPart { All, Reset, Hidden };

/// A unit's part of step i behind the products of its gates. Returns what the next product takes of it.
template <Cell C, bool LATE, StepPart P, class T, class I, class F, class U>
AIT_DEVICE float finish_step(const Sequences<I>& s, const F& f, const CellParts<U>& parts,
                             const RecurrentMemory& m, int64_t i, const float* inputs, int d, int b, int j,
                             float (&gates)[4], T* y) {
  const int hidden = parts.hidden;
  const int rows = gates_of(C) * hidden;
  const int64_t length = s.length(b);
  const int64_t at = (static_cast<int64_t>(d) * s.batch + b) * hidden + j;
  const float before = m.state(i)[at];
  const bool live = i < length;
  float next = before;
  if (live) {
    const float* share = inputs + (s.row(b, s.time(d, i, length)) * s.directions + d) * rows + j;
    AIT_UNROLL
    for (int g = 0; g < gates_of(C); g++) {
      if (g < (P == StepPart::Hidden ? 2 : 0) || g >= (P == StepPart::Reset ? 2 : 4)) continue;
      if (C == Cell::Gru && LATE && g == 2)
        gates[3] = share[g * hidden];
      else
        gates[g] += share[g * hidden];
    }
    if constexpr (P == StepPart::Reset) {
      m.update()[at] = gates[0];
      return f.f(d, gates[1]) * before;
    }
    if constexpr (P == StepPart::Hidden) gates[0] = m.update()[at];
    float none = 0.f;
    next = next_state<C, LATE>(f, parts, d, j, gates, before, C == Cell::Lstm ? m.memory()[at] : none);
  }
  if constexpr (P == StepPart::Reset) return before;
  m.state(i + 1)[at] = next;
  y[s.result(d, b, live ? s.time(d, i, length) : i) * hidden + j] = from_f32<T>(live ? next : 0.f);
  return next;
}

/// Step i of ITEMS sequences (block_y) of a direction (block_z), a warp for each unit. Weights
/// R[directions][rows][hidden] are read V elements at a time.
template <Cell C, bool LATE, StepPart P, int ITEMS, int V, class W, class T, class I, class F, class Q>
AIT_DEVICE void recurrent_step(const Sequences<I>& s, const F& f, const CellParts<T>& parts,
                               const RecurrentMemory& m, Q form, int64_t i, const float* inputs,
                               const W* weights, T* y) {
  constexpr int kFrom = P == StepPart::Hidden ? 2 : 0;
  constexpr int kTo = P == StepPart::Reset ? 2 : gates_of(C);
  const int hidden = parts.hidden;
  const int rows = gates_of(C) * hidden;
  const int d = block_z();
  const int first = block_y() * ITEMS;
  const int j = block_x() * (threads() / kWarp) + warp();
  if (j >= hidden) return;
  const int64_t states = static_cast<int64_t>(d) * s.batch * hidden;
  const float* from = (P == StepPart::Hidden ? m.reset() : m.state(i)) + states;
  form.look(from, static_cast<int64_t>(s.batch) * hidden);

  float sums[kTo - kFrom][ITEMS] = {};
  const W* lines = weights + (static_cast<int64_t>(d) * rows + kFrom * hidden + j) * hidden;
  AIT_UNROLL_BY(2)
  for (int k = lane() * V; k < hidden; k += kWarp * V) {
    Vec<W, V> w[kTo - kFrom];
    AIT_UNROLL
    for (int g = 0; g < kTo - kFrom; g++)
      w[g] = load<V>(lines + static_cast<int64_t>(g) * hidden * hidden + k);
    AIT_UNROLL
    for (int n = 0; n < ITEMS; n++) {
      const Run<float, V> x = read_run<V>(from + min_of(first + n, s.batch - 1) * hidden + k);
      AIT_UNROLL
      for (int e = 0; e < V; e++) {
        const float value = form.of(x.v[e]);
        AIT_UNROLL
        for (int g = 0; g < kTo - kFrom; g++) sums[g][n] += to_f32(w[g][e]) * value;
      }
    }
  }
  // Lane n goes on with sequence n.
  float own[4] = {};
  AIT_UNROLL
  for (int n = 0; n < ITEMS; n++) {
    AIT_UNROLL
    for (int g = kFrom; g < kTo; g++) {
      const float sum = warp_sum(sums[g - kFrom][n]);
      if (lane() == n) own[g] = form.product(sum, d * rows + g * hidden + j);
    }
  }
  const int b = first + lane();
  if (lane() >= ITEMS || b >= s.batch) return;
  const float next = finish_step<C, LATE, P>(s, f, parts, m, i, inputs, d, b, j, own, y);
  if constexpr (P == StepPart::Reset) m.reset()[states + static_cast<int64_t>(b) * hidden + j] = next;
}

/// Step i, a thread a unit, behind a product that has left the gates of its part,
/// [directions][batch][gates * hidden]. The next product's operand goes to `operand`.
template <Cell C, bool LATE, StepPart P, class T, class I, class F>
AIT_DEVICE void recurrent_cells(const Sequences<I>& s, const F& f, const CellParts<T>& parts,
                                const RecurrentMemory& m, int64_t i, const float* inputs,
                                const float* products, T* operand, T* y) {
  constexpr int kFrom = P == StepPart::Hidden ? 2 : 0;
  constexpr int kTo = P == StepPart::Reset ? 2 : gates_of(C);
  const int hidden = parts.hidden;
  const int64_t at = static_cast<int64_t>(block_x()) * threads() + thread();
  if (at >= m.size) return;
  const int64_t item = divide(at, hidden);
  const int j = static_cast<int>(at - item * hidden);
  const int d = static_cast<int>(item / s.batch);
  float gates[4] = {};
  AIT_UNROLL
  for (int g = kFrom; g < kTo; g++) gates[g] = products[(item * (kTo - kFrom) + g - kFrom) * hidden + j];
  const int b = static_cast<int>(item - static_cast<int64_t>(d) * s.batch);
  operand[at] = from_f32<T>(finish_step<C, LATE, P>(s, f, parts, m, i, inputs, d, b, j, gates, y));
}

}  // namespace ait::gpu
