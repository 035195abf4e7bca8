#pragma once
// The scalar functions that generated expressions call, for device code: one for each row of the compiler's
// table, under the names that ../scalar.h has for the CPU. Elementary functions are the device compiler's
// own, all within the table's bounds.
#include "float8.h"
#include "integer.h"

#if defined(AIT_CUDA)
namespace std {
/// What generated constants name.
template <class T>
struct numeric_limits;
template <>
struct numeric_limits<float> {
  AIT_DEVICE static float infinity() { return __int_as_float(0x7f800000); }
  AIT_DEVICE static float quiet_NaN() { return __int_as_float(0x7fc00000); }
};
template <>
struct numeric_limits<double> {
  AIT_DEVICE static double infinity() { return __longlong_as_double(0x7ff0000000000000ll); }
  AIT_DEVICE static double quiet_NaN() { return __longlong_as_double(0x7ff8000000000000ll); }
};
}  // namespace std
#else
#include <limits>
#endif

namespace ait::fn {
// A name of its own, so that a library may hold this and the CPU's functions.
inline namespace device {

template <class T>
constexpr bool kIsInteger = ait::detail::kIsInteger<T>;

// ---- Arithmetic: integers wrap, floats follow IEEE 754 ------------------------------------------------

template <class T>
AIT_DEVICE T add(T a, T b) {
  if constexpr (kIsInteger<T>)
    return wrap_add(a, b);
  else
    return a + b;
}
template <class T>
AIT_DEVICE T sub(T a, T b) {
  if constexpr (kIsInteger<T>)
    return wrap_sub(a, b);
  else
    return a - b;
}
template <class T>
AIT_DEVICE T mul(T a, T b) {
  if constexpr (kIsInteger<T>)
    return wrap_mul(a, b);
  else
    return a * b;
}
template <class T>
AIT_DEVICE T div(T a, T b) {
  if constexpr (kIsInteger<T>)
    return int_div(a, b);
  else
    return a / b;
}
template <class T>
AIT_DEVICE T fmod(T a, T b) {
  if constexpr (kIsInteger<T>)
    return int_fmod(a, b);
  else if constexpr (sizeof(T) == 4)
    return ::fmodf(a, b);
  else
    return ::fmod(a, b);
}
/// Exact, with the sign of b, also of a zero.
template <class T>
AIT_DEVICE T mod(T a, T b) {
  if constexpr (kIsInteger<T>) {
    return int_mod(a, b);
  } else {
    const T r = fmod(a, b);
    if (r == T(0)) return b < T(0) ? -T(0) : T(0);
    return (r < T(0)) != (b < T(0)) ? r + b : r;
  }
}
template <class T>
AIT_DEVICE T min(T a, T b) {
  if constexpr (kIsInteger<T>)
    return b < a ? b : a;
  else
    return ait::detail::min_nan(a, b);
}
template <class T>
AIT_DEVICE T max(T a, T b) {
  if constexpr (kIsInteger<T>)
    return b > a ? b : a;
  else
    return ait::detail::max_nan(a, b);
}
template <class T>
AIT_DEVICE T neg(T a) {
  if constexpr (kIsInteger<T>)
    return wrap_neg(a);
  else
    return -a;
}
template <class T>
AIT_DEVICE T abs(T a) {
  if constexpr (kIsInteger<T>)
    return ait::detail::is_negative(a) ? wrap_neg(a) : a;
  else if constexpr (sizeof(T) == 4)
    return ::fabsf(a);
  else
    return ::fabs(a);
}
/// Zeros and NaN stay what they are.
template <class T>
AIT_DEVICE T sign(T a) {
  if constexpr (kIsInteger<T>)
    return static_cast<T>((a != T(0)) - 2 * ait::detail::is_negative(a));
  else
    return a > T(0) ? T(1) : a < T(0) ? T(-1) : a;
}
template <class T>
AIT_DEVICE T reciprocal(T a) {
  return T(1) / a;
}

// ---- Elementary functions -----------------------------------------------------------------------------

#define AIT_FORWARD(name, f32_form, f64_form)              \
  AIT_DEVICE float name(float a) { return ::f32_form(a); } \
  AIT_DEVICE double name(double a) { return ::f64_form(a); }
AIT_FORWARD(sqrt, sqrtf, sqrt)
AIT_FORWARD(exp, expf, exp)
AIT_FORWARD(expm1, expm1f, expm1)
AIT_FORWARD(log, logf, log)
AIT_FORWARD(log1p, log1pf, log1p)
AIT_FORWARD(sin, sinf, sin)
AIT_FORWARD(cos, cosf, cos)
AIT_FORWARD(tan, tanf, tan)
AIT_FORWARD(asin, asinf, asin)
AIT_FORWARD(acos, acosf, acos)
AIT_FORWARD(atan, atanf, atan)
AIT_FORWARD(sinh, sinhf, sinh)
AIT_FORWARD(cosh, coshf, cosh)
AIT_FORWARD(tanh, tanhf, tanh)
AIT_FORWARD(asinh, asinhf, asinh)
AIT_FORWARD(acosh, acoshf, acosh)
AIT_FORWARD(atanh, atanhf, atanh)
AIT_FORWARD(erf, erff, erf)
AIT_FORWARD(ceil, ceilf, ceil)
AIT_FORWARD(floor, floorf, floor)
AIT_FORWARD(round, rintf, rint)
AIT_FORWARD(trunc, truncf, trunc)
#undef AIT_FORWARD

template <class T>
AIT_DEVICE T rsqrt(T a) {
  return ait::detail::reciprocal_sqrt(a);
}
template <class T>
AIT_DEVICE T sigmoid(T a) {
  const T e = exp(-abs(a));
  return ait::detail::divide_near_one(a < T(0) ? e : T(1), T(1) + e);
}
template <class T>
AIT_DEVICE T softplus(T a) {
  return max(a, T(0)) + log1p(exp(-abs(a)));
}

// ---- The same for results that are rounded to half precision, within a tenth of its last place --------

AIT_DEVICE float quick_exp(float a) { return ait::detail::quick_exp2(a * 1.4426950408889634f); }
AIT_DEVICE float quick_divide(float a, float b) { return a * ait::detail::quick_reciprocal(b); }
AIT_DEVICE float quick_sigmoid(float a) {
  return ait::detail::quick_reciprocal(1.0f + ait::detail::quick_exp2(a * -1.4426950408889634f));
}
/// a Φ(a), where Φ is the normal distribution: of |a| what its other tail leaves, whose logarithm is nearly a
/// parabola.
AIT_DEVICE float quick_gelu(float a) {
  const float t = ::fminf(::fabsf(a), 16.0f);
  float tail = 3.25883015e-05f;
  tail = ::fmaf(tail, t, -7.50635983e-04f);
  tail = ::fmaf(tail, t, 7.95555022e-03f);
  tail = ::fmaf(tail, t, -5.30906208e-02f);
  tail = ::fmaf(tail, t, -4.59113955e-01f);
  tail = ::fmaf(tail, t, -1.15107357e+00f);
  tail = ::fmaf(tail, t, -1.0f);
  return ::fmaf(-t, ait::detail::quick_exp2(tail), ait::detail::max_nan(a, 0.0f));
}

// ---- Comparison and logic -----------------------------------------------------------------------------

template <class T>
AIT_DEVICE bool isnan(T a) {
  return a != a;
}
template <class T>
AIT_DEVICE bool isinf(T a) {
  return abs(a) == std::numeric_limits<T>::infinity();
}
template <class T>
AIT_DEVICE bool eq(T a, T b) {
  return a == b;
}
template <class T>
AIT_DEVICE bool ne(T a, T b) {
  return a != b;
}
template <class T>
AIT_DEVICE bool lt(T a, T b) {
  return a < b;
}
template <class T>
AIT_DEVICE bool le(T a, T b) {
  return a <= b;
}
template <class T>
AIT_DEVICE bool gt(T a, T b) {
  return a > b;
}
template <class T>
AIT_DEVICE bool ge(T a, T b) {
  return a >= b;
}
AIT_DEVICE bool logical_and(bool a, bool b) { return a & b; }
AIT_DEVICE bool logical_or(bool a, bool b) { return a | b; }
AIT_DEVICE bool logical_xor(bool a, bool b) { return a ^ b; }
AIT_DEVICE bool logical_not(bool a) { return !a; }
template <class T>
AIT_DEVICE T select(bool condition, T a, T b) {
  return condition ? a : b;
}

// ---- Bits ---------------------------------------------------------------------------------------------

template <class T>
AIT_DEVICE T bit_and(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
AIT_DEVICE T bit_or(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
AIT_DEVICE T bit_xor(T a, T b) {
  return static_cast<T>(a ^ b);
}
template <class T>
AIT_DEVICE T bit_not(T a) {
  return static_cast<T>(~a);
}
template <class T>
AIT_DEVICE T shl(T a, T n) {
  return shift_left(a, n);
}
template <class T>
AIT_DEVICE T shr(T a, T n) {
  return shift_right(a, n);
}

// ---- Conversion ---------------------------------------------------------------------------------------

/// To and from numbers; narrow floats as well, though nothing is computed in them.
template <class T, class V>
AIT_DEVICE T cast(V x) {
  if constexpr (kSame<T, V>)
    return x;
  else if constexpr (!kIsInteger<V> && !ait::detail::kIsFloat<V>)
    return cast<T>(to_f32(x));
  else if constexpr (kSame<T, bool>)
    return x != V(0);
  else if constexpr (!kIsInteger<T> && !ait::detail::kIsFloat<T>)
    return from_f32<T>(static_cast<float>(x));
  else if constexpr (kIsInteger<T> && !kIsInteger<V>)
    return ait::detail::float_to_int<T>(x);
  else
    return static_cast<T>(x);
}

/// x rounded to the values that T has. Only the 8-bit floats may saturate.
template <class T>
AIT_DEVICE float round_to(float x, bool saturate) {
  return ait::detail::RoundTo<T>::apply(x, saturate);
}

/// The result has the type of the base; a float exponent of an integer goes through double.
template <class T, class E>
AIT_DEVICE T pow(T a, E b) {
  if constexpr (kIsInteger<T> && kIsInteger<E>)
    return int_pow(a, b);
  else if constexpr (kIsInteger<T>)
    return cast<T>(::pow(static_cast<double>(a), static_cast<double>(b)));
  else if constexpr (sizeof(T) == 4)
    return ::powf(a, static_cast<float>(b));
  else
    return ::pow(a, static_cast<double>(b));
}

}  // namespace device
}  // namespace ait::fn
