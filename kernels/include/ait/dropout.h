#pragma once
#include "context.h"
#include "numeric.h"
#include "uniform.h"

namespace ait {

/// Zeroes elements with probability `ratio` where dropout is on and scales the others so that the mean
/// stays. Which ones follows from the seed and the position alone, whatever the number of threads.
template <class T, class R>
inline void dropout(Context& ctx, const T* x, const R* ratio, const bool* on, T* y, bool* mask, int64_t n,
                    uint64_t seed) {
  const float p = cast_to<float>(*ratio);
  const bool active = *on && p != 0.f;
  const float scale = p < 1.f ? 1.f / (1.f - p) : 0.f;
  parallel_for(ctx, n, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      if (!active) {
        y[i] = x[i];
        mask[i] = true;
        continue;
      }
      mask[i] = uniform_at(i, seed) >= p;
      y[i] = cast_to<T>(mask[i] ? cast_to<float>(x[i]) * scale : 0.f);
    }
  });
}

}  // namespace ait
