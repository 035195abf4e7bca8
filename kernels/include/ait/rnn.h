#pragma once
// ONNX RNN, GRU and LSTM. The inputs of all steps are multiplied with W at once; a step multiplies the state
// with R and applies the cell. Weights come packed, one block a direction (see RecurrentWeights).
#include "cells.h"
#include "gemm.h"
#include "math.h"

namespace ait {

struct Activation {
  ActivationKind kind;
  float alpha = 0, beta = 0;
};

struct RecurrentShape {
  Cell cell;
  int64_t steps, batch, input, hidden;
  /// 2 is bidirectional; a single direction may run in reverse.
  int directions = 1;
  bool reverse = false;
  /// ONNX's layout = 1: the batch comes first in every tensor.
  bool batch_first = false;
  bool linear_before_reset = false;
  bool input_forget = false;
  /// Inputs of activations are clamped to [-clip, clip]; 0: not.
  float clip = 0;
  /// f, g, h of each direction, as many as the cell has.
  Activation activations[2][3] = {};
};

/// Where the parts of a direction's block lie, in floats: W and R as packed panels (pack.h) of ONNX's gate
/// order, GRU's hidden gate of R by itself; the sum of both biases; R's bias of GRU's hidden gate when
/// linear_before_reset keeps it apart (the sum then lacks it).
struct RecurrentWeights {
  int64_t w, r, r_hidden, bias, bias_hidden, size;
};
inline RecurrentWeights recurrent_weights(Cell cell, int64_t input, int64_t hidden) {
  const int64_t gates = gates_of(cell), together = cell == Cell::Gru ? 2 : gates;
  RecurrentWeights at{};
  at.r = packed_b_size(input, gates * hidden);
  at.r_hidden = at.r + packed_b_size(hidden, together * hidden);
  at.bias = at.r_hidden + (cell == Cell::Gru ? packed_b_size(hidden, hidden) : 0);
  at.bias_hidden = at.bias + ceil_div(gates * hidden, 16) * 16;
  at.size = at.bias_hidden + ceil_div(hidden, 16) * 16;
  return at;
}

/// Packs ONNX's W[directions][gates * hidden][input], R[directions][gates * hidden][hidden] and B (or null),
/// [directions][2 * gates * hidden], into directions * size floats.
inline void pack_recurrent(Context& ctx, const RecurrentShape& s, const float* w, const float* r,
                           const float* b, float* out) {
  const RecurrentWeights at = recurrent_weights(s.cell, s.input, s.hidden);
  const int64_t h = s.hidden, n = gates_of(s.cell) * h;
  for (int d = 0; d < s.directions; d++, out += at.size, w += n * s.input, r += n * h) {
    pack_b(ctx, s.input, n, w, 1, s.input, out + at.w);
    pack_b(ctx, h, s.cell == Cell::Gru ? 2 * h : n, r, 1, h, out + at.r);
    if (s.cell == Cell::Gru) pack_b(ctx, h, h, r + 2 * h * h, 1, h, out + at.r_hidden);
    std::memset(out + at.bias, 0, static_cast<size_t>(at.size - at.bias) * sizeof(float));
    if (b == nullptr) continue;
    const float* wb = b + d * 2 * n;
    const float* rb = wb + n;
    const bool apart = s.cell == Cell::Gru && s.linear_before_reset;
    for (int64_t i = 0; i < n; i++) out[at.bias + i] = wb[i] + (apart && i >= 2 * h ? 0 : rb[i]);
    if (apart) std::memcpy(out + at.bias_hidden, rb + 2 * h, static_cast<size_t>(h) * sizeof(float));
  }
}

namespace detail {

__attribute__((noinline)) inline f32v activate(const Activation& a, f32v x) {
  switch (a.kind) {
    case ActivationKind::Relu:
      return relu_(x);
    case ActivationKind::Tanh:
      return tanh_(x);
    case ActivationKind::Sigmoid:
      return sigmoid_(x);
    case ActivationKind::Affine:
      return x * a.alpha + a.beta;
    case ActivationKind::LeakyRelu:
      return x < 0.f ? x * a.alpha : x;
    case ActivationKind::ThresholdedRelu:
      return x > a.alpha ? x : f32v{};
    case ActivationKind::ScaledTanh:
      return a.alpha * tanh_(f32v(x * a.beta));
    case ActivationKind::HardSigmoid:
      return clamp_(f32v(x * a.alpha + a.beta), f32v{}, k<f32v>(1.f));
    case ActivationKind::Elu:
      return x < 0.f ? a.alpha * expm1_(x) : x;
    case ActivationKind::Softsign:
      return softsign_(x);
    case ActivationKind::Softplus:
      return softplus_(x);
  }
  return x;
}

/// The activations of a direction; the usual ones are inlined.
template <bool Usual>
struct CellFunctions {
  const Activation* a;
  float clip;
  f32v clamp(f32v x) const { return clip > 0 ? clamp_(x, k<f32v>(-clip), k<f32v>(clip)) : x; }
  f32v f(f32v x) const { return Usual ? sigmoid_(clamp(x)) : activate(a[0], clamp(x)); }
  f32v g(f32v x) const { return Usual ? tanh_(clamp(x)) : activate(a[1], clamp(x)); }
  f32v h(f32v x) const { return Usual ? tanh_(x) : activate(a[2], x); }
};

/// Adds the step's share of the input to the product with the state.
struct AddInput {
  const float* x;
  const int64_t* offset;
  template <class V>
  V operator()(V v, int64_t row, int64_t col, int lanes) const {
    return v + load_cols<V>(x + offset[row], col, lanes);
  }
};

/// Products with a direction's weights as pack_recurrent leaves them.
struct FloatProducts {
  const RecurrentShape& s;
  const float* weights;
  RecurrentWeights at = recurrent_weights(s.cell, s.input, s.hidden);

