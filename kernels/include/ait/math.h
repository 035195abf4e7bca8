#pragma once
// Elementary functions, one text for vectors of any width and for scalars: exp_(v) takes an f32v, a float
// or a double. A float gives the same bits alone as in a lane. Double arguments go to libm. The bound
// behind each name is the largest error in ULP against the exact value, checked by the test beside this
// folder. Needs strict floating point (no -ffast-math); a * b + c may contract.
#include <math.h>

#include "numeric.h"

namespace ait {

namespace detail {

template <class V>
using IntOf = Like<V, int32_t>;
template <class V>
constexpr bool kScalar = kIsNumber<V>;
template <class V>
constexpr bool kIsF32 = __is_same(Element<V>, float);

/// A constant in every lane, keeping the sign of zero.
template <class V>
inline V k(Element<V> c) {
  return c - V{};
}

/// f lane by lane.
template <class V, class F>
inline V each(V v, F f) {
  if constexpr (kScalar<V>) {
    return f(v);
  } else {
    for (int i = 0; i < kLanesOf<V>; i++) v[i] = f(v[i]);
    return v;
  }
}

template <class M>
inline bool any(M mask) {
  if constexpr (kScalar<M>) {
    return mask;
  } else {
    Element<M> all = 0;
    for (int i = 0; i < kLanesOf<M>; i++) all |= mask[i];
    return all != 0;
  }
}

/// a < b ? a : b and a > b ? a : b in one instruction: b where either is a NaN.
template <class V>
inline V lesser(V a, V b) {
#if defined(__AVX512F__) && !defined(__clang__)
  if constexpr (kIsF32<V> && sizeof(V) == 64) return __builtin_ia32_minps512_mask(a, b, a, -1, 4);
#elif defined(__AVX__)
  if constexpr (kIsF32<V> && sizeof(V) == 32) return __builtin_ia32_minps256(a, b);
#endif
  return a < b ? a : b;
}
template <class V>
inline V greater(V a, V b) {
#if defined(__AVX512F__) && !defined(__clang__)
  if constexpr (kIsF32<V> && sizeof(V) == 64) return __builtin_ia32_maxps512_mask(a, b, a, -1, 4);
#elif defined(__AVX__)
  if constexpr (kIsF32<V> && sizeof(V) == 32) return __builtin_ia32_maxps256(a, b);
#endif
  return a > b ? a : b;
}

/// c[0] + c[1] x + c[2] x^2 ...
template <class V, int N>
inline V poly(V x, const Element<V> (&c)[N]) {
  V r = k<V>(c[N - 1]);
  for (int i = N - 2; i >= 0; i--) r = r * x + c[i];
  return r;
}

}  // namespace detail

// ---- Rounding, comparison and sign: exact -----------------------------------------------------------

template <class M, class V>
inline V select_(M mask, V a, V b) {
  return mask ? a : b;
}
template <class V>
inline V fma_(V a, V b, V c) {
  return a * b + c;
}
template <class V>
inline V abs_(V x) {
  using E = Element<V>;
  if constexpr (__is_same(E, float)) {
    return bit_cast<V>(bit_cast<Like<V, uint32_t>>(x) & 0x7fffffffu);
  } else if constexpr (__is_same(E, double)) {
    return bit_cast<V>(bit_cast<Like<V, uint64_t>>(x) & (~uint64_t{0} >> 1));
  } else {
    return x < E(0) ? V(-x) : x;
  }
}
template <class V>
inline V neg_(V x) {
  return -x;
}
/// The magnitude of x with the sign of s.
template <class V>
inline V copysign_(V x, V s) {
  using U = Like<V, typename detail::UnsignedOf<sizeof(Element<V>)>::type>;
  constexpr Element<U> sign = Element<U>(1) << (8 * sizeof(Element<U>) - 1);
  return bit_cast<V>((bit_cast<U>(x) & (sign - 1)) | (bit_cast<U>(s) & sign));
}
/// A NaN in either operand is a NaN, as numpy has it.
template <class V>
inline V max_(V a, V b) {
  V m = detail::greater(a, b);
  if constexpr (detail::kIsFloat<Element<V>>) m = a != a ? a : m;
  return m;
}
template <class V>
inline V min_(V a, V b) {
  V m = detail::lesser(a, b);
  if constexpr (detail::kIsFloat<Element<V>>) m = a != a ? a : m;
  return m;
}
template <class V>
inline V clamp_(V x, V lo, V hi) {
  return min_(max_(x, lo), hi);
}
/// -1, 0, 1; zeros and NaN stay what they are.
template <class V>
inline V sign_(V x) {
  using E = Element<V>;
  const V one = V{} + E(1);
  return x > E(0) ? one : x < E(0) ? V(E(0) - one) : x;
}
template <class V>
inline auto isnan_(V x) {
  return x != x;
}
template <class V>
inline auto isinf_(V x) {
  return abs_(x) == Element<V>(INFINITY);
}

namespace detail {
/// mode: 0 nearest even, 1 down, 2 up, 3 towards zero.
template <int Mode, class V>
inline V rounded(V x) {
  if constexpr (kScalar<V>) {
    if constexpr (__is_same(V, float)) {
      return Mode == 0 ? rintf(x) : Mode == 1 ? floorf(x) : Mode == 2 ? ceilf(x) : truncf(x);
    } else {
      return Mode == 0 ? rint(x) : Mode == 1 ? floor(x) : Mode == 2 ? ceil(x) : trunc(x);
    }
  } else {
#if defined(__AVX512F__)
    if constexpr (kIsF32<V> && sizeof(V) == 64) return __builtin_ia32_rndscaleps_mask(x, Mode, x, -1, 4);
    if constexpr (!kIsF32<V> && sizeof(V) == 64) return __builtin_ia32_rndscalepd_mask(x, Mode, x, -1, 4);
#endif
#if defined(__AVX__)
    if constexpr (kIsF32<V> && sizeof(V) == 32) return __builtin_ia32_roundps256(x, Mode);
    if constexpr (!kIsF32<V> && sizeof(V) == 32) return __builtin_ia32_roundpd256(x, Mode);
#endif
#if defined(__SSE4_1__)
    if constexpr (kIsF32<V> && sizeof(V) == 16) return __builtin_ia32_roundps(x, Mode);
    if constexpr (!kIsF32<V> && sizeof(V) == 16) return __builtin_ia32_roundpd(x, Mode);
#endif
    return each(x, [](auto lane) { return rounded<Mode>(lane); });
  }
}
}  // namespace detail

template <class V>
inline V round_(V x) {
  return detail::rounded<0>(x);
}
template <class V>
inline V floor_(V x) {
  return detail::rounded<1>(x);
}
template <class V>
inline V ceil_(V x) {
  return detail::rounded<2>(x);
}
template <class V>
inline V trunc_(V x) {
  return detail::rounded<3>(x);
}

template <class V>
inline V sqrt_(V x) {
  if constexpr (__is_same(V, float)) {
    return __builtin_sqrtf(x);
  } else if constexpr (__is_same(V, double)) {
    return __builtin_sqrt(x);
  } else {
#if !defined(__clang__)
#if defined(__AVX512F__)
    if constexpr (detail::kIsF32<V> && sizeof(V) == 64) return __builtin_ia32_sqrtps512_mask(x, x, -1, 4);
    if constexpr (!detail::kIsF32<V> && sizeof(V) == 64) return __builtin_ia32_sqrtpd512_mask(x, x, -1, 4);
#endif
#if defined(__AVX__)
    if constexpr (detail::kIsF32<V> && sizeof(V) == 32) return __builtin_ia32_sqrtps256(x);
    if constexpr (!detail::kIsF32<V> && sizeof(V) == 32) return __builtin_ia32_sqrtpd256(x);
#endif
#if defined(__SSE2__)
    if constexpr (detail::kIsF32<V> && sizeof(V) == 16) return __builtin_ia32_sqrtps(x);
    if constexpr (!detail::kIsF32<V> && sizeof(V) == 16) return __builtin_ia32_sqrtpd(x);
#endif
#endif
    return detail::each(x, [](auto lane) { return sqrt_(lane); });
  }
}
template <class V>
inline V recip_(V x) {
  return Element<V>(1) / x;
}
/// 1.5 ULP.
template <class V>
inline V rsqrt_(V x) {
  return Element<V>(1) / sqrt_(x);
}

// ---- Float kernels ----------------------------------------------------------------------------------

namespace detail {

/// p * 2^n, n between -150 and 128 and p about 1, rounded once.
template <class V>
inline V scale(V p, IntOf<V> n, V n_as_float) {
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) return __builtin_ia32_scalefps512_mask(p, n_as_float, p, -1, 4);
#endif
  (void)n_as_float;
  using U = Like<V, uint32_t>;
  const U h = bit_cast<U>(n >> 1), rest = bit_cast<U>(n) - h;
  return p * bit_cast<V>((h + 127u) << 23) * bit_cast<V>((rest + 127u) << 23);
}

/// exp(x) = 2^n (1 + e): n and e = expm1(r), |r| <= ln(2) / 2.
template <class V>
struct ExpParts {
  V e;
  IntOf<V> n;
  V n_as_float;
};
template <class V>
inline ExpParts<V> exp_parts(V x) {
  static constexpr float c[] = {0.5f, 0.166665182f, 0.041666206f, 0.00836895313f, 0.00139506022f};
  constexpr float magic = 12582912.f;
  const V shifted = x * 1.44269504f + magic;
  const V n = shifted - magic;
  const V r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  return {r * r * poly(r, c) + r, bit_cast<IntOf<V>>(bit_cast<Like<V, uint32_t>>(shifted) - 0x4b400000u), n};
}

template <class V>
inline V exp_f32(V x) {
  const V clamped = lesser(k<V>(89.f), greater(k<V>(-104.f), x));
  const ExpParts<V> p = exp_parts(clamped);
  return scale<V>(p.e + 1.f, p.n, p.n_as_float);
}

/// For x between -87 and 88, NaN kept.
template <class V>
inline V exp_in_range(V x) {
  const ExpParts<V> p = exp_parts(x);
  using U = Like<V, uint32_t>;
  return bit_cast<V>(bit_cast<U>(p.e + 1.f) + (bit_cast<U>(p.n) << 23));
}

template <class V>
inline V expm1_f32(V x) {
  const V clamped = lesser(k<V>(89.f), greater(k<V>(-18.f), x));
  const ExpParts<V> p = exp_parts(clamped);
  const V s = bit_cast<V>((bit_cast<Like<V, uint32_t>>(p.n) + 126u) << 23);
  const V r = 2.f * (s * p.e + (s - 0.5f));
  return p.n == 0 ? (x == 0.f ? x : p.e) : r;
}

template <class V>
inline V log_f32(V x) {
  static constexpr float c[] = {0.333333164f, -0.250008106f, 0.200022861f, -0.166245535f,
                                0.141811922f, -0.13128753f,  0.1288165f,   -0.0785961822f};
  using I = IntOf<V>;
  using U = Like<V, uint32_t>;
  const auto denormal = x < 1.17549435e-38f;
  const V scaled = denormal ? x * 8388608.f : x;
  const I e = bit_cast<I>(bit_cast<U>(scaled) - 0x3f3504f3u) >> 23;
  const V f = bit_cast<V>(bit_cast<U>(scaled) - (bit_cast<U>(e) << 23)) - 1.f;
  const V ef = cast_v<V>(e) - (denormal ? k<V>(23.f) : V{});
  // One product a sum: there is only one way to contract it, in a lane as alone.
  const V r = (f * f * (f * poly(f, c) - 0.5f) + f) + ef * -2.12194440e-4f + ef * 0.693359375f;
  const V special = x == 0.f ? k<V>(-INFINITY) : k<V>(NAN);
  return x > 0.f ? (x == INFINITY ? x : r) : special;
}

template <class V>
inline V log1p_f32(V x) {
  const V u = x + 1.f;
  const V lost = (x - (u - 1.f)) / u;
  const V r = log_f32(u) + lost;
  return abs_(x) < 1e-7f ? x : u == INFINITY ? u : u == 0.f ? k<V>(-INFINITY) : r;
}

template <class V>
inline V tanh_f32(V x) {
  static constexpr float c[] = {-0.333332837f, 0.133314908f, -0.0537435003f, 0.0206505917f, -0.00571704982f};
  const V a = abs_(x);
  const V z = a * a;
  const V small = a * z * poly(z, c) + a;
  const V e = exp_in_range(lesser(V(a + a), k<V>(20.f)));
  const V large = 1.f - 2.f / (e + 1.f);
  return copysign_(a < 0.625f ? small : x != x ? x : large, x);
}

template <class V>
inline V sigmoid_f32(V x) {
  const V e = exp_f32(-abs_(x));
  return (x < 0.f ? e : k<V>(1.f)) / (e + 1.f);
}

template <class V>
inline V erf_f32(V x) {
  static constexpr float small[] = {0.128379166f,   -0.376126349f,    0.112836972f,   -0.0268594995f,
                                    0.00520128617f, -0.000814559753f, 8.38239066e-05f};
  static constexpr float tail[] = {0.000207017947f, 1.12762737f,    0.637265801f,    0.103856303f,
                                   -0.022189742f,   0.00303368294f, -0.000194945722f};
  const V a = abs_(x);
  const V bounded = lesser(a, k<V>(3.95f));
  const V near = a * poly(V(a * a), small) + a;
  const V far = 1.f - exp_in_range(V(-poly(bounded, tail)));
  return copysign_(a < 0.92f ? near : x != x ? x : far, x);
}

}  // namespace detail

