#pragma once
// The 8-bit floats as they lie in memory, and their conversions: the device's half of ../numeric.h.
#include "device.h"

namespace ait {

/// What the top codes mean: infinity and NaN (IEEE), one NaN per sign (Fn), only the code of -0 is NaN
/// (Fnuz).
enum class Special { Ieee, Fn, Fnuz };

template <int Mantissa, int Bias, Special S>
struct Float8 {
  uint8_t bits;
};
using f8e4m3fn = Float8<3, 7, Special::Fn>;
using f8e4m3fnuz = Float8<3, 8, Special::Fnuz>;
using f8e5m2 = Float8<2, 15, Special::Ieee>;
using f8e5m2fnuz = Float8<2, 16, Special::Fnuz>;

template <int M, int B, Special S>
AIT_DEVICE float to_f32(Float8<M, B, S> x) {
  const uint32_t code = x.bits, magnitude = code & 0x7fu, shifted = magnitude << (23 - M);
  uint32_t bits = detail::as_bits(detail::as_float(shifted) * detail::as_float(uint32_t{254 - B} << 23));
  if (S == Special::Ieee && magnitude >= (((0x80u >> M) - 1u) << M)) bits = shifted | 0x7f800000u;
  if (S == Special::Fn && magnitude == 0x7fu) bits |= 0x7fc00000u;
  if (S == Special::Fnuz && code == 0x80u) bits |= 0x7fc00000u;
  return detail::as_float(bits | (code & 0x80u) << 24);
}

namespace detail {

/// To the nearest, ties to even. Out of range: the largest finite value if it saturates, else infinity or
/// NaN, whichever the format has.
template <int M, int B, Special S>
AIT_DEVICE uint8_t f32_to_f8(float x, bool saturate) {
  constexpr uint32_t infinity = ((0x80u >> M) - 1u) << M;
  constexpr uint32_t largest = S == Special::Ieee ? infinity - 1 : 0x80u - (S == Special::Fn ? 2 : 1);
  constexpr uint32_t nan = S == Special::Ieee ? infinity | 1u << (M - 1) : 0x7fu;
  // Adding a power of two whose last bit weighs as much as the smallest denormal rounds to it.
  constexpr uint32_t magic = uint32_t{127 + 24 - B - M} << 23;
  const uint32_t bits = as_bits(x), a = bits & 0x7fffffffu, sign = bits >> 31 << 7;
  const uint32_t normal =
      ((a + ((1u << (22 - M)) - 1) + (a >> (23 - M) & 1u)) >> (23 - M)) - (uint32_t{127 - B} << M);
  const uint32_t denormal = as_bits(as_float(a) + as_float(magic)) - magic;
  uint32_t code = a < uint32_t{128 - B} << 23 ? denormal : normal;
  if (S == Special::Fnuz) {
    if (a > 0x7f800000u || (code > largest && !saturate)) return 0x80;
    if (code > largest) code = largest;
    return static_cast<uint8_t>(code == 0 ? 0 : code | sign);
  }
  if (code > largest) code = saturate ? largest : S == Special::Ieee ? infinity : nan;
  return static_cast<uint8_t>((a > 0x7f800000u ? nan : code) | sign);
}

template <int M, int B, Special S>
struct FromF32<Float8<M, B, S>> {
  AIT_DEVICE static Float8<M, B, S> apply(float x) { return {f32_to_f8<M, B, S>(x, true)}; }
};

/// x rounded to the values that T has.
template <class T>
struct RoundTo {
  AIT_DEVICE static float apply(float x, bool) { return to_f32(from_f32<T>(x)); }
};
template <int M, int B, Special S>
struct RoundTo<Float8<M, B, S>> {
  AIT_DEVICE static float apply(float x, bool saturate) {
    return to_f32(Float8<M, B, S>{f32_to_f8<M, B, S>(x, saturate)});
  }
};

}  // namespace detail
}  // namespace ait
