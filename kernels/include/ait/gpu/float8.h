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
/// A power of two, as microscaling formats use it.
struct f8e8m0 {
  uint8_t bits;
};

template <int M, int B, Special S>
AIT_DEVICE float to_f32(Float8<M, B, S> x) {
  const uint32_t code = x.bits, magnitude = code & 0x7fu, shifted = magnitude << (23 - M);
  uint32_t bits = detail::as_bits(detail::as_float(shifted) * detail::as_float(uint32_t{254 - B} << 23));
  if (S == Special::Ieee && magnitude >= (((0x80u >> M) - 1u) << M)) bits = shifted | 0x7f800000u;
  if (S == Special::Fn && magnitude == 0x7fu) bits |= 0x7fc00000u;
  if (S == Special::Fnuz && code == 0x80u) bits |= 0x7fc00000u;
  return detail::as_float(bits | (code & 0x80u) << 24);
}

AIT_DEVICE float to_f32(f8e8m0 x) {
  const uint32_t code = x.bits;
  return detail::as_float(code == 255 ? 0x7fc00000u : code == 0 ? 0x00400000u : code << 23);
}

/// A code in the low four bits; see packed.h for how tensors hold it.
struct f4e2m1 {
  uint8_t bits;
};
AIT_DEVICE float to_f32(f4e2m1 x) {
  const uint32_t magnitude = x.bits & 7u;
  const uint32_t bits = magnitude < 2 ? (magnitude == 0 ? 0u : 0x3f000000u) : (magnitude << 22) + 0x3f000000u;
  return detail::as_float(bits | (x.bits & 8u) << 28);
}

/// How a value between two powers of two becomes f8e8m0 (Cast's `round_mode`); ties of Nearest go up.
enum class Rounding { Up, Down, Nearest };

AIT_DEVICE f8e8m0 e8m0_from_f32(float x, bool saturate, Rounding mode = Rounding::Up) {
  const uint32_t a = detail::as_bits(x) & 0x7fffffffu;
  if (a > 0x7f800000u) return {255};
  constexpr uint32_t smallest = 0x00400000u;
  if (a < smallest || a == 0x7f800000u)
    return {static_cast<uint8_t>(!saturate ? 255 : a < smallest ? 0 : 254)};
  // Below 2^-126 the fraction starts one bit lower, at the leading bit of the denormal.
  const uint32_t exponent = a >> 23;
  const uint32_t fraction = exponent == 0 ? (a & 0x3fffffu) << 1 : a & 0x7fffffu;
  const bool up = mode == Rounding::Up ? fraction != 0 : mode == Rounding::Nearest && fraction >= 0x400000u;
  const uint32_t code = exponent + (up ? 1 : 0);
  return {static_cast<uint8_t>(code < 255 ? code : saturate ? 254 : 255)};
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

/// The nearest code, ties to even; the largest where x is out of range.
template <>
struct FromF32<f4e2m1> {
  AIT_DEVICE static f4e2m1 apply(float x) {
    const uint32_t bits = as_bits(x), sign = bits >> 31 << 3;
    const float a = as_float(bits & 0x7fffffffu);
    if (a != a) return {static_cast<uint8_t>(sign ^ 8u)};
    const int code =
        (a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) + (a > 2.5f) + (a >= 3.5f) + (a > 5.0f);
    return {static_cast<uint8_t>(sign | static_cast<uint32_t>(code))};
  }
};
template <>
struct FromF32<f8e8m0> {
  AIT_DEVICE static f8e8m0 apply(float x) { return e8m0_from_f32(x, true); }
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
template <>
struct RoundTo<f8e8m0> {
  AIT_DEVICE static float apply(float x, bool saturate) { return to_f32(e8m0_from_f32(x, saturate)); }
};

/// As from_f32; what does not saturate becomes infinity or NaN, whichever the format has.
template <class T>
struct FromF32As {
  AIT_DEVICE static T apply(float x, bool) { return from_f32<T>(x); }
};
template <int M, int B, Special S>
struct FromF32As<Float8<M, B, S>> {
  AIT_DEVICE static Float8<M, B, S> apply(float x, bool saturate) {
    return {f32_to_f8<M, B, S>(x, saturate)};
  }
};
template <>
struct FromF32As<f8e8m0> {
  AIT_DEVICE static f8e8m0 apply(float x, bool saturate) { return e8m0_from_f32(x, saturate); }
};

}  // namespace detail

template <class T>
AIT_DEVICE T from_f32_as(float x, bool saturate) {
  return detail::FromF32As<T>::apply(x, saturate);
}

}  // namespace ait
