#pragma once
#include "both.h"

namespace ait {

struct LinearAttentionShape {
  int64_t batch, steps, query_heads, key_heads, key, value;
  /// Values of decay and beta at a step, all heads together; 0 where there are none.
  int64_t decay, beta;
  float scale;
};

}  // namespace ait
