#pragma once
// The device layer for HIP: hipcc 5.2 (clang 15) for gfx90a, whose warps have 64 lanes. See device.h.
#include <stdint.h>

#define AIT_DEVICE inline __attribute__((device, always_inline))
/// The second bound, of resident blocks, says nothing here.
#define AIT_FIRST(first, ...) first
#define AIT_GLOBAL(...) \
  extern "C" __attribute__((global, used, amdgpu_flat_work_group_size(1, AIT_FIRST(__VA_ARGS__, 0))))
#define AIT_SHARED static __attribute__((shared))
#define AIT_UNROLL _Pragma("unroll")
#define AIT_PRAGMA(text) _Pragma(#text)
#define AIT_UNROLL_BY(n) AIT_PRAGMA(unroll n)
#define AIT_GRID_CONSTANT
#define AIT_HIP 1
#define AIT_MFMA 1

extern __attribute__((shared, aligned(1024))) unsigned char ait_dynamic_shared[];

namespace ait {

/// The C library's is the host's alone.
AIT_DEVICE void memcpy(void* to, const void* from, unsigned long bytes) { __builtin_memcpy(to, from, bytes); }

namespace detail {

AIT_DEVICE float as_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }
AIT_DEVICE uint32_t as_bits(float x) { return __builtin_bit_cast(uint32_t, x); }

AIT_DEVICE float f16_to_f32(uint16_t h) { return static_cast<float>(__builtin_bit_cast(_Float16, h)); }
AIT_DEVICE uint16_t f32_to_f16(float x) {
  return x != x ? 0x7fff : __builtin_bit_cast(uint16_t, static_cast<_Float16>(x));
}
AIT_DEVICE uint16_t f32_to_bf16(float x) {
  const uint32_t bits = as_bits(x);
  return x != x ? 0x7fff : static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/// NaN if either is.
template <class T>
AIT_DEVICE T min_nan(T a, T b) {
  return a < b || a != a ? a : b;
}
template <class T>
AIT_DEVICE T max_nan(T a, T b) {
  return a > b || a != a ? a : b;
}
AIT_DEVICE float reciprocal_sqrt(float x) { return ::rsqrtf(x); }
AIT_DEVICE double reciprocal_sqrt(double x) { return ::rsqrt(x); }
/// For b between 1 and 2, within 2 ULP.
AIT_DEVICE float divide_near_one(float a, float b) { return a * __builtin_amdgcn_rcpf(b); }
AIT_DEVICE double divide_near_one(double a, double b) { return a / b; }
AIT_DEVICE float quick_exp2(float x) { return ::exp2f(x); }
AIT_DEVICE float quick_reciprocal(float x) { return __builtin_amdgcn_rcpf(x); }

}  // namespace detail

namespace gpu {

constexpr int kWarp = 64;
using LaneMask = uint64_t;

AIT_DEVICE int thread() { return static_cast<int>(__builtin_amdgcn_workitem_id_x()); }
AIT_DEVICE int threads() { return static_cast<int>(__builtin_amdgcn_workgroup_size_x()); }
AIT_DEVICE int lane() { return thread() % kWarp; }
AIT_DEVICE int warp() { return thread() / kWarp; }
AIT_DEVICE int block_x() { return static_cast<int>(__builtin_amdgcn_workgroup_id_x()); }
AIT_DEVICE int block_y() { return static_cast<int>(__builtin_amdgcn_workgroup_id_y()); }
AIT_DEVICE int block_z() { return static_cast<int>(__builtin_amdgcn_workgroup_id_z()); }
AIT_DEVICE int grid_x() {
  return static_cast<int>(__builtin_amdgcn_grid_size_x() / __builtin_amdgcn_workgroup_size_x());
}
/// Blocks extend along x only.
AIT_DEVICE int grid_y() { return static_cast<int>(__builtin_amdgcn_grid_size_y()); }
AIT_DEVICE int grid_z() { return static_cast<int>(__builtin_amdgcn_grid_size_z()); }

AIT_DEVICE uint8_t* dynamic_shared() { return ait_dynamic_shared; }
AIT_DEVICE void wait_for_previous() {}
AIT_DEVICE void let_next_start() {}

// ---- Waiting: there are no named barriers -------------------------------------------------------------

AIT_DEVICE void barrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
/// A warp's lanes run together; only the compiler must be kept from reordering.
AIT_DEVICE void warp_sync() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "wavefront");
  __builtin_amdgcn_wave_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "wavefront");
}

// ---- Warps --------------------------------------------------------------------------------------------

