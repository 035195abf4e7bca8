#pragma once
// Sampling of images and volumes at places that the data names.
#include "boxes.h"
#include "context.h"
#include "numeric.h"
#include "sampling.h"
#include "sort.h"

namespace ait {

namespace detail {
template <class T>
struct Accumulator {
  using type = float;
};
template <>
struct Accumulator<double> {
  using type = double;
};
}  // namespace detail

/// The type in which elements of T are combined.
template <class T>
using Accumulator = typename detail::Accumulator<T>::type;

/// dst[n][c][p] = src[n][c] at grid[n][p], whose coordinates run from -1 to 1, the last axis first.
template <int D, class T, class G>
inline void grid_sample(Context& ctx, T* dst, const T* src, const G* grid, int64_t batch, int64_t channels,
                        const int64_t* in, int64_t points, Sampling mode, Outside outside, bool align) {
  using F = Accumulator<T>;
  constexpr int most = D == 1 ? 4 : D == 2 ? 16 : 64;
  const int taps = mode == Sampling::Nearest ? 1 : mode == Sampling::Linear ? 2 : 4;
  int64_t plane = 1;
  for (int d = 0; d < D; d++) plane *= in[d];
  parallel_for(ctx, batch * points, max_of<int64_t>(1, 4096 / (channels + 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; i++) {
                   const int64_t n = i / points, p = i % points;
                   int64_t at[D][4];
                   F weight[D][4];
                   for (int d = 0; d < D; d++) {
                     const F coordinate = cast_to<F>(grid[i * D + (D - 1 - d)]);
                     sample_axis(coordinate, in[d], mode, outside, align, at[d], weight[d]);
                   }
                   // Every combination of the axes' neighbours.
                   int64_t offsets[most];
                   F weights[most];
                   int count = 1;
                   offsets[0] = 0;
                   weights[0] = F(1);
                   for (int d = 0; d < D; d++) {
                     for (int m = count - 1; m >= 0; m--) {
                       for (int k = taps - 1; k >= 0; k--) {
                         offsets[m * taps + k] = offsets[m] * in[d] + at[d][k];
                         weights[m * taps + k] = weights[m] * weight[d][k];
                       }
                     }
                     count *= taps;
                   }
                   const T* image = src + n * channels * plane;
                   T* to = dst + n * channels * points + p;
                   for (int64_t c = 0; c < channels; c++) {
                     if (count == 1) {
                       to[c * points] = weights[0] == F(0) ? cast_to<T>(F(0)) : image[c * plane + offsets[0]];
                       continue;
                     }
                     F sum = F(0);
                     for (int m = 0; m < count; m++) {
                       if (weights[m] != F(0)) sum += weights[m] * cast_to<F>(image[c * plane + offsets[m]]);
                     }
                     to[c * points] = cast_to<T>(sum);
                   }
                 }
               });
}

/// dst[n][place][D]: theta[n] (D x D+1) applied to the coordinates of every place, the last axis first.
template <int D, class T>
inline void affine_grid(Context& ctx, T* dst, const T* theta, int64_t batch, const int64_t* size,
                        bool align) {
  int64_t points = 1;
  for (int d = 0; d < D; d++) points *= size[d];
  parallel_for(ctx, batch * points, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      double at[D + 1];
      int64_t rest = i % points;
      for (int d = D - 1; d >= 0; d--) {
        at[D - 1 - d] = grid_coordinate<double>(rest % size[d], size[d], align);
        rest /= size[d];
      }
      at[D] = 1;
      const T* matrix = theta + i / points * D * (D + 1);
      for (int r = 0; r < D; r++) {
        double sum = 0;
        for (int c = 0; c <= D; c++) sum += cast_to<double>(matrix[r * (D + 1) + c]) * at[c];
        dst[i * D + r] = cast_to<T>(sum);
      }
    }
  });
}

/// Sums blocks of columns into images.
template <class T>
inline void col2im(Context& ctx, T* dst, const T* src, int64_t images, int rank, const BlockAxis* axes,
                   int64_t given) {
  int64_t size = 1, blocks = 1, columns = 1;
  for (int d = 0; d < rank; d++) {
    size *= axes[d].image;
    blocks *= axes[d].block;
    columns *= axes[d].columns;
  }
  if (columns != given) {
    ctx.fail("Col2Im: the number of columns does not fit the image");
    return;
  }
  parallel_for(ctx, images, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      T* image = dst + i * size;
      std::memset(static_cast<void*>(image), 0, static_cast<size_t>(size) * sizeof(T));
      for (int64_t b = 0; b < blocks; b++) {
        for (int64_t c = 0; c < columns; c++) {
          int64_t in_block = b, column = c, offset = 0, stride = 1;
          bool inside = true;
          for (int d = rank - 1; d >= 0; d--) {
            const BlockAxis& a = axes[d];
            const int64_t at = column % a.columns * a.stride - a.pad + in_block % a.block * a.dilation;
            column /= a.columns;
            in_block /= a.block;
            inside &= at >= 0 && at < a.image;
            offset += at * stride;
            stride *= a.image;
          }
          if (!inside) continue;
          using F = Accumulator<T>;
          const F sum = cast_to<F>(image[offset]) + cast_to<F>(src[(i * blocks + b) * columns + c]);
          image[offset] = cast_to<T>(sum);
        }
      }
    }
  });
}

