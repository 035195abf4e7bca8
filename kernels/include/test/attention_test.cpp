#include "../ait/attention.h"

#include <type_traits>

#include "../ait/pool.h"
#include "check.h"

using namespace ait;

static test::Random rng;

/// In double, straight from the definition. mask: [batch][heads][queries][keys], already additive.
static std::vector<double> reference(const AttentionShape& s, const std::vector<float>& q,
                                     const std::vector<float>& k, const std::vector<float>& v,
                                     const std::vector<double>& mask) {
  std::vector<double> y;
  for (int64_t b = 0; b < s.batch; b++) {
    for (int64_t h = 0; h < s.heads; h++) {
      const int64_t g = h / (s.heads / s.kv_heads);
      const int64_t valid = s.lengths ? s.lengths[b] : s.keys;
      for (int64_t i = 0; i < s.queries; i++) {
        const int64_t at = i + (s.offset_from_lengths ? valid - s.queries : s.offset);
        std::vector<double> w(static_cast<size_t>(s.keys));
        double m = -INFINITY, sum = 0;
        for (int64_t j = 0; j < s.keys; j++) {
          double dot = 0;
          for (int64_t c = 0; c < s.depth; c++)
            dot += double(q[static_cast<size_t>(((b * s.heads + h) * s.queries + i) * s.depth + c)]) *
                   k[static_cast<size_t>(((b * s.kv_heads + g) * s.keys + j) * s.depth + c)];
          dot *= s.scale;
          if (s.softcap != 0) dot = s.softcap * std::tanh(dot / s.softcap);
          if (!mask.empty())
            dot += mask[static_cast<size_t>(((b * s.heads + h) * s.queries + i) * s.keys + j)];
          if (j >= valid || (s.left >= 0 && j < at - s.left) || (s.right >= 0 && j > at + s.right))
            dot = -INFINITY;
          w[static_cast<size_t>(j)] = dot;
          m = std::fmax(m, dot);
        }
        for (double& x : w) sum += x = m == -INFINITY ? 0 : std::exp(x - m);
        for (int64_t c = 0; c < s.value_depth; c++) {
          double t = 0;
          for (int64_t j = 0; j < s.keys; j++)
            t += w[static_cast<size_t>(j)] *
                 v[static_cast<size_t>(((b * s.kv_heads + g) * s.keys + j) * s.value_depth + c)];
          y.push_back(sum == 0 ? 0 : t / sum);
        }
      }
    }
  }
  return y;
}

template <class T>
static HeadsView<T> dense(T* p, int64_t heads, int64_t rows, int64_t d) {
  return {p, heads * rows * d, rows * d, d, 1};
}

/// [batch][heads][rows][d] stored as [batch][rows][heads][d].
static std::vector<float> interleaved(const std::vector<float>& x, int64_t batch, int64_t heads, int64_t rows,
                                      int64_t d) {
  std::vector<float> y(x.size());
  for (int64_t b = 0; b < batch; b++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < d; c++) {
          y[static_cast<size_t>(((b * rows + r) * heads + h) * d + c)] =
              x[static_cast<size_t>(((b * heads + h) * rows + r) * d + c)];
        }
  return y;
}

