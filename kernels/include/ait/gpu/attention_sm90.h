#pragma once
#include "attention_sums_sm90.h"

// Attention on Hopper (after FlashAttention-3, arXiv 2407.08608). One warp has the copy engine bring tiles of
// keys and values into shared memory; warpgroups multiply them, each with 64 rows of queries. While one of
// them turns scores into probabilities, the matrix units multiply for the others.
#if defined(AIT_SM90)
namespace ait::gpu {

namespace detail {

/// The rows of a block, and the keys that they see.
struct AttentionPlace {
  int b, head, kv, row0, count, valid, first, steps;
};

template <class Form, class T>
AIT_DEVICE void copy_attention(const AttentionStages<Form, T>& stages, const TensorMap& q, const TensorMap& k,
                               const TensorMap& v, const AttentionPlace& at) {
  prefetch_map(q);
  prefetch_map(k);
  prefetch_map(v);
  mbarrier_expect(stages.queries_full(), 2 * Form::kKeyPanels * Form::kQueryPanel);
  for (int p = 0; p < Form::kKeyPanels; p++)
    copy_box(stages.queries() + p * Form::kQueryPanel, q, stages.queries_full(), 64 * p, at.row0, at.head,
             at.b);
  AttentionTurn<Form, 1> turn;
  for (int j = 0, key = at.first; j < at.steps; j++, key += Form::kKeys, turn = turn.next()) {
    const int i = turn.stage;
    mbarrier_wait(stages.keys_empty(i), turn.parity ^ 1);
    mbarrier_expect(stages.keys_full(i), 2 * Form::kKeyPanels * Form::kPanel);
    for (int p = 0; p < Form::kKeyPanels; p++)
      copy_box(stages.keys(i) + p * Form::kPanel, k, stages.keys_full(i), 64 * p, key, at.kv, at.b);
    mbarrier_wait(stages.values_empty(i), turn.parity ^ 1);
    mbarrier_expect(stages.values_full(i), 2 * Form::kValuePanels * Form::kPanel);
    for (int p = 0; p < Form::kValuePanels; p++)
      copy_box(stages.values(i) + p * Form::kPanel, v, stages.values_full(i), 64 * p, key, at.kv, at.b);
  }
}

/// What a multiplying warpgroup does.
template <class Form, class T>
struct AttentionLoop {
  static constexpr int kKeys = Form::kKeys;
  /// Named barriers from this on, one for each warpgroup, say whose turn it is.
  static constexpr int kTurns = 2;

  const AttentionStages<Form, T>& stages;
  const AttentionPlace& at;
  int group, share;
  const T* queries;
  float unit;
  KeyRange range[2];
  AttentionSums<Form, T> sums;
  AttentionTurn<Form, Form::kShares> turn;
  int before;

