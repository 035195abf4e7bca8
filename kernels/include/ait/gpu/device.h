#pragma once
// What device code is written with: one vocabulary, implemented for CUDA (NVRTC, no header of CUDA's), for
// HIP, and for the host, where a block's threads are fibers (emulation.h). No system header is included
// where a device compiler reads this.
#if !defined(INT64_C)
#define INT64_C(x) int64_t(x##ll)
#define INT64_MIN (-INT64_C(0x7fffffffffffffff) - 1)
#define UINT64_C(x) uint64_t(x##ull)
#endif

namespace ait {

/// IEEE binary16 and bfloat16 as they lie in memory; arithmetic is done in float.
struct f16 {
  unsigned short bits;
};
struct bf16 {
  unsigned short bits;
};
using half = f16;

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

/// A float whose low 13 bits of mantissa a matrix instruction may ignore.
struct tf32 {
  float value;
};

}  // namespace ait

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#include "device_cuda.h"
#elif defined(__HIP__)
#include "device_hip.h"
#else
#include "device_emulated.h"
#endif

namespace ait {

// ---- Narrow floats ------------------------------------------------------------------------------------

AIT_DEVICE float to_f32(float x) { return x; }
AIT_DEVICE float to_f32(f16 x) { return detail::f16_to_f32(x.bits); }
AIT_DEVICE float to_f32(bf16 x) { return detail::as_float(static_cast<uint32_t>(x.bits) << 16); }
AIT_DEVICE float to_f32(tf32 x) { return x.value; }
template <class T>
AIT_DEVICE float to_f32(T x) {
  return static_cast<float>(x);
}

namespace detail {
template <class T>
struct FromF32 {
  AIT_DEVICE static T apply(float x) { return static_cast<T>(x); }
};
template <>
struct FromF32<f16> {
  AIT_DEVICE static f16 apply(float x) { return {f32_to_f16(x)}; }
};
template <>
struct FromF32<bf16> {
  AIT_DEVICE static bf16 apply(float x) { return {f32_to_bf16(x)}; }
};
template <>
struct FromF32<tf32> {
  AIT_DEVICE static tf32 apply(float x) { return {x}; }
};
}  // namespace detail

/// Rounds to the nearest value of T, ties to even; integers are cast to.
template <class T>
AIT_DEVICE T from_f32(float x) {
  return detail::FromF32<T>::apply(x);
}

namespace gpu {

// ---- Vectors ------------------------------------------------------------------------------------------

/// N elements that one instruction moves, at most 16 bytes.
template <class T, int N>
struct alignas(N * sizeof(T)) Vec {
  static_assert(N * sizeof(T) <= 16 && (N & (N - 1)) == 0, "one access moves 1, 2, 4, 8 or 16 bytes");
  T v[N];
  AIT_DEVICE T& operator[](int i) { return v[i]; }
  AIT_DEVICE const T& operator[](int i) const { return v[i]; }
};

/// p is aligned to the whole vector.
template <int N, class T>
AIT_DEVICE Vec<T, N> load(const T* p) {
  return *reinterpret_cast<const Vec<T, N>*>(p);
}
template <class T, int N>
AIT_DEVICE void store(T* p, const Vec<T, N>& x) {
  *reinterpret_cast<Vec<T, N>*>(p) = x;
}

/// Elements of T in 16 bytes.
template <class T>
constexpr int kVector = static_cast<int>(16 / sizeof(T));

/// Two elements of a 16-bit float in a register, `low` at the lower address.
template <class T>
AIT_DEVICE uint32_t pack2(float low, float high) {
  return from_f32<T>(low).bits | static_cast<uint32_t>(from_f32<T>(high).bits) << 16;
}
#if defined(AIT_PACK2)
template <>
AIT_DEVICE uint32_t pack2<f16>(float low, float high) {
  return ait::detail::pack_f16(low, high);
}
template <>
AIT_DEVICE uint32_t pack2<bf16>(float low, float high) {
  return ait::detail::pack_bf16(low, high);
}
#endif

// ---- Sums and maxima ----------------------------------------------------------------------------------

struct Sum {
  template <class T>
  AIT_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
/// NaN if either is.
struct Max {
  template <class T>
  AIT_DEVICE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Min {
  template <class T>
  AIT_DEVICE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

/// Over groups of Lanes neighbouring lanes; every lane gets the result. The whole warp takes part.
template <int Lanes = kWarp, class T, class F>
AIT_DEVICE T warp_reduce(T x, F f) {
  AIT_UNROLL
  for (int mask = Lanes / 2; mask > 0; mask /= 2) x = f(x, shuffle_xor(x, mask));
  return x;
}
template <class T>
AIT_DEVICE T warp_sum(T x) {
  return warp_reduce(x, Sum{});
}
template <class T>
AIT_DEVICE T warp_max(T x) {
  return warp_reduce(x, Max{});
}
template <class T>
AIT_DEVICE T warp_min(T x) {
  return warp_reduce(x, Min{});
}
/// Of each lane and those below it, f(lower, higher).
template <class T, class F>
AIT_DEVICE T warp_scan(T x, F f) {
  for (int by = 1; by < kWarp; by *= 2) {
    const T other = shuffle_up(x, by);
    if (lane() >= by) x = f(other, x);
  }
  return x;
}

/// Over the block's threads, a multiple of kWarp; every thread gets the result. `scratch` is shared memory
/// for an element per warp and may be used again at once.
template <class T, class F>
AIT_DEVICE T block_reduce(T x, T* scratch, F f) {
  x = warp_reduce(x, f);
  const int warps = threads() / kWarp;
  if (warps == 1) return x;
  if (lane() == 0) scratch[warp()] = x;
  barrier();
  x = scratch[0];
  for (int i = 1; i < warps; i++) x = f(x, scratch[i]);
  barrier();
  return x;
}
template <class T>
AIT_DEVICE T block_sum(T x, T* scratch) {
  return block_reduce(x, scratch, Sum{});
}
template <class T>
AIT_DEVICE T block_max(T x, T* scratch) {
  return block_reduce(x, scratch, Max{});
}
template <class T>
AIT_DEVICE T block_min(T x, T* scratch) {
  return block_reduce(x, scratch, Min{});
}

}  // namespace gpu
}  // namespace ait
