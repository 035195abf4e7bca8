// Recurrent cells of the device, emulated, against their equations in double: weights in registers, in shared
// memory and read at every step, a launch a step, and a launch behind products made elsewhere.
#include <type_traits>

#include "../ait/gpu/recurrent_block.h"
#include "../ait/gpu/recurrent_bytes.h"
#include "gpu_check.h"

using ait::f16;
using test::blocks;
using test::launch;

namespace {

test::Random rng;

/// Random values that T has, in floats too.
template <class T>
struct Values {
  std::vector<T> own;
  std::vector<float> wide;
  Values(int64_t n, double most) {
    for (int64_t i = 0; i < n; i++) {
      own.push_back(ait::from_f32<T>(rng.between(-most, most)));
      wide.push_back(ait::to_f32(own.back()));
    }
  }
};

using K = g::ActivationKind;
using Functions = g::Activations<K::Sigmoid, K::Tanh, K::Tanh, K::Sigmoid, K::Tanh, K::Tanh>;
using OfRnn = g::Activations<K::Tanh, K::Tanh, K::Tanh, K::Tanh, K::Tanh, K::Tanh>;

template <class T, g::Cell C, bool LATE, int HIDDEN>
struct Problem {
  static constexpr int kSteps = 4, kBatch = 3, kInput = 5, kDirections = 2;
  static constexpr int kGates = g::gates_of(C), kRows = kGates * HIDDEN;
  static constexpr int kStates = kDirections * kBatch * HIDDEN;
  using F = std::conditional_t<C == g::Cell::Rnn, OfRnn, Functions>;

  Values<T> x{kSteps * kBatch * kInput, 1}, w{kDirections * kRows * kInput, 0.5};
  Values<T> r{kDirections * kRows * HIDDEN, 0.3}, bias{kDirections * 2 * kRows, 0.5};
  Values<T> h0{kStates, 1}, c0{kStates, 1}, peepholes{kDirections * 3 * HIDDEN, 0.5};
  std::vector<int32_t> lengths{2, 0, kSteps};
  std::vector<float> inputs, y, y_h, y_c;
  bool batch_first;

  explicit Problem(bool batch_first) : batch_first(batch_first) {
    const g::RecurrentBias<T> epilogue{bias.own.data(), kRows,
                                       C == g::Cell::Gru && LATE ? 2 * HIDDEN : kRows};
    for (int i = 0; i < kSteps * kBatch; i++) {
      for (int row = 0; row < kDirections * kRows; row++) {
        float sum[1] = {}, result[1];
        for (int k = 0; k < kInput; k++)
          sum[0] +=
              x.wide[static_cast<size_t>(i * kInput + k)] * w.wide[static_cast<size_t>(row * kInput + k)];
        epilogue.template apply<1>(sum, result, i, row);
        inputs.push_back(result[0]);
      }
    }
    y.resize(static_cast<size_t>(kSteps * kStates));
    y_h.resize(kStates);
    y_c.resize(kStates);
    for (int d = 0; d < kDirections; d++)
      for (int b = 0; b < kBatch; b++) sequence(d, b);
  }

  /// The operators' equations, one sequence of one direction.
  void sequence(int d, int b) {
    using Doubles = std::vector<double>;
    const auto at = [](const std::vector<float>& v, int64_t i) { return double{v[static_cast<size_t>(i)]}; };
    const int length = lengths[static_cast<size_t>(b)];
    const int64_t border = (batch_first ? b * kDirections + d : d * kBatch + b) * HIDDEN;
    Doubles h, c;
    for (int j = 0; j < HIDDEN; j++) {
      h.push_back(at(h0.wide, border + j));
      c.push_back(at(c0.wide, border + j));
    }
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    for (int i = 0; i < length; i++) {
      const int t = d == 1 ? length - 1 - i : i;
      const int64_t first = batch_first ? b * kSteps + t : t * kBatch + b;
      const auto share = [&](int row) {
        double v = at(bias.wide, d * 2 * kRows + row);
        for (int k = 0; k < kInput; k++)
          v += at(w.wide, (d * kRows + row) * kInput + k) * at(x.wide, first * kInput + k);
        return v;
      };
      const auto own = [&](int row, const Doubles& state) {
        double v = at(bias.wide, (d * 2 + 1) * kRows + row);
        for (int k = 0; k < HIDDEN; k++)
          v += at(r.wide, (d * kRows + row) * HIDDEN + k) * state[static_cast<size_t>(k)];
        return v;
      };
      const auto gate = [&](int g, int j) { return share(g * HIDDEN + j) + own(g * HIDDEN + j, h); };
      Doubles next(h), reset(h);
      if (C == g::Cell::Gru)
        for (int j = 0; j < HIDDEN; j++) reset[static_cast<size_t>(j)] *= sigmoid(gate(1, j));
      for (int j = 0; j < HIDDEN; j++) {
        const auto u = static_cast<size_t>(j);
        const auto peep = [&](int g) { return at(peepholes.wide, (d * 3 + g) * HIDDEN + j); };
        if constexpr (C == g::Cell::Rnn) {
          next[u] = std::tanh(gate(0, j));
        } else if constexpr (C == g::Cell::Gru) {
          const double z = sigmoid(gate(0, j));
          const int row = 2 * HIDDEN + j;
          const double linear = LATE ? sigmoid(gate(1, j)) * own(row, h) : own(row, reset);
          next[u] = (1 - z) * std::tanh(share(row) + linear) + z * h[u];
        } else {
          const double in = sigmoid(gate(0, j) + peep(0) * c[u]), keep = sigmoid(gate(2, j) + peep(2) * c[u]);
          c[u] = keep * c[u] + in * std::tanh(gate(3, j));
          next[u] = sigmoid(gate(1, j) + peep(1) * c[u]) * std::tanh(c[u]);
        }
      }
      h = next;
      const int64_t to =
          batch_first ? (b * kSteps + t) * kDirections + d : (t * kDirections + d) * kBatch + b;
      for (int j = 0; j < HIDDEN; j++)
        y[static_cast<size_t>(to * HIDDEN + j)] = static_cast<float>(h[static_cast<size_t>(j)]);
    }
    for (int j = 0; j < HIDDEN; j++) {
      const auto u = static_cast<size_t>(j);
      y_h[static_cast<size_t>(border + j)] = length == 0 ? 0.f : static_cast<float>(h[u]);
      y_c[static_cast<size_t>(border + j)] = length == 0 ? 0.f : static_cast<float>(c[u]);
    }
  }