// ---- Double kernels behind the rarer functions: relative error below 1e-10 ----------------------------

namespace detail {

/// f in double, half a vector at a time, rounded to float.
template <class V, class F>
inline V by_doubles(V x, F f) {
  if constexpr (kScalar<V>) {
    return static_cast<float>(f(static_cast<double>(x)));
  } else {
    constexpr int n = kLanesOf<V> / 2;
    struct Halves {
      Vec<float, n> a, b;
    };
    const Halves in = bit_cast<Halves>(x);
    const Halves out = {
        __builtin_convertvector(f(__builtin_convertvector(in.a, Vec<double, n>)), Vec<float, n>),
        __builtin_convertvector(f(__builtin_convertvector(in.b, Vec<double, n>)), Vec<float, n>)};
    return bit_cast<V>(out);
  }
}

constexpr double kMagic = 6755399441055744.0;

/// Saturates well outside of float's range.
template <class D>
inline D exp_d(D x) {
  static constexpr double c[] = {0.49999999999515954,   0.1666666678729239,   0.041666667056373105,
                                 0.008333281078931998,  0.001388879607687888, 0.00019909369012676564,
                                 2.4887772315785635e-05};
  const D hi = k<D>(200.), lo = k<D>(-200.);
  const D clamped = x > hi ? hi : x < lo ? lo : x;
  const D shifted = clamped * 1.4426950408889634 + kMagic;
  const D n = shifted - kMagic;
  const D r = (clamped - n * 0.69314718036912382) - n * 1.9082149292705877e-10;
  const D p = r * r * poly(r, c) + r + 1.;
  using U = Like<D, uint64_t>;
  return bit_cast<D>(bit_cast<U>(p) + (bit_cast<U>(shifted) << 52));
}

template <class D>
inline D log_d(D x) {
  static constexpr double c[] = {0.6666666667580425, 0.3999999562087047, 0.28572109247549854,
                                 0.22176185418661004, 0.19584193281575832};
  using I = Like<D, int64_t>;
  // The exponent, kept positive while it is shifted, so that no 64-bit arithmetic shift is needed.
  using U = Like<D, uint64_t>;
  const U biased = (bit_cast<U>(x) - 0x3fe6a09e667f3bcdull + (uint64_t{1} << 62)) >> 52;
  const I e = bit_cast<I>(biased) - 1024;
  const D m = bit_cast<D>(bit_cast<U>(x) - (bit_cast<U>(e) << 52));
  const D ef = bit_cast<D>(e + 0x4338000000000000ll) - kMagic;
  const D s = (m - 1.) / (m + 1.);
  const D z = s * s;
  const D r = ef * 0.69314718055994531 + (s * z * poly(z, c) + (s + s));
  const D special = x == 0. ? k<D>(-INFINITY) : k<D>(NAN);
  return x > 0. ? (x == double(INFINITY) ? x : r) : special;
}

/// Sine and cosine of the remainder after q quarter turns; |x| < 2^20.
template <class D>
struct SinCos {
  D sin, cos;
  Like<D, int64_t> q;
};
template <class D>
inline SinCos<D> sin_cos_d(D x) {
  static constexpr double s[] = {-0.1666666664142662, 0.008333329362292226, -0.00019839327140439665,
                                 2.7182373142160033e-06};
  static constexpr double c[] = {0.04166666662247731, -0.0013888883722647173, 2.4799511770128212e-05,
                                 -2.7209548270296284e-07};
  const D shifted = x * 0.63661977236758134 + kMagic;
  const D q = shifted - kMagic;
  const D r = (x - q * 1.5707963267341256) - q * 6.0771005065061922e-11;
  const D z = r * r;
  return {r * z * poly(z, s) + r, z * (z * poly(z, c) - 0.5) + 1., bit_cast<Like<D, int64_t>>(shifted)};
}
template <class D>
inline D quarter(D even, D odd, Like<D, int64_t> q) {
  const D r = (q & 1) != 0 ? odd : even;
  return (q & 2) != 0 ? D(-r) : r;
}

template <class D>
inline D atan_d(D x) {
  static constexpr double c[] = {-0.33333333296222767, 0.19999994379141017,  -0.14285425485010106,
                                 0.11104033960049205,  -0.08997084480011226, 0.06992187325811608,
                                 -0.03793925367175808};
  const D a = abs_(x), one = k<D>(1.);
  const auto big = a > 2.4142135623730951, middle = a > 0.41421356237309503;
  const D t = (big ? D(-one) : middle ? a - 1. : a) / (big ? a : middle ? a + 1. : one);
  const D base = big ? k<D>(1.5707963267948966) : middle ? k<D>(0.78539816339744831) : D{};
  const D z = t * t;
  return copysign_(base + (t * z * poly(z, c) + t), x);
}

template <class D>
inline D sinh_d(D x) {
  static constexpr double c[] = {0.16666666667069097, 0.00833333327634162, 0.00019841296045397123,
                                 2.7552064068751134e-06, 2.552981964278738e-08};
  const D e = exp_d(x), z = x * x;
  return abs_(x) < 1. ? x * z * poly(z, c) + x : 0.5 * (e - 1. / e);
}

template <class D>
inline D asinh_d(D x) {
  const D a = abs_(x), z = x * x;
  const D small = a * (1. + z * (z * 0.075 - 0.16666666666666667));
  return copysign_(a < 0.01 ? small : log_d(D(a + sqrt_(D(z + 1.)))), x);
}

template <class D>
inline D atanh_d(D x) {
  const D z = x * x;
  const D small = x * (1. + z * (0.33333333333333333 + z * (0.2 + z * 0.14285714285714286)));
  return abs_(x) < 0.01 ? small : 0.5 * log_d(D((1. + x) / (1. - x)));
}

}  // namespace detail

