#include "../ait/numeric.h"

#include "check.h"

using namespace ait;

/// The value of a code by the definition of the format, in double.
static double value_of(uint32_t code, int width, int mantissa, int bias, Special s) {
  const uint32_t sign_bit = 1u << (width - 1), magnitude = code & (sign_bit - 1);
  const int exponents = width - 1 - mantissa;
  const int e = static_cast<int>(magnitude >> mantissa), top = (1 << exponents) - 1;
  const uint32_t m = magnitude & ((1u << mantissa) - 1);
  if (s == Special::Fnuz && code == sign_bit) return NAN;
  if (s == Special::Fn && magnitude == sign_bit - 1) return NAN;
  double v = e == 0 ? std::ldexp(m, 1 - bias - mantissa) : std::ldexp(1 + std::ldexp(m, -mantissa), e - bias);
  if (s == Special::Ieee && e == top) v = m != 0 ? NAN : INFINITY;
  return code & sign_bit ? -v : v;
}

/// The code nearest to x, ties to the even code, by search. Infinity takes part as the value it replaces.
static uint32_t nearest_code(double x, int width, int mantissa, int bias, Special s, bool saturate) {
  const uint32_t sign_bit = 1u << (width - 1);
  uint32_t largest = sign_bit - 1;
  while (!std::isfinite(value_of(largest, width, mantissa, bias, s))) largest--;
  const double a = std::fabs(x);
  uint32_t lo = 0, hi = largest;
  while (lo < hi) {
    const uint32_t mid = (lo + hi + 1) / 2;
    if (value_of(mid, width, mantissa, bias, s) <= a)
      lo = mid;
    else
      hi = mid - 1;
  }
  const double below = value_of(lo, width, mantissa, bias, s);
  const double above = lo < largest ? value_of(lo + 1, width, mantissa, bias, s)
                                    : 2 * below - value_of(lo - 1, width, mantissa, bias, s);
  const double to_below = a - below, to_above = above - a;
  uint32_t code = to_below < to_above || (to_below == to_above && lo % 2 == 0) ? lo : lo + 1;
  const uint32_t sign = std::signbit(x) ? sign_bit : 0;
  if (code > largest || std::isinf(x)) {
    if (saturate || s == Special::Finite) return largest | sign;
    if (s == Special::Fnuz) return sign_bit;
    return (largest + 1) | sign;  // infinity, or Fn's NaN
  }
  if (s == Special::Fnuz && code == 0) return 0;
  return code | sign;
}

template <class Bits, int W, int M, int B, Special S>
static void small_float(SmallFloat<Bits, W, M, B, S>, const char* name) {
  using T = SmallFloat<Bits, W, M, B, S>;
  bool decodes = true, vectors = true, keeps = true;
  for (uint32_t c = 0; c < 1u << W; c++) {
    const T code{static_cast<Bits>(c)};
    const double want = value_of(c, W, M, B, S);
    const float got = to_f32(code);
    decodes &= std::isnan(want) ? std::isnan(got) : got == want && std::signbit(got) == std::signbit(want);
    T many[16];
    for (T& m : many) m = code;
    const f32v v = load_as<f32v>(many);
    vectors &= bit_cast<uint32_t>(float(v[0])) == bit_cast<uint32_t>(got) || std::isnan(want);
    if (!std::isnan(want) && std::isfinite(want)) keeps &= from_f32<T>(got).bits == c;
    keeps &= !std::isnan(want) || std::isnan(to_f32(from_f32<T>(got)));
  }
  test::check(decodes, name, 1);
  test::check(vectors, name, 2);
  test::check(keeps, name, 3);
  test::Random random;
  bool encodes = true, saturates = true, stores = true;
  const float edge[] = {0.f,  -0.f,  INFINITY, -INFINITY, 448,   464,   464.01f, 480,
                        240,  248,   57344,    61440,     61439, 65504, 65520,   65519,
                        1e9f, -1e9f, 3.4e38f,  1e-45f,    0.25f, 0.75f, 5,       2.5f};
  for (int i = 0; i < 200000; i++) {
    float x = i < 24 ? edge[i] : 0;
    if (i >= 24) {
      x = i % 2 ? bit_cast<float>(static_cast<uint32_t>(random.bits()))
                : to_f32(T{static_cast<Bits>(random.bits() & ((1u << W) - 1))}) *
                      (1 + static_cast<float>(random.below(5) - 2) * 0x1p-12f);
      if (i % 16 == 0) x = std::ldexp(static_cast<float>(random.below(64)), -B - M);
      if (std::isnan(x)) continue;
    }
    const uint32_t strict = nearest_code(x, W, M, B, S, false), loose = nearest_code(x, W, M, B, S, true);
    encodes &= from_f32<T, false>(x).bits == strict;
    if (W == 8) saturates &= from_f32<T, true>(x).bits == loose;
    T out[kF32];
    store_as(out, splat<f32v>(x));
    stores &= out[kF32 - 1].bits == (kSaturates<T> ? loose : strict);
  }
  test::check(encodes, name, 4);
  test::check(saturates, name, 5);
  test::check(stores, name, 6);
}