  g::Sequences<int32_t> sequences() const {
    return {lengths.data(), kSteps, kBatch, kDirections, false, batch_first};
  }
  static F functions() { return F{}; }
  g::CellParts<T> parts() const {
    return {bias.own.data(), C == g::Cell::Lstm ? peepholes.own.data() : nullptr, HIDDEN, false};
  }
};

template <class T>
struct Results {
  std::vector<T> y, y_h, y_c;
  template <class P>
  explicit Results(const P& p) : y(p.y.size()), y_h(p.y_h.size()), y_c(p.y_c.size()) {}
  template <class P>
  void compare(const P& p, const char* what) const {
    const auto near = [&](const std::vector<T>& got, const std::vector<float>& want) {
      std::vector<float> wide;
      for (T v : got) wide.push_back(ait::to_f32(v));
      const double eps = sizeof(T) == 4 ? 1e-5 : 0x1p-10;
      test::all_near(wide, want, eps, eps, what);
    };
    near(y, p.y);
    near(y_h, p.y_h);
    if (P::kGates == 4) near(y_c, p.y_c);
  }
};

template <class T, g::Cell C, bool LATE, int HIDDEN, int ITEMS, int HELD, int KEPT>
void in_one_block(bool batch_first, const char* what) {
  const Problem<T, C, LATE, HIDDEN> p(batch_first);
  using P = decltype(p);
  constexpr int kRows = std::remove_const_t<P>::kRows, kDirections = std::remove_const_t<P>::kDirections;
  constexpr int kVec = g::kVector<T>, kPitch = (HIDDEN + kVec - 1) / kVec * kVec;
  std::vector<T> packed(static_cast<size_t>(kDirections * kRows * kPitch) + 16);
  T* weights = reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(packed.data()) + 15) / 16 * 16);
  launch(blocks(kDirections * kRows * kPitch, 256), 1, 1, 256, 0,
         [&] { g::pack_recurrent(p.r.own.data(), weights, kDirections, kRows, HIDDEN); });
  Results<T> got(p);
  const int gates = kRows + (C == g::Cell::Gru ? HIDDEN : 0);
  const int64_t shared = KEPT * kRows * 16 + ITEMS * (2 * kPitch + gates) * 4;
  launch(blocks(3, ITEMS), kDirections, 1, static_cast<int>(blocks(kRows, g::kWarp)) * g::kWarp, shared, [&] {
    g::recurrent_sequence<C, LATE, HIDDEN, ITEMS, HELD, KEPT>(
        p.sequences(), p.functions(), p.parts(), p.inputs.data(), static_cast<const T*>(weights),
        p.h0.own.data(), p.c0.own.data(), got.y.data(), got.y_h.data(), got.y_c.data());
  });
  got.compare(p, what);
}

