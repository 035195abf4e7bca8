#pragma once
#include "elements.h"

// Attention: its operands, and which keys a query sees.
namespace ait::gpu {

/// Elements [batch][head][row][d] of a tensor; d is dense.
template <class T>
struct HeadsView {
  T* p;
  int64_t batch, head, row;
  AIT_DEVICE T* at(int b, int h, int r) const { return p + b * batch + h * head + r * row; }
};

/// What is added to the scores, or (bool) which keys take part: m[batch][head][query][key], a stride of 0
/// where the mask is broadcast, of 1 from key to key. Keys from `width` on are excluded.
template <class M>
struct MaskView {
  const M* p;
  int64_t batch, head, query;
  int width;
};
struct NoMask {};
template <>
struct MaskView<NoMask> {};

struct AttentionShape {
  /// heads is a multiple of kv_heads; consecutive heads share one.
  int batch, heads, kv_heads, queries, keys, depth, value_depth;
  float scale;
  /// Scores become cap * tanh(score / cap); 0: as they are.
  float softcap;
  /// Query i sits at position i + offset and sees keys from position - left to position + right; a negative
  /// bound is none. Causal attention has right = 0.
  int offset, left, right;
  /// Valid keys of each batch item, or null: all. With `offset_from_lengths`, offset is length - queries.
  const int64_t* lengths;
  bool offset_from_lengths;
  /// Query heads whose rows one tile holds, one after the other: 1, or all that share a key head.
  int packed;
};

/// The keys a query may see: [first, last).
struct KeyRange {
  int first, last;
};
AIT_DEVICE int valid_keys(const AttentionShape& s, int b) {
  if (s.lengths == nullptr) return s.keys;
  const int64_t n = s.lengths[b];
  return n < 0 ? 0 : n < s.keys ? static_cast<int>(n) : s.keys;
}
AIT_DEVICE KeyRange visible_keys(const AttentionShape& s, int valid, int query) {
  const int position = query + (s.offset_from_lengths ? valid - s.queries : s.offset);
  const int first = s.left < 0 || position < s.left ? 0 : position - s.left;
  const int last = s.right < 0 || position + s.right + 1 > valid ? valid : position + s.right + 1;
  return {first, last < 0 ? 0 : last};
}

AIT_DEVICE float power_of_two(float x) { return ait::detail::quick_exp2(x); }
constexpr float kLog2e = 1.4426950408889634f;

template <class M>
AIT_DEVICE float with_mask(float x, M m) {
  if constexpr (kSame<M, bool>) {
    return m ? x : -infinity();
  } else {
    return x + to_f32(m);
  }
}

}  // namespace ait::gpu
