#pragma once
// Ensembles of decision trees over tables, and look-ups in sorted tables.
#include "context.h"
#include "numeric.h"

namespace ait {

enum class Branch { Leq, Lt, Gte, Gt, Eq, Neq, Member };
enum class Votes { Average, Sum, Min, Max };

/// A child that is not negative is a node, another one leaf -1 - child; leaf i holds the votes from
/// leaf_start[i] up to leaf_start[i + 1]. The sets of member nodes lie in `members` from sets[node] on.
template <class T>
struct Trees {
  const int64_t *roots, *modes, *features, *yes, *no, *missing, *sets, *leaf_start, *targets;
  const T *splits, *members, *weights;
  int64_t count;

  template <class X>
  int64_t leaf_of(int64_t at, const X* row) const {
    while (at >= 0) {
      const double x = cast_to<double>(row[features[at]]), split = splits[at];
      bool holds = false;
      switch (static_cast<Branch>(modes[at])) {
        case Branch::Leq:
          holds = x <= split;
          break;
        case Branch::Lt:
          holds = x < split;
          break;
        case Branch::Gte:
          holds = x >= split;
          break;
        case Branch::Gt:
          holds = x > split;
          break;
        case Branch::Eq:
          holds = x == split;
          break;
        case Branch::Neq:
          holds = x != split;
          break;
        case Branch::Member:
          for (int64_t i = sets[at]; i < sets[at + 1]; i++) holds |= x == members[i];
          break;
      }
      at = holds || (missing[at] != 0 && x != x) ? yes[at] : no[at];
    }
    return -1 - at;
  }
};

/// dst[row][column]: the votes of all trees together, plus base[column] unless it is null.
template <class O, class T, class X>
inline void tree_ensemble(Context& ctx, O* dst, const X* src, const Trees<T>& trees, int64_t rows,
                          int64_t features, int64_t columns, Votes how, const double* base) {
  parallel_for(ctx, rows, max_of<int64_t>(1, 2048 / (trees.count + 1)), [&](int64_t begin, int64_t end) {
    double* sums = static_cast<double*>(thread_scratch(static_cast<size_t>(columns) * sizeof(double) + 8));
    for (int64_t r = begin; r < end; r++) {
      const double start = how == Votes::Min   ? static_cast<double>(__FLT_MAX__)
                           : how == Votes::Max ? -static_cast<double>(__FLT_MAX__)
                                               : 0;
      for (int64_t c = 0; c < columns; c++) sums[c] = start;
      for (int64_t t = 0; t < trees.count; t++) {
        const int64_t leaf = trees.leaf_of(trees.roots[t], src + r * features);
        for (int64_t i = trees.leaf_start[leaf]; i < trees.leaf_start[leaf + 1]; i++) {
          double& sum = sums[trees.targets[i]];
          const double w = trees.weights[i];
          sum = how == Votes::Min ? min_of(sum, w) : how == Votes::Max ? max_of(sum, w) : sum + w;
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