  /// Excludes keys of the tile that begins at key c, if there are any to exclude.
  template <bool kLast>
  AIT_DEVICE void cut(int c) {
    if constexpr (Form::kBounded) {
      bool whole = true;
      AIT_UNROLL
      for (int h = 0; h < 2; h++) whole = whole && c >= range[h].first && c + kKeys <= range[h].last;
      if (!vote_all(whole)) sums.cut(c, range);
    } else if constexpr (kLast) {
      sums.cut(c, range);
    }
  }
  /// Takes up the scores of a tile, and starts the products of its values and of the next tile's keys.
  template <bool kLast>
  AIT_DEVICE void step(int j) {
    const auto next = turn.next();
    sums.wait();
    if (lane() == 0) {
      mbarrier_arrive(stages.keys_empty(turn.stage));
      if (before >= 0) mbarrier_arrive(stages.values_empty(before));
    }
    cut<kLast>(at.first + j * kKeys);
    uint32_t p[kKeys / 16][4];
    sums.soften(unit, before < 0, p);
    mbarrier_wait(stages.values_full(turn.stage), turn.parity);
    if constexpr (!kLast) mbarrier_wait(stages.keys_full(next.stage), next.parity);
    if constexpr (Form::kOrdered) barrier_named(kTurns + group, 256);
    sums.begin();
    sums.start_values(p, stages.values(turn.stage));
    if constexpr (!kLast) sums.start_keys(queries, stages.keys(next.stage));
    if constexpr (Form::kOrdered) {
      const bool ends = kLast && group == Form::kGroups - 1;
      if (!ends) arrive_named(kTurns + (group + 1) % Form::kGroups, 256);
    }
    before = turn.stage;
    turn = next;
  }
  AIT_DEVICE void run() {
    int j = share;
    if (j >= at.steps) return;
    if (Form::kOrdered && group == Form::kGroups - 1) arrive_named(kTurns, 256);
    mbarrier_wait(stages.queries_full(), 0);
    mbarrier_wait(stages.keys_full(turn.stage), 0);
    sums.begin();
    sums.start_keys(queries, stages.keys(turn.stage));
    for (; j + Form::kShares < at.steps; j += Form::kShares) step<false>(j);
    step<true>(j);
    sums.wait();
  }
};

template <class Form, class T>
AIT_DEVICE void multiply_attention(const AttentionStages<Form, T>& stages, const AttentionShape& s,
                                   const AttentionPlace& at, const HeadsView<T>& y) {
  const int group = warp() / 4 % Form::kGroups, share = Form::kShares == 1 ? 0 : warp() / 4 / Form::kGroups;
  const int warp_row = group * 64 + warp() % 4 * 16;
  AttentionLoop<Form, T> loop{stages, at, group, share, stages.queries() + group * 64 * 64, s.scale * kLog2e};
  AIT_UNROLL
  for (int h = 0; h < 2; h++) {
    const int query = at.row0 + warp_row + h * 8 + lane() / 4;
    loop.range[h] = Form::kBounded ? visible_keys(s, at.valid, query) : KeyRange{0, at.valid};
  }
  loop.sums.clear();
  loop.turn = {share, 0};
  loop.before = -1;
  loop.run();
  if constexpr (Form::kShares > 1) {
    loop.sums.join(reinterpret_cast<float*>(stages.keys(0)), share, group, loop.unit);
    if (share > 0) return;
  }
  // The copies of the queries of a block without keys may be under way.
  if (at.steps == 0) mbarrier_wait(stages.queries_full(), 0);
  const int rows = at.count - warp_row < 16 ? at.count - warp_row : 16;
  if (rows > 0)
    loop.sums.store_rows(stages.queries() + warp_row * 64, rows, s.value_depth, y, at.b, at.head,
                         at.row0 + warp_row);
}

}  // namespace detail

/// As attention() without a mask or a cap, and with a positive scale: q, k and v are seen through maps of
/// [batch][head][row][d] with boxes of 64 elements of as many rows as the form has, or keys. Addresses,
/// strides and depths are multiples of 16 bytes.
template <class Form, class T>
AIT_DEVICE void attention_sm90(const AttentionShape& s, const TensorMap& q, const TensorMap& k,
                               const TensorMap& v, const HeadsView<T>& y) {
  constexpr int kKeys = Form::kKeys;
  const detail::AttentionStages<Form, T> stages = {reinterpret_cast<T*>(dynamic_shared())};
  stages.init();
  // The last tiles of a causal head are the longest: they go first.
  const int tiles = (s.queries + Form::kRows - 1) / Form::kRows;
  const int row0 = (tiles - 1 - block_x() % tiles) * Form::kRows, head = block_x() / tiles % s.heads;
  const int b = block_x() / tiles / s.heads, kv = head / (s.heads / s.kv_heads);
  const int valid = valid_keys(s, b);
  const int count = s.queries - row0 < Form::kRows ? s.queries - row0 : Form::kRows;
  int first = 0, last = valid;
  if constexpr (Form::kBounded) {
    first = visible_keys(s, valid, row0).first / kKeys * kKeys;
    last = visible_keys(s, valid, row0 + count - 1).last;
  }
  const int steps = last > first ? (last - first + kKeys - 1) / kKeys : 0;
  const detail::AttentionPlace place = {b, head, kv, row0, count, valid, first, steps};
  if (warp() >= 4 * Form::kWarpgroups) {
    if constexpr (Form::kMoves) give_registers<24>();
    if (thread() != 128 * Form::kWarpgroups) return;
    detail::copy_attention(stages, q, k, v, place);
  } else {
    if constexpr (Form::kMoves) take_registers<112>();
    detail::multiply_attention(stages, s, place, y);
  }
}

}  // namespace ait::gpu
#endif
