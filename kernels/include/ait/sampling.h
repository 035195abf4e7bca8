#pragma once
// Where images and volumes are sampled: what the kernels of the CPU and of devices have in common.
#include "both.h"

namespace ait {

enum class Sampling { Nearest, Linear, Cubic };
enum class Outside { Zeros, Border, Reflection };

namespace detail {

template <class F>
AIT_BOTH F floor_of(F x) {
  if constexpr (sizeof(F) == 4) {
    return ::floorf(x);
  } else {
    return ::floor(x);
  }
}
/// Ties to even.
template <class F>
AIT_BOTH F round_of(F x) {
  if constexpr (sizeof(F) == 4) {
    return ::rintf(x);
  } else {
    return ::rint(x);
  }
}
template <class T>
AIT_BOTH T clamped(T x, T low, T high) {
  return x < low ? low : x > high ? high : x;
}

/// Mirrors x at the borders until it lies between them.
template <class F>
AIT_BOTH F reflect(F x, F low, F high) {
  const F range = high - low;
  if (range <= F(0)) return low;
  if (x >= low && x <= high) return x;
  const F beyond = x < low ? low - x : x - high;
  const F turns = floor_of(beyond / range);
  const F rest = beyond - turns * range;
  const bool even = turns - F(2) * floor_of(turns / F(2)) == F(0);
  return (x < low) == even ? low + rest : high - rest;
}

/// Weights of the four neighbours of a place `t` behind the second of them (Keys' kernel).
template <class F>
AIT_BOTH void cubic_weights(F t, F a, F* w) {
  const F u = F(1) - t;
  w[0] = ((a * (t + F(1)) - F(5) * a) * (t + F(1)) + F(8) * a) * (t + F(1)) - F(4) * a;
  w[1] = ((a + F(2)) * t - (a + F(3))) * t * t + F(1);
  w[2] = ((a + F(2)) * u - (a + F(3))) * u * u + F(1);
  w[3] = ((a * (u + F(1)) - F(5) * a) * (u + F(1)) + F(8) * a) * (u + F(1)) - F(4) * a;
}

}  // namespace detail

/// The neighbours along an axis of n elements, 1, 2 or 4, of a grid's coordinate from -1 to 1, and their
/// weights.
template <class I, class F>
AIT_BOTH void sample_axis(F coordinate, I n, Sampling mode, Outside outside, bool align, I* at, F* weight) {
  const int taps = mode == Sampling::Nearest ? 1 : mode == Sampling::Linear ? 2 : 4;
  const F size = static_cast<F>(n);
  F x = align ? (coordinate + F(1)) / F(2) * (size - F(1)) : ((coordinate + F(1)) * size - F(1)) / F(2);
  if (!(x > F(-1e9) && x < F(1e9))) x = F(-1e9);
  if (mode == Sampling::Nearest) x = detail::round_of(x);
  const F low = align ? F(0) : F(-0.5), high = align ? size - F(1) : size - F(0.5);
  if (x < low || x > high) {
    if (outside == Outside::Border && mode != Sampling::Cubic) x = detail::clamped(x, F(0), size - F(1));
    if (outside == Outside::Reflection) x = detail::reflect(x, low, high);
  }
  const F first = detail::floor_of(x);
  const F t = x - first;
  if (taps == 1) weight[0] = F(1);
  if (taps == 2) {
    weight[0] = F(1) - t;
    weight[1] = t;
  }
  if (taps == 4) detail::cubic_weights(t, F(-0.75), weight);
  for (int k = 0; k < taps; k++) {
    I j = static_cast<I>(first) + k - (taps == 4 ? 1 : 0);
    if (outside == Outside::Zeros) {
      if (j < 0 || j >= n) {
        j = 0;
        weight[k] = F(0);
      }
    } else if (outside == Outside::Reflection) {
      j = static_cast<I>(detail::reflect(static_cast<F>(j), low, high));
    }
    at[k] = j < 0 ? 0 : j < n ? j : n - 1;
  }
}

/// The coordinate of place k of n along an axis of a grid.
template <class F>
AIT_BOTH F grid_coordinate(int64_t k, int64_t n, bool align) {
  if (align) return n > 1 ? static_cast<F>(2 * k - (n - 1)) / static_cast<F>(n - 1) : F(-1);
  return static_cast<F>(2 * k + 1 - n) / static_cast<F>(n);
}

/// Blocks of columns that are summed into images, along one axis.
struct BlockAxis {
  int64_t image, block, columns, dilation, pad, stride;
};

struct RoiShape {
  int64_t rois, channels, height, width, out_height, out_width, images;
  int64_t samples;  ///< Samples in each direction of a bin; 0 chooses by the bin's size.
  float scale;
  bool half_pixel, average;
};

/// The bins of a region: where the first begins, how large they are, and how many samples they have.
template <class I, class F>
struct RoiBins {
  F top, left, height, width;
  I rows, columns;
};
/// A region is {x1, y1, x2, y2}.
template <class I, class F>
AIT_BOTH RoiBins<I, F> roi_bins(const F (&roi)[4], const RoiShape& s) {
  const F shift = s.half_pixel ? F(0.5) : F(0);
  const F left = roi[0] * static_cast<F>(s.scale) - shift, top = roi[1] * static_cast<F>(s.scale) - shift;
  F w = roi[2] * static_cast<F>(s.scale) - shift - left, h = roi[3] * static_cast<F>(s.scale) - shift - top;
  if (!s.half_pixel) {
    w = w < F(1) ? F(1) : w;
    h = h < F(1) ? F(1) : h;
  }
  const F height = h / static_cast<F>(s.out_height), width = w / static_cast<F>(s.out_width);
  const auto samples = [&](F bin) {
    return s.samples > 0 ? static_cast<I>(s.samples) : static_cast<I>(-detail::floor_of(-bin));
  };
  return {top, left, height, width, samples(height), samples(width)};
}

/// The four elements around a place, and how far it is from the first of them.
template <class I, class F>
struct Square {
  I y0, x0, y1, x1;
  F y, x;
};
/// False where the place is outside of the image.
template <class I, class F>
AIT_BOTH bool roi_square(F y, F x, I height, I width, Square<I, F>& at) {
  if (!(y >= F(-1) && y <= static_cast<F>(height) && x >= F(-1) && x <= static_cast<F>(width))) return false;
  y = y < F(0) ? F(0) : y;
  x = x < F(0) ? F(0) : x;
  at.y0 = static_cast<I>(y);
  at.x0 = static_cast<I>(x);
  if (at.y0 >= height - 1) y = static_cast<F>(at.y0 = height - 1);
  if (at.x0 >= width - 1) x = static_cast<F>(at.x0 = width - 1);
  at.y1 = at.y0 + 1 < height ? at.y0 + 1 : height - 1;
  at.x1 = at.x0 + 1 < width ? at.x0 + 1 : width - 1;
  at.y = y - static_cast<F>(at.y0);
  at.x = x - static_cast<F>(at.x0);
  return true;
}

/// What bin o of `bins` covers of a region of `length` elements from `corner` on, inside of n.
struct Span {
  int64_t begin, end;
};
AIT_BOTH Span bin_span(int64_t o, int64_t bins, int64_t length, int64_t corner, int64_t n) {
  const int64_t begin = o * length / bins + corner, end = ((o + 1) * length + bins - 1) / bins + corner;
  return {detail::clamped(begin, int64_t{0}, n), detail::clamped(end, int64_t{0}, n)};
}

struct DeformShape {
  int64_t batch, channels, height, width, out_channels, kernel_h, kernel_w, out_h, out_w;
  int64_t groups, offset_groups, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
};

/// Where tap k of the window at place p looks when it is moved by (dy, dx).
template <class F>
struct DeformTap {
  bool near;
  int64_t y0, x0;
  F y, x;

