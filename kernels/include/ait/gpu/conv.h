#pragma once
#include "gemm.h"

// Convolutions, channels last, as products whose rows are windows of the image: nothing is unfolded in
// memory.
namespace ait::gpu {

struct ConvShape {
  ImageWindows windows;
  int batch;
  int groups;
  int outputs;  // channels of one group of the result
  int taps;
};

template <class U, class G, int V, int RANK = 2, bool FILLED = false>
struct ImageOperands {
  using T = typename U::T;
  using A = ImageOperand<T, G::kRows, G::kDepth, G::kThreads, V, RANK, FILLED>;
  using B = DeepOperand<T, G::kColumns, G::kDepth, G::kThreads, 16 / static_cast<int>(sizeof(T))>;
  using Warp = typename U::template Warp<G, true, true>;
};

namespace detail {
/// One tile of a convolution whose weights are [outputs][ldw] from `w` on; results and epilogue begin at
/// `channel`.
template <class U, class G, class M, int V, class O, class E, class R>
AIT_DEVICE void conv_tile(const ImageWindows& windows, const typename U::T* x, const typename U::T* w,
                          int64_t ldw, O* y, int64_t ldy, int channel, const TilePlace& place, int rows,
                          int outputs, int depth, const E& epilogue, const R& row_of) {
  using T = typename U::T;
  const ResultTile tile = {place.row * G::kRows, place.column * G::kColumns, rows, outputs};
  const DepthRange range = depth_range<G::kDepth>(depth, block_y(), grid_y());
  T* shared = reinterpret_cast<T*>(dynamic_shared());
  typename M::A left(windows, x, tile.row, rows);
  typename M::B right(w, ldw, tile.column, outputs, static_cast<int>(ldw));
  typename M::Warp own;
  accumulate<G>(own, left, right, shared, range.begin, range.end);
  barrier();
  store_tile<G, V>(own, reinterpret_cast<SumType<T>*>(shared), tile, y + channel, ldy, epilogue, 0, channel,
                   row_of);
}
}  // namespace detail

/// y[pixels][groups * outputs] = epilogue(convolution). Weights are [groups * outputs][ldw], each row
/// [taps][channels] and zeros. Started for groups * ceil_div(pixels, BM) * ceil_div(outputs, BN) blocks; with
/// splits, as many along y, whose sums go to y[splits][pixels][groups * outputs] for reduce_splits. V divides
/// `outputs`.
template <class U, class G, class M, int V, class O, class E>
AIT_DEVICE void conv(const typename U::T* x, const typename U::T* w, int64_t ldw, O* y, const ConvShape& s,
                     const E& epilogue) {
  const int rows = s.batch * s.windows.depth_out * s.windows.oh * s.windows.ow;
  const int down = ceil_div(rows, G::kRows);
  const int across = ceil_div(s.outputs, G::kColumns);
  const int group = block_x() / (down * across);
  const TilePlace place = tile_place(block_x() - group * down * across, down, across);
  const int64_t ldy = static_cast<int64_t>(s.groups) * s.outputs;
  const int channel = group * s.outputs;
  detail::conv_tile<U, G, M, V>(s.windows, x + group * s.windows.channels, w + channel * ldw, ldw,
                                y + block_y() * rows * ldy, ldy, channel, place, rows, s.outputs,
                                s.taps * s.windows.channels, epilogue, SameRow{});
}

/// A transposed convolution of two spatial axes.
struct TransposedShape {
  int batch, h, w, oh, ow;
  int kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int groups;
  int channels;  // of one group of the input, a multiple of the copies' width
  int outputs;   // of one group of the result
  int64_t pixel;
};

namespace detail {
/// The taps that reach the results at `phase` of a stride: every `step`-th from `first` on, `count` of them;
/// the first reads the input `base` pixels from the result's own, each next one `back` pixels before.
struct Phase {
  int first, count, step, base, back;
};
AIT_DEVICE Phase phase_of(int phase, int kernel, int stride, int dilation, int pad) {
  int a = stride, b = dilation;
  while (b != 0) {
    const int rest = a % b;
    a = b;
    b = rest;
  }
  const int step = stride / a;
  int first = 0;
  while (first < kernel && (phase + pad - first * dilation) % stride != 0) first++;
  const int count = first < kernel ? (kernel - 1 - first) / step + 1 : 0;
  return {first, count, step, (phase + pad - first * dilation) / stride, dilation / a};
}

/// Windows of one phase count along rows of it; the result's rows are spread over the image.
struct PhaseRow {
  int rows, line;  // windows of one phase
  int oh, ow, stride_h, stride_w, y, x;
  AIT_DEVICE int64_t operator()(int row) const {
    const int at_y = row / line;
    const int image = at_y / rows;
    return (static_cast<int64_t>(image) * oh + (at_y - image * rows) * stride_h + y) * ow +
           (row - at_y * line) * stride_w + x;
  }
};
}  // namespace detail

/// y = epilogue(transposed convolution). Every phase of the strides is a convolution of its own; its weights
/// are [groups * outputs][taps of the phase][channels], phases one after another. Started for groups *
/// ceil_div(batch * ceil_div(oh, stride_h) * ceil_div(ow, stride_w), BM) * ceil_div(outputs, BN) blocks, by
/// 1, by stride_h * stride_w.
template <class U, class G, class M, int V, class O, class E>
AIT_DEVICE void conv_transpose(const typename U::T* x, const typename U::T* w, O* y, const TransposedShape& s,
                               const E& epilogue) {
  const int py = block_z() / s.stride_w;
  const int px = block_z() - py * s.stride_w;
  int64_t before = 0;
  int before_x = 0;
  int all_x = 0;
  for (int i = 0; i < s.stride_w; i++) {
    const int count = detail::phase_of(i, s.kw, s.stride_w, s.dilation_w, s.pad_left).count;
    all_x += count;
    if (i < px) before_x += count;
  }
  for (int i = 0; i < py; i++)
    before += detail::phase_of(i, s.kh, s.stride_h, s.dilation_h, s.pad_top).count * all_x;
  const detail::Phase fy = detail::phase_of(py, s.kh, s.stride_h, s.dilation_h, s.pad_top);
  const detail::Phase fx = detail::phase_of(px, s.kw, s.stride_w, s.dilation_w, s.pad_left);
  before += fy.count * before_x;

  const int oh = py < s.oh ? ceil_div(s.oh - py, s.stride_h) : 0;
  const int ow = px < s.ow ? ceil_div(s.ow - px, s.stride_w) : 0;
  const int rows = s.batch * oh * ow;
  const int down = ceil_div(s.batch * ceil_div(s.oh, s.stride_h) * ceil_div(s.ow, s.stride_w), G::kRows);
  const int across = ceil_div(s.outputs, G::kColumns);
  const int group = block_x() / (down * across);
  const TilePlace place = tile_place(block_x() - group * down * across, down, across);
  if (place.row * G::kRows >= rows) return;

  ImageWindows windows = {};
  windows.depth_in = windows.depth_out = windows.kd = windows.stride_d = windows.dilation_d = 1;
  windows.h = s.h, windows.w = s.w, windows.oh = oh, windows.ow = ow;
  windows.kh = fx.count > 0 ? fy.count : 0, windows.kw = fx.count > 0 ? fx.count : 1;
  windows.stride_h = windows.stride_w = 1;
  windows.dilation_h = -fy.back, windows.dilation_w = -fx.back;
  windows.pad_top = -fy.base, windows.pad_left = -fx.base;
  windows.channels = s.channels;
  windows.pixel = s.pixel;
  const int64_t depth = static_cast<int64_t>(fy.count) * fx.count * s.channels;
  const int64_t ldy = static_cast<int64_t>(s.groups) * s.outputs;
  const int channel = group * s.outputs;
  const detail::PhaseRow row_of = {oh, ow, s.oh, s.ow, s.stride_h, s.stride_w, py, px};
  detail::conv_tile<U, G, M, V>(windows, x + group * s.channels,
                                w + before * s.channels * ldy + channel * depth, depth, y, ldy, channel,
                                place, rows, s.outputs, static_cast<int>(depth), epilogue, row_of);
}

/// An image in any order brought into channels-last order, the channels of each group filled up with zeros
/// from `c` to `padded`, a multiple of N. Started for a thread for each N elements of the result, in blocks
/// of 256.
template <int N, class T, class F>
AIT_DEVICE void spread_channels(const F* x, T* y, int64_t pixels, int64_t image, int groups, int c,
                                int padded, int64_t image_step, int64_t pixel_step, int64_t channel_step) {
  const int64_t at = (static_cast<int64_t>(block_x()) * 256 + thread()) * N;
  const int64_t line = static_cast<int64_t>(groups) * padded;
  if (at >= pixels * line) return;
  const int64_t pixel = divide(at, line);
  const int within = static_cast<int>(at - pixel * line);
  const int group = within / padded;
  const int first = within - group * padded;
  const int64_t whole = divide(pixel, image);
  const F* from = x + whole * image_step + (pixel - whole * image) * pixel_step + group * c * channel_step;
  Vec<T, N> v;
  AIT_UNROLL
  for (int i = 0; i < N; i++)
    v.v[i] = first + i < c ? stored<T>(to_f32(from[(first + i) * channel_step])) : stored<T>(0.0f);
  store(y + at, v);
}

/// Weights [rows][c][taps] as convolutions read them: [rows][ldw], each row [taps][padded] and zeros.
template <class T>
AIT_DEVICE void pack_conv_weights(const T* w, T* packed, int64_t rows, int c, int taps, int padded,
                                  int64_t ldw) {
  const int64_t at = static_cast<int64_t>(block_x()) * 256 + thread();
  if (at >= rows * ldw) return;
  const int64_t row = at / ldw;
  const int k = static_cast<int>(at - row * ldw);
  const int tap = k / padded;
  const int channel = k - tap * padded;
  packed[at] = tap < taps && channel < c ? w[(row * c + channel) * taps + tap] : stored<T>(0.0f);
}

}  // namespace ait::gpu
