#pragma once
#include <cstdint>

namespace ait {

/// Whether `length` elements from `start` on, `step` apart, lie among n.
inline bool slice_within(int64_t start, int64_t length, int64_t step, int64_t n) {
  if (length == 0) return true;
  const int64_t last = start + (length - 1) * step;
  return length > 0 && start >= 0 && start < n && last >= 0 && last < n;
}

}  // namespace ait
