#pragma once
#include "../cells.h"
#include "contraction.h"
#include "scalar.h"

// ONNX RNN, GRU and LSTM. The inputs of all steps are multiplied with W by an ordinary product, whose results
// are floats [row of x][directions][gates * hidden] with the biases in them. What is left is here: small
// states run through all steps in one block, which keeps R in registers and shared memory
// (recurrent_sequence); of large ones each step is a launch that reads R once (recurrent_step).
namespace ait::gpu {

using ait::ActivationKind;
using ait::Cell;
using ait::gates_of;

template <ActivationKind K>
AIT_DEVICE float activate(float x, float alpha, float beta) {
  using A = ActivationKind;
  if constexpr (K == A::Relu) return fn::max(x, 0.f);
  if constexpr (K == A::Tanh) return fn::tanh(x);
  if constexpr (K == A::Sigmoid) return fn::sigmoid(x);
  if constexpr (K == A::Affine) return x * alpha + beta;
  if constexpr (K == A::LeakyRelu) return x < 0.f ? x * alpha : x;
  if constexpr (K == A::ThresholdedRelu) return x > alpha ? x : 0.f;
  if constexpr (K == A::ScaledTanh) return alpha * fn::tanh(x * beta);
  if constexpr (K == A::HardSigmoid) return fn::min(fn::max(x * alpha + beta, 0.f), 1.f);
  if constexpr (K == A::Elu) return x < 0.f ? alpha * fn::expm1(x) : x;
  if constexpr (K == A::Softsign) return x / (1.f + fn::abs(x));
  if constexpr (K == A::Softplus) return fn::softplus(x);
}

/// f, g and h of both directions, with their alphas and betas; the last gates are clamped to [-clip, clip]
/// unless that is 0.
template <ActivationKind F0, ActivationKind G0, ActivationKind H0, ActivationKind F1, ActivationKind G1,
          ActivationKind H1>
struct Activations {
  float clip;
  float alphas[2][3];
  float betas[2][3];

  AIT_DEVICE float f(int d, float x) const { return either<F0, F1, 0>(d, clamped(x)); }
  AIT_DEVICE float g(int d, float x) const { return either<G0, G1, 1>(d, clamped(x)); }
  AIT_DEVICE float h(int d, float x) const { return either<H0, H1, 2>(d, x); }

 private:
  AIT_DEVICE float clamped(float x) const { return clip > 0.f ? fn::min(fn::max(x, -clip), clip) : x; }
  template <ActivationKind A, ActivationKind B, int I>
  AIT_DEVICE float either(int d, float x) const {
    const float alpha = d == 0 ? alphas[0][I] : alphas[1][I];
    const float beta = d == 0 ? betas[0][I] : betas[1][I];
    if constexpr (A != B)
      if (d == 1) return activate<B>(x, alpha, beta);
    return activate<A>(x, alpha, beta);
  }
};

/// Where the elements of a step lie. Without `lengths` every sequence has all steps.
template <class I>
struct Sequences {
  const I* lengths;
  int64_t steps;
  int batch;
  int directions;
  bool reverse;
  bool batch_first;

  AIT_DEVICE int64_t length(int b) const {
    if (lengths == nullptr) return steps;
    const auto n = static_cast<int64_t>(lengths[b]);
    return n < steps ? n : steps;
  }
  /// The time of a sequence's step i.
  AIT_DEVICE int64_t time(int d, int64_t i, int64_t length) const {
    return d == 1 || reverse ? length - 1 - i : i;
  }
  /// Rows of x, of the results and of the states, in vectors.
  AIT_DEVICE int64_t row(int b, int64_t t) const { return batch_first ? b * steps + t : t * batch + b; }
  AIT_DEVICE int64_t result(int d, int b, int64_t t) const {
    return batch_first ? (b * steps + t) * directions + d : (t * directions + d) * batch + b;
  }
  AIT_DEVICE int64_t state(int d, int b) const {
    return static_cast<int64_t>(batch_first ? b * directions + d : d * batch + b);
  }
};

/// Adds to the products with W both biases, [directions][2][rows] or null. Of each direction's rows, those
/// from `apart` on get the first alone.
template <class T>
struct RecurrentBias {
  using Result = float;
  const T* bias;
  int rows;
  int apart;
  template <int N>
  AIT_DEVICE void apply(const float (&sums)[N], float (&results)[N], int64_t, int64_t col) const {
    AIT_UNROLL
    for (int i = 0; i < N; i++) {
      results[i] = sums[i];
      if (bias == nullptr) continue;
      const int c = static_cast<int>(col) + i;
      const int d = c / rows;
      const T* b = bias + c + d * rows;
      results[i] += to_f32(b[0]) + (c - d * rows < apart ? to_f32(b[rows]) : 0.f);
    }
  }
};

/// What a unit's gates are made of besides the products. Peepholes are [directions][3 * hidden] or null.
template <class T>
struct CellParts {
  const T* bias;
  const T* peepholes;
  int hidden;
  bool input_forget;

