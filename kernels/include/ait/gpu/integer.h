#pragma once
// The arithmetic that C++ leaves undefined, defined as ONNX and onnxruntime have it, and casts: the device's
// half of ../numeric.h.
#include "device.h"

namespace ait {
namespace detail {

template <int Bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<4> {
  using type = uint32_t;
};
template <>
struct UnsignedOf<8> {
  using type = uint64_t;
};
/// Unsigned and at least as wide as int, so that nothing is promoted to a signed type that can overflow.
template <class T>
using Wrap = typename UnsignedOf<(sizeof(T) < 4 ? 4 : sizeof(T))>::type;
template <class T>
constexpr bool kSigned = static_cast<T>(-1) < T(0);
template <class T>
AIT_DEVICE bool is_negative(T x) {
  if constexpr (kSigned<T>)
    return x < T(0);
  else
    return false;
}
template <class T>
constexpr bool kIsFloat = kSame<T, float> || kSame<T, double>;
template <class T>
constexpr bool kIsInteger =
    kSame<T, bool> || kSame<T, int8_t> || kSame<T, uint8_t> || kSame<T, int16_t> || kSame<T, uint16_t> ||
    kSame<T, int32_t> || kSame<T, uint32_t> || kSame<T, int64_t> || kSame<T, uint64_t> ||
    kSame<T, long long> || kSame<T, unsigned long long>;

/// Truncates towards zero. Out of range and NaN give the smallest int32 or int64, of which narrower types
/// keep the low bits; unsigned types convert their upper half shifted down.
template <class I, class F>
AIT_DEVICE I float_to_int(F x) {
  if constexpr (sizeof(I) < 4) {
    return static_cast<I>(float_to_int<int32_t>(x));
  } else if constexpr (sizeof(I) == 4) {
    const F limit = F(2147483648.0);
    const bool high = !kSigned<I> && x >= limit;
    const F low = high ? x - limit : x;
    // Between -2^31 - 1 and -2^31 a double still truncates into range.
    const bool ok = low < limit && low > -limit - F(1);
    const uint32_t whole = ok ? static_cast<uint32_t>(static_cast<int32_t>(low)) : 0x80000000u;
    return static_cast<I>(whole ^ (high ? 0x80000000u : 0u));
  } else {
    const F limit = F(9223372036854775808.0);
    const bool high = !kSigned<I> && x >= limit;
    const F low = high ? x - limit : x;
    const bool ok = low < limit && low >= -limit;
    const uint64_t top = uint64_t{1} << 63;
    const uint64_t whole = ok ? static_cast<uint64_t>(static_cast<int64_t>(low)) : top;
    return static_cast<I>(whole ^ (high ? top : 0));
  }
}

}  // namespace detail

template <class T>
AIT_DEVICE T wrap_add(T a, T b) {
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) + static_cast<detail::Wrap<T>>(b));
}
template <class T>
AIT_DEVICE T wrap_sub(T a, T b) {
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) - static_cast<detail::Wrap<T>>(b));
}
template <class T>
AIT_DEVICE T wrap_mul(T a, T b) {
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) * static_cast<detail::Wrap<T>>(b));
}
template <class T>
AIT_DEVICE T wrap_neg(T a) {
  return wrap_sub(T(0), a);
}

/// Truncating division; x / 0 is 0 and the smallest value / -1 is itself.
template <class T>
AIT_DEVICE T int_div(T a, T b) {
  if (b == T(0)) return T(0);
  if constexpr (detail::kSigned<T>) {
    if (b == static_cast<T>(-1)) return wrap_neg(a);
  }
  return static_cast<T>(a / b);
}
/// The remainder with the sign of a. x mod 0 is 0.
template <class T>
AIT_DEVICE T int_fmod(T a, T b) {
  if (b == T(0)) return T(0);
  if constexpr (detail::kSigned<T>) {
    if (b == static_cast<T>(-1)) return T(0);
  }
  return static_cast<T>(a % b);
}
/// The remainder with the sign of b.
template <class T>
AIT_DEVICE T int_mod(T a, T b) {
  const T r = int_fmod(a, b);
  return r != T(0) && detail::is_negative(r) != detail::is_negative(b) ? static_cast<T>(r + b) : r;
}
/// a to the power b, modulo 2^bits; a negative power of anything but 1 and -1 is 0.
template <class T, class E>
AIT_DEVICE T int_pow(T a, E b) {
  if (detail::is_negative(b)) {
    if (a == T(1)) return a;
    return detail::kSigned<T> && a == static_cast<T>(-1) ? (b % 2 == 0 ? T(1) : a) : T(0);
  }
  T result = 1;
  for (;;) {
    if (b & 1) result = wrap_mul(result, a);
    b = static_cast<E>(b >> 1);
    if (b == E(0)) return result;
    a = wrap_mul(a, a);
  }
}
/// Shifts by a negative amount, or by the width and more, leave the sign's extension alone.
template <class T>
AIT_DEVICE T shift_left(T a, T n) {
  if (detail::is_negative(n) || n >= static_cast<T>(8 * sizeof(T))) return T(0);
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) << n);
}
template <class T>
AIT_DEVICE T shift_right(T a, T n) {
  if (detail::is_negative(n) || n >= static_cast<T>(8 * sizeof(T)))
    return detail::is_negative(a) ? static_cast<T>(-1) : T(0);
  return static_cast<T>(a >> n);
}

}  // namespace ait
