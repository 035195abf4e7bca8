#pragma once
#include "recurrent.h"

// All steps of a recurrence in one block, which keeps R in registers and shared memory.
namespace ait::gpu {

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

}  // namespace ait::gpu
