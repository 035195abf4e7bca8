#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

// Vectors wider than a register pass between inline functions only, where no ABI is at stake.
#pragma GCC diagnostic ignored "-Wpsabi"

// Fixed-width vectors on the compiler's vector extension, so one source serves every instruction set.
namespace ait {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

/// Lanes of a native vector of T.
template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

namespace detail {
template <class T, int N>
struct VecOf {
  typedef T type __attribute__((vector_size(sizeof(T) * N)));
};
}  // namespace detail

/// A vector of N elements of T; arithmetic, comparison and ?: work lane by lane.
template <class T, int N = kLanes<T>>
using Vec = typename detail::VecOf<T, N>::type;

using f32v = Vec<float>;
using i32v = Vec<int32_t>;
constexpr int kF32 = kLanes<float>;

template <class V, class T>
inline V load(const T* p) {
  V v;
  std::memcpy(&v, p, sizeof(V));
  return v;
}

template <class V, class T>
inline void store(T* p, const V& v) {
  std::memcpy(p, &v, sizeof(V));
}

/// Loads the first n lanes and fills the rest.
template <class V, class T>
inline V load_n(const T* p, int n, T fill = T(0)) {
  constexpr int lanes = sizeof(V) / sizeof(T);
  T buffer[lanes];
  for (int i = 0; i < lanes; i++) buffer[i] = fill;
  std::memcpy(buffer, p, sizeof(T) * static_cast<size_t>(n));
  return load<V>(buffer);
}

template <class V, class T>
inline void store_n(T* p, const V& v, int n) {
  std::memcpy(p, &v, sizeof(T) * static_cast<size_t>(n));
}

#if defined(__GNUC__) && !defined(__clang__)
#if defined(__AVX512F__)
#define AIT_MASKED_VECTORS 1
namespace detail {
inline uint16_t lane_mask(int n) { return static_cast<uint16_t>((1u << n) - 1u); }
}  // namespace detail

// Masked loads and stores never touch memory past the lanes asked for.
template <>
inline f32v load_n<f32v, float>(const float* p, int n, float fill) {
  return __builtin_ia32_loadups512_mask(p, fill - f32v{}, detail::lane_mask(n));
}
template <>
inline i32v load_n<i32v, int32_t>(const int32_t* p, int n, int32_t fill) {
  return __builtin_ia32_loaddqusi512_mask(p, fill - i32v{}, detail::lane_mask(n));
}
template <>
inline void store_n<f32v, float>(float* p, const f32v& v, int n) {
  __builtin_ia32_storeups512_mask(p, v, detail::lane_mask(n));
}
template <>
inline void store_n<i32v, int32_t>(int32_t* p, const i32v& v, int n) {
  __builtin_ia32_storedqusi512_mask(p, v, detail::lane_mask(n));
}
#elif defined(__AVX2__)
#define AIT_MASKED_VECTORS 1
namespace detail {
inline i32v lane_mask(int n) { return i32v{0, 1, 2, 3, 4, 5, 6, 7} < n; }
}  // namespace detail

// Masked loads and stores never touch memory past the lanes asked for.
template <>
inline f32v load_n<f32v, float>(const float* p, int n, float fill) {
  const i32v mask = detail::lane_mask(n);
  const f32v v = __builtin_ia32_maskloadps256(reinterpret_cast<const f32v*>(p), mask);
  return mask ? v : fill - f32v{};
}
template <>
inline i32v load_n<i32v, int32_t>(const int32_t* p, int n, int32_t fill) {
  const i32v mask = detail::lane_mask(n);
  const i32v v = reinterpret_cast<i32v>(__builtin_ia32_maskloadps256(reinterpret_cast<const f32v*>(p), mask));
  return mask ? v : fill - i32v{};
}
template <>
inline void store_n<f32v, float>(float* p, const f32v& v, int n) {
  __builtin_ia32_maskstoreps256(reinterpret_cast<f32v*>(p), detail::lane_mask(n), v);
}
template <>
inline void store_n<i32v, int32_t>(int32_t* p, const i32v& v, int n) {
  __builtin_ia32_maskstoreps256(reinterpret_cast<f32v*>(p), detail::lane_mask(n), reinterpret_cast<f32v>(v));
}
#endif
#endif

template <class V, class T>
inline V splat(T x) {
  V v = {};
  return v + x;
}

template <>
inline f32v splat<f32v, float>(float x) {
  return x - f32v{};
}

/// {a0, b0, a1, b1, ...}: the lower halves of a and b, interleaved.
inline f32v interleave_low(f32v a, f32v b) {
#if defined(__AVX512F__)
  return __builtin_shuffle(a, b, i32v{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
#elif defined(__AVX__)
  return __builtin_shuffle(a, b, i32v{0, 8, 1, 9, 2, 10, 3, 11});
#else
  return __builtin_shuffle(a, b, i32v{0, 4, 1, 5});
#endif
}

/// {a[h], b[h], a[h + 1], b[h + 1], ...}: the upper halves of a and b, interleaved.
inline f32v interleave_high(f32v a, f32v b) {
#if defined(__AVX512F__)
  return __builtin_shuffle(a, b, i32v{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
#elif defined(__AVX__)
  return __builtin_shuffle(a, b, i32v{4, 12, 5, 13, 6, 14, 7, 15});
#else
  return __builtin_shuffle(a, b, i32v{2, 6, 3, 7});
#endif
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
template <class T>
inline T min_of(T a, T b) {
  return a < b ? a : b;
}
template <class T>
inline T max_of(T a, T b) {
  return a < b ? b : a;
}

}  // namespace ait
