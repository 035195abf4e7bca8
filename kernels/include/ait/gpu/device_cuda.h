#pragma once
// The device layer for CUDA, sm_80 and later, read by NVRTC without a header: see device.h.

#define AIT_DEVICE __device__ __forceinline__
#define AIT_GLOBAL(...) extern "C" __global__ __launch_bounds__(__VA_ARGS__)
#define AIT_SHARED static __shared__
#define AIT_UNROLL _Pragma("unroll")
#define AIT_PRAGMA(text) _Pragma(#text)
#define AIT_UNROLL_BY(n) AIT_PRAGMA(unroll n)
/// Of a parameter whose address is taken.
#define AIT_GRID_CONSTANT __grid_constant__
#define AIT_CUDA 1
#define AIT_PACK2 1
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define AIT_SM90 1
#endif

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;
typedef unsigned long uintptr_t;

extern __shared__ __align__(1024) unsigned char ait_dynamic_shared[];

namespace ait {
namespace detail {

AIT_DEVICE float as_float(uint32_t bits) { return __uint_as_float(bits); }
AIT_DEVICE uint32_t as_bits(float x) { return __float_as_uint(x); }

AIT_DEVICE float f16_to_f32(uint16_t h) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h));
  return x;
}
AIT_DEVICE uint16_t f32_to_f16(float x) {
  uint16_t h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
  return h;
}
AIT_DEVICE uint16_t f32_to_bf16(float x) {
  uint16_t h;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(x));
  return h;
}
AIT_DEVICE uint32_t f32_to_tf32(float x) {
  uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
  return r;
}
AIT_DEVICE uint32_t pack_f16(float low, float high) {
  uint32_t r;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
AIT_DEVICE uint32_t pack_bf16(float low, float high) {
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

/// NaN if either is.
AIT_DEVICE float min_nan(float a, float b) {
  float r;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
}
AIT_DEVICE float max_nan(float a, float b) {
  float r;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
}
AIT_DEVICE double min_nan(double a, double b) { return a < b || a != a ? a : b; }
AIT_DEVICE double max_nan(double a, double b) { return a > b || a != a ? a : b; }
AIT_DEVICE float reciprocal_sqrt(float x) { return ::rsqrtf(x); }
AIT_DEVICE double reciprocal_sqrt(double x) { return ::rsqrt(x); }
/// For b between 1 and 2, within 2 ULP.
AIT_DEVICE float divide_near_one(float a, float b) { return __fdividef(a, b); }
AIT_DEVICE double divide_near_one(double a, double b) { return a / b; }
/// Within a few ULP; what is below the normal numbers counts as 0.
AIT_DEVICE float quick_exp2(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
AIT_DEVICE float quick_reciprocal(float x) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}

}  // namespace detail

namespace gpu {

constexpr int kWarp = 32;
using LaneMask = uint32_t;

AIT_DEVICE int thread() { return static_cast<int>(threadIdx.x); }
AIT_DEVICE int threads() { return static_cast<int>(blockDim.x); }
AIT_DEVICE int lane() { return thread() % kWarp; }
AIT_DEVICE int warp() { return thread() / kWarp; }
AIT_DEVICE int block_x() { return static_cast<int>(blockIdx.x); }
AIT_DEVICE int block_y() { return static_cast<int>(blockIdx.y); }
AIT_DEVICE int block_z() { return static_cast<int>(blockIdx.z); }
AIT_DEVICE int grid_x() { return static_cast<int>(gridDim.x); }
AIT_DEVICE int grid_y() { return static_cast<int>(gridDim.y); }
AIT_DEVICE int grid_z() { return static_cast<int>(gridDim.z); }

AIT_DEVICE uint8_t* dynamic_shared() { return ait_dynamic_shared; }
/// Where an instruction finds a pointer to shared memory.
AIT_DEVICE uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

AIT_DEVICE void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
AIT_DEVICE void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// ---- Waiting ------------------------------------------------------------------------------------------

AIT_DEVICE void barrier() { __syncthreads(); }
AIT_DEVICE void barrier_named(int id, int count) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory");
}
AIT_DEVICE void warp_sync() { __syncwarp(); }

// ---- Warps --------------------------------------------------------------------------------------------

namespace detail {
constexpr uint32_t kAllLanes = 0xffffffffu;

/// Moves a value of any size in pieces of 4 bytes.
template <class T, class F>
AIT_DEVICE T move(T x, F f) {
  if constexpr (sizeof(T) <= 4) {
    uint32_t piece = 0;
    memcpy(&piece, &x, sizeof(T));
    piece = f(piece);
    memcpy(&x, &piece, sizeof(T));
  } else {
    static_assert(sizeof(T) % 4 == 0, "a value of whole registers");
    uint32_t pieces[sizeof(T) / 4];
    memcpy(pieces, &x, sizeof(T));
    AIT_UNROLL
    for (uint32_t& p : pieces) p = f(p);
    memcpy(&x, pieces, sizeof(T));
  }
  return x;
}
}  // namespace detail

/// Lanes outside of the warp give a lane its own value.
template <class T>
AIT_DEVICE T shuffle(T x, int from) {
  return detail::move(x, [=](uint32_t p) { return __shfl_sync(detail::kAllLanes, p, from); });
}
template <class T>
AIT_DEVICE T shuffle_xor(T x, int mask) {
  return detail::move(x, [=](uint32_t p) { return __shfl_xor_sync(detail::kAllLanes, p, mask); });
}
template <class T>
AIT_DEVICE T shuffle_up(T x, int by) {
  return detail::move(
      x, [=](uint32_t p) { return __shfl_up_sync(detail::kAllLanes, p, static_cast<unsigned>(by)); });
}
/// A bit for each lane that says yes.
AIT_DEVICE LaneMask ballot(bool yes) { return __ballot_sync(detail::kAllLanes, yes); }
AIT_DEVICE bool vote_any(bool yes) { return __any_sync(detail::kAllLanes, yes); }
AIT_DEVICE bool vote_all(bool yes) { return __all_sync(detail::kAllLanes, yes); }
AIT_DEVICE int count_bits(LaneMask m) { return __popc(m); }

// ---- Atomics ------------------------------------------------------------------------------------------

/// Returns what was there before. CUDA's own takes unsigned long long where this code has 64-bit integers.
template <class T>
AIT_DEVICE T atomic_add(T* p, T x) {
  if constexpr (sizeof(T) == 8 && static_cast<T>(0.5) == T(0))
    return static_cast<T>(
        atomicAdd(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(x)));
  else
    return atomicAdd(p, x);
}

// ---- Asynchronous copies ------------------------------------------------------------------------------

/// Writes zeros, and reads nothing, where the copy is not valid.
AIT_DEVICE void cp_async16(void* to, const void* from, bool valid = true) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}
AIT_DEVICE void cp_async8(void* to, const void* from, bool valid = true) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(valid ? 8 : 0)
               : "memory");
}
AIT_DEVICE void cp_async4(void* to, const void* from, bool valid = true) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(valid ? 4 : 0)
               : "memory");
}
AIT_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// All but the N groups committed last are there.
template <int N>
AIT_DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// ---- Matrices -----------------------------------------------------------------------------------------

