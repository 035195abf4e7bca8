#pragma once
#include "numeric.h"

// Reading the operands of an epilogue (gemm.h) whatever their element type.
namespace ait {

/// The elements p[0 .. lanes) as a vector; the other lanes are 0.
template <class V, class T>
inline V columns(const T* p, int lanes) {
  if (lanes == kLanesOf<V>) return load_as<V>(p);
  if constexpr (__is_same(T, Element<V>)) {
    return load_n<V>(p, lanes);
  } else {
    return load_as_n<V>(p, lanes);
  }
}

template <class T>
inline const T* element(const T* p, int) {
  return p;
}

}  // namespace ait
