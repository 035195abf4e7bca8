#pragma once
#include "both.h"

namespace ait {

/// Sorted n-grams of one length, and the column each is counted in.
struct Grams {
  int64_t length, count;
  const int64_t* items;
  const int64_t* columns;

  /// The column of the items at x, `step` apart, or -1.
  template <class I>
  AIT_BOTH int64_t find(const I* x, int64_t step) const {
    int64_t low = 0, high = count;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      int order = 0;
      for (int64_t i = 0; i < length && order == 0; i++) {
        const int64_t a = items[middle * length + i], b = static_cast<int64_t>(x[i * step]);
        order = a < b ? -1 : a > b ? 1 : 0;
      }
      if (order == 0) return columns[middle];
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return -1;
  }
};

/// Steps between the items of an n-gram that are tried: single items are the same however far apart.
AIT_BOTH int64_t most_steps(const Grams& grams, int64_t skips) { return grams.length == 1 ? 1 : skips + 1; }

}  // namespace ait
