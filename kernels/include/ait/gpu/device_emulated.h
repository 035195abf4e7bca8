#pragma once
// The device layer on the host: see device.h and emulation.h.
#include <cmath>

#include "emulation.h"

/// Lanes of a warp: 64 stands for AMD's.
#if !defined(AIT_EMULATED_WARP)
#define AIT_EMULATED_WARP 32
#endif
#define AIT_DEVICE inline
#define AIT_GLOBAL(...) [[maybe_unused]] static
#define AIT_SHARED static thread_local
#define AIT_UNROLL
#define AIT_UNROLL_BY(n)
#define AIT_GRID_CONSTANT
#define AIT_EMULATED 1
#if AIT_EMULATED_WARP == 64
#define AIT_MFMA 1
#endif

namespace ait {
namespace detail {

AIT_DEVICE float as_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
AIT_DEVICE uint32_t as_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

#if defined(__F16C__)
typedef short Halves __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));
AIT_DEVICE float f16_to_f32(uint16_t h) { return __builtin_ia32_vcvtph2ps(Halves{static_cast<short>(h)})[0]; }
AIT_DEVICE uint16_t f32_to_f16(float x) {
  return x != x ? 0x7fff : static_cast<uint16_t>(__builtin_ia32_vcvtps2ph(Floats{x}, 0)[0]);
}
#else
AIT_DEVICE float f16_to_f32(uint16_t h) {
  // The exponent moves by 112, which also makes a denormal a normal number.
  const float magnitude = as_float((h & 0x7fffu) << 13) * 0x1p112f;
  const uint32_t bits = as_bits(magnitude) | (magnitude >= 65536.f ? 0x7f800000u : 0u);
  return as_float(bits | (h & 0x8000u) << 16);
}
AIT_DEVICE uint16_t f32_to_f16(float x) {
  const uint32_t bits = as_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7fff;
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  // Below 2^-14 the result is a multiple of 2^-24: adding 0.5 rounds to that.
  if (magnitude < 0x38800000u)
    return static_cast<uint16_t>(sign | (as_bits(as_float(magnitude) + 0.5f) - 0x3f000000u));
  return static_cast<uint16_t>(sign | (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13);
}
#endif
AIT_DEVICE uint16_t f32_to_bf16(float x) {
  const uint32_t bits = as_bits(x);
  if (x != x) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
/// Rounds to 10 bits of mantissa, ties away from zero, as cvt.rna.tf32.f32 does.
AIT_DEVICE uint32_t f32_to_tf32(float x) {
  const uint32_t bits = as_bits(x);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
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
AIT_DEVICE float reciprocal_sqrt(float x) { return 1.f / ::sqrtf(x); }
AIT_DEVICE double reciprocal_sqrt(double x) { return 1. / ::sqrt(x); }
/// For b between 1 and 2, within 2 ULP.
template <class T>
AIT_DEVICE T divide_near_one(T a, T b) {
  return a / b;
}
AIT_DEVICE float quick_exp2(float x) { return ::exp2f(x); }
AIT_DEVICE float quick_reciprocal(float x) { return 1.f / x; }

}  // namespace detail

namespace gpu {

constexpr int kWarp = AIT_EMULATED_WARP;
using LaneMask = uint64_t;

AIT_DEVICE int thread() { return emulated::fiber->thread; }
AIT_DEVICE int threads() { return emulated::block->threads; }
AIT_DEVICE int lane() { return thread() % kWarp; }
AIT_DEVICE int warp() { return thread() / kWarp; }
AIT_DEVICE int block_x() { return static_cast<int>(emulated::block->index[0]); }
AIT_DEVICE int block_y() { return static_cast<int>(emulated::block->index[1]); }
AIT_DEVICE int block_z() { return static_cast<int>(emulated::block->index[2]); }
AIT_DEVICE int grid_x() { return static_cast<int>(emulated::block->grid[0]); }
AIT_DEVICE int grid_y() { return static_cast<int>(emulated::block->grid[1]); }
AIT_DEVICE int grid_z() { return static_cast<int>(emulated::block->grid[2]); }

AIT_DEVICE uint8_t* dynamic_shared() { return emulated::block->shared; }
AIT_DEVICE void wait_for_previous() {}
AIT_DEVICE void let_next_start() {}

// ---- Waiting ------------------------------------------------------------------------------------------

AIT_DEVICE void barrier() { emulated::meet(0, 0); }
AIT_DEVICE void barrier_named(int id, int count) { emulated::meet(id, count); }
AIT_DEVICE void warp_sync() { emulated::meet_warp(kWarp, nullptr, nullptr); }

// ---- Warps --------------------------------------------------------------------------------------------

namespace emulated {

template <class T>
struct Exchange {
  T value;
  T result;
  int from;
};
template <class T>
inline void exchange(void* const* lanes) {
  for (int i = 0; i < kWarp; i++) {
    if (!lanes[i]) continue;
    auto* e = static_cast<Exchange<T>*>(lanes[i]);
    const auto* source =
        e->from >= 0 && e->from < kWarp ? static_cast<Exchange<T>*>(lanes[e->from]) : nullptr;
    e->result = source ? source->value : e->value;
  }
}
template <class T>
inline T exchange_with(T value, int from) {
  Exchange<T> e{value, value, from};
  meet_warp(kWarp, &e, &exchange<T>);
  return e.result;
}

struct Vote {
  bool yes;
  uint64_t all;
};
inline void count_votes(void* const* lanes) {
  uint64_t all = 0;
  for (int i = 0; i < kWarp; i++)
    if (lanes[i] && static_cast<Vote*>(lanes[i])->yes) all |= uint64_t{1} << i;
  for (int i = 0; i < kWarp; i++)
    if (lanes[i]) static_cast<Vote*>(lanes[i])->all = all;
}

}  // namespace emulated

/// Lanes that have returned or lie outside of the warp give a lane its own value.
template <class T>
AIT_DEVICE T shuffle(T x, int from) {
  return emulated::exchange_with(x, from & (kWarp - 1));
}
template <class T>
AIT_DEVICE T shuffle_xor(T x, int mask) {
  return emulated::exchange_with(x, lane() ^ mask);
}
template <class T>
AIT_DEVICE T shuffle_up(T x, int by) {
  return emulated::exchange_with(x, lane() - by);
}
/// A bit for each lane that says yes.
AIT_DEVICE LaneMask ballot(bool yes) {
  emulated::Vote v{yes, 0};
  emulated::meet_warp(kWarp, &v, &emulated::count_votes);
  return v.all;
}
AIT_DEVICE bool vote_any(bool yes) { return ballot(yes) != 0; }
AIT_DEVICE bool vote_all(bool yes) { return ballot(!yes) == 0; }
AIT_DEVICE int count_bits(LaneMask m) { return __builtin_popcountll(m); }

// ---- Atomics ------------------------------------------------------------------------------------------

/// Returns what was there before.
template <class T>
AIT_DEVICE T atomic_add(T* p, T x) {
  T old, sum;
  __atomic_load(p, &old, __ATOMIC_RELAXED);
  do {
    sum = static_cast<T>(old + x);
  } while (!__atomic_compare_exchange(p, &old, &sum, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  return old;
}

// ---- Asynchronous copies ------------------------------------------------------------------------------

AIT_DEVICE void cp_async16(void* to, const void* from, bool valid = true) {
  emulated::issue_copy({to, from, 16, valid, 0});
}
AIT_DEVICE void cp_async8(void* to, const void* from, bool valid = true) {
  emulated::issue_copy({to, from, 8, valid, 0});
}
AIT_DEVICE void cp_async4(void* to, const void* from, bool valid = true) {
  emulated::issue_copy({to, from, 4, valid, 0});
}
AIT_DEVICE void cp_async_commit() { emulated::fiber->group++; }
/// All but the N groups committed last are there.
template <int N>
AIT_DEVICE void cp_async_wait() {
  emulated::complete_copies(emulated::fiber->group - N);
}

// ---- Matrices -----------------------------------------------------------------------------------------

namespace emulated {

struct MatrixLoad {
  const void* row;
  uint32_t* out;
};
/// Lane 8 i + r gives row r of the i-th 8x8 matrix of 16-bit elements; each lane gets two elements of each.
template <bool Transposed>
inline void load_matrices(void* const* lanes) {
  for (int m = 0; m < 4; m++) {
    uint16_t x[8][8];
    for (int r = 0; r < 8; r++) {
      const auto* l = static_cast<const MatrixLoad*>(lanes[8 * m + r]);
      if (!l) fail("lanes are missing from a matrix load");
      if (reinterpret_cast<uintptr_t>(l->row) % 16 != 0)
        fail("a row of a matrix load is not aligned to 16 bytes");
      memcpy(x[r], l->row, 16);
    }
    for (int i = 0; i < 32; i++) {
      if (!lanes[i]) continue;
      const int r = i / 4, c = i % 4 * 2;
      const uint32_t low = Transposed ? x[c][r] : x[r][c], high = Transposed ? x[c + 1][r] : x[r][c + 1];
      static_cast<const MatrixLoad*>(lanes[i])->out[m] = low | high << 16;
    }
  }
}

inline float widen(f16 x) { return ait::detail::f16_to_f32(x.bits); }
inline float widen(bf16 x) { return ait::detail::as_float(static_cast<uint32_t>(x.bits) << 16); }
inline float widen(tf32 x) { return ait::detail::as_float(ait::detail::as_bits(x.value) & ~0x1fffu); }
inline float widen(float x) { return x; }
inline int32_t widen(int8_t x) { return x; }
inline int32_t widen(uint8_t x) { return x; }

template <class D>
struct Multiply {
  D* d;
  const uint32_t *a, *b;
};

/// A register of a fragment holds 4 bytes of a row: register (h, k) of lane l has row l / 4 + 8 h and the
/// bytes from 16 k + 4 (l % 4) on.
template <class D, class A, class B>
inline void multiply(void* const* lanes) {
  constexpr int depth = 32 / static_cast<int>(sizeof(A)), per = 4 / static_cast<int>(sizeof(A));
  typedef D Row __attribute__((vector_size(8 * sizeof(D))));
  D a[16][depth];
  Row b[depth];
  for (int l = 0; l < 32; l++) {
    if (!lanes[l]) fail("lanes are missing from a matrix multiply");
    const auto* m = static_cast<const Multiply<D>*>(lanes[l]);
    for (int k = 0; k < 2; k++) {
      A x[per];
      B y[per];
      for (int h = 0; h < 2; h++) {
        memcpy(x, &m->a[2 * k + h], 4);
        for (int i = 0; i < per; i++) a[l / 4 + 8 * h][(4 * k + l % 4) * per + i] = widen(x[i]);
      }
      memcpy(y, &m->b[k], 4);
      for (int i = 0; i < per; i++) b[(4 * k + l % 4) * per + i][l / 4] = widen(y[i]);
    }
  }
  for (int row = 0; row < 16; row++) {
    Row sums = {};
    for (int k = 0; k < depth; k++) sums += a[row][k] * b[k];
    for (int col = 0; col < 8; col++) {
      D* d = static_cast<const Multiply<D>*>(lanes[row % 8 * 4 + col / 2])->d;
      d[row / 8 * 2 + col % 2] += sums[col];
    }
  }
}

/// AMD's: of 16 steps of k, lane l gives row l % 16 of a and column l % 16 of b, the four from 4 (l / 16) on,
/// and gets column l % 16 of the rows from 4 (l / 16) on.
template <class T, class D>
struct MultiplyWide {
  D* d;
  const T *a, *b;
};
template <class T, class D>
inline void multiply_wide(void* const* lanes) {
  D a[16][16], b[16][16];
  for (int l = 0; l < kWarp; l++) {
    if (!lanes[l]) fail("lanes are missing from a matrix multiply");
    const auto* m = static_cast<const MultiplyWide<T, D>*>(lanes[l]);
    for (int i = 0; i < 4; i++) {
      a[l % 16][l / 16 * 4 + i] = widen(m->a[i]);
      b[l % 16][l / 16 * 4 + i] = widen(m->b[i]);
    }
  }
  for (int l = 0; l < kWarp; l++) {
    D* d = static_cast<const MultiplyWide<T, D>*>(lanes[l])->d;
    for (int i = 0; i < 4; i++) {
      D sum = 0;
      for (int k = 0; k < 16; k++) sum += a[l / 16 * 4 + i][k] * b[l % 16][k];
      d[i] += sum;
    }
  }
}

template <bool Transposed>
inline void load_four_matrices(uint32_t* out, const void* row) {
  MatrixLoad l{row, out};
  meet_warp(kWarp, &l, &load_matrices<Transposed>);
}
template <class A, class B, class D>
inline void multiply_add(D* d, const uint32_t* a, const uint32_t* b) {
  Multiply<D> m{d, a, b};
  meet_warp(kWarp, &m, &multiply<D, A, B>);
}

}  // namespace emulated

#if !defined(AIT_MFMA)
AIT_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  emulated::load_four_matrices<false>(r, row);
}
AIT_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  emulated::load_four_matrices<true>(r, row);
}

/// d += a b: m16n8k16 (f16, bf16), m16n8k8 (tf32), m16n8k32 (8-bit integers).
template <class T>
AIT_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], T) {
  emulated::multiply_add<T, T>(d, a, b);
}
template <class A, class B>
AIT_DEVICE void mma(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], A, B) {
  emulated::multiply_add<A, B>(d, a, b);
}
#else
/// d += a b with AMD's matrix instructions, 16 x 16 by 16 steps of f16, bf16, int8_t or float.
template <class T, class D>
AIT_DEVICE void mfma(D (&d)[4], const T (&a)[4], const T (&b)[4]) {
  emulated::MultiplyWide<T, D> m{d, a, b};
  emulated::meet_warp(kWarp, &m, &emulated::multiply_wide<T, D>);
}
#endif

}  // namespace gpu
}  // namespace ait