AIT_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
AIT_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

#define AIT_MMA(shape, kinds, constraint)                                                               \
  asm volatile("mma.sync.aligned." shape ".row.col." kinds                                              \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                       \
               : "+" constraint(d[0]), "+" constraint(d[1]), "+" constraint(d[2]), "+" constraint(d[3]) \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

/// d += a b: m16n8k16 (f16, bf16), m16n8k8 (tf32), m16n8k32 (8-bit integers).
AIT_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], f16) {
  AIT_MMA("m16n8k16", "f32.f16.f16.f32", "f");
}
AIT_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], bf16) {
  AIT_MMA("m16n8k16", "f32.bf16.bf16.f32", "f");
}
AIT_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], tf32) {
  AIT_MMA("m16n8k8", "f32.tf32.tf32.f32", "f");
}
AIT_DEVICE void mma(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], int8_t, int8_t) {
  AIT_MMA("m16n8k32", "s32.s8.s8.s32", "r");
}
AIT_DEVICE void mma(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], uint8_t, int8_t) {
  AIT_MMA("m16n8k32", "s32.u8.s8.s32", "r");
}
AIT_DEVICE void mma(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], int8_t, uint8_t) {
  AIT_MMA("m16n8k32", "s32.s8.u8.s32", "r");
}
AIT_DEVICE void mma(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], uint8_t, uint8_t) {
  AIT_MMA("m16n8k32", "s32.u8.u8.s32", "r");
}
#undef AIT_MMA

}  // namespace gpu
}  // namespace ait
