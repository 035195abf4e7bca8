#pragma once
// The k largest or smallest elements along the middle axis of [outer][axis][inner].
#include "context.h"
#include "numeric.h"

namespace ait {

/// Sorted, equal values by ascending index; a NaN counts as larger than any number. E is the type to compare
/// in. 0 <= k <= axis.
template <class E, bool Largest, class T, class I>
inline void top_k(Context& ctx, int64_t outer, int64_t axis, int64_t inner, int64_t k, const T* x, T* values,
                  I* indices) {
  struct Item {
    E value;
    int64_t index;
  };
  const auto more = [](E a, E b) {
    if constexpr (detail::kIsFloat<E>) return a > b || (a != a && b == b);
    return a > b;
  };
  /// Whether a comes after b in the result.
  const auto after = [&](const Item& a, const Item& b) {
    const bool less = Largest ? more(b.value, a.value) : more(a.value, b.value);
    const bool greater = Largest ? more(a.value, b.value) : more(b.value, a.value);
    return less || (!greater && a.index > b.index);
  };
  if (k == 0) return;
  parallel_for(ctx, outer * inner, ceil_div(int64_t{4096}, max_of<int64_t>(1, axis)),
               [&](int64_t begin, int64_t end) {
                 auto* heap = static_cast<Item*>(thread_scratch(static_cast<size_t>(k) * sizeof(Item)));
                 // The root of the heap is the item that comes last.
                 const auto sink = [&](int64_t at, int64_t n, Item item) {
                   for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
                     if (child + 1 < n && after(heap[child + 1], heap[child])) child++;
                     if (!after(heap[child], item)) break;
                     heap[at] = heap[child];
                     at = child;
                   }
                   heap[at] = item;
                 };
                 for (int64_t u = begin; u < end; u++) {
                   const T* column = x + u / inner * axis * inner + u % inner;
                   const int64_t out = u / inner * k * inner + u % inner;
                   for (int64_t i = 0; i < k; i++) heap[i] = {cast_to<E>(column[i * inner]), i};
                   for (int64_t i = k / 2 - 1; i >= 0; i--) sink(i, k, heap[i]);
                   for (int64_t i = k; i < axis; i++) {
                     const E value = cast_to<E>(column[i * inner]);
                     // A later index never wins a tie.
                     if (Largest ? more(value, heap[0].value) : more(heap[0].value, value))
                       sink(0, k, {value, i});
                   }
                   for (int64_t n = k; n > 0; n--) {
                     const Item last = heap[0];
                     if (n > 1) sink(0, n - 1, heap[n - 1]);
                     values[out + (n - 1) * inner] = column[last.index * inner];
                     indices[out + (n - 1) * inner] = static_cast<I>(last.index);
                   }
                 }
               });
}

}  // namespace ait
