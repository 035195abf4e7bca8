#pragma once
#include "context.h"
#include "numeric.h"

namespace ait {

enum class LossReduction { None, Sum, Mean };

/// Negative log likelihood of [batch][classes][space] at the target class of each [batch][space]. Null
/// weights are 1. The sum runs in one order, whatever the number of threads.
template <LossReduction Reduction, class T, class I>
inline void nll_loss(Context& ctx, const T* x, const I* target, const T* weight, T* y, int64_t batch,
                     int64_t classes, int64_t space, bool ignores, int64_t ignored) {
  using E = decltype(cast_to<double>(T{}));
  E total = 0, weights = 0;
  for (int64_t u = 0; u < batch * space; u++) {
    const auto c = static_cast<int64_t>(target[u]);
    const bool counts = !ignores || c != ignored;
    if (counts && (c < 0 || c >= classes)) {
      ctx.fail("a target is not one of the classes");
      return;
    }
    E loss = 0;
    if (counts) {
      const E w = weight ? cast_to<E>(weight[c]) : E(1);
      loss = -w * cast_to<E>(x[(u / space * classes + c) * space + u % space]);
      weights += w;
    }
    if (Reduction == LossReduction::None) {
      y[u] = cast_to<T>(loss);
    } else {
      total += loss;
    }
  }
  if (Reduction == LossReduction::Sum) *y = cast_to<T>(total);
  if (Reduction == LossReduction::Mean) *y = cast_to<T>(total / weights);
}

}  // namespace ait
