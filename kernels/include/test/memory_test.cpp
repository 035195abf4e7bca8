// Placement of intermediates: no two that live at once overlap, and the total stays near the lower bound.
#include "../ait/memory.h"

#include "check.h"

namespace {

using test::check;

struct Case {
  std::vector<int32_t> first, last;
  std::vector<int64_t> sizes;
  ait::PlanTable table() const { return {static_cast<int32_t>(first.size()), first.data(), last.data()}; }
};

Case random_case(test::Random& random) {
  Case c;
  const int64_t n = 1 + random.below(60), steps = 1 + random.below(40);
  for (int64_t i = 0; i < n; i++) {
    const int64_t from = random.below(steps);
    c.first.push_back(static_cast<int32_t>(from));
    c.last.push_back(static_cast<int32_t>(from + random.below(steps - from)));
    c.sizes.push_back(random.below(4) == 0 ? random.below(3) : random.below(100000));
  }
  return c;
}

/// The most bytes that live at one step: no placement can do with less.
int64_t lower_bound(const Case& c) {
  int64_t most = 0;
  for (int32_t step : c.first) {
    int64_t live = 0;
    for (size_t i = 0; i < c.sizes.size(); i++) {
      if (c.first[i] <= step && step <= c.last[i]) live += ait::align_up(c.sizes[i]);
    }
    if (live > most) most = live;
  }
  return most;
}

void placements() {
  test::Random random;
  int64_t totals = 0, bounds = 0;
  for (int round = 0; round < 500; round++) {
    const Case c = random_case(random);
    ait::PlanCache cache;
    const size_t n = c.sizes.size();
    std::vector<int64_t> offsets(n), again(n);
    const ait::PlanTable table = c.table();
    const int64_t total = cache.find(table, c.sizes.data(), offsets.data());
    bool apart = true, inside = true;
    for (size_t i = 0; i < n; i++) {
      inside = inside && offsets[i] >= 0 && offsets[i] % 64 == 0 && offsets[i] + c.sizes[i] <= total;
      for (size_t j = 0; j < i; j++) {
        const bool together = c.first[i] <= c.last[j] && c.first[j] <= c.last[i];
        const bool overlap = offsets[i] < offsets[j] + c.sizes[j] && offsets[j] < offsets[i] + c.sizes[i];
        apart = apart && !(together && overlap);
      }
    }
    check(apart, "values that live at once lie apart", round);
    check(inside, "values lie inside the arena, aligned", round);
    check(total >= lower_bound(c), "the total covers the step with the most bytes", round);
    check(cache.find(table, c.sizes.data(), again.data()) == total && again == offsets, "cached", round);
    totals += total;
    bounds += lower_bound(c);
    cache.release();
  }
  check(totals <= bounds * 5 / 4, "placements are near the lower bound", totals * 100 / bounds);
}

void limits() {
  const int32_t first[] = {0, 0}, last[] = {1, 1};
  const ait::PlanTable table = {2, first, last};
  ait::PlanCache cache;
  int64_t offsets[2];
  const int64_t absurd[] = {64, INT64_MAX / 2}, negative[] = {-1, 64}, nothing[] = {0, 0};
  check(cache.find(table, absurd, offsets) == -1, "beyond any memory");
  check(cache.find(table, negative, offsets) == -1, "a negative size");
  check(cache.find(table, nothing, offsets) == 0, "no bytes at all");
  cache.release();

  ait::Block block;
  check(block.reserve(0) != nullptr, "no bytes are still an address");
  uint8_t* data = block.reserve(3 << 20);
  check(reinterpret_cast<uintptr_t>(data) % 64 == 0, "blocks are aligned");
  check(block.reserve(100) == data, "a block is kept");
  check(block.reserve(ait::kLargestBytes + 1) == nullptr, "an absurd block");
  block.release();
}

}  // namespace

int main() {
  placements();
  limits();
  return test::summary();
}
