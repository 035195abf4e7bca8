#pragma once
// Sampling of images and volumes at places that the data names.
#include "context.h"
#include "numeric.h"
#include "sort.h"

namespace ait {

enum class Sampling { Nearest, Linear, Cubic };
enum class Outside { Zeros, Border, Reflection };

namespace detail {
template <class T>
struct Accumulator {
  using type = float;
};
template <>
struct Accumulator<double> {
  using type = double;
};

template <class F>
inline F floor_of(F x) {
  return static_cast<F>(sizeof(F) == 4 ? __builtin_floorf(static_cast<float>(x)) : __builtin_floor(x));
}

/// Mirrors x at the borders until it lies between them.
template <class F>
inline F reflect(F x, F low, F high) {
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
inline void cubic_weights(F t, F a, F* w) {
  const F u = F(1) - t;
  w[0] = ((a * (t + F(1)) - F(5) * a) * (t + F(1)) + F(8) * a) * (t + F(1)) - F(4) * a;
  w[1] = ((a + F(2)) * t - (a + F(3))) * t * t + F(1);
  w[2] = ((a + F(2)) * u - (a + F(3))) * u * u + F(1);
  w[3] = ((a * (u + F(1)) - F(5) * a) * (u + F(1)) + F(8) * a) * (u + F(1)) - F(4) * a;
}
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
                     const F size = static_cast<F>(in[d]);
                     const F g = cast_to<F>(grid[i * D + (D - 1 - d)]);
                     F x = align ? (g + F(1)) / F(2) * (size - F(1)) : ((g + F(1)) * size - F(1)) / F(2);
                     if (!(x > F(-1e9) && x < F(1e9))) x = F(-1e9);
                     if (mode == Sampling::Nearest)
                       x = static_cast<F>(__builtin_nearbyint(static_cast<double>(x)));
                     const F low = align ? F(0) : F(-0.5), high = align ? size - F(1) : size - F(0.5);
                     if (x < low || x > high) {
                       if (outside == Outside::Border) x = x < F(0) ? F(0) : min_of(x, size - F(1));
                       if (outside == Outside::Reflection) x = detail::reflect(x, low, high);
                     }
                     const F first = detail::floor_of(x);
                     const F t = x - first;
                     if (taps == 1) weight[d][0] = F(1);
                     if (taps == 2) {
                       weight[d][0] = F(1) - t;
                       weight[d][1] = t;
                     }
                     if (taps == 4) detail::cubic_weights(t, F(-0.75), weight[d]);
                     for (int k = 0; k < taps; k++) {
                       int64_t j = static_cast<int64_t>(first) + k - (taps == 4 ? 1 : 0);
                       if (outside == Outside::Zeros) {
                         if (j < 0 || j >= in[d]) {
                           j = 0;
                           weight[d][k] = F(0);
                         }
                       } else if (outside == Outside::Reflection) {
                         j = static_cast<int64_t>(detail::reflect(static_cast<F>(j), low, high));
                       }
                       at[d][k] = j < 0 ? 0 : min_of(j, in[d] - 1);
                     }
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
        const double k = static_cast<double>(rest % size[d]), n = static_cast<double>(size[d]);
        at[D - 1 - d] = align ? (n > 1 ? 2 * k / (n - 1) - 1 : -1) : (2 * k + 1) / n - 1;
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

/// Sums blocks of columns into images; a table per axis: image, block, columns, dilation, pad, stride.
struct BlockAxis {
  int64_t image, block, columns, dilation, pad, stride;
};
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

/// Corners of boxes given as corners, in any order, or as centre and size.
struct Corners {
  float y1, x1, y2, x2;
};
inline Corners corners_of(const float* box, bool centre) {
  if (centre) {
    const float w = box[2] / 2, h = box[3] / 2;
    return {box[1] - h, box[0] - w, box[1] + h, box[0] + w};
  }
  return {min_of(box[0], box[2]), min_of(box[1], box[3]), max_of(box[0], box[2]), max_of(box[1], box[3])};
}
inline float overlap(const Corners& a, const Corners& b) {
  const float h = min_of(a.y2, b.y2) - max_of(a.y1, b.y1), w = min_of(a.x2, b.x2) - max_of(a.x1, b.x1);
  if (h <= 0 || w <= 0) return 0;
  const float area_a = (a.y2 - a.y1) * (a.x2 - a.x1), area_b = (b.y2 - b.y1) * (b.x2 - b.x1);
  if (area_a <= 0 || area_b <= 0) return 0;
  const float common = h * w;
  return common / (area_a + area_b - common);
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
          free = !(overlap(mine, corners_of(box + to[j * 3 + 2] * 4, centre)) > most_overlap);
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

struct RoiShape {
  int64_t rois, channels, height, width, out_height, out_width, images;
  int64_t samples;  ///< Samples in each direction of a bin; 0 chooses by the bin's size.
  float scale;
  bool half_pixel, average;
};

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
      const F shift = s.half_pixel ? F(0.5) : F(0);
      F box[4];
      for (int k = 0; k < 4; k++) box[k] = cast_to<F>(rois[r * 4 + k]) * static_cast<F>(s.scale) - shift;
      F w = box[2] - box[0], h = box[3] - box[1];
      if (!s.half_pixel) {
        w = max_of(w, F(1));
        h = max_of(h, F(1));
      }
      const F bin_h = h / static_cast<F>(s.out_height), bin_w = w / static_cast<F>(s.out_width);
      const auto samples = [&](F bin) {
        return s.samples > 0 ? s.samples : static_cast<int64_t>(-detail::floor_of(-bin));
      };
      const int64_t ny = samples(bin_h), nx = samples(bin_w);
      for (int64_t o = 0; o < s.out_height * s.out_width; o++) {
        F result = F(0);
        bool first = true;
        for (int64_t k = 0; k < ny * nx; k++) {
          F y = box[1] + static_cast<F>(o / s.out_width) * bin_h +
                (static_cast<F>(k / nx) + F(0.5)) * bin_h / static_cast<F>(ny);
          F x = box[0] + static_cast<F>(o % s.out_width) * bin_w +
                (static_cast<F>(k % nx) + F(0.5)) * bin_w / static_cast<F>(nx);
          F v[4] = {F(0), F(0), F(0), F(0)};
          if (y >= F(-1) && y <= static_cast<F>(s.height) && x >= F(-1) && x <= static_cast<F>(s.width)) {
            y = max_of(y, F(0));
            x = max_of(x, F(0));
            int64_t y0 = static_cast<int64_t>(y), x0 = static_cast<int64_t>(x);
            if (y0 >= s.height - 1) y = static_cast<F>(y0 = s.height - 1);
            if (x0 >= s.width - 1) x = static_cast<F>(x0 = s.width - 1);
            const int64_t y1 = min_of(y0 + 1, s.height - 1), x1 = min_of(x0 + 1, s.width - 1);
            const F ly = y - static_cast<F>(y0), lx = x - static_cast<F>(x0);
            v[0] = (F(1) - ly) * (F(1) - lx) * cast_to<F>(plane[y0 * s.width + x0]);
            v[1] = (F(1) - ly) * lx * cast_to<F>(plane[y0 * s.width + x1]);
            v[2] = ly * (F(1) - lx) * cast_to<F>(plane[y1 * s.width + x0]);
            v[3] = ly * lx * cast_to<F>(plane[y1 * s.width + x1]);
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
        const int64_t oy = o / s.out_width, ox = o % s.out_width;
        const auto clamp = [](int64_t v, int64_t n) { return v < 0 ? 0 : min_of(v, n); };
        const int64_t y0 = clamp(oy * h / s.out_height + corner[1], s.height);
        const int64_t y1 = clamp(ceil_div((oy + 1) * h, s.out_height) + corner[1], s.height);
        const int64_t x0 = clamp(ox * w / s.out_width + corner[0], s.width);
        const int64_t x1 = clamp(ceil_div((ox + 1) * w, s.out_width) + corner[0], s.width);
        bool any = false;
        F best = F(0);
        for (int64_t y = y0; y < y1; y++) {
          for (int64_t x = x0; x < x1; x++) {
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

struct DeformShape {
  int64_t batch, channels, height, width, out_channels, kernel_h, kernel_w, out_h, out_w;
  int64_t groups, offset_groups, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
};

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
          F y = static_cast<F>(p / s.out_w * s.stride_h - s.pad_h + k / s.kernel_w * s.dilation_h);
          F x = static_cast<F>(p % s.out_w * s.stride_w - s.pad_w + k % s.kernel_w * s.dilation_w);
          y += cast_to<F>(offset[2 * at * places + p]);
          x += cast_to<F>(offset[(2 * at + 1) * places + p]);
          const bool near =
              y > F(-1) && y < static_cast<F>(s.height) && x > F(-1) && x < static_cast<F>(s.width);
          const F m = mask ? cast_to<F>(mask[at * places + p]) : F(1);
          const int64_t y0 = near ? static_cast<int64_t>(detail::floor_of(y)) : 0;
          const int64_t x0 = near ? static_cast<int64_t>(detail::floor_of(x)) : 0;
          const F ly = y - static_cast<F>(y0), lx = x - static_cast<F>(x0);
          const int64_t each = s.channels / s.offset_groups;
          for (int64_t c = g * each; c < (g + 1) * each; c++) {
            F value = F(0);
            if (near) {
              const T* plane = src + (n * s.channels + c) * s.height * s.width;
              const auto pixel = [&](int64_t a, int64_t b) {
                return a < 0 || a >= s.height || b < 0 || b >= s.width ? F(0)
                                                                       : cast_to<F>(plane[a * s.width + b]);
              };
              value = (F(1) - ly) * ((F(1) - lx) * pixel(y0, x0) + lx * pixel(y0, x0 + 1)) +
                      ly * ((F(1) - lx) * pixel(y0 + 1, x0) + lx * pixel(y0 + 1, x0 + 1));
            }
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