/// Rows (batch, class, box) of the boxes kept, best score first within a class. `rows` has room for `limit`
/// boxes of every class.
inline void non_max_suppression(Context& ctx, int64_t* count, int64_t* rows, const float* boxes,
                                const float* scores, int64_t batch, int64_t classes, int64_t n, int64_t limit,
                                float most_overlap, const float* least_score, bool centre) {
  int64_t* kept = static_cast<int64_t*>(ctx.scratch(static_cast<size_t>(batch * classes) * 8 + 8));
  parallel_for(ctx, batch * classes, 1, [&](int64_t begin, int64_t end) {
    int32_t* order = static_cast<int32_t*>(thread_scratch(static_cast<size_t>(n) * 8 + 8));
    for (int64_t i = begin; i < end; i++) {
      const float* score = scores + i * n;
      const float* box = boxes + i / classes * n * 4;
      int64_t* to = rows + i * limit * 3;
      int64_t candidates = 0, found = 0;
      for (int64_t k = 0; k < n; k++) {
        if (!least_score || score[k] > *least_score) order[candidates++] = static_cast<int32_t>(k);
      }
      merge_sort(order, order + n, candidates, [&](int32_t a, int32_t b) {
        return score[a] > score[b] || (score[a] == score[b] && a < b);
      });
      for (int64_t k = 0; k < candidates && found < limit; k++) {
        const Corners mine = corners_of(box + order[k] * 4, centre);
        bool free = true;
        for (int64_t j = 0; j < found && free; j++) {
          const Corners other = corners_of(box + to[j * 3 + 2] * 4, centre);
          free = !(overlap(mine, other, [](float p, float q) { return p * q; }) > most_overlap);
        }
        if (!free) continue;
        to[found * 3] = i / classes;
        to[found * 3 + 1] = i % classes;
        to[found * 3 + 2] = order[k];
        found++;
      }
      kept[i] = found;
    }
  });
  int64_t total = 0;
  for (int64_t i = 0; i < batch * classes; i++) {
    std::memmove(rows + total * 3, rows + i * limit * 3, static_cast<size_t>(kept[i]) * 24);
    total += kept[i];
  }
  *count = total;
}

template <class T, class I>
inline void roi_align(Context& ctx, T* dst, const T* src, const T* rois, const I* images, const RoiShape& s) {
  using F = Accumulator<T>;
  for (int64_t r = 0; r < s.rois; r++) {
    if (images[r] < 0 || images[r] >= s.images) {
      ctx.fail("RoiAlign: a region names an image that does not exist");
      return;
    }
  }
  parallel_for(ctx, s.rois * s.channels, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t r = i / s.channels;
      const T* plane = src + (images[r] * s.channels + i % s.channels) * s.height * s.width;
      F box[4];
      for (int k = 0; k < 4; k++) box[k] = cast_to<F>(rois[r * 4 + k]);
      const auto bins = roi_bins<int64_t>(box, s);
      const int64_t ny = bins.rows, nx = bins.columns;
      for (int64_t o = 0; o < s.out_height * s.out_width; o++) {
        F result = F(0);
        bool first = true;
        for (int64_t k = 0; k < ny * nx; k++) {
          const F y = bins.top + static_cast<F>(o / s.out_width) * bins.height +
                      (static_cast<F>(k / nx) + F(0.5)) * bins.height / static_cast<F>(ny);
          const F x = bins.left + static_cast<F>(o % s.out_width) * bins.width +
                      (static_cast<F>(k % nx) + F(0.5)) * bins.width / static_cast<F>(nx);
          F v[4] = {F(0), F(0), F(0), F(0)};
          Square<int64_t, F> at;
          if (roi_square(y, x, s.height, s.width, at)) {
            v[0] = (F(1) - at.y) * (F(1) - at.x) * cast_to<F>(plane[at.y0 * s.width + at.x0]);
            v[1] = (F(1) - at.y) * at.x * cast_to<F>(plane[at.y0 * s.width + at.x1]);
            v[2] = at.y * (F(1) - at.x) * cast_to<F>(plane[at.y1 * s.width + at.x0]);
            v[3] = at.y * at.x * cast_to<F>(plane[at.y1 * s.width + at.x1]);
          }
          const F value =
              s.average ? v[0] + v[1] + v[2] + v[3] : max_of(max_of(v[0], v[1]), max_of(v[2], v[3]));
          result = s.average ? result + value : first ? value : max_of(result, value);
          first = false;
        }
        if (s.average) result /= static_cast<F>(max_of<int64_t>(ny * nx, 1));
        dst[i * s.out_height * s.out_width + o] = cast_to<T>(result);
      }
    }
  });
}