template <class To, class From>
static void casts(std::initializer_list<From> from, std::initializer_list<To> to, const char* what) {
  const To* want = to.begin();
  for (From x : from) {
    test::check(cast_to<To>(x) == *want, what, static_cast<long long>(want - to.begin()));
    if constexpr (!__is_same(To, bool)) {
      From many[16];
      for (From& m : many) m = x;
      const auto v = cast_v<Vec<To, 8>>(load<Vec<From, 8>>(many));
      test::check(v[5] == *want, what, 100 + (want - to.begin()));
    }
    want++;
  }
}

int main() {
  small_float(half{}, "half");
  small_float(f8e4m3fn{}, "f8e4m3fn");
  small_float(f8e4m3fnuz{}, "f8e4m3fnuz");
  small_float(f8e5m2{}, "f8e5m2");
  small_float(f8e5m2fnuz{}, "f8e5m2fnuz");
  {
    const float finite[] = {0, .5f, 1, 1.5f, 2, 3, 4, 6};
    for (uint8_t c = 0; c < 16; c++)
      test::check(to_f32(f4e2m1{c}) == (c < 8 ? finite[c] : -finite[c - 8]), "f4");
    for (float x : {.25f, .26f, .75f, 2.5f, 3.5f, 5.f, 5.1f, 7.f, 1e9f, -.2f, -100.f}) {
      test::check(from_f32<f4e2m1>(x).bits == nearest_code(x, 4, 1, 1, Special::Finite, true), "f4 encode");
    }
    test::check(from_f32<f4e2m1>(NAN).bits == 8, "f4 of NaN");
  }
  {  // bf16: round to nearest even on the upper half
    test::Random random;
    bool ok = true;
    for (int i = 0; i < 100000; i++) {
      const uint32_t bits = static_cast<uint32_t>(random.bits());
      const float x = bit_cast<float>(bits);
      const uint16_t got = from_f32<bf16>(x).bits;
      bf16 out[kF32];
      store_as(out, splat<f32v>(x));
      ok &= out[1].bits == got;
      if (std::isnan(x)) {
        ok &= std::isnan(to_f32(bf16{got}));
        continue;
      }
      const float down = bit_cast<float>(bits & 0xffff0000u);
      const double up = std::isinf(bit_cast<float>((bits & 0xffff0000u) + 0x10000u))
                            ? std::copysign(0x1p128, x)
                            : bit_cast<float>((bits & 0xffff0000u) + 0x10000u);
      const double a = std::fabs(double(x) - down), b = std::fabs(up - double(x));
      const bool take_up = std::isfinite(x) && (b < a || (a == b && (bits >> 16) % 2 == 1));
      ok &= got == static_cast<uint16_t>((bits >> 16) + take_up);
      ok &= load_as<f32v>(out)[0] == to_f32(bf16{got});
    }
    test::check(ok, "bf16");
  }
  {  // e8m0
    using R = Rounding;
    for (int c = 0; c < 255; c++) {
      const float x = static_cast<float>(std::ldexp(1.0, c - 127));
      test::check(to_f32(f8e8m0{static_cast<uint8_t>(c)}) == x, "e8m0 decode", c);
      for (R r : {R::Up, R::Down, R::Nearest}) test::check(e8m0_from_f32(x, r).bits == c, "e8m0 exact", c);
      if (c == 254) break;
      const float y = x * 1.25f, z = x * 1.5f;
      test::check(e8m0_from_f32(y, R::Up).bits == c + 1 && e8m0_from_f32(y, R::Down).bits == c, "e8m0", c);
      test::check(e8m0_from_f32(y, R::Nearest).bits == c && e8m0_from_f32(z, R::Nearest).bits == c + 1,
                  "e8m0 nearest", c);
    }
    test::check(std::isnan(to_f32(f8e8m0{255})) && e8m0_from_f32(NAN).bits == 255, "e8m0 NaN");
    test::check(e8m0_from_f32(INFINITY).bits == 254 && e8m0_from_f32<false>(INFINITY).bits == 255,
                "e8m0 inf");
    test::check(e8m0_from_f32(3e38f).bits == 254 && e8m0_from_f32<false>(3e38f).bits == 255, "e8m0 over");
    test::check(e8m0_from_f32(0).bits == 0 && e8m0_from_f32<false>(0).bits == 255, "e8m0 zero");
  }
  {  // packed
    uint8_t p[5] = {};
    for (int i = 0; i < 9; i++) set_packed<4>(p, i, i - 4);
    for (int i = 0; i < 9; i++) {
      test::check(get_packed<4, true>(p, i) == i - 4 && get_packed<4, false>(p, i) == ((i - 4) & 15), "int4",
                  i);
    }
    test::check(p[0] == (0xc | 0xd << 4), "the first element lies in the low bits");
    for (int i = 0; i < 17; i++) set_packed<2>(p, i, i);
    for (int i = 0; i < 17; i++) {
      test::check(get_packed<2, false>(p, i) == i % 4 && get_packed<2, true>(p, i) == (i % 4 ^ 2) - 2, "int2",
                  i);
    }
    set_f4(p, 3, -3.1f);
    test::check(get_f4(p, 3) == -3, "packed f4");
  }

  // The expected values are onnxruntime's and numpy's on x86.
  const float nan = NAN, inf = INFINITY;
  const auto all = {3e9f, -3e9f, nan, inf, -inf, 300.f, -1.f, 1e20f, -1.5f};
  casts<int8_t, float>(all, {0, 0, 0, 0, 0, 44, -1, 0, -1}, "to int8");
  casts<uint8_t, float>(all, {0, 0, 0, 0, 0, 44, 255, 0, 255}, "to uint8");
  casts<int16_t, float>(all, {0, 0, 0, 0, 0, 300, -1, 0, -1}, "to int16");
  casts<uint16_t, float>(all, {0, 0, 0, 0, 0, 300, 65535, 0, 65535}, "to uint16");
  const int32_t lo = INT32_MIN;
  casts<int32_t, float>(all, {lo, lo, lo, lo, lo, 300, -1, lo, -1}, "to int32");
  casts<uint32_t, float>(
      all, {3000000000u, 1u << 31, 1u << 31, 0, 1u << 31, 300, 4294967295u, 0, 4294967295u}, "to uint32");
  const int64_t low = INT64_MIN;
  casts<int64_t, float>(all, {3000000000, -3000000000, low, low, low, 300, -1, low, -1}, "to int64");
  casts<uint64_t, float>(
      all, {3000000000u, 18446744070709551616u, 1ull << 63, 0, 1ull << 63, 300, ~0ull, 0, ~0ull},
      "to uint64");
  casts<bool, float>({0, -0.f, .1f, nan}, {false, false, true, true}, "to bool");
  casts<int32_t, double>({2147483647.5, -2147483648.5, 2147483648.0}, {2147483647, lo, lo}, "double");
  casts<int8_t, int32_t>({200, -300}, {-56, -44}, "int to int");
  test::check(cast_to<half>(int64_t{3}).bits == 0x4200 && cast_to<int8_t>(half{0xc200}) == -3,
              "int and half");
  test::check(std::isinf(to_f32(cast_to<half>(1e10))), "half overflows");
  {
    bool flags[kF32];
    store_as(flags, f32v{0, 2, NAN});
    test::check(!flags[0] && flags[1] && flags[2] && !flags[3], "bool store");
    test::check(load_as<f32v>(flags)[1] == 1, "bool load");
    const uint8_t bytes[3] = {1, 2, 255};
    const f32v v = load_as_n<f32v>(bytes, 3, 7.f);
    test::check(v[2] == 255 && v[3] == 7, "partial load");
    int8_t out[kF32] = {9, 9, 9, 9};
    store_as_n(out, v, 3);
    test::check(out[2] == -1 && out[3] == 9, "partial store");
  }

  test::check(int_div(7, -2) == -3 && int_div(7, 0) == 0 && int_div(lo, -1) == lo, "division");
  test::check(int_div<int8_t>(-128, -1) == -128 && int_div<uint8_t>(200, 3) == 66, "narrow division");
  const int a[] = {7, -7, 7, -7}, b[] = {3, 3, -3, -3}, floored[] = {1, 2, -2, -1},
            truncated[] = {1, -1, 1, -1};
  for (int i = 0; i < 4; i++) {
    test::check(int_mod(a[i], b[i]) == floored[i] && int_fmod(a[i], b[i]) == truncated[i], "mod", i);
    test::check(float_mod(double(a[i]), double(b[i])) == floored[i], "float mod", i);
  }
  test::check(int_mod(lo, -1) == 0 && int_mod(5, 0) == 0 && int_mod<uint8_t>(200, 7) == 4, "mod edges");
  test::check(float_mod(1.f, inf) == 1 && float_mod(-1.f, inf) == inf && std::isnan(float_mod(1.f, 0.f)),
              "inf");
  test::check(std::signbit(float_mod(6.f, -3.f)) && !std::signbit(float_mod(-6.f, 3.f)), "signed zero");
  test::check(int_pow(2, 10) == 1024 && int_pow(3, -1) == 0 && int_pow(-1, -3) == -1 && int_pow(-2, 3) == -8,
              "pow");
  test::check(int_pow<int64_t>(3, 39) == 4052555153018976267 && int_pow(0, 0) == 1, "pow");
  test::check(int_pow<uint8_t>(7, 200) == 193 && int_pow<int32_t>(7, 40) == static_cast<int32_t>(0xf78771c1u),
              "wrap");
  test::check(shift_left<uint8_t>(200, 1) == 144 && shift_left<uint8_t>(1, 8) == 0, "shift");
  test::check(shift_right<int8_t>(-8, 1) == -4 && shift_right<int8_t>(-8, 9) == -1 && shift_right(5, -1) == 0,
              "shift");
  test::check(wrap_mul<int16_t>(-32768, -32768) == 0 && wrap_abs(lo) == lo && wrap_add(INT32_MAX, 1) == lo,
              "wrap");
  return test::summary();
}
