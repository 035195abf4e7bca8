#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

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

template <class V, class T>
inline V splat(T x) {
  V v = {};
  return v + x;
}

template <>
inline f32v splat<f32v, float>(float x) {
  return x - f32v{};
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
