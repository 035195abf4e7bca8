// Attention of the device, emulated, against plain loops in double.
#include <type_traits>
#include <vector>

#include "../ait/gpu/attention.h"
#include "../ait/gpu/attention_plain.h"
#include "gpu_check.h"

using ait::bf16;
using ait::f16;
using test::blocks;
using test::launch;
using test::numbers;
using test::Random;
using test::value;

namespace {

struct Strides {
  int64_t batch, head, row;
};
Strides strides_of(int heads, int rows, int depth, bool rows_first) {
  const int64_t h = heads, r = rows, d = depth;
  return rows_first ? Strides{r * h * d, d, h * d} : Strides{h * r * d, r * d, d};
}

enum class Mask { None, Added, Boolean };

struct Case {
  int batch, heads, kv_heads, queries, keys, depth, value_depth;
  float softcap = 0;
  int offset = 0, left = -1, right = -1;
  bool lengths = false, offset_from_lengths = false, rows_first = false;
  int packed = 1, parts = 1;
};

template <class T, class M>
struct Problem {
  Case c;
  std::vector<T> q, k, v, y;
  std::vector<M> mask;
  std::vector<int64_t> lengths;
  Strides qs, ks, vs, ys;
  g::AttentionShape shape;

  Problem(Random& r, const Case& given) : c(given) {
    const auto size = [&](int heads, int rows, int depth) {
      return static_cast<size_t>(c.batch) * heads * rows * depth;
    };
    q = numbers<T>(r, size(c.heads, c.queries, c.depth), -2, 2);
    k = numbers<T>(r, size(c.kv_heads, c.keys, c.depth), -2, 2);
    v = numbers<T>(r, size(c.kv_heads, c.keys, c.value_depth), -1, 1);
    y.resize(size(c.heads, c.queries, c.value_depth));
    mask.resize(static_cast<size_t>(c.batch) * c.queries * c.keys);
    for (M& m : mask) {
      if constexpr (std::is_same_v<M, uint8_t>) {
        m = r.below(3) != 0;
      } else {
        m = ait::from_f32<M>(static_cast<float>(r.between(-1, 1)));
      }
    }
    for (int i = 0; i < c.batch; i++) lengths.push_back(r.below(c.keys + 2));
    qs = strides_of(c.heads, c.queries, c.depth, c.rows_first);
    ks = strides_of(c.kv_heads, c.keys, c.depth, c.rows_first);
    vs = strides_of(c.kv_heads, c.keys, c.value_depth, c.rows_first);
    ys = strides_of(c.heads, c.queries, c.value_depth, c.rows_first);
    shape = {c.batch,
             c.heads,
             c.kv_heads,
             c.queries,
             c.keys,
             c.depth,
             c.value_depth,
             0.125f,
             c.softcap,
             c.offset,
             c.left,
             c.right,
             c.lengths ? lengths.data() : nullptr,
             c.offset_from_lengths,
             c.packed};
  }

  g::HeadsView<const T> view(const std::vector<T>& x, const Strides& s) const {
    return {x.data(), s.batch, s.head, s.row};
  }
  g::HeadsView<T> result() { return {y.data(), ys.batch, ys.head, ys.row}; }

  std::vector<double> expected(Mask form) const {
    std::vector<double> out(y.size(), 0);
    std::vector<double> x(static_cast<size_t>(c.keys));
    for (int b = 0; b < c.batch; b++) {
      const int64_t counted = c.lengths ? lengths[static_cast<size_t>(b)] : c.keys;
      const int valid = static_cast<int>(counted < c.keys ? counted : c.keys);
      for (int h = 0; h < c.heads; h++) {
        const int kv = h / (c.heads / c.kv_heads);
        for (int i = 0; i < c.queries; i++) {
          const int position = i + (c.offset_from_lengths ? valid - c.queries : c.offset);
          double most = -INFINITY, total = 0;
          for (int j = 0; j < c.keys; j++) {
            double s = 0;
            for (int d = 0; d < c.depth; d++)
              s += value(*(view(q, qs).at(b, h, i) + d)) * value(*(view(k, ks).at(b, kv, j) + d));
            s *= 0.125;
            if (c.softcap != 0) s = c.softcap * std::tanh(s / c.softcap);
            const M& m = mask[(static_cast<size_t>(b) * c.queries + i) * c.keys + j];
            if (form == Mask::Added) s += value(m);
            if (form == Mask::Boolean && value(m) == 0) s = -INFINITY;
            const bool seen = j < valid && (c.left < 0 || j >= position - c.left) &&
                              (c.right < 0 || j <= position + c.right);
            x[static_cast<size_t>(j)] = seen ? s : -INFINITY;
            most = std::fmax(most, x[static_cast<size_t>(j)]);
          }
          double* to = out.data() + b * ys.batch + h * ys.head + i * ys.row;
          for (int j = 0; j < c.keys && most > -INFINITY; j++) {
            const double p = std::exp(x[static_cast<size_t>(j)] - most);
            total += p;
            for (int e = 0; e < c.value_depth; e++) to[e] += p * value(*(view(v, vs).at(b, kv, j) + e));
          }
          for (int e = 0; e < c.value_depth && total > 0; e++) to[e] /= total;
        }
      }
    }
    return out;
  }

