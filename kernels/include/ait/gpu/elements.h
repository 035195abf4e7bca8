#pragma once
// Elements as kernels read, compute and store them. Most come through functors that load or store N
// neighbouring ones.
#include "convert.h"

namespace ait::gpu {

AIT_DEVICE float infinity() { return ait::detail::as_float(0x7f800000u); }

AIT_DEVICE uintptr_t address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

/// N neighbouring elements of a dense tensor, which may begin anywhere; i is a multiple of N.
template <class T>
struct Read {
  const T* p;
  template <int N, class E>
  AIT_DEVICE void operator()(E (&v)[N], int64_t i) const {
    Vec<T, N> x;
    if (address(p) % sizeof(x) == 0) {
      x = load<N>(p + i);
    } else {
      AIT_UNROLL
      for (int k = 0; k < N; k++) x.v[k] = p[i + k];
    }
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] = compute<E>(x.v[k]);
  }
};
template <class T>
AIT_DEVICE Read<T> read(const T* p) {
  return {p};
}

/// The same of a tensor that begins at 16 bytes: several of these are under way at once.
template <class T>
struct ReadAligned {
  const T* p;
  template <int N, class E>
  AIT_DEVICE void operator()(E (&v)[N], int64_t i) const {
    const Vec<T, N> x = load<N>(p + i);
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] = compute<E>(x.v[k]);
  }
};
template <class T>
AIT_DEVICE ReadAligned<T> read_aligned(const T* p) {
  return {p};
}

template <class T>
struct Write {
  T* p;
  template <int N, class E>
  AIT_DEVICE void operator()(int64_t i, const E (&v)[N]) const {
    Vec<T, N> x;
    AIT_UNROLL
    for (int k = 0; k < N; k++) x.v[k] = stored<T>(v[k]);
    if (address(p) % sizeof(x) == 0) {
      store(p + i, x);
    } else {
      AIT_UNROLL
      for (int k = 0; k < N; k++) p[i + k] = x.v[k];
    }
  }
};
template <class T>
AIT_DEVICE Write<T> write(T* p) {
  return {p};
}

template <class T>
struct WriteAligned {
  T* p;
  template <int N, class E>
  AIT_DEVICE void operator()(int64_t i, const E (&v)[N]) const {
    Vec<T, N> x;
    AIT_UNROLL
    for (int k = 0; k < N; k++) x.v[k] = stored<T>(v[k]);
    store(p + i, x);
  }
};
template <class T>
AIT_DEVICE WriteAligned<T> write_aligned(T* p) {
  return {p};
}

// ---- Arithmetic ---------------------------------------------------------------------------------------

template <class E>
constexpr bool kFloating = kSame<E, float> || kSame<E, double>;

template <class E>
AIT_DEVICE E lowest() {
  if constexpr (kFloating<E>) {
    return -static_cast<E>(infinity());
  } else if constexpr (static_cast<E>(-1) > E(0)) {
    return E(0);
  } else {
    return static_cast<E>(static_cast<E>(E(1) << (8 * sizeof(E) - 2)) * -2);
  }
}
template <class E>
AIT_DEVICE E highest() {
  if constexpr (kFloating<E>) {
    return static_cast<E>(infinity());
  } else {
    return static_cast<E>(~lowest<E>());
  }
}

/// The root, in f64 where the type is not a float of its own.
AIT_DEVICE float root(float x) { return sqrtf(x); }
template <class E>
AIT_DEVICE E root(E x) {
  return static_cast<E>(sqrt(static_cast<double>(x)));
}

}  // namespace ait::gpu