// ---- The functions ------------------------------------------------------------------------------------

#define AIT_UNARY(name, float_form, libm)                                       \
  template <class V>                                                            \
  inline V name(V x) {                                                          \
    if constexpr (detail::kIsF32<V>) {                                          \
      return float_form;                                                        \
    } else {                                                                    \
      return detail::each(x, [](double lane) -> double { return libm(lane); }); \
    }                                                                           \
  }
#define AIT_BY_DOUBLES(expression)   \
  detail::by_doubles(x, [](auto d) { \
    using D = decltype(d);           \
    return D(expression);            \
  })

AIT_UNARY(exp_, detail::exp_f32(x), ::exp)        // 1.1 ULP
AIT_UNARY(expm1_, detail::expm1_f32(x), ::expm1)  // 2 ULP
AIT_UNARY(log_, detail::log_f32(x), ::log)        // 1 ULP
AIT_UNARY(log1p_, detail::log1p_f32(x), ::log1p)  // 2 ULP
AIT_UNARY(tanh_, detail::tanh_f32(x), ::tanh)     // 2 ULP
AIT_UNARY(erf_, detail::erf_f32(x), ::erf)        // 2 ULP

namespace detail {
inline double sigmoid_f64(double x) {
  const double e = ::exp(-fabs(x));
  return (x < 0 ? e : 1.) / (1. + e);
}
}  // namespace detail
AIT_UNARY(sigmoid_, detail::sigmoid_f32(x), detail::sigmoid_f64)  // 3 ULP