/// The largest element of each bin of a region {image, x1, y1, x2, y2}.
template <class T>
inline void max_roi_pool(Context& ctx, T* dst, const T* src, const T* rois, const RoiShape& s) {
  using F = Accumulator<T>;
  parallel_for(ctx, s.rois * s.channels, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T* roi = rois + i / s.channels * 5;
      const int64_t image = cast_to<int64_t>(roi[0]);
      T* to = dst + i * s.out_height * s.out_width;
      if (image < 0 || image >= s.images) {
        std::memset(static_cast<void*>(to), 0, static_cast<size_t>(s.out_height * s.out_width) * sizeof(T));
        continue;
      }
      const T* plane = src + (image * s.channels + i % s.channels) * s.height * s.width;
      int64_t corner[4];
      for (int k = 0; k < 4; k++) {
        corner[k] = static_cast<int64_t>(__builtin_round(cast_to<double>(roi[k + 1]) * s.scale));
      }
      const int64_t h = max_of<int64_t>(corner[3] - corner[1] + 1, 1);
      const int64_t w = max_of<int64_t>(corner[2] - corner[0] + 1, 1);
      for (int64_t o = 0; o < s.out_height * s.out_width; o++) {
        const Span ys = bin_span(o / s.out_width, s.out_height, h, corner[1], s.height);
        const Span xs = bin_span(o % s.out_width, s.out_width, w, corner[0], s.width);
        bool any = false;
        F best = F(0);
        for (int64_t y = ys.begin; y < ys.end; y++) {
          for (int64_t x = xs.begin; x < xs.end; x++) {
            const F v = cast_to<F>(plane[y * s.width + x]);
            best = any ? max_of(best, v) : v;
            any = true;
          }
        }
        to[o] = cast_to<T>(best);
      }
    }
  });
}

/// Convolution whose taps are moved by `offset` and weighted by `mask` (null: 1).
template <class T>
inline void deform_conv(Context& ctx, T* dst, const T* src, const T* weight, const T* offset, const T* bias,
                        const T* mask, const DeformShape& s) {
  using F = Accumulator<T>;
  const int64_t taps = s.kernel_h * s.kernel_w, places = s.out_h * s.out_w;
  const int64_t in_group = s.channels / s.groups, out_group = s.out_channels / s.groups;
  parallel_for(ctx, s.batch * places, 16, [&](int64_t begin, int64_t end) {
    F* column = static_cast<F*>(thread_scratch(static_cast<size_t>(s.channels * taps) * sizeof(F)));
    for (int64_t i = begin; i < end; i++) {
      const int64_t n = i / places, p = i % places;
      for (int64_t g = 0; g < s.offset_groups; g++) {
        for (int64_t k = 0; k < taps; k++) {
          const int64_t at = ((n * s.offset_groups + g) * taps + k);
          const DeformTap<F> tap(s, p, k, cast_to<F>(offset[2 * at * places + p]),
                                 cast_to<F>(offset[(2 * at + 1) * places + p]));
          const F m = mask ? cast_to<F>(mask[at * places + p]) : F(1);
          const int64_t each = s.channels / s.offset_groups;
          for (int64_t c = g * each; c < (g + 1) * each; c++) {
            const T* plane = src + (n * s.channels + c) * s.height * s.width;
            const F value =
                tap.sample(s, [&](int64_t a, int64_t b) { return cast_to<F>(plane[a * s.width + b]); });
            column[c * taps + k] = value * m;
          }
        }
      }
      for (int64_t o = 0; o < s.out_channels; o++) {
        const F* x = column + o / out_group * in_group * taps;
        const T* w = weight + o * in_group * taps;
        F sum = bias ? cast_to<F>(bias[o]) : F(0);
        for (int64_t k = 0; k < in_group * taps; k++) sum += x[k] * cast_to<F>(w[k]);
        dst[(n * s.out_channels + o) * places + p] = cast_to<T>(sum);
      }
    }
  });
}

}  // namespace ait
