#pragma once
#include "device.h"
#include "rows.h"

// Elements read from and written to places that the data names.
namespace ait::gpu {

AIT_DEVICE float widen(f16 x) { return to_f32(x); }
AIT_DEVICE float widen(bf16 x) { return to_f32(x); }
template <class T>
AIT_DEVICE T widen(T x) {
  return x;
}
AIT_DEVICE void put(f16* to, float x) { *to = from_f32<f16>(x); }
AIT_DEVICE void put(bf16* to, float x) { *to = from_f32<bf16>(x); }
template <class T, class E>
AIT_DEVICE void put(T* to, E x) {
  *to = static_cast<T>(x);
}

/// An index that may count from the end; false where it lies outside of n elements.
template <class I>
AIT_DEVICE bool place(I index, int64_t n, int64_t& at) {
  at = static_cast<int64_t>(index);
  if (at < 0) at += n;
  return at >= 0 && at < n;
}

// How an update meets what is there. Several updates of one element are applied in no fixed order.
struct AddOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return a + b;
  }
};
struct MulOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return a * b;
  }
};
struct MaxOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return a < b || b != b ? b : a;
  }
};
struct MinOf {
  template <class T>
  AIT_DEVICE static T of(T a, T b) {
    return b < a || b != b ? b : a;
  }
};

}  // namespace ait::gpu
