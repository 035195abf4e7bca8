// The scalar functions of device code, emulated, against the CPU's and against libm in double.
#include <cstdlib>

// Both sides have the same names.
#define ait ait_cpu
#include "../ait/scalar.h"
#undef ait
#include "../ait/gpu/scalar.h"
#include "check.h"

namespace cpu = ait_cpu::fn;
namespace gpu = ait::fn;
using test::check;
using test::Random;

namespace {

template <class T>
bool same(T a, T b) {
  if (a != a) return b != b;
  return memcmp(&a, &b, sizeof(T)) == 0;
}

const float special_floats[] = {0.f,
                                -0.f,
                                1.f,
                                -1.f,
                                0.5f,
                                -0.5f,
                                2.f,
                                -2.f,
                                1e-45f,
                                -1e-45f,
                                NAN,
                                1e38f,
                                -1e38f,
                                3.5f,
                                -2.5f,
                                1e-38f,
                                INFINITY,
                                -INFINITY,
                                88.7f,
                                -104.f,
                                127.f,
                                -128.f,
                                255.f,
                                256.f,
                                32767.5f,
                                -32769.f,
                                2147483648.f,
                                -2147483648.f,
                                4294967296.f,
                                9223372036854775808.f,
                                -9223372036854775808.f,
                                1.8446744e19f,
                                3e9f};

/// Numbers of every magnitude, and special ones.
template <class T>
T number(Random& random, int i) {
  if constexpr (ait::detail::kIsFloat<T>) {
    if (i % 8 == 0) return static_cast<T>(special_floats[random.below(std::size(special_floats))]);
    if (i % 8 == 1) return static_cast<T>(ait::detail::as_float(static_cast<uint32_t>(random.bits())));
    return static_cast<T>(random.between(-1, 1) * (i % 3 ? 4 : 100));
  } else {
    if (i % 4 == 0) return static_cast<T>(random.below(7) - 3);
    if (i % 16 == 1) return static_cast<T>(T(1) << (8 * sizeof(T) - 1));
    if (i % 16 == 2) return static_cast<T>(~(T(1) << (8 * sizeof(T) - 1)));
    return static_cast<T>(random.bits() >> random.below(64));
  }
}

constexpr int count = 40000;

template <class T, class F, class G>
void binary(const char* what, F mine, G theirs) {
  Random random;
  int bad = 0;
  for (int i = 0; i < count; i++) {
    const T a = number<T>(random, i), b = number<T>(random, i / 7);
    const auto got = mine(a, b);
    const auto want = theirs(a, b);
    static_assert(std::is_same_v<decltype(got), decltype(want)>);
    if (!same(got, want) && !(got == want && a == b) && bad++ < 3)
      std::printf("  %s(%.9g, %.9g): %.9g, not %.9g\n", what, static_cast<double>(a), static_cast<double>(b),
                  static_cast<double>(got), static_cast<double>(want));
  }
  check(bad == 0, what, sizeof(T));
}

template <class T, class F, class G>
void unary(const char* what, F mine, G theirs) {
  binary<T>(what, [&](T a, T) { return mine(a); }, [&](T a, T) { return theirs(a); });
}

#define EXACT1(name)                           \
  unary<T>(                                    \
      #name, [](T a) { return gpu::name(a); }, \
      [](T a) { return static_cast<decltype(gpu::name(a))>(cpu::name(a)); })
#define EXACT2(name)                                   \
  binary<T>(                                           \
      #name, [](T a, T b) { return gpu::name(a, b); }, \
      [](T a, T b) { return static_cast<decltype(gpu::name(a, b))>(cpu::name(a, b)); })

template <class T>
void numbers() {
  EXACT2(add);
  EXACT2(sub);
  EXACT2(mul);
  EXACT2(div);
  EXACT2(mod);
  EXACT2(fmod);
  EXACT2(min);
  EXACT2(max);
  EXACT1(neg);
  EXACT1(abs);
  EXACT1(sign);
  EXACT2(eq);
  EXACT2(ne);
  EXACT2(lt);
  EXACT2(le);
  EXACT2(gt);
  EXACT2(ge);
  if constexpr (ait::detail::kIsFloat<T>) {
    EXACT1(reciprocal);
    EXACT1(sqrt);
    EXACT1(ceil);
    EXACT1(floor);
    EXACT1(round);
    EXACT1(trunc);
    EXACT1(isnan);
    EXACT1(isinf);
  } else {
    EXACT2(pow);
    EXACT2(bit_and);
    EXACT2(bit_or);
    EXACT2(bit_xor);
    EXACT1(bit_not);
    binary<T>(
        "shl", [](T a, T b) { return gpu::shl(a, T(b & 127)); },
        [](T a, T b) { return cpu::shl(a, T(b & 127)); });
    binary<T>(
        "shr", [](T a, T b) { return gpu::shr(a, T(b & 127)); },
        [](T a, T b) { return cpu::shr(a, T(b & 127)); });
    binary<T>(
        "pow, float", [](T a, T b) { return gpu::pow(a, float(b % 5) / 2); },
        [](T a, T b) { return cpu::pow(a, float(b % 5) / 2); });
  }
  binary<T>(
      "select", [](T a, T b) { return gpu::select(a > b, a, b); },
      [](T a, T b) { return cpu::select(a > b, a, b); });
}

template <class To, class From>
void cast(const char* what) {
  unary<From>(what, [](From a) { return gpu::cast<To>(a); }, [](From a) { return cpu::cast<To>(a); });
}
template <class From>
void casts() {
  cast<bool, From>("cast to bool");
  cast<int8_t, From>("cast to int8");
  cast<uint8_t, From>("cast to uint8");
  cast<int16_t, From>("cast to int16");
  cast<uint16_t, From>("cast to uint16");
  cast<int32_t, From>("cast to int32");
  cast<uint32_t, From>("cast to uint32");
  cast<int64_t, From>("cast to int64");
  cast<uint64_t, From>("cast to uint64");
  cast<float, From>("cast to float");
  cast<double, From>("cast to double");
}

/// The bits of T that a float rounds to, and the way back, over every code.
template <class T, class C>
void narrow(const char* what) {
  Random random;
  bool ok = true;
  for (int i = 0; i < 400000; i++) {
    const float x = number<float>(random, i);
    for (bool saturate : {false, true})
      ok &= same(gpu::round_to<T>(x, saturate), cpu::round_to<C>(x, saturate));
    if (x == x) ok &= ait::from_f32<T>(x).bits == ait_cpu::from_f32<C>(x).bits;
  }
  for (int code = 0; code < 1 << 8 * sizeof(T); code++) {
    using Bits = decltype(T::bits);
    ok &= same(ait::to_f32(T{static_cast<Bits>(code)}), ait_cpu::to_f32(C{static_cast<Bits>(code)}));
  }
  check(ok, what);
}

/// |got - want| in units of the last place of a float at want.
double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  const float rounded = static_cast<float>(want);
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0 : 1e9;
  int e;
  std::frexp(want, &e);
  return std::fabs(got - want) / std::ldexp(1.0, std::max(e - 24, -149));
}