  /// x times W plus the bias, for all steps.
  void inputs(Context& ctx, const float* x, float* out) const {
    const int64_t wide = gates_of(s.cell) * s.hidden;
    gemm(ctx, s.steps * s.batch, wide, s.input, x, s.input, weights + at.w, out, wide,
         BiasEpilogue{weights + at.bias});
  }
  /// The state of all items times R plus the step's share of the input.
  void state(Context& ctx, const float* state, float* gates, const AddInput& add) const {
    const int64_t wide = gates_of(s.cell) * s.hidden;
    const int64_t together = s.cell == Cell::Gru ? 2 * s.hidden : wide;
    gemm(ctx, s.batch, together, s.hidden, state, s.hidden, weights + at.r, gates, wide, add);
  }

  static constexpr bool kHasGru = true;
  /// The state, or what is left of it, times R of the hidden gate.
  void hidden(Context& ctx, const float* state, float* gate) const {
    gemm(ctx, s.batch, s.hidden, s.hidden, state, s.hidden, weights + at.r_hidden, gate, 3 * s.hidden);
  }
  const float* bias_hidden() const { return weights + at.bias_hidden; }
};

/// One direction's run.
template <class Products>
struct Recurrence {
  const RecurrentShape& s;
  int direction;
  Products products;
  const float* peephole;
  /// Inputs times W plus bias, a row for each (step, batch item) in the order of x.
  const float* inputs;
  /// [batch][hidden]: the state, the cell's memory, and the reset state of GRU; gates:
  /// [batch][gates][hidden].
  float *state, *memory, *reset, *gates;
  int64_t* offsets;

  template <bool Usual>
  void lstm_cell(int64_t b) const {
    const CellFunctions<Usual> fn{s.activations[direction], s.clip};
    const int64_t n = s.hidden;
    const float* in = gates + b * 4 * n;
    float *c = memory + b * n, *h = state + b * n;
    for (int64_t j = 0; j < n; j += kF32) {
      const int some = static_cast<int>(min_of<int64_t>(kF32, n - j));
      const auto at = [&](const float* p) { return load_some<f32v>(p + j, some); };
      f32v i = at(in), o = at(in + n), f = at(in + 2 * n);
      const f32v before = at(c), g = fn.g(at(in + 3 * n));
      if (peephole != nullptr) {
        i += at(peephole) * before;
        f += at(peephole + 2 * n) * before;
      }
      i = fn.f(i);
      f = s.input_forget ? f32v(1.f - i) : fn.f(f);
      const f32v now = f * before + i * g;
      if (peephole != nullptr) o += at(peephole + n) * now;
      store_some(c + j, now, some);
      store_some(h + j, f32v(fn.f(o) * fn.h(now)), some);
    }
  }

