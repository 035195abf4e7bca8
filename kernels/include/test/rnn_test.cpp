#include "../ait/rnn.h"

#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;
using Doubles = std::vector<double>;

static double activation(const Activation& a, double x) {
  switch (a.kind) {
    case ActivationKind::Relu:
      return x > 0 ? x : 0;
    case ActivationKind::Tanh:
      return std::tanh(x);
    case ActivationKind::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::Affine:
      return a.alpha * x + a.beta;
    case ActivationKind::LeakyRelu:
      return x < 0 ? a.alpha * x : x;
    case ActivationKind::ThresholdedRelu:
      return x > a.alpha ? x : 0;
    case ActivationKind::ScaledTanh:
      return a.alpha * std::tanh(a.beta * x);
    case ActivationKind::HardSigmoid:
      return std::fmin(1, std::fmax(0, a.alpha * x + a.beta));
    case ActivationKind::Elu:
      return x < 0 ? a.alpha * (std::exp(x) - 1) : x;
    case ActivationKind::Softsign:
      return x / (1 + std::fabs(x));
    case ActivationKind::Softplus:
      return std::log1p(std::exp(x));
  }
  return x;
}

struct Data {
  std::vector<float> x, w, r, b, h0, c0, p;
  const int32_t* lengths;
};
struct Result {
  Doubles y, y_h, y_c;
};

/// The equations of the operators, one element at a time, batch second.
static Result reference(const RecurrentShape& s, const Data& in) {
  const int64_t n = s.hidden, gates = gates_of(s.cell), D = s.directions, B = s.batch, T = s.steps;
  Result out{Doubles(static_cast<size_t>(T * D * B * n)), Doubles(static_cast<size_t>(D * B * n)),
             Doubles(static_cast<size_t>(D * B * n))};
  for (int64_t d = 0; d < D; d++) {
    const Activation* act = s.activations[d];
    for (int64_t b = 0; b < B; b++) {
      Doubles h, c;
      for (int64_t i = 0; i < n; i++) {
        h.push_back(in.h0.empty() ? 0 : in.h0[static_cast<size_t>((d * B + b) * n + i)]);
        c.push_back(in.c0.empty() ? 0 : in.c0[static_cast<size_t>((d * B + b) * n + i)]);
      }
      const int64_t length = in.lengths == nullptr ? T : in.lengths[b];
      for (int64_t step = 0; step < length; step++) {
        const int64_t t = d == 1 || s.reverse ? length - 1 - step : step;
        const auto clip = [&](double v) { return s.clip > 0 ? std::fmin(s.clip, std::fmax(-s.clip, v)) : v; };
        const auto share = [&](int64_t row) {
          double v = in.b.empty() ? 0 : in.b[static_cast<size_t>(d * 2 * gates * n + row)];
          for (int64_t k = 0; k < s.input; k++)
            v += double(in.w[static_cast<size_t>((d * gates * n + row) * s.input + k)]) *
                 in.x[static_cast<size_t>((t * B + b) * s.input + k)];
          return v;
        };
        const auto recurrent_share = [&](int64_t row, const Doubles& state) {
          double v = in.b.empty() ? 0 : in.b[static_cast<size_t>(d * 2 * gates * n + gates * n + row)];
          for (int64_t k = 0; k < n; k++)
            v += double(in.r[static_cast<size_t>((d * gates * n + row) * n + k)]) *
                 state[static_cast<size_t>(k)];
          return v;
        };
        const auto peep = [&](int64_t gate, int64_t i) {
          return in.p.empty() ? 0. : double(in.p[static_cast<size_t>(d * 3 * n + gate * n + i)]);
        };
        Doubles next(h), reset(h);
        for (int64_t i = 0; s.cell == Cell::Gru && i < n; i++)
          reset[static_cast<size_t>(i)] *= activation(act[0], clip(share(n + i) + recurrent_share(n + i, h)));
        for (int64_t i = 0; i < n; i++) {
          const auto u = static_cast<size_t>(i);
          if (s.cell == Cell::Rnn) {
            next[u] = activation(act[0], clip(share(i) + recurrent_share(i, h)));
          } else if (s.cell == Cell::Gru) {
            const double z = activation(act[0], clip(share(i) + recurrent_share(i, h)));
            const double r = activation(act[0], clip(share(n + i) + recurrent_share(n + i, h)));
            const double linear =
                s.linear_before_reset ? r * recurrent_share(2 * n + i, h) : recurrent_share(2 * n + i, reset);
            next[u] = (1 - z) * activation(act[1], clip(share(2 * n + i) + linear)) + z * h[u];
          } else {
            const auto gate = [&](int64_t g, double more) {
              return clip(share(g * n + i) + recurrent_share(g * n + i, h) + more);
            };
            const double ig = activation(act[0], gate(0, peep(0, i) * c[u]));
            const double fg = s.input_forget ? 1 - ig : activation(act[0], gate(2, peep(2, i) * c[u]));
            const double now = fg * c[u] + ig * activation(act[1], gate(3, 0));
            const double og = activation(act[0], gate(1, peep(1, i) * now));
            c[u] = now;
            next[u] = og * activation(act[2], now);
          }
        }
        h = next;
        for (int64_t i = 0; i < n; i++)
          out.y[static_cast<size_t>(((t * D + d) * B + b) * n + i)] = h[static_cast<size_t>(i)];
      }
      for (int64_t i = 0; i < n; i++) {
        out.y_h[static_cast<size_t>((d * B + b) * n + i)] = h[static_cast<size_t>(i)];
        out.y_c[static_cast<size_t>((d * B + b) * n + i)] = c[static_cast<size_t>(i)];
      }
    }
  }
  return out;
}