int main() {
  const int64_t lengths[] = {5, 20};
  AttentionShape shapes[] = {
      {1, 1, 1, 1, 1, 1, 1, 1.f},         {2, 3, 3, 5, 7, 8, 8, 0.3f},
      {1, 2, 2, 14, 32, 64, 64, 0.125f},  {2, 4, 2, 17, 33, 20, 12, 0.2f},
      {1, 8, 1, 1, 100, 64, 64, 0.125f},  {2, 2, 2, 1, 50, 33, 17, 0.2f},
      {1, 2, 2, 100, 300, 40, 72, 0.15f}, {2, 2, 2, 3, 20, 16, 16, 0.25f},
  };
  for (AttentionShape s : shapes) {
    const auto q = rng.floats(s.batch * s.heads * s.queries * s.depth, -2, 2);
    const auto k = rng.floats(s.batch * s.kv_heads * s.keys * s.depth, -2, 2);
    const auto v = rng.floats(s.batch * s.kv_heads * s.keys * s.value_depth, -2, 2);
    const auto mask_size = static_cast<size_t>(s.batch * s.heads * s.queries * s.keys);
    for (int variant = 0; variant < 8; variant++) {
      s.softcap = variant == 1 ? 2.f : 0.f;
      s.right = variant == 2 || variant == 3 ? 0 : variant == 4 ? 1 : -1;
      s.left = variant == 4 ? 3 : -1;
      s.offset = variant == 3 ? -2 : variant == 4 ? 2 : 0;
      s.lengths = variant == 5 && s.keys >= 20 ? lengths : nullptr;
      s.offset_from_lengths = false;
      std::vector<double> mask;
      std::vector<float> additive;
      std::vector<uint8_t> allowed;
      if (variant >= 6) {
        for (size_t i = 0; i < mask_size; i++) {
          additive.push_back(rng.between(-3, 3));
          allowed.push_back(rng.below(3) != 0);
          mask.push_back(variant == 6 ? additive[i] : allowed[i] ? 0. : -INFINITY);
        }
      }
      const auto want = reference(s, q, k, v, mask);
      std::vector<float> y(want.size()), again(want.size());
      for (int threads : {1, 3}) {
        Context ctx;
        ctx.threads = threads;
        auto& out = threads == 1 ? y : again;
        const auto run = [&](auto m) {
          attention<float>(ctx, s, dense(q.data(), s.heads, s.queries, s.depth),
                           dense(k.data(), s.kv_heads, s.keys, s.depth),
                           dense(v.data(), s.kv_heads, s.keys, s.value_depth), m,
                           dense(out.data(), s.heads, s.queries, s.value_depth));
        };
        const int64_t row = s.keys, head = s.queries * row, batch = s.heads * head;
        if (variant == 7)
          run(MaskView<bool>{reinterpret_cast<const bool*>(allowed.data()), batch, head, row, 1, s.keys});
        else
          run(MaskView<float>{variant == 6 ? additive.data() : nullptr, batch, head, row, 1, s.keys});
        ctx.release_scratch();
      }
      test::all_near(y, want, 4e-6, 4e-6, "attention");
      test::check(std::memcmp(y.data(), again.data(), y.size() * 4) == 0, "threads do not change a bit");
    }
    // Heads interleaved in memory, in and out.
    s.softcap = 0;
    s.left = s.right = -1;
    s.offset = 0;
    s.lengths = nullptr;
    const auto want = reference(s, q, k, v, {});
    const auto qi = interleaved(q, s.batch, s.heads, s.queries, s.depth),
               ki = interleaved(k, s.batch, s.kv_heads, s.keys, s.depth),
               vi = interleaved(v, s.batch, s.kv_heads, s.keys, s.value_depth);
    const auto view = [](auto* p, int64_t heads, int64_t rows, int64_t d) {
      return HeadsView<std::remove_pointer_t<decltype(p)>>{p, rows * heads * d, d, heads * d, 1};
    };
    std::vector<float> y(want.size());
    Context ctx;
    attention<float>(ctx, s, view(qi.data(), s.heads, s.queries, s.depth),
                     view(ki.data(), s.kv_heads, s.keys, s.depth),
                     view(vi.data(), s.kv_heads, s.keys, s.value_depth), MaskView<float>{},
                     view(y.data(), s.heads, s.queries, s.value_depth));
    test::all_near(
        y,
        interleaved(std::vector<float>(want.begin(), want.end()), s.batch, s.heads, s.queries, s.value_depth),
        4e-6, 4e-6, "interleaved heads");
    // Everything the wrong way round: [batch][head][d][row].
    const auto turned = [](const std::vector<float>& x, int64_t rows, int64_t d) {
      std::vector<float> t(x.size());
      for (size_t i = 0; i < x.size(); i++) {
        const int64_t p = static_cast<int64_t>(i), item = p / (rows * d), r = p / d % rows, c = p % d;
        t[static_cast<size_t>((item * d + c) * rows + r)] = x[i];
      }
      return t;
    };
    const auto qt = turned(q, s.queries, s.depth), kt = turned(k, s.keys, s.depth),
               vt = turned(v, s.keys, s.value_depth);
    const auto turned_view = [](auto* p, int64_t heads, int64_t rows, int64_t d) {
      return HeadsView<std::remove_pointer_t<decltype(p)>>{p, heads * rows * d, rows * d, 1, rows};
    };
    attention<float>(ctx, s, turned_view(qt.data(), s.heads, s.queries, s.depth),
                     turned_view(kt.data(), s.kv_heads, s.keys, s.depth),
                     turned_view(vt.data(), s.kv_heads, s.keys, s.value_depth), MaskView<float>{},
                     turned_view(y.data(), s.heads, s.queries, s.value_depth));
    test::all_near(y, turned(std::vector<float>(want.begin(), want.end()), s.queries, s.value_depth), 4e-6,
                   4e-6, "turned views");
    // bf16 in and out: the inputs are exact after rounding, the output within half a unit of bf16.
    std::vector<bf16> qh, kh, vh, yh(want.size());
    auto q2 = q, k2 = k, v2 = v;
    for (auto& x : q2) qh.push_back(from_f32<bf16>(x)), x = to_f32(qh.back());
    for (auto& x : k2) kh.push_back(from_f32<bf16>(x)), x = to_f32(kh.back());
    for (auto& x : v2) vh.push_back(from_f32<bf16>(x)), x = to_f32(vh.back());
    attention<bf16, float>(ctx, s, dense<const bf16>(qh.data(), s.heads, s.queries, s.depth),
                           dense<const bf16>(kh.data(), s.kv_heads, s.keys, s.depth),
                           dense<const bf16>(vh.data(), s.kv_heads, s.keys, s.value_depth), MaskView<float>{},
                           dense(yh.data(), s.heads, s.queries, s.value_depth));
    for (size_t i = 0; i < y.size(); i++) y[i] = to_f32(yh[i]);
    test::all_near(y, reference(s, q2, k2, v2, {}), 0x1.02p-8, 4e-6, "bf16");
    ctx.release_scratch();
  }
  {  // Lengths with offset, broadcast mask that is too short, and a query that sees nothing.
    AttentionShape s{2, 2, 1, 6, 20, 16, 16, 0.25f};
    s.lengths = lengths;
    s.offset_from_lengths = true;
    s.right = 0;
    const auto q = rng.floats(2 * 2 * 6 * 16), k = rng.floats(2 * 20 * 16), v = rng.floats(2 * 20 * 16),
               m = rng.floats(18);
    std::vector<double> mask;
    for (int i = 0; i < 2 * 2 * 6; i++)
      for (size_t j = 0; j < 20; j++) mask.push_back(j < 18 ? m[j] : -INFINITY);
    const auto want = reference(s, q, k, v, mask);
    std::vector<float> y(want.size());
    Context ctx;
    attention<float>(ctx, s, dense(q.data(), 2, 6, 16), dense(k.data(), 1, 20, 16),
                     dense(v.data(), 1, 20, 16), MaskView<float>{m.data(), 0, 0, 0, 1, 18},
                     dense(y.data(), 2, 6, 16));
    test::all_near(y, want, 4e-6, 4e-6, "lengths and short mask");
    test::check(y[0] == 0 && y[15] == 0 && y[16] != 0, "a query without keys is zero");
    ctx.release_scratch();
  }
  return test::summary();
}