// The rest is within 1 ULP.
AIT_UNARY(exp2_, AIT_BY_DOUBLES(detail::exp_d(D(d * 0.69314718055994531))), ::exp2)
AIT_UNARY(log2_, AIT_BY_DOUBLES(detail::log_d(d) * 1.4426950408889634), ::log2)
AIT_UNARY(log10_, AIT_BY_DOUBLES(detail::log_d(d) * 0.43429448190325183), ::log10)
AIT_UNARY(atan_, AIT_BY_DOUBLES(detail::atan_d(d)), ::atan)
AIT_UNARY(asin_, AIT_BY_DOUBLES(detail::atan_d(D(d / sqrt_(D((1. - d) * (1. + d)))))), ::asin)
AIT_UNARY(acos_, AIT_BY_DOUBLES(2. * detail::atan_d(sqrt_(D((1. - d) / (1. + d))))), ::acos)
AIT_UNARY(sinh_, AIT_BY_DOUBLES(detail::sinh_d(d)), ::sinh)
AIT_UNARY(cosh_, AIT_BY_DOUBLES(0.5 * (detail::exp_d(d) + 1. / detail::exp_d(d))), ::cosh)
AIT_UNARY(asinh_, AIT_BY_DOUBLES(detail::asinh_d(d)), ::asinh)
AIT_UNARY(acosh_, AIT_BY_DOUBLES(detail::log_d(D(d + sqrt_(D(d - 1.)) * sqrt_(D(d + 1.))))), ::acosh)
AIT_UNARY(atanh_, AIT_BY_DOUBLES(detail::atanh_d(d)), ::atanh)

