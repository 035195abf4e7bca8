#pragma once
// ONNX Resize over some of a tensor's axes, a thread for each result or for some neighbouring ones along an
// axis that stays. Coordinates are computed in float with every operation rounded, as onnxruntime does, so
// that the same neighbour is the nearest one.
#include "elements.h"
#include "rounding.h"

namespace ait::gpu {

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

/// What the text of a kernel fixes.
template <ResizeMode kMode_, Coordinates kCoordinates_, NearestMode kNearest_, bool kAntialias_,
          bool kExcludeOutside_>
struct ResizeForm {
  static constexpr ResizeMode kMode = kMode_;
  static constexpr Coordinates kCoordinates = kCoordinates_;
  static constexpr NearestMode kNearest = kNearest_;
  static constexpr bool kAntialias = kAntialias_, kExcludeOutside = kExcludeOutside_;
};

/// One axis; one that stays has out == in, scale 1 and a region of 0 to 1.
struct ResizeAxis {
  int64_t in, out;
  float scale, roi_start, roi_end;
};

/// Where output o lies in the input.
template <class Form>
AIT_DEVICE float resize_coordinate(const ResizeAxis& a, int64_t o) {
  const auto x = static_cast<float>(o), in = static_cast<float>(a.in), out = static_cast<float>(a.out);
  switch (Form::kCoordinates) {
    case Coordinates::Asymmetric:
      return x / a.scale;
    case Coordinates::AlignCorners: {
      // A scale may ask for a fraction of a place more than there are; the last corner is where that would
      // end.
      const float asked = product(a.scale, in);
      return a.out == 1 ? 0.f : x * (in - 1) / ((asked - out > 1e-3f ? asked : out) - 1);
    }
    case Coordinates::PytorchHalfPixel:
      return a.out > 1 ? (x + 0.5f) / a.scale - 0.5f : 0.f;
    case Coordinates::HalfPixelSymmetric: {
      const float offset = product(in / 2, 1 - out / (a.scale * in));
      return offset + (x + 0.5f) / a.scale - 0.5f;
    }
    case Coordinates::TfHalfPixelForNN:
      return (x + 0.5f) / a.scale;
    case Coordinates::TfCropAndResize:
      if (a.out > 1) {
        const float start = product(a.roi_start, in - 1);
        return start + x * (a.roi_end - a.roi_start) * (in - 1) / (out - 1);
      }
      return 0.5f * (a.roi_start + a.roi_end) * (in - 1);
    case Coordinates::HalfPixel:
      break;
  }
  return (x + 0.5f) / a.scale - 0.5f;
}

template <class Form>
AIT_DEVICE bool resize_is_identity(const ResizeAxis& a) {
  return a.in == a.out && a.scale == 1 &&
         (Form::kCoordinates != Coordinates::TfCropAndResize || (a.roi_start == 0 && a.roi_end == 1));
}

template <class Form>
AIT_DEVICE int64_t nearest_index(const ResizeAxis& a, int64_t o) {
  if (resize_is_identity<Form>(a)) return o;
  const float x = resize_coordinate<Form>(a, o), low = floorf(x);
  float chosen = low;
  switch (Form::kNearest) {
    case NearestMode::RoundPreferFloor:
      chosen = x - low <= 0.5f ? low : low + 1;
      break;
    case NearestMode::RoundPreferCeil:
      chosen = x - low < 0.5f ? low : low + 1;
      break;
    case NearestMode::Ceil:
      chosen = ceilf(x);
      break;
    case NearestMode::Floor:
      break;
  }
  return chosen < 0 ? 0 : chosen >= static_cast<float>(a.in) ? a.in - 1 : static_cast<int64_t>(chosen);
}

template <class Form>
AIT_DEVICE bool outside_crop(const ResizeAxis& a, int64_t o) {
  if (Form::kCoordinates != Coordinates::TfCropAndResize || resize_is_identity<Form>(a)) return false;
  const float x = resize_coordinate<Form>(a, o);
  return x < 0 || x > static_cast<float>(a.in - 1);
}

/// The neighbours of an output along one axis and their weights.
template <class Form>
struct ResizeTaps {
  static constexpr int kFew = Form::kMode == ResizeMode::Linear ? 2 : 4;
  static constexpr float kReach = kFew / 2;
  int64_t low, in;
  int first, count;
  float ratio, shrink, by, cubic_a;

