#pragma once
// com.microsoft DynamicQuantizeLSTM: an LSTM whose weights are bytes. The inputs, all at once, and the state,
// of all items of a step together, are rounded to bytes as DynamicQuantizeLinear does; the products are
// exact.
#include "qgemm.h"
#include "rnn.h"

namespace ait {

/// What DynamicQuantizeLinear finds for some values.
struct ByteRange {
  float scale;
  int32_t zero;
};

/// Stores x in bytes as DynamicQuantizeLinear would.
inline ByteRange to_bytes(const float* x, int64_t n, uint8_t* out) {
  f32v lows{}, highs{};
  const auto some = [&](int64_t i) { return static_cast<int>(min_of<int64_t>(kF32, n - i)); };
  for (int64_t i = 0; i < n; i += kF32) {
    const f32v v = load_some<f32v>(x + i, some(i));
    lows = v < lows ? v : lows;
    highs = v > highs ? v : highs;
  }
  float low = 0, high = 0;
  for (int i = 0; i < kF32; i++) {
    low = min_of(low, lows[i]);
    high = max_of(high, highs[i]);
  }
  const float scale = low == high ? 1.f : (high - low) / 255.f;
  const float bound = -low / scale;
  const float zero = round_(bound < 0.f ? 0.f : bound > 255.f ? 255.f : bound);
  for (int64_t i = 0; i < n; i += kF32) {
    const f32v q = round_(f32v(load_some<f32v>(x + i, some(i)) / scale)) + zero;
    const f32v cut = clamp_(q, f32v{}, splat<f32v>(255.f));
    detail::store_lanes(out + i, __builtin_convertvector(cut, i32v), some(i));
  }
  return {scale, static_cast<int32_t>(zero)};
}

/// Weights of all directions, one after another: W and R as pack_qb packs bytes that were TB; for each of the
/// 4 * hidden columns their scales and zero points, and the sum of both biases.
struct ByteWeights {
  const uint8_t* w;
  const uint8_t* r;
  const float* w_scale;
  const float* r_scale;
  const int32_t* w_zero;
  const int32_t* r_zero;
  const float* bias;
};

namespace detail {

/// Sums of products of bytes as floats, plus what is added to them.
template <class Add>
struct ByteScale {
  float range;
  const float* scale;
  Add add;
  f32v operator()(i32v acc, int64_t row, int64_t col, int lanes) const {
    const f32v v = __builtin_convertvector(acc, f32v) * (load_cols<f32v>(scale, col, lanes) * range);
    return add(v, row, col, lanes);
  }
};

struct ByteInput {
  const uint8_t* x;
  ByteRange range;
};

template <class TB>
struct ByteProducts {
  const RecurrentShape& s;
  ByteWeights weights;
  uint8_t* bytes;  // of the state

  static constexpr bool kHasGru = false;
  void inputs(Context& ctx, const ByteInput& x, float* out) const {
    const int64_t wide = 4 * s.hidden;
    const ByteScale<BiasEpilogue> epilogue{x.range.scale, weights.w_scale, {weights.bias}};
    qgemm<TB>(ctx, s.steps * s.batch, wide, s.input, x.x, s.input, weights.w,
              {x.range.zero, 0, nullptr, weights.w_zero}, out, wide, epilogue);
  }
  void state(Context& ctx, const float* state, float* gates, const AddInput& add) const {
    const int64_t wide = 4 * s.hidden;
    const ByteRange range = to_bytes(state, s.batch * s.hidden, bytes);
    qgemm<TB>(ctx, s.batch, wide, s.hidden, bytes, s.hidden, weights.r,
              {range.zero, 0, nullptr, weights.r_zero}, gates, wide,
              ByteScale<AddInput>{range.scale, weights.r_scale, add});
  }
};

}  // namespace detail

/// As recurrent, of cell LSTM. `bytes` holds x and the states of all directions.
template <class TB, class I>
inline void byte_lstm(Context& ctx, const RecurrentShape& s, const float* x, const ByteWeights& weights,
                      uint8_t* bytes, const I* lengths, const float* initial_h, const float* initial_c,
                      const float* peepholes, float* y, float* y_h, float* y_c) {
  const int64_t size = s.steps * s.batch * s.input, columns = 4 * s.hidden;
  const detail::ByteInput input{bytes, to_bytes(x, size, bytes)};
  const auto products = [&](int d) {
    const ByteWeights& all = weights;
    const ByteWeights own{all.w + d * packed_qb_bytes(s.input, columns),
                          all.r + d * packed_qb_bytes(s.hidden, columns),
                          all.w_scale + d * columns,
                          all.r_scale + d * columns,
                          all.w_zero + d * columns,
                          all.r_zero + d * columns,
                          all.bias + d * columns};
    return detail::ByteProducts<TB>{s, own, bytes + size + d * s.batch * s.hidden};
  };
  detail::recurrent_by(ctx, s, input, products, lengths, initial_h, initial_c, peepholes, y, y_h, y_c);
}

}  // namespace ait
