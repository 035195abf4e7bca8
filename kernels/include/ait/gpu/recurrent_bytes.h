#pragma once
#include "recurrent_steps.h"

// An LSTM whose inputs and states are rounded to bytes (DynamicQuantizeLSTM).
namespace ait::gpu {

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