namespace detail {
/// Beyond 2^20 the quarter turns need more bits than the kernels carry.
template <class V, class F, class G>
inline V periodic(V x, F kernel, G exact) {
  const auto far = !(abs_(x) < 1048576.f);
  if (__builtin_expect(any(far), 0)) return each(x, [&](float lane) { return exact(lane); });
  return by_doubles(x, kernel);
}
template <class D>
inline D sin_d(D x) {
  const SinCos<D> p = sin_cos_d(x);
  // The sign of a zero survives: sin(-0) is -0.
  return x == 0. ? x : quarter(p.sin, p.cos, p.q);
}
template <class D>
inline D cos_d(D x) {
  const SinCos<D> p = sin_cos_d(x);
  return quarter(p.cos, D(-p.sin), p.q);
}
template <class D>
inline D tan_d(D x) {
  const SinCos<D> p = sin_cos_d(x);
  const auto odd = (p.q & 1) != 0;
  const D r = (odd ? D(-p.cos) : p.sin) / (odd ? p.sin : p.cos);
  return x == 0. ? x : r;
}
}  // namespace detail
#define AIT_PERIODIC(kernel, libm)                                                   \
  detail::periodic(                                                                  \
      x, [](auto d) { return detail::kernel(d); },                                   \
      [](float lane) {                                                               \
        const double d = lane;                                                       \
        return static_cast<float>(fabs(d) < 1048576. ? detail::kernel(d) : libm(d)); \
      })
