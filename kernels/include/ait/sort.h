#pragma once
#include <cstdint>

namespace ait {

/// Sorts by `before`, a strict order; a heap sort, so that it needs no memory and is never quadratic.
template <class Before>
inline void sort_indices(int32_t* order, int64_t n, Before&& before) {
  const auto sift = [&](int64_t root, int64_t size) {
    const int32_t x = order[root];
    for (int64_t child; (child = 2 * root + 1) < size; root = child) {
      if (child + 1 < size && before(order[child], order[child + 1])) child++;
      if (!before(x, order[child])) break;
      order[root] = order[child];
    }
    order[root] = x;
  };
  for (int64_t i = n / 2 - 1; i >= 0; i--) sift(i, n);
  for (int64_t i = n - 1; i > 0; i--) {
    const int32_t last = order[i];
    order[i] = order[0];
    order[0] = last;
    sift(0, i);
  }
}

}  // namespace ait
