#pragma once
// Elements of 4 and 2 bits, several in a byte: the device's half of ../numeric.h.
#include "float8.h"

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

}  // namespace ait