  AIT_DEVICE ResizeTaps() {}
  AIT_DEVICE ResizeTaps(const ResizeAxis& a, int64_t o, float cubic) : in(a.in), cubic_a(cubic) {
    shrink = Form::kAntialias && a.scale < 1 ? a.scale : 1.f;
    first = static_cast<int>(floorf(-kReach / shrink)) + 1;
    count = 2 - 2 * first;
    by = 1;
    low = o;
    ratio = 0;
    // All weights but one are then zero.
    if (resize_is_identity<Form>(a)) return;
    const float x = resize_coordinate<Form>(a, o), below = floorf(x);
    low = static_cast<int64_t>(below);
    ratio = x - below;
    if (Form::kAntialias || Form::kExcludeOutside) {
      float sum = 0;
      for (int t = 0; t < count; t++) sum += weight(t);
      by = 1 / sum;
    }
  }
  AIT_DEVICE float weight(int t) const {
    const int64_t i = low + first + t;
    if (Form::kExcludeOutside && (i < 0 || i >= in)) return 0;
    const float d = fabsf((static_cast<float>(first + t) - ratio) * shrink), c = cubic_a;
    if (Form::kMode == ResizeMode::Linear) return d < 1 ? (1 - d) * by : 0;
    if (d <= 1) return (((c + 2) * d - (c + 3)) * d * d + 1) * by;
    return d < 2 ? (((c * d - 5 * c) * d + 8 * c) * d - 4 * c) * by : 0;
  }
  AIT_DEVICE int64_t index(int t) const {
    const int64_t i = low + first + t;
    return i < 0 ? 0 : i < in ? i : in - 1;
  }
};

/// Adds `w` times the weighted elements below axis D to the sums.
template <int D, class Form, int R, int kVec, class Load>
AIT_DEVICE void sample(const ResizeTaps<Form> (&taps)[R], const int64_t (&strides)[R], int64_t at, float w,
                       const Load& load, float (&sum)[kVec]) {
  if constexpr (D == R) {
    float v[kVec];
    load(v, at);
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum[k] += w * v[k];
  } else {
    const auto tap = [&](int t) {
      const float mine = taps[D].weight(t);
      if (mine != 0.f) sample<D + 1>(taps, strides, at + taps[D].index(t) * strides[D], w * mine, load, sum);
    };
    if constexpr (Form::kAntialias) {
      for (int t = 0; t < taps[D].count; t++) tap(t);
    } else {
      AIT_UNROLL
      for (int t = 0; t < ResizeTaps<Form>::kFew; t++) tap(t);
    }
  }
}

/// Resizes the R axes of [outer][axes...][block], kVec elements of the block a thread. Index is an unsigned
/// type for the number of results.
template <class Form, class Index, int R, int kVec, class Load, class Store>
AIT_DEVICE void resize_interpolate(int64_t outer, const ResizeAxis (&axes)[R], int64_t block, float cubic_a,
                                   float extrapolation, const Load& load, const Store& store) {
  const Index u = static_cast<Index>(block_x()) * threads() + thread();
  const auto vectors = static_cast<Index>(block / kVec);
  Index rest = u / vectors;
  int64_t stride = block;
  const int64_t inside = static_cast<int64_t>(u - rest * vectors) * kVec;
  ResizeTaps<Form> taps[R];
  int64_t strides[R];
  bool outside = false;
  AIT_UNROLL
  for (int d = R - 1; d >= 0; d--) {
    const Index above = rest / static_cast<Index>(axes[d].out);
    const auto o = static_cast<int64_t>(rest - above * static_cast<Index>(axes[d].out));
    taps[d] = ResizeTaps<Form>(axes[d], o, cubic_a);
    strides[d] = stride;
    stride *= axes[d].in;
    outside |= outside_crop<Form>(axes[d], o);
    rest = above;
  }
  if (rest >= static_cast<Index>(outer)) return;
  float sum[kVec] = {};
  if (outside) {
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) sum[k] = extrapolation;
  } else {
    sample<0>(taps, strides, static_cast<int64_t>(rest) * stride + inside, 1.f, load, sum);
  }
  store(static_cast<int64_t>(u) * kVec, sum);
}

/// The same with the nearest neighbour; T is any type of the elements' size, `fill` what lies outside.
template <class Form, class Index, int R, int kVec, class T>
AIT_DEVICE void resize_nearest(int64_t outer, const ResizeAxis (&axes)[R], int64_t block, T fill, const T* x,
                               T* y) {
  const Index u = static_cast<Index>(block_x()) * threads() + thread();
  const auto vectors = static_cast<Index>(block / kVec);
  Index rest = u / vectors;
  int64_t stride = block, at = static_cast<int64_t>(u - rest * vectors) * kVec;
  bool outside = false;
  AIT_UNROLL
  for (int d = R - 1; d >= 0; d--) {
    const Index above = rest / static_cast<Index>(axes[d].out);
    const auto o = static_cast<int64_t>(rest - above * static_cast<Index>(axes[d].out));
    at += nearest_index<Form>(axes[d], o) * stride;
    stride *= axes[d].in;
    outside |= outside_crop<Form>(axes[d], o);
    rest = above;
  }
  if (rest >= static_cast<Index>(outer)) return;
  at += static_cast<int64_t>(rest) * stride;
  T v[kVec];
  if (outside) {
    AIT_UNROLL
    for (int k = 0; k < kVec; k++) v[k] = fill;
  } else {
    read(x)(v, at);
  }
  write(y)(static_cast<int64_t>(u) * kVec, v);
}

}  // namespace ait::gpu
