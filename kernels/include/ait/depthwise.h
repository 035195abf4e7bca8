#pragma once
#include "conv.h"

// Depthwise convolution on channels-last activations: one filter a channel, vectorised over the channels.
// Weights are [KH][KW][C], not padded.
namespace ait {
namespace detail {

/// Output pixels along x that share the inputs they load.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kDepthwiseTile = 8;
#else
constexpr int kDepthwiseTile = 4;
#endif

/// A tile of output pixels: where its inputs lie (padding points at zeros) and where its outputs go.
struct DepthwiseTile {
  const float* const* inputs;
  const float* w;
  int64_t c;
  float* y;
  int64_t ldy;
  int64_t row;
  int count;
  int lines;            // output rows, at most the kernel's
  int64_t line_pixels;  // from one to the next
};

/// Output rows of a tile: two where they share most of their inputs and registers allow.
template <int K, int S, int G>
constexpr int kDepthwiseLines = K == 3 && S == 1 && G == 1 ? 2 : 1;

template <bool Full, class V = f32v>
inline V load_lanes(const float* p, int lanes) {
  return Full ? load<V>(p) : load_n<V>(p, lanes);
}

template <bool Full, class E>
inline void depthwise_store(const f32v& acc, const DepthwiseTile& tile, int64_t pixel, int64_t c, int lanes,
                            const E& epilogue) {
  float* y = tile.y + pixel * tile.ldy + c;
  if (Full) {
    store(y, epilogue(acc, tile.row + pixel, c, kF32));
  } else {
    store_n(y, epilogue(acc, tile.row + pixel, c, lanes), lanes);
  }
}

template <bool Full, int T, int R, class E>
inline void depthwise_store_tile(const f32v (&acc)[R][T], const DepthwiseTile& tile, int64_t c, int lanes,
                                 const E& epilogue) {
  if constexpr (is_heavy<E>(0)) {
#pragma GCC unroll 1
    for (int i = 0; i < tile.lines * T; i++) {
      if (i % T >= tile.count) continue;
      depthwise_store<Full>(acc[i / T][i % T], tile, i / T * tile.line_pixels + i % T, c, lanes, epilogue);
    }
    return;
  }
#pragma GCC unroll 2
  for (int r = 0; r < R; r++) {
    if (r >= tile.lines) break;
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
      if (t >= tile.count) break;
      depthwise_store<Full>(acc[r][t], tile, r * tile.line_pixels + t, c, lanes, epilogue);
    }
  }
}

/// A K x K window of stride S over R rows of T pixels: inputs[i * ((T - 1) * S + K) + j] is column j of input
/// row i.
template <int K, int S, int T, int R, bool Full, class E>
inline void depthwise_square(const DepthwiseTile tile, int64_t c, int lanes, const E& epilogue) {
  static_assert(R == 1 || S == 1, "rows of a tile are one input row apart");
  constexpr int columns = (T - 1) * S + K;
  f32v acc[R][T];
#pragma GCC unroll 2
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) acc[r][t] = f32v{};
  }
  const float* const* inputs = tile.inputs;
  const float* w = tile.w + c;
  // Adds input row i, which is tap row i of the first output row and i - 1 of the second. Column by column:
  // an input serves all its outputs at once and then leaves its register.
  const auto row = [&](int i, bool first, bool second) __attribute__((always_inline)) {
    // Keeps the compiler from loading rows early, for which there are no registers.
    if (R > 1) __asm__ __volatile__("" ::: "memory");
    f32v taps[R][K];
#pragma GCC unroll 8
    for (int j = 0; j < K; j++) {
      if (first) taps[0][j] = load_lanes<Full>(w + (i * K + j) * tile.c, lanes);
      if (second) taps[R - 1][j] = load_lanes<Full>(w + ((i - 1) * K + j) * tile.c, lanes);
    }
#pragma GCC unroll 32
    for (int column = 0; column < columns; column++) {
      const f32v in = load_lanes<Full>(inputs[i * columns + column] + c, lanes);
#pragma GCC unroll 8
      for (int j = 0; j < K; j++) {
        const int t = (column - j) / S;
        if (column < j || (column - j) % S != 0 || t >= T) continue;
        if (first) acc[0][t] += taps[0][j] * in;
        if (second) acc[R - 1][t] += taps[R - 1][j] * in;
      }
    }
  };
  if constexpr (R == 1) {
#pragma GCC unroll 1
    for (int i = 0; i < K; i++) row(i, true, false);
  } else {
    row(0, true, false);
#pragma GCC unroll 1
    for (int i = 1; i < K; i++) row(i, true, true);
    row(K, false, true);
  }
  depthwise_store_tile<Full, T, R>(acc, tile, c, lanes, epilogue);
}

