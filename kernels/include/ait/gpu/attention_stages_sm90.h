#pragma once
#include "device_sm90.h"

// The form of a block of attention on Hopper, and its shared memory.
#if defined(AIT_SM90)
namespace ait::gpu {

/// Depths: of the keys a multiple of 16, of the values one that WgmmaRows has. kKeys: of a tile, 64 or 80.
/// kGroups warpgroups have rows of their own; kShares share each of those rows, with every kShares-th tile of
/// keys, and join what they have. Bounded: there is a window, or there are lengths. Ordered: warpgroups start
/// their products one after the other, so that their softmaxes do not all run at the same time.
template <int kDepth_, int kValueDepth_, int kKeys_, int kGroups_, int kShares_, int kStages_, bool kBounded_,
          bool kOrdered_ = kShares_ == 1 && (kGroups_ > 1)>
struct WideAttention {
  static constexpr int kDepth = kDepth_, kValueDepth = kValueDepth_, kKeys = kKeys_, kGroups = kGroups_,
                       kShares = kShares_, kStages = kStages_;
  static constexpr bool kBounded = kBounded_, kOrdered = kOrdered_;
  static constexpr int kRows = 64 * kGroups;
  static constexpr int kWarpgroups = kGroups * kShares;
  /// Four warpgroups need registers that a whole one for the copies can leave to them.
  static constexpr bool kMoves = kWarpgroups == 4;
  static constexpr int kThreads = 128 * kWarpgroups + (kMoves ? 128 : 32);
  /// Lines of 64 elements, one panel of them below the other.
  static constexpr int kKeyPanels = (kDepth + 63) / 64, kValuePanels = (kValueDepth + 63) / 64;
  static constexpr int kQueryPanels = kKeyPanels > kValuePanels ? kKeyPanels : kValuePanels;
  static constexpr int kPanel = 64 * kKeys, kQueryPanel = 64 * kRows;
  static constexpr int kQueries = kQueryPanels * kQueryPanel, kStage = (kKeyPanels + kValuePanels) * kPanel;
  static constexpr int kTiles = 2 * (kQueries + kStages * kStage);
  /// Bytes of dynamic shared memory.
  static constexpr int kShared = kTiles + 8 * (1 + 4 * kStages);
  static constexpr int kSums = kValueDepth / 2;
  // A barrier tells neighbouring phases apart only: whoever waits for a stage waits each time.
  static_assert(kStages % kShares == 0, "a stage belongs to one share");
  static_assert((kShares - 1) * kRows * (kValueDepth + 8) <= kStages * kStage / 2, "sums fit the stages");
};

namespace detail {

/// A stage, and how often those before it were used, mod 2.
template <class Form, int kStep>
struct AttentionTurn {
  int stage = 0, parity = 0;
  AIT_DEVICE AttentionTurn next() const {
    const int at = stage + kStep;
    return at < Form::kStages ? AttentionTurn{at, parity} : AttentionTurn{at - Form::kStages, parity ^ 1};
  }
};

/// Shared memory of a block: queries, stages of keys and values, and barriers.
template <class Form, class T>
struct AttentionStages {
  T* memory;
  AIT_DEVICE T* queries() const { return memory; }
  AIT_DEVICE T* keys(int stage) const { return memory + Form::kQueries + stage * Form::kStage; }
  AIT_DEVICE T* values(int stage) const { return keys(stage) + Form::kKeyPanels * Form::kPanel; }
  AIT_DEVICE uint64_t* queries_full() const { return reinterpret_cast<uint64_t*>(memory + Form::kTiles / 2); }
  AIT_DEVICE uint64_t* keys_full(int stage) const { return queries_full() + 1 + stage; }
  AIT_DEVICE uint64_t* values_full(int stage) const { return keys_full(stage) + Form::kStages; }
  AIT_DEVICE uint64_t* keys_empty(int stage) const { return keys_full(stage) + 2 * Form::kStages; }
  AIT_DEVICE uint64_t* values_empty(int stage) const { return keys_full(stage) + 3 * Form::kStages; }
  AIT_DEVICE void init() const {
    if (thread() == 0) {
      mbarrier_init(queries_full(), 1);
      for (int i = 0; i < Form::kStages; i++) {
        mbarrier_init(keys_full(i), 1);
        mbarrier_init(values_full(i), 1);
        mbarrier_init(keys_empty(i), 4 * Form::kGroups);
        mbarrier_init(values_empty(i), 4 * Form::kGroups);
      }
      mbarrier_fence();
    }
    barrier();
  }
};

}  // namespace detail

}  // namespace ait::gpu
#endif