template <class T, g::Cell C, bool LATE, int HIDDEN, int ITEMS, int V>
void by_steps(bool batch_first, const char* what) {
  const Problem<T, C, LATE, HIDDEN> p(batch_first);
  using P = std::remove_const_t<decltype(p)>;
  std::vector<T> aligned(p.r.own.size() + 16), operand(P::kStates);
  T* weights = reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(aligned.data()) + 15) / 16 * 16);
  std::memcpy(weights, p.r.own.data(), p.r.own.size() * sizeof(T));
  std::vector<float> states(5 * P::kStates + 4);
  float* base = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(states.data()) + 15) / 16 * 16);
  const g::RecurrentMemory m{base, P::kStates};
  constexpr bool kMemory = C == g::Cell::Lstm;
  const int64_t units = blocks(P::kStates, 128);
  const auto begin = [&](T* to) {
    launch(units, 1, 1, 128, 0, [&, to] {
      g::recurrent_begin<kMemory>(p.sequences(), m, HIDDEN, p.h0.own.data(), p.c0.own.data(), to);
    });
  };
  Results<T> got(p), other(p);
  const auto end = [&](Results<T>& to) {
    launch(units, 1, 1, 128, 0,
           [&] { g::recurrent_end<kMemory>(p.sequences(), m, HIDDEN, to.y_h.data(), to.y_c.data()); });
  };
  begin(nullptr);
  for (int64_t i = 0; i < P::kSteps; i++) {
    const auto step = [&](auto part) {
      constexpr g::StepPart kPart = decltype(part)::value;
      launch(blocks(HIDDEN, 2), static_cast<int>(blocks(P::kBatch, ITEMS)), P::kDirections, 2 * g::kWarp, 0,
             [&] {
               g::recurrent_step<C, LATE, kPart, ITEMS, V>(p.sequences(), p.functions(), p.parts(), m,
                                                           g::PlainState{}, i, p.inputs.data(),
                                                           static_cast<const T*>(weights), got.y.data());
             });
    };
    if constexpr (C == g::Cell::Gru && !LATE) {
      step(std::integral_constant<g::StepPart, g::StepPart::Reset>{});
      step(std::integral_constant<g::StepPart, g::StepPart::Hidden>{});
    } else {
      step(std::integral_constant<g::StepPart, g::StepPart::All>{});
    }
  }
  end(got);
  got.compare(p, what);

  begin(operand.data());
  std::vector<float> products(static_cast<size_t>(P::kDirections * P::kBatch * P::kRows));
  for (int64_t i = 0; i < P::kSteps; i++) {
    const auto step = [&](auto part, int first, int count) {
      constexpr g::StepPart kPart = decltype(part)::value;
      for (int item = 0; item < P::kDirections * P::kBatch; item++) {
        for (int row = 0; row < count * HIDDEN; row++) {
          float sum = 0;
          const int line = item / P::kBatch * P::kRows + first * HIDDEN + row;
          for (int k = 0; k < HIDDEN; k++)
            sum += ait::to_f32(operand[static_cast<size_t>(item * HIDDEN + k)]) *
                   p.r.wide[static_cast<size_t>(line * HIDDEN + k)];
          products[static_cast<size_t>(item * count * HIDDEN + row)] = sum;
        }
      }
      launch(units, 1, 1, 128, 0, [&] {
        g::recurrent_cells<C, LATE, kPart>(p.sequences(), p.functions(), p.parts(), m, i, p.inputs.data(),
                                           products.data(), operand.data(), other.y.data());
      });
    };
    if constexpr (C == g::Cell::Gru && !LATE) {
      step(std::integral_constant<g::StepPart, g::StepPart::Reset>{}, 0, 2);
      step(std::integral_constant<g::StepPart, g::StepPart::Hidden>{}, 2, 1);
    } else {
      step(std::integral_constant<g::StepPart, g::StepPart::All>{}, 0, P::kGates);
    }
  }
  end(other);
  other.compare(p, what);
}

template <class T>
void all_cells() {
  constexpr int kVec = g::kVector<T>;
  for (bool batch_first : {false, true}) {
    in_one_block<T, g::Cell::Lstm, false, 21, 1, 1, 1>(batch_first, "LSTM in one block");
    in_one_block<T, g::Cell::Lstm, false, 40, 2, 2, 3>(batch_first, "LSTM, two sequences");
    in_one_block<T, g::Cell::Gru, false, 21, 2, 2, 0>(batch_first, "GRU in one block");
    in_one_block<T, g::Cell::Gru, true, 33, 1, 0, 2>(batch_first, "late GRU in one block");
    in_one_block<T, g::Cell::Rnn, false, 50, 4, 1, 1>(batch_first, "RNN in one block");
    by_steps<T, g::Cell::Lstm, false, 3 * kVec, 2, kVec>(batch_first, "LSTM by steps");
    by_steps<T, g::Cell::Gru, false, 5 * kVec, 4, kVec>(batch_first, "GRU by steps");
    by_steps<T, g::Cell::Gru, true, 21, 1, 1>(batch_first, "late GRU by steps");
    by_steps<T, g::Cell::Rnn, false, 34, 2, 2>(batch_first, "RNN by steps");
  }
}

}  // namespace

int main() {
  all_cells<float>();
  all_cells<f16>();
  return test::summary();
}
