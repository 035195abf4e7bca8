#pragma once
#include "device.h"

namespace ait::gpu {

/// The smallest power of two that is not below n.
AIT_DEVICE int64_t padded_to_power(int64_t n) {
  int64_t padded = 1;
  while (padded < n) padded *= 2;
  return padded;
}

/// Sorts as many items as a power of two by a bitonic network; one block, items that the whole block sees.
/// `before` tells of any two which comes first.
template <class T, class F>
AIT_DEVICE void sort_block(T* items, int64_t count, F before) {
  for (int64_t size = 2; size <= count; size *= 2) {
    for (int64_t step = size / 2; step > 0; step /= 2) {
      for (int64_t i = thread(); i < count / 2; i += threads()) {
        const int64_t low = 2 * (i & ~(step - 1)) + (i & (step - 1));
        const T a = items[low], b = items[low + step];
        if (before(b, a) == ((low & size) == 0)) {
          items[low] = b;
          items[low + step] = a;
        }
      }
      barrier();
    }
  }
}

}  // namespace ait::gpu