/// Any window: inputs[tap * T + t].
template <int T, bool Full, class E>
inline void depthwise_taps(const DepthwiseTile tile, int64_t taps, int64_t c, int lanes, const E& epilogue) {
  f32v acc[1][T];
#pragma GCC unroll 8
  for (int t = 0; t < T; t++) acc[0][t] = f32v{};
  const float* const* inputs = tile.inputs;
  const float* w = tile.w + c;
  for (int64_t i = 0; i < taps; i++, inputs += T, w += tile.c) {
    const f32v tap = load_lanes<Full>(w, lanes);
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) acc[0][t] += tap * load_lanes<Full>(inputs[t] + c, lanes);
  }
  depthwise_store_tile<Full, T, 1>(acc, tile, c, lanes, epilogue);
}

/// Points the table at the inputs of the tile whose first window starts at (y0, x0). `next` says that the
/// table still holds the tile to the left and that neither touches padding on the sides: then every pointer
/// moves on by the same distance.
template <int K, int S, int T, int R>
inline void depthwise_inputs(const ConvShape& s, const float* image, int64_t ldx, const float* zeros,
                             int64_t y0, int64_t x0, bool next, const float** table) {
  if constexpr (K > 0) {
    constexpr int columns = (T - 1) * S + K;
    for (int64_t i = 0; i < K + R - 1; i++, table += columns) {
      const bool row_inside = inside(y0 + i, s.h);
      if (next) {
        const int64_t step = row_inside ? T * S * ldx : 0;
        for (int j = 0; j < columns; j++) table[j] += step;
        continue;
      }
      const float* line = image + (row_inside ? (y0 + i) * s.w * ldx : 0);
      const int64_t limit = row_inside ? s.w : 0;
      for (int64_t j = 0; j < columns; j++) table[j] = inside(x0 + j, limit) ? line + (x0 + j) * ldx : zeros;
    }
  } else {
    for (int64_t i = 0; i < s.kh; i++) {
      const int64_t iy = y0 + i * s.dilation_h;
      const bool row_inside = inside(iy, s.h);
      const float* line = image + (row_inside ? iy * s.w * ldx : 0);
      for (int64_t j = 0; j < s.kw; j++, table += T) {
        for (int64_t t = 0; t < T; t++) {
          const int64_t ix = x0 + t * s.stride_w + j * s.dilation_w;
          table[t] = row_inside && inside(ix, s.w) ? line + ix * ldx : zeros;
        }
      }
    }
  }
}

/// A K x K window of stride S over T pixels in groups of G channels, as many in as out. Every input channel
/// of a group is spread over the group's lanes in turn: w[((i * K + j) * G + input channel of the group) * c
/// + k].
template <int K, int S, int T, int G, bool Full, class E>
inline void grouped_square(const DepthwiseTile tile, int64_t c, int lanes, const E& epilogue) {
  constexpr int columns = (T - 1) * S + K;
  f32v acc[1][T];
#pragma GCC unroll 8
  for (int t = 0; t < T; t++) acc[0][t] = f32v{};
  int32_t first[kF32];
  for (int i = 0; i < kF32; i++) first[i] = i / G * G;
  const i32v group = load<i32v>(first);
  const float* const* inputs = tile.inputs;
#pragma GCC unroll 1
  for (int i = 0; i < K; i++, inputs += columns) {
#pragma GCC unroll 1
    for (int channel = 0; channel < G; channel++) {
      const i32v spread = group + channel;
      f32v taps[K];
#pragma GCC unroll 8
      for (int j = 0; j < K; j++) {
        taps[j] = load_lanes<Full>(tile.w + ((i * K + j) * G + channel) * tile.c + c, lanes);
      }
#pragma GCC unroll 32
      for (int column = 0; column < columns; column++) {
        const f32v in = __builtin_shuffle(load_lanes<Full>(inputs[column] + c, lanes), spread);
#pragma GCC unroll 8
        for (int j = 0; j < K; j++) {
          const int t = (column - j) / S;
          if (column < j || (column - j) % S != 0 || t >= T) continue;
          acc[0][t] += taps[j] * in;
        }
      }
    }
  }
  depthwise_store_tile<Full, T, 1>(acc, tile, c, lanes, epilogue);
}

