#pragma once
#include <stdlib.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "run.h"

// Memory of a context: blocks that grow, and the placement of intermediates in one of them.
namespace ait {

constexpr int64_t kAlignment = 64;
/// No machine has more; sums of sizes below it cannot overflow.
constexpr int64_t kLargestBytes = int64_t{1} << 46;

inline int64_t align_up(int64_t bytes, int64_t alignment = kAlignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Null when there is no memory.
template <class T>
inline T* zeroed(int64_t count) {
  return static_cast<T*>(calloc(static_cast<size_t>(count < 1 ? 1 : count), sizeof(T)));
}

/// Memory that is kept until more is asked for. Contents are undefined after reserve().
struct Block {
  uint8_t* data = nullptr;
  int64_t bytes = 0;

  /// Null when there is no such amount of memory.
  uint8_t* reserve(int64_t wanted) {
    if (wanted <= bytes && data != nullptr) return data;
    release();
    if (wanted > kLargestBytes) return nullptr;
    // Large blocks lie on large pages: fewer page faults and TLB misses.
    constexpr int64_t page = int64_t{2} << 20;
    const bool large = wanted >= page;
    const int64_t size = align_up(wanted < 1 ? 1 : wanted, large ? page : kAlignment);
    void* p = nullptr;
    if (posix_memalign(&p, static_cast<size_t>(large ? page : kAlignment), static_cast<size_t>(size)) != 0) {
      return nullptr;
    }
#ifdef MADV_HUGEPAGE
    if (large) madvise(p, static_cast<size_t>(size), MADV_HUGEPAGE);
#endif
    data = static_cast<uint8_t*>(p);
    bytes = size;
    return data;
  }

  void release() {
    free(data);
    data = nullptr;
    bytes = 0;
  }
};

/// Places values of these sizes by size, the largest first, each into the smallest gap between the values
/// placed before it that live at the same time (greedy by size, arXiv 2001.03288). Returns the total, or -1
/// when it is beyond any memory. `order` and `placed` are scratch for `count` entries.
inline int64_t place_by_size(const PlanTable& table, const int64_t* sizes, int64_t* offsets, int32_t* order,
                             int32_t* placed) {
  const int32_t n = table.count;
  for (int32_t i = 0; i < n; i++) {
    if (sizes[i] < 0 || sizes[i] > kLargestBytes) return -1;
    int32_t at = i;
    for (; at > 0 && sizes[order[at - 1]] < sizes[i]; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  int64_t total = 0;
  for (int32_t k = 0; k < n; k++) {
    const int32_t value = order[k];
    const int64_t size = align_up(sizes[value]);
    int64_t best = -1, best_gap = INT64_MAX, end = 0;
    for (int32_t p = 0; p < k; p++) {
      const int32_t other = placed[p];
      if (table.first[value] > table.last[other] || table.first[other] > table.last[value]) continue;
      const int64_t gap = offsets[other] - end;
      if (gap >= size && gap < best_gap) {
        best = end;
        best_gap = gap;
      }
      const int64_t other_end = offsets[other] + align_up(sizes[other]);
      if (other_end > end) end = other_end;
    }
    offsets[value] = best < 0 ? end : best;
    if (offsets[value] + size > total) total = offsets[value] + size;
    if (total > kLargestBytes) return -1;
    int32_t at = k;
    for (; at > 0 && offsets[placed[at - 1]] > offsets[value]; at--) placed[at] = placed[at - 1];
    placed[at] = value;
  }
  return total;
}

/// Placements that were computed lately: models are run with few different shapes, often in turns.
class PlanCache {
 public:
  /// Writes the offsets and returns the total; -1 without memory.
  int64_t find(const PlanTable& table, const int64_t* sizes, int64_t* offsets) {
    const size_t row = static_cast<size_t>(table.count) * sizeof(int64_t);
    for (const Entry& entry : entries_) {
      if (entry.first != table.first || std::memcmp(entry.numbers, sizes, row) != 0) continue;
      std::memcpy(offsets, entry.numbers + table.count, row);
      return entry.total;
    }
    Entry& entry = entries_[next_];
    entry.first = nullptr;
    auto* numbers = static_cast<int64_t*>(realloc(entry.numbers, 3 * row + 1));
    if (numbers == nullptr) return -1;
    entry.numbers = numbers;
    auto* order = reinterpret_cast<int32_t*>(numbers + 2 * table.count);
    entry.total = place_by_size(table, sizes, numbers + table.count, order, order + table.count);
    if (entry.total < 0) return -1;
    std::memcpy(numbers, sizes, row);
    std::memcpy(offsets, numbers + table.count, row);
    entry.first = table.first;
    next_ = (next_ + 1) % kEntries;
    return entry.total;
  }

  void release() {
    for (Entry& entry : entries_) {
      free(entry.numbers);
      entry = Entry{};
    }
  }

 private:
  struct Entry {
    const int32_t* first = nullptr;  ///< Tells tables apart: their numbers are static.
    int64_t* numbers = nullptr;      ///< Sizes, offsets, and room for the order of placement.
    int64_t total = 0;
  };
  static constexpr int kEntries = 16;
  Entry entries_[kEntries];
  int next_ = 0;
};

}  // namespace ait
