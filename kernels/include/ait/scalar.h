#pragma once
// The scalar functions that generated expressions call: one for each row of the compiler's table, for
// numbers of every element type and for vectors of float. On vectors a truth value is a mask.
#include <limits>

#include "math.h"

/// In front of a loop none of whose iterations writes what another reads.
#if defined(__clang__)
#define AIT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define AIT_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace ait::fn {

// ---- Arithmetic: integers wrap, floats follow IEEE 754 ------------------------------------------------

template <class T>
constexpr bool kIsInteger = ait::detail::kIsNumber<T> && !ait::detail::kIsFloat<T>;

template <class T>
inline T add(T a, T b) {
  if constexpr (kIsInteger<T>)
    return wrap_add(a, b);
  else
    return a + b;
}
template <class T>
inline T sub(T a, T b) {
  if constexpr (kIsInteger<T>)
    return wrap_sub(a, b);
  else
    return a - b;
}
template <class T>
inline T mul(T a, T b) {
  if constexpr (kIsInteger<T>)
    return wrap_mul(a, b);
  else
    return a * b;
}
template <class T>
inline T div(T a, T b) {
  if constexpr (kIsInteger<T>)
    return int_div(a, b);
  else
    return a / b;
}
template <class T>
inline T mod(T a, T b) {
  if constexpr (kIsInteger<T>)
    return int_mod(a, b);
  else
    return mod_(a, b);
}
template <class T>
inline T fmod(T a, T b) {
  if constexpr (kIsInteger<T>)
    return int_fmod(a, b);
  else
    return fmod_(a, b);
}
/// The result has the type of the base; a float exponent of an integer goes through double.
template <class T, class E>
inline T pow(T a, E b) {
  if constexpr (kIsInteger<T> && kIsInteger<E>)
    return int_pow(a, b);
  else if constexpr (kIsInteger<T>)
    return cast_to<T>(::pow(static_cast<double>(a), static_cast<double>(b)));
  else if constexpr (kIsInteger<E>)
    return pow_(a, static_cast<T>(b));
  else
    return pow_(a, cast_v<T>(b));
}
template <class T>
inline T min(T a, T b) {
  return min_(a, b);
}
template <class T>
inline T max(T a, T b) {
  return max_(a, b);
}
template <class T>
inline T neg(T a) {
  if constexpr (kIsInteger<T>)
    return wrap_neg(a);
  else
    return -a;
}
template <class T>
inline T abs(T a) {
  if constexpr (kIsInteger<T>)
    return wrap_abs(a);
  else
    return abs_(a);
}
template <class T>
inline T sign(T a) {
  if constexpr (kIsInteger<T>)
    return static_cast<T>((a > T(0)) - (a < T(0)));
  else
    return sign_(a);
}
template <class T>
inline T reciprocal(T a) {
  return Element<T>(1) / a;
}

// ---- Elementary functions -----------------------------------------------------------------------------

#define AIT_FORWARD(name)   \
  template <class T>        \
  inline T name(T a) {      \
    return ait::name##_(a); \
  }
AIT_FORWARD(sqrt)
AIT_FORWARD(rsqrt)
AIT_FORWARD(exp)
AIT_FORWARD(expm1)
AIT_FORWARD(log)
AIT_FORWARD(log1p)
AIT_FORWARD(sin)
AIT_FORWARD(cos)
AIT_FORWARD(tan)
AIT_FORWARD(asin)
AIT_FORWARD(acos)
AIT_FORWARD(atan)
AIT_FORWARD(sinh)
AIT_FORWARD(cosh)
AIT_FORWARD(tanh)
AIT_FORWARD(asinh)
AIT_FORWARD(acosh)
AIT_FORWARD(atanh)
AIT_FORWARD(erf)
AIT_FORWARD(sigmoid)
AIT_FORWARD(softplus)
AIT_FORWARD(ceil)
AIT_FORWARD(floor)
AIT_FORWARD(round)
AIT_FORWARD(trunc)
#undef AIT_FORWARD

// ---- Comparison and logic -----------------------------------------------------------------------------

template <class T>
inline auto isnan(T a) {
  return isnan_(a);
}
template <class T>
inline auto isinf(T a) {
  return isinf_(a);
}
template <class T>
inline auto eq(T a, T b) {
  return a == b;
}
template <class T>
inline auto ne(T a, T b) {
  return a != b;
}
template <class T>
inline auto lt(T a, T b) {
  return a < b;
}
template <class T>
inline auto le(T a, T b) {
  return a <= b;
}
template <class T>
inline auto gt(T a, T b) {
  return a > b;
}
template <class T>
inline auto ge(T a, T b) {
  return a >= b;
}
template <class M>
inline M logical_and(M a, M b) {
  return a & b;
}
template <class M>
inline M logical_or(M a, M b) {
  return a | b;
}
template <class M>
inline M logical_xor(M a, M b) {
  return a ^ b;
}
template <class M>
inline M logical_not(M a) {
  if constexpr (__is_same(M, bool))
    return !a;
  else
    return ~a;
}
template <class M, class T>
inline T select(M condition, T a, T b) {
  return condition ? a : b;
}

// ---- Bits ---------------------------------------------------------------------------------------------

template <class T>
inline T bit_and(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
inline T bit_or(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
inline T bit_xor(T a, T b) {
  return static_cast<T>(a ^ b);
}
template <class T>
inline T bit_not(T a) {
  return static_cast<T>(~a);
}
template <class T>
inline T shl(T a, T n) {
  return shift_left(a, n);
}
template <class T>
inline T shr(T a, T n) {
  return shift_right(a, n);
}

// ---- Conversion ---------------------------------------------------------------------------------------

/// Cast to an element type that is computed with as it is: a number, or a vector's lanes to float. A mask
/// becomes 1 and 0.
template <class T, class V>
inline auto cast(V x) {
  if constexpr (ait::detail::kIsNumber<V>)
    return cast_to<T>(x);
  else if constexpr (__is_same(T, bool))
    return x != Element<V>(0);
  else if constexpr (__is_same(Element<V>, int32_t))
    return x ? splat<Like<V, T>>(T(1)) : Like<V, T>{};
  else
    return cast_v<Like<V, T>>(x);
}

/// x rounded to the values that T has. Only the 8-bit floats may saturate.
template <class T, class V>
inline V round_to(V x, bool saturate) {
  const auto rounded = [&](float lane) {
    return to_f32(saturate && sizeof(T) == 1 ? from_f32<T, true>(lane) : from_f32<T, false>(lane));
  };
  if constexpr (ait::detail::kIsNumber<V>) {
    return rounded(x);
  } else if constexpr (sizeof(T) == 2) {
    T buffer[kLanesOf<V>];
    store_as(buffer, x);
    return load_as<V>(buffer);
  } else {
    for (int i = 0; i < kLanesOf<V>; i++) x[i] = rounded(x[i]);
    return x;
  }
}

/// Truth values in memory, as a mask over the lanes of V.
template <class V>
inline auto load_mask(const bool* p) {
  using M = Like<V, int32_t>;
  return load_as<M>(reinterpret_cast<const uint8_t*>(p)) != 0;
}
template <class V>
inline auto load_mask_n(const bool* p, int n) {
  using M = Like<V, int32_t>;
  return load_as_n<M>(reinterpret_cast<const uint8_t*>(p), n) != 0;
}

}  // namespace ait::fn