template <int K, int S, int T, int G, class E>
inline void depthwise_channels(const ConvShape& s, const DepthwiseTile& tile, const E& epilogue) {
  int64_t c = 0;
  if constexpr (G > 1) {
    for (; c + kF32 <= tile.c; c += kF32) grouped_square<K, S, T, G, true>(tile, c, kF32, epilogue);
    if (c < tile.c) grouped_square<K, S, T, G, false>(tile, c, static_cast<int>(tile.c - c), epilogue);
  } else if constexpr (K > 0) {
    constexpr int R = kDepthwiseLines<K, S, G>;
    for (; c + kF32 <= tile.c; c += kF32) depthwise_square<K, S, T, R, true>(tile, c, kF32, epilogue);
    if (c < tile.c) depthwise_square<K, S, T, R, false>(tile, c, static_cast<int>(tile.c - c), epilogue);
  } else {
    for (; c + kF32 <= tile.c; c += kF32) depthwise_taps<T, true>(tile, s.kh * s.kw, c, kF32, epilogue);
    if (c < tile.c) depthwise_taps<T, false>(tile, s.kh * s.kw, c, static_cast<int>(tile.c - c), epilogue);
  }
}

template <int K, int S, int G = 1, class E>
inline void depthwise_run(Context& ctx, const ConvShape& shape, const float* x, int64_t ldx, const float* w,
                          float* y, int64_t ldy, const E& epilogue) {
  constexpr int T = kDepthwiseTile;
  constexpr int R = kDepthwiseLines<K, S, G>;
  constexpr int columns = K > 0 ? (T - 1) * S + K : 0;
  const float* zeros = zero_row(ctx, shape.c);
  const int64_t tiles = ceil_div(shape.ow, T);
  const int64_t lines = ceil_div(shape.oh, R);
  const int64_t item_work = R * T * G * shape.c * shape.kh * shape.kw;
  const int64_t grain = max_of<int64_t>(1, AIT_GEMM_GRAIN / 4 / max_of<int64_t>(1, item_work));
  parallel_for(ctx, shape.batch * lines * tiles, grain, [=](int64_t begin, int64_t end) {
    const ConvShape s = shape;
    const float* local_table[K > 0 ? (K + R - 1) * columns : 1];
    const float** table = local_table;
    if constexpr (K == 0) {
      table =
          static_cast<const float**>(thread_scratch(sizeof(float*) * static_cast<size_t>(s.kh * s.kw * T)));
    }
    int64_t ox = begin % tiles * T;
    int64_t oy = begin / tiles % lines * R;
    int64_t image = begin / tiles / lines;
    bool inner = false;
    for (int64_t item = begin; item < end; item++) {
      const int count = static_cast<int>(min_of<int64_t>(T, s.ow - ox));
      const float* from = x + image * s.h * s.w * ldx;
      const int64_t row = (image * s.oh + oy) * s.ow + ox;
      const int valid_lines = static_cast<int>(min_of<int64_t>(R, s.oh - oy));
      const DepthwiseTile tile = {table, w, s.c, y + row * ldy, ldy, row, count, valid_lines, s.ow};
      const int64_t y0 = oy * s.stride_h - s.pad_top;
      const int64_t x0 = ox * s.stride_w - s.pad_left;
      if (K > 0 && count <= T / 2) {
        depthwise_inputs<K, S, T / 2, R>(s, from, ldx, zeros, y0, x0, false, table);
        depthwise_channels<K, S, T / 2, G>(s, tile, epilogue);
        inner = false;
      } else {
        const bool was_inner = inner && ox > 0;
        inner = x0 >= 0 && x0 + columns <= s.w;
        depthwise_inputs<K, S, T, R>(s, from, ldx, zeros, y0, x0, was_inner && inner, table);
        depthwise_channels<K, S, T, G>(s, tile, epilogue);
      }
      if ((ox += T) < s.ow) continue;
      ox = 0;
      if ((oy += R) < s.oh) continue;
      oy = 0;
      image++;
    }
  });
}