  /// GRU before its hidden gate is known: reset becomes r * state (or stays r, linear before reset).
  template <bool Usual>
  void gru_reset(int64_t b) const {
    const CellFunctions<Usual> fn{s.activations[direction], s.clip};
    const int64_t n = s.hidden;
    const float *in = gates + b * 3 * n, *h = state + b * n;
    for (int64_t j = 0; j < n; j += kF32) {
      const int some = static_cast<int>(min_of<int64_t>(kF32, n - j));
      const f32v r = fn.f(load_some<f32v>(in + n + j, some));
      store_some(reset + b * n + j, s.linear_before_reset ? r : f32v(r * load_some<f32v>(h + j, some)), some);
    }
  }
  template <bool Usual>
  void gru_cell(int64_t b, const float* bias_hidden) const {
    const CellFunctions<Usual> fn{s.activations[direction], s.clip};
    const int64_t n = s.hidden;
    const float *in = gates + b * 3 * n, *share = inputs + offsets[b] + 2 * n;
    float* h = state + b * n;
    for (int64_t j = 0; j < n; j += kF32) {
      const int some = static_cast<int>(min_of<int64_t>(kF32, n - j));
      const auto at = [&](const float* p) { return load_some<f32v>(p + j, some); };
      f32v linear = at(in + 2 * n);
      if (s.linear_before_reset) linear = at(reset + b * n) * (linear + at(bias_hidden));
      const f32v z = fn.f(at(in)), candidate = fn.g(f32v(linear + at(share)));
      store_some(h + j, f32v((1.f - z) * candidate + z * at(h)), some);
    }
  }

  void rnn_cell(int64_t b) const {
    const Activation& a = s.activations[direction][0];
    const CellFunctions<false> fn{&a, s.clip};
    const int64_t n = s.hidden;
    for (int64_t j = 0; j < n; j += kF32) {
      const int some = static_cast<int>(min_of<int64_t>(kF32, n - j));
      const f32v x = load_some<f32v>(gates + b * n + j, some);
      store_some(state + b * n + j, a.kind == ActivationKind::Tanh ? tanh_(fn.clamp(x)) : fn.f(x), some);
    }
  }

  template <bool Usual, class Live>
  void step(Context& ctx, const Live& live) const {
    const int64_t n = s.hidden;
    const auto each_item = [&](auto f) {
      parallel_for(ctx, s.batch, ceil_div(int64_t{2048}, n), [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; b++) {
          if (live(b)) f(b);
        }
      });
    };
    products.state(ctx, state, gates, AddInput{inputs, offsets});
    if constexpr (Products::kHasGru) {
      if (s.cell == Cell::Gru) {
        each_item([&](int64_t b) { gru_reset<Usual>(b); });
        const float* from = s.linear_before_reset ? state : reset;
        products.hidden(ctx, from, gates + 2 * n);
        each_item([&](int64_t b) { gru_cell<Usual>(b, products.bias_hidden()); });
        return;
      }
    }
    each_item([&](int64_t b) {
      if (s.cell == Cell::Lstm) {
        lstm_cell<Usual>(b);
      } else {
        rnn_cell(b);
      }
    });
  }

