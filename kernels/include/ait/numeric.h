#pragma once
// Element types as they lie in memory, and the arithmetic C++ leaves undefined, defined as ONNX and
// onnxruntime have it. Values compute as float; half, bf16 and the 8-bit floats only convert.
#include "vec.h"

namespace ait {

// ---- Element types -------------------------------------------------------------------------------

/// What the top codes of a small float mean: infinity and NaN (IEEE), one NaN per sign (Fn), only the
/// code of -0 is NaN (Fnuz), no special code at all (Finite).
enum class Special { Ieee, Fn, Fnuz, Finite };

template <class Bits, int Width, int Mantissa, int Bias, Special S>
struct SmallFloat {
  Bits bits;
};
using half = SmallFloat<uint16_t, 16, 10, 15, Special::Ieee>;
using f8e4m3fn = SmallFloat<uint8_t, 8, 3, 7, Special::Fn>;
using f8e4m3fnuz = SmallFloat<uint8_t, 8, 3, 8, Special::Fnuz>;
using f8e5m2 = SmallFloat<uint8_t, 8, 2, 15, Special::Ieee>;
using f8e5m2fnuz = SmallFloat<uint8_t, 8, 2, 16, Special::Fnuz>;
/// One code in the low four bits; see get_packed for how tensors hold it.
using f4e2m1 = SmallFloat<uint8_t, 4, 1, 1, Special::Finite>;
struct bf16 {
  uint16_t bits;
};
/// A power of two, as microscaling formats use it.
struct f8e8m0 {
  uint8_t bits;
};

namespace detail {

template <class T>
struct Plain {
  using type = T;
};
template <class T>
struct Plain<T&> {
  using type = T;
};
template <class T>
constexpr bool kIsNumber =
    __is_same(T, float) || __is_same(T, double) || __is_same(T, bool) || __is_same(T, int8_t) ||
    __is_same(T, uint8_t) || __is_same(T, int16_t) || __is_same(T, uint16_t) || __is_same(T, int32_t) ||
    __is_same(T, uint32_t) || __is_same(T, int64_t) || __is_same(T, uint64_t) || __is_same(T, long long) ||
    __is_same(T, unsigned long long);
template <class T>
constexpr bool kIsFloat = __is_same(T, float) || __is_same(T, double);

template <int Bytes>
struct SignedOf;
template <>
struct SignedOf<4> {
  using type = int32_t;
};
template <>
struct SignedOf<8> {
  using type = int64_t;
};

template <class V, bool Scalar = kIsNumber<V>>
struct ElementOf {
  using type = V;
};
template <class V>
struct ElementOf<V, false> {
  using type = typename Plain<decltype(V{}[0])>::type;
};

}  // namespace detail

/// The element type of a vector; a number is its own element.
template <class V>
using Element = typename detail::ElementOf<V>::type;
template <class V>
constexpr int kLanesOf = static_cast<int>(sizeof(V) / sizeof(Element<V>));

/// V's shape with another element type: a vector of as many lanes, or a scalar.
template <class V, class T, bool Scalar = detail::kIsNumber<V>>
struct LikeOf {
  using type = T;
};
template <class V, class T>
struct LikeOf<V, T, false> {
  using type = Vec<T, kLanesOf<V>>;
};
template <class V, class T>
using Like = typename LikeOf<V, T>::type;

/// The bits of x as another type of the same size.
template <class To, class From>
inline To bit_cast(const From& x) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To to;
  std::memcpy(&to, &x, sizeof(To));
  return to;
}

// ---- Small floats to and from float, for scalars and vectors alike -------------------------------