  void compare(Mask form, const char* what) const {
    std::vector<double> have;
    for (const T& x : y) have.push_back(value(x));
    // Probabilities are rounded to T before they are multiplied with the values, which are below 1.
    const double eps = sizeof(T) == 4 ? 1e-6 : std::is_same_v<T, f16> ? 0x1p-10 : 0x1p-7;
    test::all_near(have, expected(form), eps, eps, what);
  }
};

template <class T, Mask kMask, int kDepth, int kValueDepth, int kWarps, int kTiles, int kKeys, bool kWhole,
          bool kCapped, bool kBounded, bool kSplit>
void tiled_case(Random& r, const Case& c, const char* what) {
  using M = std::conditional_t<kMask == Mask::Boolean, uint8_t, T>;
  using View =
      std::conditional_t<kMask == Mask::None, g::NoMask, std::conditional_t<kMask == Mask::Boolean, bool, T>>;
  using Form = g::AttentionForm<kDepth, kValueDepth, kWarps, kTiles, kKeys, kWhole,
                                kMask == Mask::None && !kCapped, kCapped, kBounded, kSplit>;
  Problem<T, M> p(r, c);
  g::MaskView<View> mask{};
  if constexpr (kMask != Mask::None)
    mask = {reinterpret_cast<const View*>(p.mask.data()), int64_t{c.queries} * c.keys, 0, c.keys, c.keys};
  const size_t rows = static_cast<size_t>(c.batch) * c.heads * c.queries * c.parts;
  std::vector<float> sums(rows * c.value_depth, NAN), statistics(2 * rows, NAN);
  const g::AttentionParts parts{sums.data(), statistics.data()};
  const int64_t grid = blocks(c.packed * c.queries, Form::kRows) * (c.heads / c.packed) * c.batch;
  launch(grid, c.parts, Form::kThreads, Form::kShared, [&] {
    g::attention<Form, T, View>(p.shape, p.view(p.q, p.qs), p.view(p.k, p.ks), p.view(p.v, p.vs), mask,
                                p.result(), parts);
  });
  if (kSplit)
    launch(blocks(static_cast<int64_t>(p.y.size()), 256), 1, 256, 0,
           [&] { g::attention_join(p.shape, parts, c.parts, p.result()); });
  p.compare(kMask, what);
}

template <int kColumns, Mask kMask>
void float_case(Random& r, const Case& c, const char* what) {
  using M = std::conditional_t<kMask == Mask::Boolean, uint8_t, float>;
  using View = std::conditional_t<kMask == Mask::None, g::NoMask,
                                  std::conditional_t<kMask == Mask::Boolean, bool, float>>;
  Problem<float, M> p(r, c);
  g::MaskView<View> mask{};
  if constexpr (kMask != Mask::None)
    mask = {reinterpret_cast<const View*>(p.mask.data()), int64_t{c.queries} * c.keys, 0, c.keys, c.keys};
  const int shared = (48 * (c.depth + 1) + 32 * c.value_depth + 512) * 4;
  launch(blocks(c.queries, 16) * c.heads * c.batch, 1, 128, shared, [&] {
    g::attention_in_float<kColumns, float, View>(p.shape, p.view(p.q, p.qs), p.view(p.k, p.ks),
                                                 p.view(p.v, p.vs), mask, p.result());
  });
  p.compare(kMask, what);
}

Case windowed(Case c, int offset, int left, int right) {
  c.offset = offset, c.left = left, c.right = right;
  return c;
}
Case rows_first(Case c) {
  c.rows_first = true;
  return c;
}
Case capped(Case c, float cap) {
  c.softcap = cap;
  return c;
}
Case counted(Case c, bool offset) {
  c.lengths = true, c.offset_from_lengths = offset;
  return c;
}
Case cut(Case c, int packed, int parts) {
  c.packed = packed, c.parts = parts;
  return c;
}

}  // namespace

