#pragma once
// ONNX Resize over any axes. Interpolation is separable: one pass an axis, each with a table of source
// indices and weights. Coordinates are computed in float, as onnxruntime does, so that the same neighbour is
// the nearest one.
#include "reduce.h"

namespace ait {

enum class ResizeMode { Nearest, Linear, Cubic };
enum class Coordinates {
  HalfPixel,
  HalfPixelSymmetric,
  PytorchHalfPixel,
  AlignCorners,
  Asymmetric,
  TfCropAndResize,
  TfHalfPixelForNN
};
enum class NearestMode { RoundPreferFloor, RoundPreferCeil, Floor, Ceil };

struct ResizeSpec {
  ResizeMode mode;
  Coordinates coordinates;
  NearestMode nearest;
  float cubic_a;
  bool antialias, exclude_outside;
  float extrapolation;
};

/// One axis of the tensor; an axis that is not resized has out == in and scale 1 (and a region of 0 to 1).
struct ResizeAxis {
  int64_t in, out;
  float scale, roi_start, roi_end;
};

constexpr int kResizeRank = 8;

/// Where output o lies in the input. What is volatile may not be contracted: every operation rounds.
inline float resize_coordinate(Coordinates mode, const ResizeAxis& a, int64_t o) {
  const auto x = static_cast<float>(o), in = static_cast<float>(a.in), out = static_cast<float>(a.out);
  switch (mode) {
    case Coordinates::Asymmetric:
      return x / a.scale;
    case Coordinates::AlignCorners: {
      // A scale may ask for a fraction of a place more than there are; the last corner is where that would
      // end.
      const float asked = a.scale * in;
      return a.out == 1 ? 0.f : x * (in - 1) / ((asked - out > 1e-3f ? asked : out) - 1);
    }
    case Coordinates::PytorchHalfPixel:
      return a.out > 1 ? (x + 0.5f) / a.scale - 0.5f : 0.f;
    case Coordinates::HalfPixelSymmetric: {
      const volatile float offset = in / 2 * (1 - out / (a.scale * in));
      return offset + (x + 0.5f) / a.scale - 0.5f;
    }
    case Coordinates::TfHalfPixelForNN:
      return (x + 0.5f) / a.scale;
    case Coordinates::TfCropAndResize:
      if (a.out > 1) {
        const volatile float start = a.roi_start * (in - 1);
        return start + x * (a.roi_end - a.roi_start) * (in - 1) / (out - 1);
      }
      return 0.5f * (a.roi_start + a.roi_end) * (in - 1);
    case Coordinates::HalfPixel:
      break;
  }
  return (x + 0.5f) / a.scale - 0.5f;
}

/// Whether the axis stays as it is.
inline bool resize_is_identity(const ResizeSpec& spec, const ResizeAxis& a) {
  return a.in == a.out && a.scale == 1 &&
         (spec.coordinates != Coordinates::TfCropAndResize || (a.roi_start == 0 && a.roi_end == 1));
}

inline int64_t nearest_index(const ResizeSpec& spec, const ResizeAxis& a, int64_t o) {
  const float x = resize_coordinate(spec.coordinates, a, o), low = floor_(x);
  float chosen = low;
  switch (spec.nearest) {
    case NearestMode::RoundPreferFloor:
      chosen = x - low <= 0.5f ? low : low + 1;
      break;
    case NearestMode::RoundPreferCeil:
      chosen = x - low < 0.5f ? low : low + 1;
      break;
    case NearestMode::Ceil:
      chosen = ceil_(x);
      break;
    case NearestMode::Floor:
      break;
  }
  return chosen < 0 ? 0 : chosen >= static_cast<float>(a.in) ? a.in - 1 : static_cast<int64_t>(chosen);
}

namespace detail {

inline bool outside_crop(const ResizeSpec& spec, const ResizeAxis& a, int64_t o) {
  if (spec.coordinates != Coordinates::TfCropAndResize) return false;
  const float x = resize_coordinate(spec.coordinates, a, o);
  return x < 0 || x > static_cast<float>(a.in - 1);
}

inline float shrink_of(const ResizeSpec& spec, const ResizeAxis& a) {
  return spec.antialias && a.scale < 1 ? a.scale : 1.f;
}

inline float resize_kernel(const ResizeSpec& spec, float x) {
  const float d = abs_(x), c = spec.cubic_a;
  if (spec.mode == ResizeMode::Linear) return d < 1 ? 1 - d : 0;
  if (d <= 1) return ((c + 2) * d - (c + 3)) * d * d + 1;
  return d < 2 ? ((c * d - 5 * c) * d + 8 * c) * d - 4 * c : 0;
}

/// First neighbour relative to the one at or below the coordinate, and how many there are.
inline int64_t first_tap(const ResizeSpec& spec, const ResizeAxis& a) {
  const float reach = spec.mode == ResizeMode::Linear ? 1 : 2;
  return static_cast<int64_t>(floor_(-reach / shrink_of(spec, a))) + 1;
}

}  // namespace detail

/// Source elements for each output along an axis.
inline int64_t resize_taps(const ResizeSpec& spec, const ResizeAxis& a) {
  return 2 - 2 * detail::first_tap(spec, a);
}

/// Fills index and weight, each [out][taps], for linear and cubic resizing.
inline void resize_table(const ResizeSpec& spec, const ResizeAxis& a, int32_t* index, float* weight) {
  const int64_t first = detail::first_tap(spec, a), taps = resize_taps(spec, a);
  const float shrink = detail::shrink_of(spec, a);
  for (int64_t o = 0; o < a.out; o++) {
    const float x = resize_coordinate(spec.coordinates, a, o), low = floor_(x), ratio = x - low;
    float sum = 0;
    for (int64_t t = 0; t < taps; t++) {
      const int64_t at = static_cast<int64_t>(low) + first + t;
      float w = detail::resize_kernel(spec, (static_cast<float>(first + t) - ratio) * shrink);
      const bool inside = at >= 0 && at < a.in;
      if (spec.exclude_outside && !inside) w = 0;
      index[o * taps + t] = static_cast<int32_t>(inside ? at : at < 0 ? 0 : a.in - 1);
      weight[o * taps + t] = w;
      sum += w;
    }
    if (!spec.antialias && !spec.exclude_outside) continue;
    for (int64_t t = 0; t < taps; t++) weight[o * taps + t] /= sum;
  }
}

/// Nearest neighbours; T is any type of the elements' size.
template <class T>
inline void resize_nearest(Context& ctx, const ResizeSpec& spec, int rank, const ResizeAxis* axes, const T* x,
                           T* y) {
  // Trailing axes that stay are one block that is copied.
  int64_t block = 1;
  while (rank > 0 && resize_is_identity(spec, axes[rank - 1])) block *= axes[--rank].in;
  int64_t total = 0, rows = 1;
  for (int a = 0; a < rank; a++) total += axes[a].out;
  for (int a = 0; a + 1 < rank; a++) rows *= axes[a].out;
  const int64_t width = rank == 0 ? 1 : axes[rank - 1].out;
  auto* index = static_cast<int64_t*>(ctx.scratch(static_cast<size_t>(total + 1) * sizeof(int64_t)));
  int64_t* tables[kResizeRank];
  int64_t* at = index;
  // An index of -1 marks what lies outside of the cropped region.
  for (int a = 0; a < rank; a++) {
    tables[a] = at;
    for (int64_t o = 0; o < axes[a].out; o++) {
      *at++ = detail::outside_crop(spec, axes[a], o) ? -1 : nearest_index(spec, axes[a], o);
    }
  }
  if (rank == 0) {
    tables[0] = index;
    index[0] = 0;
  }
  const int64_t* last = tables[rank == 0 ? 0 : rank - 1];
  const T fill = cast_to<T>(spec.extrapolation);
  parallel_for(ctx, rows, ceil_div(kReduceGrain, max_of<int64_t>(1, width * block)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; r++) {
                   int64_t source = 0, rest = r, step = rank == 0 ? 1 : axes[rank - 1].in;
                   bool outside = false;
                   for (int a = rank - 2; a >= 0; a--) {
                     const int64_t i = tables[a][rest % axes[a].out];
                     rest /= axes[a].out;
                     outside |= i < 0;
                     source += i * step;
                     step *= axes[a].in;
                   }
                   const T* from = x + source * block;
                   T* to = y + r * width * block;
                   for (int64_t o = 0; o < width; o++) {
                     if (outside || last[o] < 0) {
                       for (int64_t i = 0; i < block; i++) to[o * block + i] = fill;
                     } else if (block == 1) {
                       to[o] = from[last[o]];
                     } else {
                       std::memcpy(static_cast<void*>(to + o * block), from + last[o] * block,
                                   static_cast<size_t>(block) * sizeof(T));
                     }
                   }
                 }
               });
}

