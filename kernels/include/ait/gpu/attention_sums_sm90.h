#pragma once
#include "attention_shape.h"
#include "attention_stages_sm90.h"

// What a warpgroup of attention on Hopper keeps in registers.
#if defined(AIT_SM90)
namespace ait::gpu {

namespace detail {

/// What one warpgroup has: scores of 64 rows and a tile's keys, and sums of their values. Lane l of warp w
/// has of rows 16 w + l / 4 and 8 further, of every 8 columns two from 2 (l % 4) on.
template <class Form, class T>
struct AttentionSums {
  static constexpr int kScores = Form::kKeys / 2;
  float s[kScores];
  float o[Form::kSums];
  float most[2], shift[2], total[2];

  AIT_DEVICE void clear() {
    AIT_UNROLL
    for (int i = 0; i < Form::kSums; i++) o[i] = 0;
    AIT_UNROLL
    for (int h = 0; h < 2; h++) most[h] = -infinity(), shift[h] = total[h] = 0;
  }
  AIT_DEVICE void start_keys(const T* q, const T* k) {
    AIT_UNROLL
    for (int d = 0; d < Form::kDepth / 16; d++) {
      const uint64_t left = swizzled_lines(q + d / 4 * Form::kQueryPanel);
      const uint64_t right = swizzled_lines(k + d / 4 * Form::kPanel);
      Wgmma<Form::kKeys>::template multiply<T>(s, chunks_on(left, d % 4 * 2), chunks_on(right, d % 4 * 2),
                                               d > 0);
    }
    wgmma_commit();
  }
  AIT_DEVICE void start_values(const uint32_t (&p)[Form::kKeys / 16][4], const T* v) {
    const uint64_t steps = swizzled_steps(v, 2 * Form::kPanel);
    AIT_UNROLL
    for (int j = 0; j < Form::kKeys / 16; j++)
      WgmmaRows<Form::kValueDepth>::template multiply<T>(o, p[j], chunks_on(steps, j * 128));
    wgmma_commit();
  }
  AIT_DEVICE void begin() {
    wgmma_hold(s);
    wgmma_hold(o);
    wgmma_begin();
  }
  AIT_DEVICE void wait() {
    wgmma_wait<0>();
    wgmma_hold(s);
    wgmma_hold(o);
  }
  /// Excludes keys that a row does not see; the tile begins at key c.
  AIT_DEVICE void cut(int c, const KeyRange (&range)[2]) {
    AIT_UNROLL
    for (int n = 0; n < kScores; n++) {
      const int key = c + n / 4 * 8 + lane() % 4 * 2 + n % 2;
      const KeyRange& r = range[n / 2 % 2];
      if (key >= r.last || (Form::kBounded && key < r.first)) s[n] = -infinity();
    }
  }
  /// Scores as powers of two of their distance from `shift`, and their sums in this lane.
  AIT_DEVICE void raise(float unit, uint32_t (&p)[Form::kKeys / 16][4], float (&sum)[2]) const {
    sum[0] = sum[1] = 0;
    AIT_UNROLL
    for (int n = 0; n < kScores; n += 2) {
      const int h = n / 2 % 2;
      const float low = power_of_two(s[n] * unit - shift[h]), high = power_of_two(s[n + 1] * unit - shift[h]);
      sum[h] += low;
      sum[h] += high;
      p[n / 8][n / 2 % 4] = pack2<T>(low, high);
    }
  }
  /// Has `shift` follow the largest score, and what has been summed up follow that.
  AIT_DEVICE void follow(float unit) {
    AIT_UNROLL
    for (int h = 0; h < 2; h++) {
      float now = most[h];
      AIT_UNROLL
      for (int n = 2 * h; n < kScores; n += 4) now = fmaxf(now, fmaxf(s[n], s[n + 1]));
      now = fmaxf(now, shuffle_xor(now, 1));
      now = fmaxf(now, shuffle_xor(now, 2));
      shift[h] = now == -infinity() ? 0.f : now * unit;
      const float shrink = power_of_two(most[h] * unit - shift[h]);
      most[h] = now;
      total[h] *= shrink;
      AIT_UNROLL
      for (int n = 2 * h; n < Form::kSums; n += 4) {
        o[n] *= shrink;
        o[n + 1] *= shrink;
      }
    }
  }
  /// Scores become probabilities. Any power of two that T has will do for the largest, so that the largest is
  /// looked for only when what follows from the last one gets large.
  AIT_DEVICE void soften(float unit, bool first, uint32_t (&p)[Form::kKeys / 16][4]) {
    constexpr float kLarge = 4096.f;
    float sum[2] = {};
    if (!first) {
      raise(unit, p, sum);
      bool good = sum[0] <= kLarge && sum[1] <= kLarge;
      // A row that has seen no key yet.
      if constexpr (Form::kBounded) good = good && most[0] != -infinity() && most[1] != -infinity();
      first = vote_any(!good);
    }
    if (first) {
      follow(unit);
      raise(unit, p, sum);
    }
    total[0] += sum[0];
    total[1] += sum[1];
  }