  template <class I>
  void run(Context& ctx, bool backwards, const I* lengths, float* y) const {
    const int64_t n = s.hidden, wide = gates_of(s.cell) * n;
    const Activation* a = s.activations[direction];
    const bool usual = a[0].kind == ActivationKind::Sigmoid && a[1].kind == ActivationKind::Tanh &&
                       (s.cell != Cell::Lstm || a[2].kind == ActivationKind::Tanh);
    const auto length = [&](int64_t b) {
      return lengths == nullptr ? s.steps : min_of(s.steps, static_cast<int64_t>(lengths[b]));
    };
    for (int64_t i = 0; i < s.steps; i++) {
      const auto live = [&](int64_t b) { return i < length(b); };
      const auto time = [&](int64_t b) { return backwards ? length(b) - 1 - i : i; };
      for (int64_t b = 0; b < s.batch; b++) {
        const int64_t t = live(b) ? time(b) : 0;
        offsets[b] = (s.batch_first ? b * s.steps + t : t * s.batch + b) * wide;
      }
      if (usual) {
        step<true>(ctx, live);
      } else {
        step<false>(ctx, live);
      }
      if (y == nullptr) continue;
      for (int64_t b = 0; b < s.batch; b++) {
        const int64_t t = live(b) ? time(b) : i, d = direction;
        float* to =
            y +
            (s.batch_first ? (b * s.steps + t) * s.directions + d : (t * s.directions + d) * s.batch + b) * n;
        if (live(b)) {
          std::memcpy(to, state + b * n, static_cast<size_t>(n) * sizeof(float));
        } else {
          std::memset(to, 0, static_cast<size_t>(n) * sizeof(float));
        }
      }
    }
  }
};

/// As recurrent, over any weights: `products(d)` are those of direction d.
template <class I, class X, class F>
inline void recurrent_by(Context& ctx, const RecurrentShape& s, const X& x, const F& products,
                         const I* lengths, const float* initial_h, const float* initial_c,
                         const float* peepholes, float* y, float* y_h, float* y_c) {
  using Direction = Recurrence<decltype(products(0))>;
  const int64_t n = s.hidden, gates = gates_of(s.cell), rows = s.steps * s.batch, wide = gates * n;
  const auto padded = [](int64_t floats) { return ceil_div(floats, 16) * 16; };
  const int64_t state = padded(s.batch * n), offsets = padded(2 * s.batch);
  const int64_t block = padded(rows * wide) + padded(s.batch * wide) + 3 * state + offsets;
  auto* memory = static_cast<float*>(ctx.scratch(static_cast<size_t>(s.directions * block) * sizeof(float)));
  const auto part = [&](int d) {
    float* inputs = memory + d * block;
    float* buffers = inputs + padded(rows * wide);
    return Direction{s,
                     d,
                     products(d),
                     peepholes == nullptr ? nullptr : peepholes + d * 3 * n,
                     inputs,
                     buffers,
                     buffers + state,
                     buffers + 2 * state,
                     buffers + 3 * state,
                     reinterpret_cast<int64_t*>(buffers + 3 * state + padded(s.batch * wide))};
  };
  const auto border = [&](int d, int64_t b) {
    return (s.batch_first ? b * s.directions + d : d * s.batch + b) * n;
  };
  for (int d = 0; d < s.directions; d++) {
    const Direction r = part(d);
    r.products.inputs(ctx, x, memory + d * block);
    for (int64_t b = 0; b < s.batch; b++) {
      for (int64_t i = 0; i < n; i++) {
        r.state[b * n + i] = initial_h == nullptr ? 0 : initial_h[border(d, b) + i];
        r.memory[b * n + i] = initial_c == nullptr ? 0 : initial_c[border(d, b) + i];
      }
    }
  }
  // Two directions run side by side where one of them leaves the threads idle.
  const int64_t side_by_side = s.directions == 2 && s.batch * n * wide < 4 * AIT_GEMM_GRAIN ? 1 : 2;
  parallel_for(ctx, s.directions, side_by_side, [&](int64_t begin, int64_t end) {
    for (auto d = static_cast<int>(begin); d < end; d++) part(d).run(ctx, d == 1 || s.reverse, lengths, y);
  });
  for (int d = 0; d < s.directions; d++) {
    const Direction r = part(d);
    for (int64_t b = 0; b < s.batch; b++) {
      const auto bytes = static_cast<size_t>(n) * sizeof(float);
      // Whatever the state was before, an empty sequence leaves zeros, as in onnxruntime.
      const bool empty = lengths != nullptr && lengths[b] <= 0;
      const auto leave = [&](float* to, const float* from) {
        if (to == nullptr) return;
        if (empty) {
          std::memset(to + border(d, b), 0, bytes);
        } else {
          std::memcpy(to + border(d, b), from + b * n, bytes);
        }
      };
      leave(y_h, r.state);
      leave(y_c, r.memory);
    }
  }
}

}  // namespace detail

/// Shapes as in ONNX. `weights` is directions blocks of pack_recurrent; lengths, the initial states,
/// peepholes [directions][3 * hidden] and every output may be null.
template <class I>
inline void recurrent(Context& ctx, const RecurrentShape& s, const float* x, const float* weights,
                      const I* lengths, const float* initial_h, const float* initial_c,
                      const float* peepholes, float* y, float* y_h, float* y_c) {
  const int64_t size = recurrent_weights(s.cell, s.input, s.hidden).size;
  detail::recurrent_by(
      ctx, s, x, [&](int d) { return detail::FloatProducts{s, weights + d * size}; }, lengths, initial_h,
      initial_c, peepholes, y, y_h, y_c);
}

}  // namespace ait