  /// R's bias of the hidden gate.
  AIT_DEVICE float hidden_bias(int d, int j) const {
    return bias == nullptr ? 0.f : to_f32(bias[(d * 6 + 5) * hidden + j]);
  }
  AIT_DEVICE float peephole(int d, int gate, int j, float memory) const {
    return peepholes == nullptr ? 0.f : to_f32(peepholes[(d * 3 + gate) * hidden + j]) * memory;
  }
};

/// A unit's next state from its gates in ONNX's order; of GRU the fourth is the input's share of the hidden
/// gate when that is reset after its product (LATE), else it is in the third.
template <Cell C, bool LATE, class F, class T>
AIT_DEVICE float next_state(const F& f, const CellParts<T>& parts, int d, int j, const float (&gates)[4],
                            float state, float& memory) {
  if constexpr (C == Cell::Lstm) {
    const float in = f.f(d, gates[0] + parts.peephole(d, 0, j, memory));
    const float forget = parts.input_forget ? 1.f - in : f.f(d, gates[2] + parts.peephole(d, 2, j, memory));
    memory = forget * memory + in * f.g(d, gates[3]);
    return f.f(d, gates[1] + parts.peephole(d, 1, j, memory)) * f.h(d, memory);
  } else if constexpr (C == Cell::Gru) {
    const float update = f.f(d, gates[0]);
    float linear = gates[2];
    if constexpr (LATE) linear = gates[3] + f.f(d, gates[1]) * (linear + parts.hidden_bias(d, j));
    return (1.f - update) * f.g(d, linear) + update * state;
  } else {
    return f.f(d, gates[0]);
  }
}

/// The initial state or memory of a unit; null is zero.
template <class T>
AIT_DEVICE float initial(const T* p, int64_t at) {
  return p == nullptr ? 0.f : to_f32(p[at]);
}

// ---- All steps in one block ---------------------------------------------------------------------------

/// Weights R[directions][rows][hidden] as [directions][chunk of 16 bytes][row], with zeros behind `hidden`.
template <class T>
AIT_DEVICE void pack_recurrent(const T* r, T* packed, int directions, int rows, int hidden) {
  constexpr int kVec = kVector<T>;
  const int chunks = ceil_div(hidden, kVec);
  const int64_t at = static_cast<int64_t>(block_x()) * threads() + thread();
  if (at >= static_cast<int64_t>(directions) * chunks * rows * kVec) return;
  const int64_t row = at / kVec % rows;
  const int64_t chunk = at / kVec / rows % chunks;
  const int64_t d = at / kVec / rows / chunks;
  const int64_t k = chunk * kVec + at % kVec;
  packed[at] = k < hidden ? r[(d * rows + row) * hidden + k] : T{};
}

/// The units of ITEMS sequences that a thread of a block has. `sequences` are left from the first on.
template <int HIDDEN, int ITEMS, int THREADS>
struct OwnUnits {
  static constexpr int kCount = (ITEMS * HIDDEN + THREADS - 1) / THREADS;
  int sequences;
  /// f(number of the unit, sequence, unit of it)
  template <class F>
  AIT_DEVICE void each(const F& f) const {
    AIT_UNROLL
    for (int o = 0; o < kCount; o++) {
      const int at = thread() + o * THREADS;
      const int n = at / HIDDEN;
      if (at < ITEMS * HIDDEN && n < sequences) f(o, n, at - n * HIDDEN);
    }
  }
};

/// A block for ITEMS sequences (block_x) of one direction (block_y). A thread has a row of R: HELD chunks in
/// registers, the next KEPT in shared memory, and the rest is read at every step. Dynamic shared memory:
/// the chunks, then floats ITEMS * (2 * padded hidden + rows, and hidden once more for GRU).
template <Cell C, bool LATE, int HIDDEN, int ITEMS, int HELD, int KEPT, class T, class I, class F>
AIT_DEVICE void recurrent_sequence(const Sequences<I>& s, const F& f, const CellParts<T>& parts,
                                   const float* inputs, const T* weights, const T* h0, const T* c0, T* y,
                                   T* y_h, T* y_c) {
  constexpr int kVec = kVector<T>;
  constexpr int kRows = gates_of(C) * HIDDEN;
  constexpr int kChunks = (HIDDEN + kVec - 1) / kVec;
  constexpr int kPitch = kChunks * kVec;
  constexpr int kGates = kRows + (C == Cell::Gru ? HIDDEN : 0);
  constexpr int kThreads = (kRows + kWarp - 1) / kWarp * kWarp;
  constexpr int kOwn = OwnUnits<HIDDEN, ITEMS, kThreads>::kCount;
  /// Rows of a GRU's hidden gate, which wait for the reset state.
  constexpr int kFirstRows = C == Cell::Gru ? 2 * HIDDEN : kRows;
  constexpr int kPhases = C == Cell::Gru && !LATE ? 2 : 1;

  T* kept = reinterpret_cast<T*>(dynamic_shared());
  float* states = reinterpret_cast<float*>(kept + KEPT * kRows * kVec);
  float* reset = states + ITEMS * kPitch;
  float* gates = reset + ITEMS * kPitch;

  const int d = block_y();
  const int first = block_x() * ITEMS;
  const bool has_row = thread() < kRows;
  const int row = has_row ? thread() : 0;
  const T* own = weights + static_cast<int64_t>(d) * kChunks * kRows * kVec + row * kVec;
  Vec<T, kVec> held[HELD > 0 ? HELD : 1];
  AIT_UNROLL
  for (int c = 0; c < HELD; c++) held[c] = load<kVec>(own + c * kRows * kVec);
  if (has_row)
    for (int c = 0; c < KEPT; c++)
      store(kept + (c * kRows + row) * kVec, load<kVec>(own + (HELD + c) * kRows * kVec));

  const OwnUnits<HIDDEN, ITEMS, kThreads> own_units{s.batch - first};
  float memory[kOwn] = {};
  int64_t own_length[kOwn] = {};
  for (int at = thread(); at < 2 * ITEMS * kPitch; at += kThreads) states[at] = 0.f;
  barrier();
  own_units.each([&](int o, int n, int j) {
    const int64_t at = s.state(d, first + n) * HIDDEN + j;
    states[n * kPitch + j] = initial(h0, at);
    memory[o] = C == Cell::Lstm ? initial(c0, at) : 0.f;
    own_length[o] = s.length(first + n);
  });
  int64_t lengths[ITEMS];
  AIT_UNROLL
  for (int n = 0; n < ITEMS; n++) lengths[n] = first + n < s.batch ? s.length(first + n) : 0;
  float share[ITEMS];
  const auto read_share = [&](int64_t i) {
    AIT_UNROLL
    for (int n = 0; n < ITEMS; n++)
      if (i < lengths[n])
        share[n] = inputs[(s.row(first + n, s.time(d, i, lengths[n])) * s.directions + d) * kRows + row];
  };
  AIT_UNROLL
  for (int n = 0; n < ITEMS; n++) share[n] = 0.f;
  read_share(0);
  barrier();

  for (int64_t i = 0; i < s.steps; i++) {
    float sums[ITEMS][2];
    AIT_UNROLL
    for (int n = 0; n < ITEMS; n++) {
      sums[n][0] = share[n];
      sums[n][1] = 0.f;
    }
    const bool apart = LATE && C == Cell::Gru && row >= kFirstRows;
    if (apart) {
      AIT_UNROLL
      for (int n = 0; n < ITEMS; n++) {
        if (has_row) gates[n * kGates + row + HIDDEN] = share[n];
        sums[n][0] = 0.f;
      }
    }
    // Under way while the products are made.
    read_share(i + 1);
    AIT_UNROLL
    for (int phase = 0; phase < kPhases; phase++) {
      if (has_row && (kPhases == 1 || (row < kFirstRows) == (phase == 0))) {
        const float* from = phase == 0 ? states : reset;
        const auto add = [&](const Vec<T, kVec>& w, int chunk) {
          AIT_UNROLL
          for (int n = 0; n < ITEMS; n++) {
            AIT_UNROLL
            for (int e = 0; e < kVec; e += 4) {
              const auto x = load<4>(from + n * kPitch + chunk * kVec + e);
              AIT_UNROLL
              for (int q = 0; q < 4; q++) sums[n][q % 2] += to_f32(w[e + q]) * x[q];
            }
          }
        };
        AIT_UNROLL
        for (int c = 0; c < HELD; c++) add(held[c], c);
        AIT_UNROLL_BY(2)
        for (int c = 0; c < KEPT; c++) add(load<kVec>(kept + (c * kRows + row) * kVec), HELD + c);
        AIT_UNROLL_BY(4)
        for (int c = HELD + KEPT; c < kChunks; c++) add(load<kVec>(own + c * kRows * kVec), c);
        AIT_UNROLL
        for (int n = 0; n < ITEMS; n++) gates[n * kGates + row] = sums[n][0] + sums[n][1];
      }
      barrier();
      if (phase + 1 < kPhases) {
        own_units.each([&](int, int n, int j) {
          const float r = f.f(d, gates[n * kGates + HIDDEN + j]);
          reset[n * kPitch + j] = r * states[n * kPitch + j];
        });
        barrier();
      }
    }
    own_units.each([&](int o, int n, int j) {
      const bool live = i < own_length[o];
      float next = 0.f;
      if (live) {
        float g[4] = {};
        AIT_UNROLL
        for (int k = 0; k < kGates / HIDDEN; k++) g[k] = gates[n * kGates + k * HIDDEN + j];
        next = next_state<C, LATE>(f, parts, d, j, g, states[n * kPitch + j], memory[o]);
        states[n * kPitch + j] = next;
      }
      const int64_t t = live ? s.time(d, i, own_length[o]) : i;
      y[s.result(d, first + n, t) * HIDDEN + j] = from_f32<T>(next);
    });
    barrier();
  }
  // Whatever the state was before, an empty sequence leaves zeros, as in onnxruntime.
  own_units.each([&](int o, int n, int j) {
    const bool empty = s.lengths != nullptr && own_length[o] <= 0;
    const int64_t at = s.state(d, first + n) * HIDDEN + j;
    y_h[at] = from_f32<T>(empty ? 0.f : states[n * kPitch + j]);
    if constexpr (C == Cell::Lstm) y_c[at] = from_f32<T>(empty ? 0.f : memory[o]);
  });
}

// ---- A launch a step ----------------------------------------------------------------------------------

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

/// What DynamicQuantizeLinear finds for values between `low` and `high`, which have 0 between them.
struct ByteRange {
  float scale;
  float zero;
  AIT_DEVICE ByteRange() = default;
  AIT_DEVICE ByteRange(float low, float high) {
    scale = low == high ? 1.f : (high - low) / 255.f;
    zero = fn::round(fn::min(fn::max(-low / scale, 0.f), 255.f));
  }
  /// A value in bytes, less the zero point.
  AIT_DEVICE float of(float x) const {
    return fn::min(fn::max(fn::round(x / scale) + zero, 0.f), 255.f) - zero;
  }
};

/// The states of all sequences rounded to bytes together; R's columns have scales, [directions * rows].
struct ByteState {
  const float* scales;
  ByteRange range;
  AIT_DEVICE explicit ByteState(const float* scales) : scales(scales) {}
  AIT_DEVICE void look(const float* states, int64_t n) {
    float low = 0.f, high = 0.f;
    for (int64_t i = lane(); i < n; i += kWarp) {
      low = fn::min(low, states[i]);
      high = fn::max(high, states[i]);
    }
    range = ByteRange(warp_min(low), warp_max(high));
  }
  AIT_DEVICE float of(float x) const { return range.of(x); }
  AIT_DEVICE float product(float sum, int row) const { return sum * (scales[row] * range.scale); }
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
                               const RecurrentMemory& m, Q quantised, int64_t i, const float* inputs,
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
  quantised.look(from, static_cast<int64_t>(s.batch) * hidden);

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
        const float value = quantised.of(x.v[e]);
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
      if (lane() == n) own[g] = quantised.product(sum, d * rows + g * hidden + j);
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

// ---- Inputs as bytes ----------------------------------------------------------------------------------

/// The least and the largest of n values and 0, by one block.
AIT_DEVICE void find_range(const float* x, int64_t n, float* low_and_high) {
  AIT_SHARED float scratch[1024 / kWarp];
  float low = 0.f, high = 0.f;
  for (int64_t i = thread(); i < n; i += threads()) {
    low = fn::min(low, x[i]);
    high = fn::max(high, x[i]);
  }
  low = block_min(low, scratch);
  high = block_max(high, scratch);
  if (thread() == 0) {
    low_and_high[0] = low;
    low_and_high[1] = high;
  }
}

/// Values as bytes less the zero point, which a half holds exactly; rows of `columns` are `pitch` apart, with
/// zeros behind.
AIT_DEVICE void quantise_rows(const float* x, f16* to, int64_t rows, int columns, int pitch,
                              const float* low_and_high) {
  const int64_t at = static_cast<int64_t>(block_x()) * threads() + thread();
  if (at >= rows * pitch) return;
  const int64_t row = at / pitch;
  const int column = static_cast<int>(at - row * pitch);
  const ByteRange range(low_and_high[0], low_and_high[1]);
  to[at] = from_f32<f16>(column < columns ? range.of(x[row * columns + column]) : 0.f);
}

/// Turns products of bytes into what a recurrence takes as its inputs.
struct ByteBias {
  using Result = float;
  const float* low_and_high;
  const float* scales;
  const float* bias;
  template <int N>
  AIT_DEVICE void apply(const float (&sums)[N], float (&results)[N], int64_t, int64_t col) const {
    const ByteRange range(low_and_high[0], low_and_high[1]);
    AIT_UNROLL
    for (int i = 0; i < N; i++) results[i] = sums[i] * (scales[col + i] * range.scale) + bias[col + i];
  }
};

}  // namespace ait::gpu
