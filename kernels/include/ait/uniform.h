#pragma once
#include "both.h"

namespace ait {

/// The number of a position between 0 and 1, from the seed alone: splitmix64.
AIT_BOTH float uniform_at(int64_t i, uint64_t seed) {
  uint64_t z = (static_cast<uint64_t>(i) + seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-24f;
}

}  // namespace ait
