#pragma once
#include "device.h"

// Movement of elements: rows into a wider tensor, and padding.
namespace ait::gpu {

/// Moves N elements as one access, which both places are aligned for; the host chose N from the extents, and
/// a view may begin anywhere, so it is looked at once more.
template <int N, class T>
AIT_DEVICE void move(T* to, const T* from) {
  constexpr uintptr_t kMask = N * sizeof(T) - 1;
  if (((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) & kMask) == 0) {
    return store(to, load<N>(from));
  }
  AIT_UNROLL
  for (int i = 0; i < N; i++) to[i] = from[i];
}

enum class Pad { kConstant, kEdge, kReflect, kWrap };

/// Where position i of a padded axis lies in the axis of n elements; -1 where the constant goes.
template <Pad Mode>
AIT_DEVICE int64_t padded(int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (Mode == Pad::kConstant || n == 0) return -1;
  if (Mode == Pad::kEdge) return i < 0 ? 0 : n - 1;
  if (Mode == Pad::kWrap) {
    const int64_t r = i % n;
    return r < 0 ? r + n : r;
  }
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1);
  int64_t r = i % period;
  if (r < 0) r += period;
  return r < n ? r : period - r;
}

}  // namespace ait::gpu
