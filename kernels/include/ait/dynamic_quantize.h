#pragma once
#include "math.h"

namespace ait {

/// x as DynamicQuantizeLinear would store it in bytes, as floats again: products of these are those of the
/// bytes up to the rounding of f32.
inline void through_bytes(const float* x, int64_t n, float* out) {
  float low = 0, high = 0;
  for (int64_t i = 0; i < n; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  const float scale = low == high ? 1.f : (high - low) / 255.f;
  const float bound = -low / scale;
  const float zero = round_(bound < 0.f ? 0.f : bound > 255.f ? 255.f : bound);
  for (int64_t i = 0; i < n; i++) {
    const float q = round_(x[i] / scale) + zero;
    out[i] = ((q < 0.f ? 0.f : q > 255.f ? 255.f : q) - zero) * scale;
  }
}

}  // namespace ait