AIT_UNARY(sin_, AIT_PERIODIC(sin_d, ::sin), ::sin)
AIT_UNARY(cos_, AIT_PERIODIC(cos_d, ::cos), ::cos)
AIT_UNARY(tan_, AIT_PERIODIC(tan_d, ::tan), ::tan)

/// x to the power y with C's special cases; 1 ULP.
template <class V>
inline V pow_(V x, V y) {
  if constexpr (!detail::kIsF32<V>) {
    if constexpr (detail::kScalar<V>) {
      return ::pow(x, y);
    } else {
      for (int i = 0; i < kLanesOf<V>; i++) x[i] = ::pow(x[i], y[i]);
      return x;
    }
  } else {
    using detail::k;
    const V a = abs_(x);
    V r;
    if constexpr (detail::kScalar<V>) {
      r = static_cast<float>(detail::exp_d(y * detail::log_d(static_cast<double>(a))));
    } else {
      constexpr int n = kLanesOf<V> / 2;
      using D = Vec<double, n>;
      using F = Vec<float, n>;
      struct Halves {
        F part[2];
      };
      const Halves in = bit_cast<Halves>(a), power = bit_cast<Halves>(y);
      Halves out;
      for (int i = 0; i < 2; i++) {
        const D d = __builtin_convertvector(in.part[i], D), e = __builtin_convertvector(power.part[i], D);
        out.part[i] = __builtin_convertvector(detail::exp_d(D(e * detail::log_d(d))), F);
      }
      r = bit_cast<V>(out);
    }
    const V whole = trunc_(y), halved = y * 0.5f;
    const auto odd = (whole == y) & (trunc_(halved) != halved);
    const V negative = odd ? V(-r) : whole == y ? r : (a == 0.f) | (a == INFINITY) ? r : k<V>(NAN);
    r = bit_cast<detail::IntOf<V>>(x) < 0 ? negative : r;
    r = (x != x) | (y != y) ? x + y : r;
    return (y == 0.f) | (x == 1.f) | ((a == 1.f) & (abs_(y) == INFINITY)) ? k<V>(1.f) : r;
  }
}

