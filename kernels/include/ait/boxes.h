#pragma once
// Boxes and their overlap: what the kernels of the CPU and of devices have in common.
#include "both.h"

namespace ait {

namespace detail {
AIT_BOTH float lesser(float a, float b) { return b < a ? b : a; }
AIT_BOTH float greater(float a, float b) { return a < b ? b : a; }
}  // namespace detail

struct Corners {
  float y1, x1, y2, x2;
};

/// The corners of a box that is given as corners, in any order, or as centre and size.
AIT_BOTH Corners corners_of(const float* box, bool centre) {
  if (centre) {
    const float w = box[2] / 2, h = box[3] / 2;
    return {box[1] - h, box[0] - w, box[1] + h, box[0] + w};
  }
  return {detail::lesser(box[0], box[2]), detail::lesser(box[1], box[3]), detail::greater(box[0], box[2]),
          detail::greater(box[1], box[3])};
}

/// The intersection of two boxes as a part of their union; areas are what `product` makes of two sides.
template <class Product>
AIT_BOTH float overlap(const Corners& a, const Corners& b, const Product& product) {
  const float h = detail::lesser(a.y2, b.y2) - detail::greater(a.y1, b.y1);
  const float w = detail::lesser(a.x2, b.x2) - detail::greater(a.x1, b.x1);
  if (h <= 0 || w <= 0) return 0;
  const float area_a = product(a.y2 - a.y1, a.x2 - a.x1), area_b = product(b.y2 - b.y1, b.x2 - b.x1);
  if (area_a <= 0 || area_b <= 0) return 0;
  const float common = product(h, w);
  return common / (area_a + area_b - common);
}

}  // namespace ait
