#pragma once
#include <cstdint>
#include <cstring>

namespace ait {

/// Sorts n values stably by before(a, b); `spare` holds as many.
template <class T, class Before>
inline void merge_sort(T* v, T* spare, int64_t n, Before before) {
  constexpr int64_t run = 16;
  for (int64_t first = 0; first < n; first += run) {
    const int64_t end = first + run < n ? first + run : n;
    for (int64_t i = first + 1; i < end; i++) {
      const T x = v[i];
      int64_t j = i;
      for (; j > first && before(x, v[j - 1]); j--) v[j] = v[j - 1];
      v[j] = x;
    }
  }
  T *from = v, *to = spare;
  for (int64_t width = run; width < n; width *= 2) {
    for (int64_t first = 0; first < n; first += 2 * width) {
      const int64_t middle = first + width < n ? first + width : n;
      const int64_t end = first + 2 * width < n ? first + 2 * width : n;
      int64_t a = first, b = middle;
      for (int64_t o = first; o < end; o++) {
        const bool left = a < middle && (b >= end || !before(from[b], from[a]));
        to[o] = left ? from[a++] : from[b++];
      }
    }
    T* t = from;
    from = to;
    to = t;
  }
  if (from != v) std::memcpy(static_cast<void*>(v), from, static_cast<size_t>(n) * sizeof(T));
}

}  // namespace ait
