#pragma once
// Ensembles of decision trees over tables, and look-ups in sorted tables.
#include "context.h"
#include "forest.h"
#include "numeric.h"

namespace ait {

/// dst[row][column]: the votes of all trees together, plus base[column] unless it is null.
template <class O, class T, class X>
inline void tree_ensemble(Context& ctx, O* dst, const X* src, const Trees<T>& trees, int64_t rows,
                          int64_t features, int64_t columns, Votes how, const double* base) {
  parallel_for(ctx, rows, max_of<int64_t>(1, 2048 / (trees.count + 1)), [&](int64_t begin, int64_t end) {
    double* sums = static_cast<double*>(thread_scratch(static_cast<size_t>(columns) * sizeof(double) + 8));
    for (int64_t r = begin; r < end; r++) {
      for (int64_t c = 0; c < columns; c++) sums[c] = first_vote(how);
      const X* row = src + r * features;
      const auto feature = [row](int64_t i) { return cast_to<double>(row[i]); };
      for (int64_t t = 0; t < trees.count; t++) {
        const int64_t leaf = trees.leaf_of(trees.roots[t], feature);
        for (int64_t i = trees.leaf_start[leaf]; i < trees.leaf_start[leaf + 1]; i++) {
          double& sum = sums[trees.targets[i]];
          sum = joined_votes(how, sum, trees.weights[i]);
        }
      }
      for (int64_t c = 0; c < columns; c++) {
        const double total = how == Votes::Average ? sums[c] / static_cast<double>(trees.count) : sums[c];
        dst[r * columns + c] = cast_to<O>(total + (base ? base[c] : 0));
      }
    }
  });
}

}  // namespace ait