/// c holds the code in its low bits; U is uint32_t or a vector of it.
template <class Bits, int W, int M, int B, Special S, class U>
inline auto decode(SmallFloat<Bits, W, M, B, S>, U c) {
  using F = Like<U, float>;
  constexpr uint32_t sign_bit = 1u << (W - 1);
  const U magnitude = c & (sign_bit - 1);
  const U shifted = magnitude << (23 - M);
  U bits = bit_cast<U>(bit_cast<F>(shifted) * bit_cast<float>(uint32_t{254 - B} << 23));
  if constexpr (S == Special::Ieee) {
    constexpr uint32_t infinity = ((sign_bit >> M) - 1) << M;
    bits = magnitude >= infinity ? shifted | 0x7f800000u : bits;
  } else if constexpr (S == Special::Fn) {
    bits = magnitude == sign_bit - 1 ? (bits | 0x7fc00000u) : bits;
  } else if constexpr (S == Special::Fnuz) {
    bits = c == sign_bit ? (bits | 0x7fc00000u) : bits;
  }
  return bit_cast<F>(bits | (c & sign_bit) << (32 - W));
}

/// Rounds to nearest, ties to even. Out of range: the largest finite value if Saturate, else infinity or
/// NaN, whichever the format has.
template <class T, bool Saturate, class F>
struct Encode;
template <class Bits, int W, int M, int B, Special S, bool Saturate, class F>
struct Encode<SmallFloat<Bits, W, M, B, S>, Saturate, F> {
  static auto apply(F x) {
    using U = Like<F, uint32_t>;
    constexpr uint32_t sign_bit = 1u << (W - 1);
    constexpr uint32_t infinity = ((sign_bit >> M) - 1) << M;
    constexpr uint32_t largest = S == Special::Ieee ? infinity - 1 : sign_bit - (S == Special::Fn ? 2 : 1);
    constexpr uint32_t nan = S == Special::Ieee ? infinity | 1u << (M - 1) : sign_bit - 1;
    constexpr uint32_t over = Saturate || S == Special::Finite ? largest
                              : S == Special::Ieee             ? infinity
                                                               : uint32_t{nan};
    const U bits = bit_cast<U>(x);
    const U a = bits & 0x7fffffffu;
    const U sign = (bits >> 31) << (W - 1);
    const U normal =
        ((a + ((1u << (22 - M)) - 1) + ((a >> (23 - M)) & 1u)) >> (23 - M)) - (uint32_t{127 - B} << M);
    // Adding a power of two whose last bit weighs as much as the smallest denormal rounds to it.
    constexpr uint32_t magic = uint32_t{127 + 24 - B - M} << 23;
    const U denormal = bit_cast<U>(bit_cast<F>(a) + bit_cast<float>(magic)) - magic;
    U code = a < (uint32_t{128 - B} << 23) ? denormal : normal;
    if constexpr (S == Special::Fnuz) {
      const U finite = (code == 0u ? code : code | sign);
      const U limit = Saturate ? (sign | largest) : (sign & 0u) | sign_bit;
      code = code > largest ? limit : finite;
      return U(a > 0x7f800000u ? (code & 0u) | sign_bit : code);
    } else {
      code = code > largest ? (code & 0u) | over : code;
      if constexpr (S == Special::Finite) return U(a > 0x7f800000u ? sign ^ sign_bit : code | sign);
      return U((a > 0x7f800000u ? (code & 0u) | nan : code) | sign);
    }
  }
};
template <bool Saturate, class F>
struct Encode<bf16, Saturate, F> {
  static auto apply(F x) {
    using U = Like<F, uint32_t>;
    const U bits = bit_cast<U>(x);
    const U rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return U((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
  }
};

template <class U>
inline auto decode(bf16, U c) {
  return bit_cast<Like<U, float>>(U(c << 16));
}
template <class U>
inline auto decode(f8e8m0, U c) {
  const U zero = c & 0u;
  return bit_cast<Like<U, float>>(U(c == 255u ? zero | 0x7fc00000u : c == 0u ? zero | 0x00400000u : c << 23));
}

inline float to_f32(float x) { return x; }
inline float to_f32(bf16 x) { return decode(x, uint32_t{x.bits}); }
inline float to_f32(f8e8m0 x) { return decode(x, uint32_t{x.bits}); }
template <class Bits, int W, int M, int B, Special S>
inline float to_f32(SmallFloat<Bits, W, M, B, S> x) {
#if defined(__F16C__)
  if constexpr (W == 16) {
    const Vec<int16_t, 8> h = {static_cast<int16_t>(x.bits)};
    return __builtin_ia32_vcvtph2ps(h)[0];
  }
#endif
  return decode(x, uint32_t{x.bits});
}

/// half and bf16 overflow to infinity, the 8-bit floats saturate unless told otherwise (Cast's `saturate`).
template <class T>
constexpr bool kSaturates = sizeof(T) == 1;

template <class T, bool Saturate = kSaturates<T>>
inline T from_f32(float x) {
#if defined(__F16C__)
  if constexpr (__is_same(T, half)) {
    const Vec<float, 4> v = {x};
    return T{static_cast<uint16_t>(__builtin_ia32_vcvtps2ph(v, 0)[0])};
  }
#endif
  return T{static_cast<decltype(T::bits)>(Encode<T, Saturate, float>::apply(x))};
}

/// How a value between two powers of two becomes f8e8m0 (Cast's `round_mode`); ties of Nearest go up.
enum class Rounding { Up, Down, Nearest };

template <bool Saturate = true>
inline f8e8m0 e8m0_from_f32(float x, Rounding mode = Rounding::Up) {
  const uint32_t a = bit_cast<uint32_t>(x) & 0x7fffffffu;
  if (a > 0x7f800000u) return {255};
  constexpr uint32_t smallest = 0x00400000u;
  if (a < smallest || a == 0x7f800000u) {
    return {static_cast<uint8_t>(!Saturate ? 255 : a < smallest ? 0 : 254)};
  }
  // Below 2^-126 the fraction starts one bit lower, at the leading bit of the denormal.
  const uint32_t exponent = a >> 23;
  const uint32_t fraction = exponent == 0 ? (a & 0x3fffffu) << 1 : a & 0x7fffffu;
  const bool up = mode == Rounding::Up ? fraction != 0 : mode == Rounding::Nearest && fraction >= 0x400000u;
  const uint32_t code = exponent + (up ? 1 : 0);
  return {static_cast<uint8_t>(code < 255 ? code : Saturate ? 254 : 255)};
}
template <>
inline f8e8m0 from_f32<f8e8m0, true>(float x) {
  return e8m0_from_f32<true>(x);
}
template <>
inline f8e8m0 from_f32<f8e8m0, false>(float x) {
  return e8m0_from_f32<false>(x);
}

// ---- Packed elements of 4 and 2 bits --------------------------------------------------------------

/// Element i of a tensor that holds 8 / Bits elements in a byte, the first in the lowest bits.
template <int Bits, bool Signed>
inline int get_packed(const uint8_t* p, int64_t i) {
  constexpr int per_byte = 8 / Bits;
  const int code = p[i / per_byte] >> (i % per_byte * Bits) & ((1 << Bits) - 1);
  return Signed ? (code ^ 1 << (Bits - 1)) - (1 << (Bits - 1)) : code;
}

/// Keeps the low bits of value. Neighbours share a byte: one thread writes whole bytes.
template <int Bits>
inline void set_packed(uint8_t* p, int64_t i, int value) {
  constexpr int per_byte = 8 / Bits;
  const int shift = static_cast<int>(i % per_byte) * Bits;
  const int low = (1 << Bits) - 1;
  uint8_t& byte = p[i / per_byte];
  byte = static_cast<uint8_t>((byte & ~(low << shift)) | (value & low) << shift);
}

inline float get_f4(const uint8_t* p, int64_t i) {
  return to_f32(f4e2m1{static_cast<uint8_t>(get_packed<4, false>(p, i))});
}
inline void set_f4(uint8_t* p, int64_t i, float x) { set_packed<4>(p, i, from_f32<f4e2m1>(x).bits); }

// ---- Casts ----------------------------------------------------------------------------------------

/// Truncates towards zero. Out of range and NaN give what x86 and onnxruntime give: the smallest int32 or
/// int64, of which narrower types keep the low bits; unsigned types convert their upper half shifted down.
template <class I, class F>
inline I float_to_int(F x) {
  if constexpr (sizeof(I) < 4) {
    return static_cast<I>(float_to_int<int32_t>(x));
  } else {
    constexpr int bits = 8 * sizeof(I);
    using Signed = typename detail::SignedOf<sizeof(I)>::type;
    const F limit = bits == 32 ? F(0x1p31) : F(0x1p63);
    const bool high = static_cast<I>(-1) > I(0) && x >= limit;
    const F low = high ? x - limit : x;
    // Between -2^31 - 1 and -2^31 a double still truncates into range.
    const bool ok = low < limit && (bits == 32 ? low > F(-0x1p31) - F(1) : low >= -limit);
    const Signed smallest = bits == 32 ? static_cast<Signed>(INT32_MIN) : static_cast<Signed>(INT64_MIN);
    return static_cast<I>(ok ? static_cast<Signed>(low) : smallest) ^ static_cast<I>(high) << (bits - 1);
  }
}

/// Cast of one element between any two of the types above and the C++ numbers.
template <class To, class From>
inline To cast_to(From x) {
  if constexpr (__is_same(To, From)) {
    return x;
  } else if constexpr (!detail::kIsNumber<From>) {
    return cast_to<To>(to_f32(x));
  } else if constexpr (__is_same(To, bool)) {
    return x != From(0);
  } else if constexpr (!detail::kIsNumber<To>) {
    return from_f32<To>(static_cast<float>(x));
  } else if constexpr (detail::kIsFloat<From> && !detail::kIsFloat<To>) {
    return float_to_int<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

/// Cast of a vector to another of as many lanes, or of a number to a number, by the same rules.
template <class To, class From>
inline To cast_v(From v) {
  using E = Element<From>;
  using T = Element<To>;
  if constexpr (detail::kIsNumber<From>) {
    return cast_to<To>(v);
  } else if constexpr (__is_same(E, T)) {
    return v;
  } else if constexpr (detail::kIsFloat<E> && !detail::kIsFloat<T>) {
    if constexpr (sizeof(T) < 4 || __is_same(T, int32_t)) {
      using I = Like<From, int32_t>;
      const auto ok = (v > E(-2147483649.0)) & (v < E(2147483648.0));
      const I converted = __builtin_convertvector(ok ? v : From{}, I);
      const I ok32 = __builtin_convertvector(ok, I);
      return __builtin_convertvector(ok32 ? converted : I{} + INT32_MIN, To);
    } else {
      To to;
      for (int i = 0; i < kLanesOf<From>; i++) to[i] = float_to_int<T>(v[i]);
      return to;
    }
  } else {
    return __builtin_convertvector(v, To);
  }
}

// ---- Vector loads and stores that convert ---------------------------------------------------------

/// V's lanes from as many elements of T at p; V may be a scalar.
template <class V, class T>
inline V load_as(const T* p) {
  using E = Element<V>;
  constexpr int n = kLanesOf<V>;
  if constexpr (__is_same(V, E)) {
    return cast_to<V>(*p);
  } else if constexpr (__is_same(T, E)) {
    return load<V>(p);
  } else if constexpr (__is_same(T, bool)) {
    return load_as<V>(reinterpret_cast<const uint8_t*>(p));
  } else if constexpr (detail::kIsNumber<T>) {
    return cast_v<V>(load<Vec<T, n>>(p));
  } else {
#if defined(__F16C__)
    if constexpr (__is_same(T, half) && __is_same(E, float)) {
#if defined(__AVX512F__)
      if constexpr (n == 16) {
        return __builtin_ia32_vcvtph2ps512_mask(load<Vec<int16_t, 16>>(p), V{}, -1, 4);
      }
#endif
      if constexpr (n == 8) return __builtin_ia32_vcvtph2ps256(load<Vec<int16_t, 8>>(p));
    }
#endif
    using U = Vec<uint32_t, n>;
    const U codes = __builtin_convertvector((load<Vec<decltype(T::bits), n>>(p)), U);
    return cast_v<V>(decode(T{}, codes));
  }
}

template <class T, class V>
inline void store_as(T* p, V v) {
  using E = Element<V>;
  constexpr int n = kLanesOf<V>;
  if constexpr (__is_same(V, E)) {
    *p = cast_to<T>(v);
  } else if constexpr (__is_same(T, E)) {
    store(p, v);
  } else if constexpr (__is_same(T, bool)) {
    const auto bits = v != E(0);
    store(reinterpret_cast<uint8_t*>(p), __builtin_convertvector(bits, Vec<uint8_t, n>) & uint8_t{1});
  } else if constexpr (detail::kIsNumber<T>) {
    store(p, cast_v<Vec<T, n>>(v));
  } else if constexpr (__is_same(T, f8e8m0)) {
    for (int i = 0; i < n; i++) p[i] = cast_to<T>(v[i]);
  } else {
#if defined(__F16C__)
    if constexpr (__is_same(T, half) && __is_same(E, float)) {
#if defined(__AVX512F__)
      if constexpr (n == 16) {
        store(p, __builtin_ia32_vcvtps2ph512_mask(v, 0, Vec<int16_t, 16>{}, -1));
        return;
      }
#endif
      if constexpr (n == 8) {
        store(p, __builtin_ia32_vcvtps2ph256(v, 0));
        return;
      }
    }
#endif
    using F = Like<V, float>;
    const auto codes = Encode<T, kSaturates<T>, F>::apply(cast_v<F>(v));
    store(p, __builtin_convertvector(codes, Vec<decltype(T::bits), n>));
  }
}

/// The first n elements only; the other lanes are `fill`.
template <class V, class T>
inline V load_as_n(const T* p, int n, Element<V> fill = Element<V>(0)) {
  constexpr int lanes = kLanesOf<V>;
  if constexpr (__is_same(V, Element<V>)) {
    return n > 0 ? cast_to<V>(*p) : fill;
  } else {
#if defined(__AVX512F__) && !defined(__clang__)
    if constexpr (__is_same(T, float) && __is_same(V, Vec<float, 16>)) {
      return __builtin_ia32_loadups512_mask(p, V{} + fill, static_cast<uint16_t>((1u << n) - 1));
    }
#elif defined(__AVX2__) && !defined(__clang__)
    if constexpr (__is_same(T, float) && __is_same(V, Vec<float, 8>)) {
      const Vec<int32_t, 8> mask = Vec<int32_t, 8>{0, 1, 2, 3, 4, 5, 6, 7} < n;
      return mask ? __builtin_ia32_maskloadps256(reinterpret_cast<const Vec<float, 8>*>(p), mask)
                  : V{} + fill;
    }
#endif
    Element<V> buffer[lanes];
    for (int i = 0; i < lanes; i++) buffer[i] = i < n ? cast_to<Element<V>>(p[i]) : fill;
    return load<V>(buffer);
  }
}
template <class T, class V>
inline void store_as_n(T* p, V v, int n) {
  if constexpr (__is_same(V, Element<V>)) {
    if (n > 0) *p = cast_to<T>(v);
  } else {
#if defined(__AVX512F__) && !defined(__clang__)
    if constexpr (__is_same(T, float) && __is_same(V, Vec<float, 16>)) {
      __builtin_ia32_storeups512_mask(p, v, static_cast<uint16_t>((1u << n) - 1));
      return;
    }
#elif defined(__AVX2__) && !defined(__clang__)
    if constexpr (__is_same(T, float) && __is_same(V, Vec<float, 8>)) {
      const Vec<int32_t, 8> mask = Vec<int32_t, 8>{0, 1, 2, 3, 4, 5, 6, 7} < n;
      __builtin_ia32_maskstoreps256(reinterpret_cast<Vec<float, 8>*>(p), mask, v);
      return;
    }
#endif
    T buffer[kLanesOf<V>];
    store_as(buffer, v);
    std::memcpy(static_cast<void*>(p), buffer, sizeof(T) * static_cast<size_t>(n));
  }
}

/// A vector where n is its lanes, else its first n lanes.
template <class V, class T>
inline V load_some(const T* p, int n) {
  return n == kLanesOf<V> ? load_as<V>(p) : load_as_n<V>(p, n);
}
template <class T, class V>
inline void store_some(T* p, V v, int n) {
  if (n == kLanesOf<V>) {
    store_as(p, v);
  } else {
    store_as_n(p, v, n);
  }
}

/// How templates read and write: load(V{}, i, n) is V's first n lanes from element i on, store(i, v, n)
/// writes them. These two do just that with memory; generated code passes lambdas that compute as well.
template <class T>
struct Read {
  const T* p;
  template <class V>
  V operator()(V, int64_t i, int n) const {
    return load_some<V>(p + i, n);
  }
};
template <class T>
struct Write {
  T* p;
  template <class V>
  void operator()(int64_t i, V v, int n) const {
    store_some(p + i, v, n);
  }
};
template <class T>
inline Read<T> read(const T* p) {
  return {p};
}
template <class T>
inline Write<T> write(T* p) {
  return {p};
}

// ---- Integer arithmetic ---------------------------------------------------------------------------

namespace detail {
template <int Bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using type = uint8_t;
};
template <>
struct UnsignedOf<2> {
  using type = uint16_t;
};
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
}  // namespace detail

template <class T>
inline T wrap_add(T a, T b) {
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) + static_cast<detail::Wrap<T>>(b));
}
template <class T>
inline T wrap_sub(T a, T b) {
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) - static_cast<detail::Wrap<T>>(b));
}
template <class T>
inline T wrap_mul(T a, T b) {
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) * static_cast<detail::Wrap<T>>(b));
}
template <class T>
inline T wrap_neg(T a) {
  return wrap_sub(T(0), a);
}
template <class T>
inline T wrap_abs(T a) {
  return a < T(0) ? wrap_neg(a) : a;
}