  AIT_BOTH DeformTap(const DeformShape& s, int64_t p, int64_t k, F dy, F dx) {
    const F at_y = static_cast<F>(p / s.out_w * s.stride_h - s.pad_h + k / s.kernel_w * s.dilation_h) + dy;
    const F at_x = static_cast<F>(p % s.out_w * s.stride_w - s.pad_w + k % s.kernel_w * s.dilation_w) + dx;
    near = at_y > F(-1) && at_y < static_cast<F>(s.height) && at_x > F(-1) && at_x < static_cast<F>(s.width);
    y0 = near ? static_cast<int64_t>(detail::floor_of(at_y)) : 0;
    x0 = near ? static_cast<int64_t>(detail::floor_of(at_x)) : 0;
    y = at_y - static_cast<F>(y0);
    x = at_x - static_cast<F>(x0);
  }

  /// Interpolates what pixel(y, x) gives, which is 0 outside.
  template <class Pixel>
  AIT_BOTH F sample(const DeformShape& s, const Pixel& pixel) const {
    if (!near) return F(0);
    const auto inside = [&](int64_t a, int64_t b) {
      return a < 0 || a >= s.height || b < 0 || b >= s.width ? F(0) : pixel(a, b);
    };
    return (F(1) - y) * ((F(1) - x) * inside(y0, x0) + x * inside(y0, x0 + 1)) +
           y * ((F(1) - x) * inside(y0 + 1, x0) + x * inside(y0 + 1, x0 + 1));
  }
};

}  // namespace ait
