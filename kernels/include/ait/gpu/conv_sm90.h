#pragma once
#include "tiles_sm90.h"

// Convolutions on Hopper.
#if defined(AIT_SM90)
namespace ait::gpu {

/// The windows of an image that boxes of one tap hold.
struct WindowWalk {
  int oh, ow, kw;
  int stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int taps, channels;
};

namespace detail {

/// Slabs of an image, through a map of windows, and of weights, through one of taps.
template <class T, class G>
struct WindowCopies {
  const TensorMap& image;
  const TensorMap& weights;
  const WindowWalk& walk;
  int parts;
  int column, x, y, picture;
  int part, tap, tap_y, tap_x;
  AIT_DEVICE WindowCopies(const TensorMap& image_, const TensorMap& weights_, const WindowWalk& walk_)
      : image(image_), weights(weights_), walk(walk_), parts(ceil_div(walk_.channels, G::kDepth)) {
    prefetch_map(image);
    prefetch_map(weights);
  }
  AIT_DEVICE void begin(const TilePlace& place, int slab) {
    const int row = place.row;
    const int line = row / walk.ow;
    picture = line / walk.oh;
    x = (row - line * walk.ow) * walk.stride_w - walk.pad_left;
    y = (line - picture * walk.oh) * walk.stride_h - walk.pad_top;
    column = place.column;
    tap = slab / parts;
    part = slab - tap * parts;
    tap_y = tap / walk.kw;
    tap_x = tap - tap_y * walk.kw;
  }
  AIT_DEVICE void next() {
    if (++part < parts) return;
    part = 0;
    tap++;
    if (++tap_x < walk.kw) return;
    tap_x = 0;
    tap_y++;
  }
  AIT_DEVICE void left(T* to, uint64_t* full) const {
    copy_windows(to, image, full, part * G::kDepth, x, y, picture, tap_x * walk.dilation_w,
                 tap_y * walk.dilation_h);
  }
  AIT_DEVICE void right(T* to, uint64_t* full) const {
    copy_box(to, weights, full, part * G::kDepth, tap, column);
  }
};

}  // namespace detail

/// y[pixels][columns] = epilogue(convolution of one group), both operands by the copy engine: the image
/// through a map of windows, the constant weights, columns x taps x channels, through one of taps. Channels
/// are multiples of 8 and are read 64 at a time. Otherwise as gemm_sm90.
template <class T, class G, class O, class E>
AIT_DEVICE void conv_sm90(const TensorMap& image, const TensorMap& weights, O* y, const WindowWalk& walk,
                          int rows, int columns, int splits, const E& epilogue) {
  const int depth = walk.taps * ceil_div(walk.channels, G::kDepth) * G::kDepth;
  const detail::TileQueue<G> queue(rows, columns, depth, splits);
  const auto copies = [&] { return detail::WindowCopies<T, G>(image, weights, walk); };
  detail::run_tiles<T, G, true, false>(queue, copies, y, rows, columns, epilogue);
}

}  // namespace ait::gpu
#endif