/// ONNX Mod for floats: fmod_ has the sign of x (fmod = 1), mod_ that of y.
template <class V>
inline V fmod_(V x, V y) {
  if constexpr (detail::kScalar<V>) {
    return detail::kIsF32<V> ? static_cast<V>(fmodf(static_cast<float>(x), static_cast<float>(y)))
                             : static_cast<V>(fmod(x, y));
  } else {
    for (int i = 0; i < kLanesOf<V>; i++) x[i] = fmod_(x[i], y[i]);
    return x;
  }
}
template <class V>
inline V mod_(V x, V y) {
  if constexpr (detail::kScalar<V>) {
    return float_mod(x, y);
  } else {
    for (int i = 0; i < kLanesOf<V>; i++) x[i] = float_mod(x[i], y[i]);
    return x;
  }
}
template <class V>
inline V atan2_(V y, V x) {
  if constexpr (detail::kScalar<V>) {
    return static_cast<V>(atan2(static_cast<double>(y), static_cast<double>(x)));
  } else {
    for (int i = 0; i < kLanesOf<V>; i++) y[i] = atan2_(y[i], x[i]);
    return y;
  }
}

// ---- Activations ----------------------------------------------------------------------------------------

template <class V>
inline V relu_(V x) {
  return max_(x, V{});
}
/// log(1 + exp(x)); 3 ULP.
template <class V>
inline V softplus_(V x) {
  return max_(x, V{}) + log1p_(exp_(V(-abs_(x))));
}
template <class V>
inline V softsign_(V x) {
  return x / (abs_(x) + Element<V>(1));
}
/// x sigmoid(x); 4 ULP above -87, where sigmoid is a normal number.
template <class V>
inline V silu_(V x) {
  return x * sigmoid_(x);
}
/// x tanh(log(1 + exp(x))), without cancellation; 5 ULP.
template <class V>
inline V mish_(V x) {
  using E = Element<V>;
  const V e = exp_(V(-abs_(x)));
  const V negative = e * (e + E(2)), positive = e * E(2) + E(1);
  const V num = x < E(0) ? negative : positive;
  return x * (num / (num + E(2) * (x < E(0) ? V{} + E(1) : V(e * e))));
}
/// x Phi(x). As every formula through erf it cancels for negative x: the error is 2e-7 |x|.
template <class V>
inline V gelu_(V x) {
  using E = Element<V>;
  return E(0.5) * x * (erf_(V(x * E(0.70710678118654752))) + E(1));
}
/// The approximation through tanh, written as x sigmoid(2 u); 1e-6 relative.
template <class V>
inline V gelu_tanh_(V x) {
  using E = Element<V>;
  return x * sigmoid_(V(x * E(1.5957691216057308) * (x * x * E(0.044715) + E(1))));
}

#undef AIT_UNARY
#undef AIT_BY_DOUBLES
#undef AIT_PERIODIC

}  // namespace ait
