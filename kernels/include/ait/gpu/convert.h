#pragma once
#include "device.h"

namespace ait::gpu {

/// An element in the type it is computed in.
template <class E, class T>
AIT_DEVICE E compute(T x) {
  if constexpr (kSame<E, T>) {
    return x;
  } else if constexpr (kSame<E, float>) {
    return to_f32(x);
  } else {
    return static_cast<E>(x);
  }
}
/// A result as it is stored.
template <class T, class E>
AIT_DEVICE T stored(E x) {
  if constexpr (kSame<E, T>) {
    return x;
  } else if constexpr (kSame<E, float> || kSame<T, f16> || kSame<T, bf16>) {
    return from_f32<T>(static_cast<float>(x));
  } else {
    return static_cast<T>(x);
  }
}

}  // namespace ait::gpu