namespace detail {

/// One pass: [outer][in][inner] to [outer][out][inner].
template <class T, class O>
inline void resize_pass(Context& ctx, int64_t outer, int64_t in, int64_t out, int64_t inner, int64_t taps,
                        const int32_t* index, const float* weight, const T* x, O* y) {
  const int64_t grain = ceil_div(kReduceGrain, max_of<int64_t>(1, inner * taps * (inner == 1 ? out : 1)));
  if (inner == 1) {
    parallel_for(ctx, outer, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        const T* row = x + r * in;
        O* to = y + r * out;
        if (taps == 2) {
          for (int64_t o = 0; o < out; o++) {
            to[o] = cast_to<O>(cast_to<float>(row[index[2 * o]]) * weight[2 * o] +
                               cast_to<float>(row[index[2 * o + 1]]) * weight[2 * o + 1]);
          }
          continue;
        }
        for (int64_t o = 0; o < out; o++) {
          float sum = 0;
          for (int64_t t = 0; t < taps; t++)
            sum += cast_to<float>(row[index[o * taps + t]]) * weight[o * taps + t];
          to[o] = cast_to<O>(sum);
        }
      }
    });
    return;
  }
  parallel_for(ctx, outer * out, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const T* image = x + r / out * in * inner;
      const int32_t* at = index + r % out * taps;
      const float* w = weight + r % out * taps;
      for (int64_t i = 0; i < inner; i += kF32) {
        const int n = static_cast<int>(min_of<int64_t>(kF32, inner - i));
        f32v sum = {};
        for (int64_t t = 0; t < taps; t++) sum += load_some<f32v>(image + at[t] * inner + i, n) * w[t];
        store_some(y + r * inner + i, sum, n);
      }
    }
  });
}