template <int G, class E>
inline void grouped_run(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* w,
                        float* y, int64_t ldy, const E& epilogue) {
  if constexpr (kF32 % G == 0) {
    if (s.stride_w == 1) return depthwise_run<3, 1, G>(ctx, s, x, ldx, w, y, ldy, epilogue);
    depthwise_run<3, 2, G>(ctx, s, x, ldx, w, y, ldy, epilogue);
  }
}

}  // namespace detail

/// Depthwise convolution, s.c == s.k == s.groups. y[pixel][c] = epilogue(...), as conv2d. K and S name the
/// window (K x K, dilation 1, stride S both ways) when it is known, which saves compile time; with K = 0 the
/// fast ones, 3 and 5 with stride 1 and 2, are chosen at run time.
template <int K = 0, int S = 0, class E = NoEpilogue>
inline void depthwise_conv2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* w,
                             float* y, int64_t ldy, const E& epilogue = E{}) {
  if constexpr (K != 0) {
    return detail::depthwise_run<K, S>(ctx, s, x, ldx, w, y, ldy, epilogue);
  } else {
    if (s.kh == s.kw && s.stride_h == s.stride_w && s.dilation_h == 1 && s.dilation_w == 1) {
      if (s.kw == 3 && s.stride_w == 1)
        return detail::depthwise_run<3, 1>(ctx, s, x, ldx, w, y, ldy, epilogue);
      if (s.kw == 3 && s.stride_w == 2)
        return detail::depthwise_run<3, 2>(ctx, s, x, ldx, w, y, ldy, epilogue);
      if (s.kw == 5 && s.stride_w == 1)
        return detail::depthwise_run<5, 1>(ctx, s, x, ldx, w, y, ldy, epilogue);
      if (s.kw == 5 && s.stride_w == 2)
        return detail::depthwise_run<5, 2>(ctx, s, x, ldx, w, y, ldy, epilogue);
    }
    detail::depthwise_run<0, 0>(ctx, s, x, ldx, w, y, ldy, epilogue);
  }
}

/// Whether grouped_conv2d takes the convolution: 3 x 3, stride 1 or 2 both ways, dilation 1, groups of 2, 4
/// or 8 channels, as many out as in. conv2d would spend most of its lanes on padding there.
inline bool grouped_conv_fits(const ConvShape& s) {
  const int64_t group = s.c / s.groups;
  return s.c == s.k && (group == 2 || group == 4 || group == 8 || group == 16) && kF32 % group == 0 &&
         s.kh == 3 && s.kw == 3 && s.stride_h == s.stride_w && s.stride_h <= 2 && s.dilation_h == 1 &&
         s.dilation_w == 1;
}

/// Convolution with few channels a group (grouped_conv_fits). Weights are [KH][KW][C / groups][K], not
/// packed: the weight of output channel k for the i-th input channel of its group.
template <class E = NoEpilogue>
inline void grouped_conv2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* w,
                           float* y, int64_t ldy, const E& epilogue = E{}) {
  switch (s.c / s.groups) {
    case 2:
      return detail::grouped_run<2>(ctx, s, x, ldx, w, y, ldy, epilogue);
    case 4:
      return detail::grouped_run<4>(ctx, s, x, ldx, w, y, ldy, epilogue);
    case 8:
      return detail::grouped_run<8>(ctx, s, x, ldx, w, y, ldy, epilogue);
    default:
      return detail::grouped_run<16>(ctx, s, x, ldx, w, y, ldy, epilogue);
  }
}

}  // namespace ait
