#pragma once
// What tests of device code share besides check.h: launches on the host, and elements of any type.
#include "../ait/gpu/device.h"
#include "check.h"

namespace g = ait::gpu;

namespace test {

/// Runs kernel() once for every thread of a grid and returns what went wrong.
template <class F>
const char* emulate(int64_t x, int64_t y, int64_t z, int threads, int64_t shared, const F& kernel) {
  void* args[] = {const_cast<F*>(&kernel)};
  return g::emulated_launch([](void* const* a) { (*static_cast<const F*>(a[0]))(); },
                            static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z),
                            threads, static_cast<size_t>(shared), args);
}

/// As emulate, of which nothing may go wrong.
template <class F>
void launch(int64_t x, int64_t y, int64_t z, int threads, int64_t shared, const F& kernel) {
  const char* error = emulate(x, y, z, threads, shared, kernel);
  check(error == nullptr, error ? error : "launch");
}
template <class F>
void launch(int64_t x, int64_t y, int threads, int64_t shared, const F& kernel) {
  launch(x, y, 1, threads, shared, kernel);
}
template <class F>
void launch(int64_t x, int64_t y, int threads, const F& kernel) {
  launch(x, y, 1, threads, 0, kernel);
}

inline int64_t blocks(int64_t count, int64_t each) { return (count + each - 1) / each; }

template <class T>
double value(T x) {
  if constexpr (sizeof(T) == 2) {
    return ait::to_f32(x);
  } else {
    return static_cast<double>(x);
  }
}

template <class T>
std::vector<T> numbers(Random& r, int64_t n, double low = -1, double high = 1) {
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) x = ait::from_f32<T>(r.between(low, high));
  return v;
}

}  // namespace test
