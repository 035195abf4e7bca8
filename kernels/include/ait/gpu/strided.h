#pragma once
// Elements of a dense tensor in another order than they lie in: read functors as elements.h has them.
#include "elements.h"

namespace ait::gpu {

/// Elements numbered row by row over `extents`, where a step along axis d moves `strides[d]` elements.
template <class T, int R>
struct StridedRead {
  const T* p;
  int64_t extents[R];
  int64_t strides[R];

  template <int N, class E>
  AIT_DEVICE void operator()(E (&v)[N], int64_t i) const {
    AIT_UNROLL
    for (int k = 0; k < N; k++) v[k] = compute<E>(p[place(i + k)]);
  }
  AIT_DEVICE int64_t place(int64_t i) const {
    int64_t offset = 0;
    if (i < 0x7fffffff) {
      auto rest = static_cast<uint32_t>(i);
      AIT_UNROLL
      for (int d = R - 1; d > 0; d--) {
        const auto extent = static_cast<uint32_t>(extents[d]);
        const uint32_t quotient = rest / extent;
        offset += (rest - quotient * extent) * strides[d];
        rest = quotient;
      }
      return offset + rest * strides[0];
    }
    AIT_UNROLL
    for (int d = R - 1; d >= 0; d--) {
      offset += i % extents[d] * strides[d];
      i /= extents[d];
    }
    return offset;
  }
};

/// The axes of a dense tensor with those that `reduced` marks put last.
template <class T, int R>
AIT_DEVICE StridedRead<T, R> partition(const T* p, const int64_t (&extents)[R], const int64_t (&reduced)[R]) {
  StridedRead<T, R> read{p, {}, {}};
  int kept = 0;
  AIT_UNROLL
  for (int d = 0; d < R; d++) kept += reduced[d] == 0;
  int next_kept = 0, next_reduced = kept;
  AIT_UNROLL
  for (int d = 0; d < R; d++) {
    int64_t stride = 1;
    AIT_UNROLL
    for (int e = d + 1; e < R; e++) stride *= extents[e];
    const int at = reduced[d] != 0 ? next_reduced++ : next_kept++;
    // An index that is known keeps the arrays in registers.
    AIT_UNROLL
    for (int o = 0; o < R; o++) {
      if (o != at) continue;
      read.extents[o] = extents[d];
      read.strides[o] = stride;
    }
  }
  return read;
}

}  // namespace ait::gpu