/// Overwrites what lies outside of the cropped region.
template <class O>
inline void resize_extrapolate(const ResizeSpec& spec, int rank, const ResizeAxis* axes, O* y) {
  int64_t inner = 1, total = 1;
  for (int a = 0; a < rank; a++) total *= axes[a].out;
  for (int a = rank - 1; a >= 0; a--) {
    for (int64_t o = 0; o < axes[a].out; o++) {
      if (!outside_crop(spec, axes[a], o)) continue;
      for (int64_t at = o * inner; at < total; at += axes[a].out * inner) {
        for (int64_t i = 0; i < inner; i++) y[at + i] = cast_to<O>(spec.extrapolation);
      }
    }
    inner *= axes[a].out;
  }
}

}  // namespace detail

/// Linear and cubic resizing, with or without antialiasing.
template <class T, class O>
inline void resize_interpolate(Context& ctx, const ResizeSpec& spec, int rank, const ResizeAxis* axes,
                               const T* x, O* y) {
  int order[kResizeRank], passes = 0;
  int64_t shape[kResizeRank], largest = 1, table = 0, total = 1;
  for (int a = 0; a < rank; a++) {
    shape[a] = axes[a].in;
    total *= axes[a].in;
    if (!resize_is_identity(spec, axes[a])) order[passes++] = a;
    table = max_of(table, axes[a].out * resize_taps(spec, axes[a]));
  }
  // What shrinks the data goes first, of equals the innermost.
  for (int i = 0; i < passes; i++) {
    for (int j = i + 1; j < passes; j++) {
      const ResizeAxis &p = axes[order[i]], &q = axes[order[j]];
      if (q.out * p.in <= p.out * q.in) {
        const int t = order[i];
        order[i] = order[j];
        order[j] = t;
      }
    }
  }
  for (int p = 0; p < passes; p++) {
    total = total / axes[order[p]].in * axes[order[p]].out;
    largest = max_of(largest, total);
  }
  const auto table_bytes = static_cast<size_t>(ceil_div(table, 16) * 16) * 4;
  const auto plane = static_cast<size_t>(ceil_div(largest, 16) * 16);
  auto* memory = static_cast<uint8_t*>(ctx.scratch(2 * table_bytes + 2 * plane * sizeof(float)));
  auto* index = reinterpret_cast<int32_t*>(memory);
  auto* weight = reinterpret_cast<float*>(memory + table_bytes);
  float* planes[2] = {weight + table_bytes / 4, weight + table_bytes / 4 + plane};
  for (int p = 0; p < passes; p++) {
    const int a = order[p];
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < a; i++) outer *= shape[i];
    for (int i = a + 1; i < rank; i++) inner *= shape[i];
    const int64_t taps = resize_taps(spec, axes[a]);
    resize_table(spec, axes[a], index, weight);
    const bool first = p == 0, last = p + 1 == passes;
    const auto pass = [&](auto from, auto to) {
      detail::resize_pass(ctx, outer, axes[a].in, axes[a].out, inner, taps, index, weight, from, to);
    };
    if (first && last) {
      pass(x, y);
    } else if (first) {
      pass(x, planes[0]);
    } else if (last) {
      pass(planes[(p + 1) % 2], y);
    } else {
      pass(planes[(p + 1) % 2], planes[p % 2]);
    }
    shape[a] = axes[a].out;
  }
  if (passes == 0) {
    for (int64_t i = 0; i < total; i++) y[i] = cast_to<O>(x[i]);
  }
  if (spec.coordinates == Coordinates::TfCropAndResize) detail::resize_extrapolate(spec, rank, axes, y);
}

}  // namespace ait
