#pragma once
#include "../cells.h"
#include "contraction.h"
#include "scalar.h"

// ONNX RNN, GRU and LSTM: cells, and where the elements of a step lie. The inputs of all steps are multiplied
// with W by an ordinary product, whose results are floats [row of x][directions][gates * hidden] with the
// biases in them. Small states then run through all steps in one block (recurrent_block.h); of large ones
// each step is a launch or two (recurrent_steps.h).
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

}  // namespace ait::gpu