namespace detail {
/// Moves a value of any size from another lane, in pieces of 4 bytes.
template <class T>
AIT_DEVICE T move(T x, int from) {
  if constexpr (sizeof(T) <= 4) {
    int piece = 0;
    __builtin_memcpy(&piece, &x, sizeof(T));
    piece = __builtin_amdgcn_ds_bpermute(4 * from, piece);
    __builtin_memcpy(&x, &piece, sizeof(T));
  } else {
    static_assert(sizeof(T) % 4 == 0, "a value of whole registers");
    int pieces[sizeof(T) / 4];
    __builtin_memcpy(pieces, &x, sizeof(T));
    AIT_UNROLL
    for (int& p : pieces) p = __builtin_amdgcn_ds_bpermute(4 * from, p);
    __builtin_memcpy(&x, pieces, sizeof(T));
  }
  return x;
}
}  // namespace detail

/// Lanes outside of the warp give a lane its own value.
template <class T>
AIT_DEVICE T shuffle(T x, int from) {
  return detail::move(x, from & (kWarp - 1));
}
template <class T>
AIT_DEVICE T shuffle_xor(T x, int mask) {
  return detail::move(x, lane() ^ mask);
}
template <class T>
AIT_DEVICE T shuffle_up(T x, int by) {
  return detail::move(x, lane() >= by ? lane() - by : lane());
}
/// A bit for each lane that says yes.
AIT_DEVICE LaneMask ballot(bool yes) {
  constexpr int not_equal = 33;
  return __builtin_amdgcn_uicmp(static_cast<unsigned>(yes), 0u, not_equal);
}
AIT_DEVICE bool vote_any(bool yes) { return ballot(yes) != 0; }
AIT_DEVICE bool vote_all(bool yes) { return ballot(!yes) == 0; }
AIT_DEVICE int count_bits(LaneMask m) { return __builtin_popcountll(m); }

// ---- Atomics ------------------------------------------------------------------------------------------

/// Returns what was there before.
template <class T>
AIT_DEVICE T atomic_add(T* p, T x) {
  return __hip_atomic_fetch_add(p, x, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}

// ---- Copies to shared memory: made at once ------------------------------------------------------------

namespace detail {
template <class P>
AIT_DEVICE void copy(void* to, const void* from, bool valid) {
  P x = {};
  if (valid) x = *static_cast<const P*>(from);
  *static_cast<P*>(to) = x;
}
typedef uint32_t Four __attribute__((vector_size(16)));
}  // namespace detail

/// Writes zeros, and reads nothing, where the copy is not valid.
AIT_DEVICE void cp_async16(void* to, const void* from, bool valid = true) {
  detail::copy<detail::Four>(to, from, valid);
}
AIT_DEVICE void cp_async8(void* to, const void* from, bool valid = true) {
  detail::copy<uint64_t>(to, from, valid);
}
AIT_DEVICE void cp_async4(void* to, const void* from, bool valid = true) {
  detail::copy<uint32_t>(to, from, valid);
}
AIT_DEVICE void cp_async_commit() {}
template <int N>
AIT_DEVICE void cp_async_wait() {}

// ---- Matrices -----------------------------------------------------------------------------------------

namespace detail {
template <class T>
struct Registers;
template <>
struct Registers<f16> {
  typedef _Float16 type __attribute__((ext_vector_type(4)));
};
template <>
struct Registers<bf16> {
  typedef short type __attribute__((ext_vector_type(4)));
};
template <>
struct Registers<int8_t> {
  typedef int type;
};
template <>
struct Registers<float> {
  typedef float type __attribute__((ext_vector_type(4)));
};
template <>
struct Registers<int32_t> {
  typedef int type __attribute__((ext_vector_type(4)));
};
template <class T>
AIT_DEVICE typename Registers<T>::type in_registers(const T (&x)[4]) {
  typename Registers<T>::type r;
  __builtin_memcpy(&r, x, sizeof(r));
  return r;
}
}  // namespace detail

/// d += a b, 16 x 16 by 16 steps of f16, bf16, int8_t or float. Lane l gives row l % 16 of a and column l %
/// 16 of b, the four steps from 4 (l / 16) on, and gets column l % 16 of the rows from 4 (l / 16) on.
template <class T, class D>
AIT_DEVICE void mfma(D (&d)[4], const T (&a)[4], const T (&b)[4]) {
  const auto x = detail::in_registers(a), y = detail::in_registers(b);
  auto sum = detail::in_registers(d);
  if constexpr (kSame<T, f16>) {
    sum = __builtin_amdgcn_mfma_f32_16x16x16f16(x, y, sum, 0, 0, 0);
  } else if constexpr (kSame<T, bf16>) {
    sum = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(x, y, sum, 0, 0, 0);
  } else if constexpr (kSame<T, int8_t>) {
    sum = __builtin_amdgcn_mfma_i32_16x16x16i8(x, y, sum, 0, 0, 0);
  } else {
    AIT_UNROLL
    for (int i = 0; i < 4; i++) sum = __builtin_amdgcn_mfma_f32_16x16x4f32(x[i], y[i], sum, 0, 0, 0);
  }
  __builtin_memcpy(d, &sum, sizeof(d));
}

}  // namespace gpu
}  // namespace ait