/// [a][b][block] to [b][a][block].
template <class T>
static std::vector<T> swapped(const std::vector<T>& x, int64_t a, int64_t b) {
  std::vector<T> y(x.size());
  const int64_t block = x.empty() ? 0 : static_cast<int64_t>(x.size()) / a / b;
  for (int64_t i = 0; i < a; i++)
    for (int64_t j = 0; j < b; j++)
      for (int64_t k = 0; k < block; k++)
        y[static_cast<size_t>((j * a + i) * block + k)] = x[static_cast<size_t>((i * b + j) * block + k)];
  return y;
}

static void check(RecurrentShape s, bool with_all, const int32_t* lengths, const char* name) {
  const int64_t n = s.hidden, gates = gates_of(s.cell), D = s.directions;
  Data in;
  in.x = rng.floats(s.steps * s.batch * s.input);
  in.w = rng.floats(D * gates * n * s.input, -0.5, 0.5);
  in.r = rng.floats(D * gates * n * n, -0.3, 0.3);
  in.lengths = lengths;
  if (with_all) {
    in.b = rng.floats(D * 2 * gates * n);
    in.h0 = rng.floats(D * s.batch * n);
    in.c0 = rng.floats(D * s.batch * n);
    if (s.cell == Cell::Lstm) in.p = rng.floats(D * 3 * n);
  }
  const Result want = reference(s, in);
  std::vector<float> weights(static_cast<size_t>(D * recurrent_weights(s.cell, s.input, n).size));
  const auto data = [](const std::vector<float>& v) { return v.empty() ? nullptr : v.data(); };
  for (bool batch_first : {false, true}) {
    std::vector<float> first[3];
    for (int threads : {1, 3}) {
      Context ctx;
      ctx.threads = threads;
      s.batch_first = batch_first;
      pack_recurrent(ctx, s, in.w.data(), in.r.data(), data(in.b), weights.data());
      std::vector<float> y(want.y.size(), 9.f), y_h(want.y_h.size()), y_c(want.y_c.size());
      const auto x = batch_first ? swapped(in.x, s.steps, s.batch) : in.x;
      const auto h0 = batch_first ? swapped(in.h0, D, s.batch) : in.h0,
                 c0 = batch_first ? swapped(in.c0, D, s.batch) : in.c0;
      recurrent(ctx, s, x.data(), weights.data(), lengths, data(h0), data(c0), data(in.p), y.data(),
                y_h.data(), y_c.data());
      if (batch_first) {
        // [batch][steps][directions][n] to [steps][directions][batch][n]
        y = swapped(y, s.batch, s.steps * D);
        y_h = swapped(y_h, s.batch, D);
        y_c = swapped(y_c, s.batch, D);
      }
      test::all_near(y, want.y, 3e-6, 6e-6, name);
      test::all_near(y_h, want.y_h, 3e-6, 6e-6, name);
      if (s.cell == Cell::Lstm) test::all_near(y_c, want.y_c, 3e-6, 6e-6, name);
      if (threads == 1)
        first[0] = y;
      else
        test::check(first[0] == y, "threads do not change a bit");
      ctx.release_scratch();
    }
  }
}

int main() {
  using K = ActivationKind;
  const Activation sigmoid{K::Sigmoid}, tanh{K::Tanh};
  struct Size {
    int64_t steps, batch, input, hidden;
  };
  const int32_t lengths[] = {3, 7, 1};
  for (const Size& z : {Size{1, 1, 1, 1}, {5, 1, 10, 20}, {7, 3, 13, 33}, {4, 16, 8, 64}}) {
    for (Cell cell : {Cell::Rnn, Cell::Gru, Cell::Lstm}) {
      RecurrentShape s{cell, z.steps, z.batch, z.input, z.hidden};
      for (auto& a : s.activations) {
        a[0] = cell == Cell::Rnn ? tanh : sigmoid;
        a[1] = a[2] = tanh;
      }
      check(s, false, nullptr, "plain");
      check(s, true, nullptr, "with everything");
      s.reverse = true;
      check(s, true, z.batch == 3 ? lengths : nullptr, "reverse");
      s.reverse = false;
      s.directions = 2;
      check(s, true, z.batch == 3 ? lengths : nullptr, "bidirectional");
      s.clip = 0.4f;
      s.linear_before_reset = true;
      s.input_forget = true;
      check(s, true, nullptr, "clip and the flags");
      s.clip = 0;
      const Activation others[] = {{K::Relu},
                                   {K::Affine, 0.4f, 0.1f},
                                   {K::LeakyRelu, 0.1f},
                                   {K::ThresholdedRelu, 0.2f},
                                   {K::ScaledTanh, 0.9f, 0.7f},
                                   {K::HardSigmoid, 0.2f, 0.5f},
                                   {K::Elu, 0.5f},
                                   {K::Softsign},
                                   {K::Softplus},
                                   {K::Sigmoid}};
      for (const Activation& a : others) {
        s.activations[0][0] = a;
        s.activations[1][1] = a;
        s.activations[0][2] = a;
        if (z.hidden == 20) check(s, true, nullptr, "other activations");
      }
    }
  }
  return test::summary();
}
