#pragma once
// Sampling of images and volumes at places that the data names: ../image.h for the device.
#include "../sampling.h"
#include "elements.h"

namespace ait::gpu {

/// Sums the neighbours along the axes from D on, each with its weight times w.
template <int D, int R, int kTaps, class F, class T>
AIT_DEVICE void add_neighbours(const T* x, int64_t offset, F w, const int (&at)[R][4],
                               const F (&weight)[R][4], const int (&size)[R], F& sum) {
  if constexpr (D == R) {
    if (w != F(0)) sum += w * compute<F>(x[offset]);
  } else {
    AIT_UNROLL
    for (int k = 0; k < kTaps; k++) {
      add_neighbours<D + 1, R, kTaps>(x, offset * size[D] + at[D][k], w * weight[D][k], at, weight, size,
                                      sum);
    }
  }
}

/// y[n][c][p] = x[n][c] at grid[n][p], the grid's last coordinate being that of the first axis: a thread a
/// place, block_y counting `each` channels.
template <int R, Sampling kMode, Outside kOutside, bool kAlign, class F, class T, class G>
AIT_DEVICE void grid_sample(const T* x, const G* grid, T* y, int64_t batch, int64_t channels,
                            const int64_t (&in)[R], int64_t points, int each) {
  constexpr int kTaps = kMode == Sampling::Nearest ? 1 : kMode == Sampling::Linear ? 2 : 4;
  const int64_t i = int64_t{block_x()} * threads() + thread();
  if (i >= batch * points) return;
  int at[R][4], size[R];
  F weight[R][4];
  int64_t plane = 1;
  AIT_UNROLL
  for (int d = 0; d < R; d++) {
    size[d] = static_cast<int>(in[d]);
    plane *= in[d];
    sample_axis(compute<F>(grid[i * R + (R - 1 - d)]), size[d], kMode, kOutside, kAlign, at[d], weight[d]);
  }
  const int64_t n = i / points, p = i % points;
  const int64_t first = int64_t{block_y()} * each;
  const int64_t last = first + each < channels ? first + each : channels;
  for (int64_t c = n * channels + first; c < n * channels + last; c++) {
    F sum = F(0);
    add_neighbours<0, R, kTaps>(x + c * plane, 0, F(1), at, weight, size, sum);
    y[c * points + p] = stored<T>(sum);
  }
}

/// Place i of y[n][place][R]: theta[n] (R x R+1) applied to the place's coordinates, the last axis first.
template <int R, class F, class T>
AIT_DEVICE void affine_grid(int64_t i, const T* theta, T* y, const int64_t (&size)[R], bool align) {
  F at[R + 1];
  int64_t rest = i;
  AIT_UNROLL
  for (int d = R - 1; d >= 0; d--) {
    at[R - 1 - d] = grid_coordinate<F>(rest % size[d], size[d], align);
    rest /= size[d];
  }
  at[R] = F(1);
  const T* matrix = theta + rest * R * (R + 1);
  AIT_UNROLL
  for (int r = 0; r < R; r++) {
    F sum = F(0);
    AIT_UNROLL
    for (int c = 0; c <= R; c++) sum += compute<F>(matrix[r * (R + 1) + c]) * at[c];
    y[i * R + r] = stored<T>(sum);
  }
}

/// An element of an image: all blocks that cover it, summed. x is [image][block][column].
template <class F, int R, class T>
AIT_DEVICE void col2im(int64_t i, const T* x, T* y, const BlockAxis (&axes)[R]) {
  int64_t place[R], blocks = 1, columns = 1, image = i;
  AIT_UNROLL
  for (int d = R - 1; d >= 0; d--) {
    place[d] = image % axes[d].image + axes[d].pad;
    image /= axes[d].image;
    blocks *= axes[d].block;
    columns *= axes[d].columns;
  }
  F sum = F(0);
  for (int64_t b = 0; b < blocks; b++) {
    int64_t in_block = b, column = 0, step = 1;
    bool covers = true;
    AIT_UNROLL
    for (int d = R - 1; d >= 0; d--) {
      const BlockAxis& a = axes[d];
      const int64_t start = place[d] - in_block % a.block * a.dilation;
      in_block /= a.block;
      covers &= start >= 0 && start % a.stride == 0 && start / a.stride < a.columns;
      column += start / a.stride * step;
      step *= a.columns;
    }
    if (covers) sum += compute<F>(x[(image * blocks + b) * columns + column]);
  }
  y[i] = stored<T>(sum);
}

/// Results of RoiAlign for bin (oy, ox) of a region, in kEach planes that follow one another: where the
/// samples lie is found out once for all of them.
template <bool kAverage, int kEach, class F, class T, class R>
AIT_DEVICE void roi_align(const T* planes, const R* roi, int oy, int ox, const RoiShape& s,
                          F (&result)[kEach]) {
  const F box[4] = {compute<F>(roi[0]), compute<F>(roi[1]), compute<F>(roi[2]), compute<F>(roi[3])};
  const auto bins = roi_bins<int>(box, s);
  const auto height = static_cast<int>(s.height), width = static_cast<int>(s.width);
  AIT_UNROLL
  for (int c = 0; c < kEach; c++) result[c] = F(0);
  for (int i = 0; i < bins.rows; i++) {
    const F y = bins.top + static_cast<F>(oy) * bins.height +
                (static_cast<F>(i) + F(0.5)) * bins.height / static_cast<F>(bins.rows);
    for (int j = 0; j < bins.columns; j++) {
      const F x = bins.left + static_cast<F>(ox) * bins.width +
                  (static_cast<F>(j) + F(0.5)) * bins.width / static_cast<F>(bins.columns);
      Square<int, F> at{};
      const bool inside = roi_square(y, x, height, width, at);
      const T* p[4] = {planes + (at.y0 * width + at.x0), planes + (at.y0 * width + at.x1),
                       planes + (at.y1 * width + at.x0), planes + (at.y1 * width + at.x1)};
      const F w[4] = {(F(1) - at.y) * (F(1) - at.x), (F(1) - at.y) * at.x, at.y * (F(1) - at.x), at.y * at.x};
      AIT_UNROLL
      for (int c = 0; c < kEach; c++) {
        F v[4];
        AIT_UNROLL
        for (int k = 0; k < 4; k++) v[k] = inside ? w[k] * compute<F>(p[k][c * (height * width)]) : F(0);
        if (kAverage) {
          result[c] += v[0] + v[1] + v[2] + v[3];
        } else {
          const F a = v[0] < v[1] ? v[1] : v[0], b = v[2] < v[3] ? v[3] : v[2], value = a < b ? b : a;
          result[c] = i + j == 0 ? value : result[c] < value ? value : result[c];
        }
      }
    }
  }
  const int count = bins.rows * bins.columns;
  AIT_UNROLL
  for (int c = 0; c < kEach; c++) {
    if (kAverage) result[c] /= static_cast<F>(count > 1 ? count : 1);
  }
}

/// The largest element of bin (oy, ox) of the region {image, x1, y1, x2, y2}, in the channel's plane of the
/// first image.
template <class F, class T, class R>
AIT_DEVICE F max_roi_pool(const T* x, const R* roi, int64_t oy, int64_t ox, const RoiShape& s) {
  const auto image = static_cast<int64_t>(compute<F>(roi[0]));
  if (image < 0 || image >= s.images) return F(0);
  const T* plane = x + image * s.channels * s.height * s.width;
  int64_t corner[4];
  AIT_UNROLL
  for (int k = 0; k < 4; k++) {
    corner[k] = static_cast<int64_t>(::round(compute<double>(compute<F>(roi[k + 1])) * s.scale));
  }
  const int64_t h = corner[3] - corner[1] + 1, w = corner[2] - corner[0] + 1;
  const Span ys = bin_span(oy, s.out_height, h < 1 ? 1 : h, corner[1], s.height);
  const Span xs = bin_span(ox, s.out_width, w < 1 ? 1 : w, corner[0], s.width);
  F best = F(0);
  bool any = false;
  for (int64_t i = ys.begin; i < ys.end; i++) {
    for (int64_t j = xs.begin; j < xs.end; j++) {
      const F v = compute<F>(plane[i * s.width + j]);
      best = any && !(best < v) ? best : v;
      any = true;
    }
  }
  return best;
}

/// What the windows of a deformable convolution see: columns[n][channel][tap][place], for place i of
/// [n][channel][tap][place].
template <class F, class T, class O>
AIT_DEVICE void deform_columns(int64_t i, const T* x, const O* offset, const T* mask, F* columns,
                               const DeformShape& s) {
  const int64_t taps = s.kernel_h * s.kernel_w, places = s.out_h * s.out_w;
  const int64_t p = i % places, k = i / places % taps, c = i / places / taps % s.channels;
  const int64_t n = i / places / taps / s.channels;
  const int64_t at = (n * s.offset_groups + c / (s.channels / s.offset_groups)) * taps + k;
  const DeformTap<F> tap(s, p, k, compute<F>(offset[2 * at * places + p]),
                         compute<F>(offset[(2 * at + 1) * places + p]));
  const T* plane = x + (n * s.channels + c) * s.height * s.width;
  const F value = tap.sample(s, [&](int64_t a, int64_t b) { return compute<F>(plane[a * s.width + b]); });
  columns[i] = mask ? value * compute<F>(mask[at * places + p]) : value;
}

/// kEach output channels of place p, from channel `first` of group g on: weights times columns.
template <int kEach, class F, class T>
AIT_DEVICE void deform_products(int64_t n, int64_t g, int64_t first, int64_t p, const F* columns,
                                const T* weight, const T* bias, T* y, const DeformShape& s) {
  const int64_t places = s.out_h * s.out_w, terms = s.channels / s.groups * s.kernel_h * s.kernel_w;
  const int64_t of_group = s.out_channels / s.groups;
  const F* column = columns + (n * s.groups + g) * terms * places + p;
  const T* w = weight + (g * of_group + first) * terms;
  const int count = of_group - first < kEach ? static_cast<int>(of_group - first) : kEach;
  F sum[kEach];
  AIT_UNROLL
  for (int o = 0; o < kEach; o++)
    sum[o] = bias && o < count ? compute<F>(bias[g * of_group + first + o]) : F(0);
  for (int64_t t = 0; t < terms; t++) {
    const F v = column[t * places];
    AIT_UNROLL
    for (int o = 0; o < kEach; o++) {
      if (o < count) sum[o] += v * compute<F>(w[o * terms + t]);
    }
  }
  AIT_UNROLL
  for (int o = 0; o < kEach; o++) {
    if (o < count) y[(n * s.out_channels + g * of_group + first + o) * places + p] = stored<T>(sum[o]);
  }
}

}  // namespace ait::gpu