int main() {
  Random r;
  constexpr Mask none = Mask::None, added = Mask::Added, boolean = Mask::Boolean;
  tiled_case<f16, none, 64, 64, 2, 1, 64, true, false, false, false>(r, {2, 3, 3, 77, 130, 64, 64}, "plain");
  tiled_case<f16, none, 64, 64, 2, 1, 64, true, false, false, false>(r, rows_first({2, 3, 3, 33, 64, 64, 64}),
                                                                     "rows first");
  tiled_case<f16, none, 48, 32, 2, 1, 64, true, false, false, false>(r, {1, 2, 2, 50, 49, 40, 24},
                                                                     "depth 40");
  tiled_case<bf16, none, 48, 32, 2, 1, 32, false, false, false, false>(r, {1, 2, 2, 50, 49, 37, 21},
                                                                       "odd depth");
  tiled_case<f16, none, 64, 64, 2, 2, 64, true, false, true, false>(
      r, windowed({1, 2, 2, 130, 130, 64, 64}, 0, -1, 0), "32 rows a warp");
  tiled_case<bf16, added, 128, 128, 1, 2, 32, true, false, false, false>(r, {1, 2, 1, 45, 70, 128, 128},
                                                                         "32 long rows a warp");
  tiled_case<f16, none, 160, 160, 2, 1, 32, true, false, false, false>(r, {1, 2, 1, 20, 65, 160, 160},
                                                                       "depth 160");
  tiled_case<f16, none, 64, 64, 4, 1, 32, true, false, true, false>(
      r, windowed({1, 2, 2, 130, 130, 64, 64}, 0, -1, 0), "causal");
  tiled_case<f16, none, 64, 64, 4, 1, 32, true, false, true, false>(
      r, windowed(rows_first({1, 4, 2, 70, 130, 64, 64}), 60, 17, 3), "window");
  tiled_case<f16, none, 64, 64, 1, 1, 32, true, false, true, true>(
      r, cut(counted(windowed({3, 8, 2, 1, 300, 64, 64}, 0, -1, 0), true), 4, 3), "one query");
  tiled_case<f16, none, 64, 64, 2, 1, 32, true, false, true, true>(
      r, cut(counted(windowed(rows_first({3, 8, 2, 5, 90, 64, 64}), 0, -1, 0), true), 4, 2), "few queries");
  tiled_case<f16, added, 64, 64, 2, 1, 64, true, true, false, false>(r, capped({2, 2, 2, 33, 65, 64, 64}, 3),
                                                                     "capped");
  tiled_case<f16, boolean, 64, 64, 2, 1, 64, true, false, true, false>(
      r, windowed({2, 2, 2, 33, 65, 64, 64}, 0, -1, 0), "boolean");
  tiled_case<f16, boolean, 64, 64, 2, 1, 32, true, true, true, true>(
      r, cut(capped(windowed({2, 2, 2, 33, 165, 64, 64}, 100, -1, 0), 7), 1, 3), "boolean in parts");
  tiled_case<bf16, added, 256, 256, 2, 1, 32, true, false, true, false>(
      r, counted({1, 2, 1, 20, 65, 256, 256}, false), "depth 256");
  float_case<8, none>(r, {2, 3, 3, 33, 70, 64, 64}, "f32");
  float_case<4, added>(r, counted(rows_first(windowed({2, 4, 2, 33, 70, 13, 21}, 30, 9, 0)), false),
                       "f32 with a mask");
  float_case<4, boolean>(r, capped(counted(windowed({2, 4, 2, 3, 70, 13, 21}, 30, 9, 0), true), 5),
                         "f32 with a boolean mask");
  return test::summary();
}