  /// The sums of all shares, by the first of them; the stages have been read.
  AIT_DEVICE void join(float* memory, int share, int group, float unit) {
    constexpr int kThreads = 128 * Form::kGroups, kAll = Form::kSums + 4;
    float* const own = memory + group * 128 + thread() % 128;
    barrier_named(1, 128 * Form::kWarpgroups);
    if (share > 0) {
      float* const to = own + (share - 1) * kAll * kThreads;
      AIT_UNROLL
      for (int i = 0; i < Form::kSums; i++) to[i * kThreads] = o[i];
      AIT_UNROLL
      for (int h = 0; h < 2; h++) {
        to[(Form::kSums + h) * kThreads] = most[h];
        to[(Form::kSums + 2 + h) * kThreads] = total[h];
      }
    }
    barrier_named(1, 128 * Form::kWarpgroups);
    if (share > 0) return;
    AIT_UNROLL
    for (int other = 0; other < Form::kShares - 1; other++) {
      const float* const from = own + other * kAll * kThreads;
      AIT_UNROLL
      for (int h = 0; h < 2; h++) {
        const float theirs = from[(Form::kSums + h) * kThreads], now = fmaxf(most[h], theirs);
        const float base = now == -infinity() ? 0.f : now;
        const float here = power_of_two((most[h] - base) * unit),
                    there = power_of_two((theirs - base) * unit);
        most[h] = now;
        total[h] = total[h] * here + from[(Form::kSums + 2 + h) * kThreads] * there;
        AIT_UNROLL
        for (int n = 0; n < Form::kSums; n++)
          if (n / 2 % 2 == h) o[n] = o[n] * here + from[n * kThreads] * there;
      }
    }
  }

  /// Stores 16 rows of a warp by way of its part of the queries' memory, `lines`, swizzled as that is.
  AIT_DEVICE void store_rows(T* lines, int rows, int value_depth, const HeadsView<T>& y, int b, int head,
                             int query) {
    const auto chunk = [&](int r, int c) {
      return lines + c / 8 * Form::kQueryPanel + r * 64 + (c % 8 ^ r % 8) * 8;
    };
    warp_sync();
    AIT_UNROLL
    for (int h = 0; h < 2; h++) {
      float sum = total[h] + shuffle_xor(total[h], 1);
      sum += shuffle_xor(sum, 2);
      const float by = sum == 0.f ? 0.f : 1.f / sum;
      AIT_UNROLL
      for (int n = 0; n < Form::kSums / 4; n++)
        *reinterpret_cast<uint32_t*>(chunk(h * 8 + lane() / 4, n) + lane() % 4 * 2) =
            pack2<T>(o[4 * n + 2 * h] * by, o[4 * n + 2 * h + 1] * by);
    }
    warp_sync();
    const int pieces = value_depth / 8;
    for (int u = lane(); u < rows * pieces; u += kWarp) {
      const int r = u / pieces, c = u - r * pieces;
      store(y.at(b, head, query + r) + c * 8, load<8>(chunk(r, c)));
    }
  }
};

}  // namespace detail

}  // namespace ait::gpu
#endif