/// Truncating division; x / 0 is 0 and the smallest value / -1 is itself.
template <class T>
inline T int_div(T a, T b) {
  if (b == T(0)) return T(0);
  if constexpr (detail::kSigned<T>) {
    if (b == static_cast<T>(-1)) return wrap_neg(a);
  }
  return static_cast<T>(a / b);
}

/// Mod with fmod = 1: the sign of a. x mod 0 is 0.
template <class T>
inline T int_fmod(T a, T b) {
  if (b == T(0)) return T(0);
  if constexpr (detail::kSigned<T>) {
    if (b == static_cast<T>(-1)) return T(0);
  }
  return static_cast<T>(a % b);
}

/// Mod with fmod = 0: the sign of b.
template <class T>
inline T int_mod(T a, T b) {
  const T r = int_fmod(a, b);
  return r != T(0) && (r < T(0)) != (b < T(0)) ? static_cast<T>(r + b) : r;
}

/// Mod of floats with fmod = 0: a - floor(a / b) * b, exact, with the sign of b (also of a zero).
template <class F>
inline F float_mod(F a, F b) {
  F r = sizeof(F) == 4 ? static_cast<F>(__builtin_fmodf(static_cast<float>(a), static_cast<float>(b)))
                       : static_cast<F>(__builtin_fmod(a, b));
  if (r == F(0)) return b < F(0) ? -F(0) : F(0) * F(1);
  return (r < F(0)) != (b < F(0)) ? r + b : r;
}

/// a to the power b, modulo 2^bits; a negative power of anything but 1 and -1 is 0.
template <class T, class E>
inline T int_pow(T a, E b) {
  if (b < E(0)) {
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
inline T shift_left(T a, T n) {
  if (n < T(0) || n >= static_cast<T>(8 * sizeof(T))) return T(0);
  return static_cast<T>(static_cast<detail::Wrap<T>>(a) << n);
}
template <class T>
inline T shift_right(T a, T n) {
  if (n < T(0) || n >= static_cast<T>(8 * sizeof(T))) return a < T(0) ? static_cast<T>(-1) : T(0);
  return static_cast<T>(a >> n);
}

}  // namespace ait
