#pragma once
// Elements of 4 and 2 bits, several in a byte: the device's half of ../numeric.h.
#include "device.h"

namespace ait {

/// Element i of a tensor that holds 8 / BITS elements in a byte, the first in the lowest bits.
template <int BITS, bool SIGNED>
AIT_DEVICE int get_packed(const uint8_t* p, int64_t i) {
  constexpr int per_byte = 8 / BITS;
  const int code = p[i / per_byte] >> (static_cast<int>(i % per_byte) * BITS) & ((1 << BITS) - 1);
  return SIGNED ? (code ^ 1 << (BITS - 1)) - (1 << (BITS - 1)) : code;
}

/// Keeps the low bits of value; those it goes to are zero. Neighbours share a byte: one thread writes it.
template <int BITS>
AIT_DEVICE void add_packed(uint8_t* p, int64_t i, int value) {
  constexpr int per_byte = 8 / BITS;
  const int shift = static_cast<int>(i % per_byte) * BITS;
  uint8_t& byte = p[i / per_byte];
  byte = static_cast<uint8_t>(byte | (value & ((1 << BITS) - 1)) << shift);
}

/// The number that a code of f4e2m1 stands for.
AIT_DEVICE float f4_to_f32(int code) {
  const uint32_t magnitude = static_cast<uint32_t>(code) & 7u;
  const uint32_t bits = magnitude < 2 ? (magnitude == 0 ? 0u : 0x3f000000u) : (magnitude << 22) + 0x3f000000u;
  return detail::as_float(bits | (static_cast<uint32_t>(code) & 8u) << 28);
}
/// The nearest code, ties to even; the largest where x is out of range.
AIT_DEVICE int f32_to_f4(float x) {
  const uint32_t bits = detail::as_bits(x), sign = bits >> 31 << 3;
  const float a = detail::as_float(bits & 0x7fffffffu);
  if (a != a) return static_cast<int>(sign ^ 8u);
  const int code =
      (a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) + (a > 2.5f) + (a >= 3.5f) + (a > 5.0f);
  return static_cast<int>(sign) | code;
}

}  // namespace ait
