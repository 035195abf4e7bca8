#pragma once
// Reading a tensor in another order of its axes, for the templates that take load functors.
#include "numeric.h"

namespace ait {

/// Elements numbered row by row over `extents`, where a step along axis d moves `strides[d]` elements.
template <class T, int R>
struct StridedRead {
  const T* p;
  int64_t extents[R];
  int64_t strides[R];

  template <class V>
  V operator()(V, int64_t i, int n) const {
    int64_t last;
    const T* at = locate(i, last);
    const int64_t step = strides[R - 1];
    if (step == 1 && last + n <= extents[R - 1]) return load_some<V>(at, n);
    if constexpr (__is_same(V, Element<V>)) {
      return n > 0 ? cast_to<V>(*at) : V(0);
    } else {
      V v = {};
      for (int k = 0; k < n; k++) {
        if (last == extents[R - 1]) at = locate(i + k, last);
        v[k] = cast_to<Element<V>>(*at);
        at += step;
        last++;
      }
      return v;
    }
  }

 private:
  const T* locate(int64_t i, int64_t& last) const {
    int64_t offset = 0;
    for (int d = R - 1; d >= 0; d--) {
      const int64_t quotient = i / extents[d], digit = i - quotient * extents[d];
      if (d == R - 1) last = digit;
      offset += digit * strides[d];
      i = quotient;
    }
    return p + offset;
  }
};

/// The axes of a dense tensor with those that `reduced` marks put last, and how many elements each part has.
template <class T, int R>
struct Partition {
  StridedRead<T, R> read;
  int64_t kept = 1;
  int64_t dropped = 1;

  Partition(const T* p, const int64_t (&extents)[R], const int64_t (&reduced)[R]) : read{p, {}, {}} {
    int next[2] = {0, R};
    int64_t strides[R], stride = 1;
    for (int d = R - 1; d >= 0; d--) {
      strides[d] = stride;
      stride *= extents[d];
      if (reduced[d] != 0) next[1]--;
    }
    for (int d = 0; d < R; d++) {
      const bool drops = reduced[d] != 0;
      read.extents[next[drops]] = extents[d];
      read.strides[next[drops]++] = strides[d];
      (drops ? dropped : kept) *= extents[d];
    }
  }
};

}  // namespace ait