/// Within the table's bound, for floats; doubles within the same number of their own units.
template <class F, class G>
void elementary(const char* what, F mine, G exact, double bound, double lo = -INFINITY,
                double hi = INFINITY) {
  Random random;
  double worst = 0, worst_double = 0;
  for (int i = 0; i < 200000; i++) {
    const float x = number<float>(random, i);
    if (x < lo || x > hi) continue;
    const double want = exact(static_cast<double>(x));
    worst = std::fmax(worst, ulps(mine(x), want));
    const double got = mine(static_cast<double>(x));
    if (got == want || (got != got && want != want)) continue;
    worst_double = std::fmax(worst_double, std::fabs(got - want) / (std::fabs(want) * 0x1p-53 + 0x1p-1074));
  }
  check(worst <= bound && worst_double <= 2 * bound, what,
        static_cast<long long>(std::fmin(worst, 1e9) * 1000));
}
#define WITHIN(bound, name) \
  elementary(#name, [](auto x) { return gpu::name(x); }, [](double x) { return std::name(x); }, bound)

void functions() {
  WITHIN(2, exp);
  WITHIN(2, expm1);
  WITHIN(2, log);
  WITHIN(3, log1p);
  WITHIN(2, sin);
  WITHIN(2, cos);
  WITHIN(4, tan);
  WITHIN(4, asin);
  WITHIN(4, acos);
  WITHIN(4, atan);
  WITHIN(4, sinh);
  WITHIN(4, cosh);
  WITHIN(4, tanh);
  WITHIN(4, asinh);
  WITHIN(4, acosh);
  WITHIN(4, atanh);
  WITHIN(4, erf);
  elementary("rsqrt", [](auto x) { return gpu::rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); }, 2);
  elementary(
      "sigmoid", [](auto x) { return gpu::sigmoid(x); },
      [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }, 4);
  elementary(
      "softplus", [](auto x) { return gpu::softplus(x); },
      [](double x) { return std::fmax(x, 0.) + (x != x ? x : std::log1p(std::exp(-std::fabs(x)))); }, 4);

  Random random;
  double worst = 0;
  for (int i = 0; i < 200000; i++) {
    const float a = number<float>(random, i), b = number<float>(random, i / 5);
    worst = std::fmax(worst, ulps(gpu::pow(a, b), std::pow(static_cast<double>(a), static_cast<double>(b))));
    const int n = static_cast<int>(random.below(9)) - 4;
    worst = std::fmax(worst, ulps(gpu::pow(a, n), std::pow(static_cast<double>(a), n)));
  }
  check(worst <= 4, "pow", static_cast<long long>(worst * 1000));
}

void logic() {
  bool ok = true;
  for (bool a : {false, true})
    for (bool b : {false, true}) {
      ok &= gpu::logical_and(a, b) == (a && b) && gpu::logical_or(a, b) == (a || b);
      ok &= gpu::logical_xor(a, b) == (a != b) && gpu::logical_not(a) == !a;
    }
  check(ok, "logic");
}

}  // namespace

int main() {
  numbers<float>();
  numbers<double>();
  numbers<int8_t>();
  numbers<uint8_t>();
  numbers<int16_t>();
  numbers<uint16_t>();
  numbers<int32_t>();
  numbers<uint32_t>();
  numbers<int64_t>();
  numbers<uint64_t>();
  casts<float>();
  casts<double>();
  casts<int64_t>();
  casts<int8_t>();
  casts<uint32_t>();
  casts<bool>();
  narrow<ait::f16, ait_cpu::half>("f16");
  narrow<ait::bf16, ait_cpu::bf16>("bf16");
  narrow<ait::f8e4m3fn, ait_cpu::f8e4m3fn>("f8e4m3fn");
  narrow<ait::f8e4m3fnuz, ait_cpu::f8e4m3fnuz>("f8e4m3fnuz");
  narrow<ait::f8e5m2, ait_cpu::f8e5m2>("f8e5m2");
  narrow<ait::f8e5m2fnuz, ait_cpu::f8e5m2fnuz>("f8e5m2fnuz");
  functions();
  logic();
  return test::summary();
}
