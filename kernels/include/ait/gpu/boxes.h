#pragma once
#include "../boxes.h"
#include "compact.h"
#include "rounding.h"
#include "sort.h"

// Boxes that overlap better ones are left out.
namespace ait::gpu {

struct Suppression {
  int64_t problems, classes, n, limit;
  float most_overlap;
  const float* least_score;  ///< May be null.
  bool centre;
};

/// The boxes kept of one class of one image, best score first, at the beginning of `order`, which has room
/// for 2n boxes; returns how many. One block; `shared` is shared memory for an element per warp.
AIT_DEVICE int64_t suppress(const Suppression& s, const float* boxes, const float* scores, int32_t* order,
                            int* shared) {
  const float least = s.least_score == nullptr ? 0.f : *s.least_score;
  const int64_t count = place_chunk(
      0, s.n, 0, shared, [&](int64_t i) { return s.least_score == nullptr || scores[i] > least; },
      [&](int64_t i, int64_t at) { order[at] = static_cast<int32_t>(i); });
  const int64_t padded = padded_to_power(count);
  for (int64_t i = count + thread(); i < padded; i += threads()) order[i] = static_cast<int32_t>(s.n + i);
  barrier();
  sort_block(order, padded, [&](int32_t a, int32_t b) {
    if (a >= s.n || b >= s.n) return a < b;
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  });
  // What is left out becomes negative. The kept boxes take the places of those that were dealt with.
  int64_t found = 0;
  for (int64_t at = 0; found < s.limit; at++) {
    int64_t next = count;
    for (int64_t begin = at; begin < count && next == count; begin += threads()) {
      const int64_t i = begin + thread();
      const int free = i < count && order[i] >= 0 ? thread() : threads();
      const int nearest = block_min(free, shared);
      if (nearest < threads()) next = begin + nearest;
    }
    if (next == count) break;
    at = next;
    const int32_t box = order[at];
    const Corners mine = corners_of(boxes + int64_t{4} * box, s.centre);
    for (int64_t i = at + 1 + thread(); i < count; i += threads()) {
      const int32_t other = order[i];
      if (other < 0) continue;
      const Corners its = corners_of(boxes + int64_t{4} * other, s.centre);
      if (overlap(mine, its, [](float p, float q) { return product(p, q); }) > s.most_overlap)
        order[i] = ~other;
    }
    barrier();
    if (thread() == 0) order[found] = box;
    found++;
  }
  return found;
}

/// Writes the rows (image, class, box) of one class of one image behind those in front of it; the first block
/// counts them all.
AIT_DEVICE void write_kept(const Suppression& s, const int32_t* order, const int64_t* kept, int64_t* number,
                           int64_t* rows, int64_t* shared) {
  const int64_t own = block_x();
  int64_t before = 0, all = 0;
  for (int64_t i = thread(); i < s.problems; i += threads()) {
    all += kept[i];
    before += i < own ? kept[i] : 0;
  }
  before = block_sum(before, shared);
  all = block_sum(all, shared);
  if (own == 0 && thread() == 0) *number = all;
  if (own >= s.problems) return;
  for (int64_t i = thread(); i < kept[own]; i += threads()) {
    int64_t* row = rows + (before + i) * 3;
    row[0] = own / s.classes;
    row[1] = own % s.classes;
    row[2] = order[own * 2 * s.n + i];
  }
}

}  // namespace ait::gpu
