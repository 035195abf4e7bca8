#pragma once
// Ensembles of decision trees, for the kernels of the CPU and of devices.
#include "both.h"

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

  /// feature(i) is the row's, as a double.
  template <class Feature>
  AIT_BOTH int64_t leaf_of(int64_t at, const Feature& feature) const {
    while (at >= 0) {
      const double x = feature(features[at]), split = splits[at];
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

/// What the votes of all trees are joined with.
AIT_BOTH double first_vote(Votes how) {
  const double most = 3.40282346638528859812e38;
  return how == Votes::Min ? most : how == Votes::Max ? -most : 0;
}
AIT_BOTH double joined_votes(Votes how, double a, double b) {
  if (how == Votes::Min) return b < a ? b : a;
  if (how == Votes::Max) return a < b ? b : a;
  return a + b;
}

}  // namespace ait
