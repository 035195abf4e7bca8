#pragma once
#include "conv_nd.h"

// Transposed convolutions of any number of spatial axes on channels-last activations: one product spreads
// every input pixel over its taps, then what falls on each output pixel is summed. One and two axes are
// faster by phases (conv_transpose.h).
namespace ait {

/// Values of the intermediate product.
inline int64_t spread_size(const ConvNdShape& s) {
  return s.batch * ConvNdShape::product(s.in, s.rank) * ConvNdShape::product(s.kernel, s.rank) * s.k;
}

namespace detail {

/// The input pixel that reaches an output position through a tap, or -1.
inline int64_t spread_source(const ConvNdShape& s, int64_t image, const int64_t* position, int64_t tap) {
  int64_t index[kMaxSpatial];
  for (int d = s.rank - 1; d >= 0; d--) {
    const int64_t at = position[d] + s.pad[d] - tap % s.kernel[d] * s.dilation[d];
    tap /= s.kernel[d];
    if (at < 0 || at % s.stride[d] != 0 || at / s.stride[d] >= s.in[d]) return -1;
    index[d] = at / s.stride[d];
  }
  int64_t pixel = image;
  for (int d = 0; d < s.rank; d++) pixel = pixel * s.in[d] + index[d];
  return pixel;
}

}  // namespace detail

/// y[pixel][k] = epilogue(transposed convolution). Weights per group: the panels of C / groups rows and
/// (taps, K / groups) columns, taps outermost. `spread` holds spread_size(s) values.
template <class E>
inline void conv_transpose_nd(Context& ctx, const ConvNdShape& s, const float* x, const float* packed_w,
                              float* spread, float* y, const E& epilogue) {
  const int64_t c = s.c / s.groups;
  const int64_t n = s.k / s.groups;
  const int64_t taps = ConvNdShape::product(s.kernel, s.rank);
  const int64_t inputs = s.batch * ConvNdShape::product(s.in, s.rank);
  const int64_t pixels = s.batch * ConvNdShape::product(s.out, s.rank);
  const int64_t width = taps * n;
  for (int64_t g = 0; g < s.groups; g++) {
    gemm(ctx, inputs, width, c, x + g * c, s.c, packed_w + g * packed_b_size(c, width),
         spread + g * inputs * width, width);
  }
  const int64_t grain = max_of<int64_t>(1, (1 << 14) / (taps * s.k + 1));
  parallel_for(ctx, pixels, grain, [&](int64_t begin, int64_t end) {
    auto** sources = static_cast<const float**>(thread_scratch(sizeof(float*) * static_cast<size_t>(taps)));
    for (int64_t pixel = begin; pixel < end; pixel++) {
      int64_t position[kMaxSpatial];
      int64_t image = pixel;
      for (int d = s.rank - 1; d >= 0; d--) {
        position[d] = image % s.out[d];
        image /= s.out[d];
      }
      int64_t found = 0;
      for (int64_t tap = 0; tap < taps; tap++) {
        const int64_t from = detail::spread_source(s, image, position, tap);
        if (from >= 0) sources[found++] = spread + from * width + tap * n;
      }
      for (int64_t g = 0; g < s.groups; g++) {
        float* to = y + pixel * s.k + g * n;
        for (int64_t j = 0; j < n; j += kF32) {
          const int lanes = static_cast<int>(min_of<int64_t>(kF32, n - j));
          f32v sum{};
          for (int64_t t = 0; t < found; t++)
            sum += load_cols<f32v>(sources[t] + g * inputs * width, j, lanes);
          sum = epilogue(sum, pixel, g * n + j, lanes);
          if (lanes == kF32) {
            store(to + j, sum);
          } else {
            store_n(to + j, sum, lanes);
          }
        }
      }
    }
  });
}

/// Packs weights given as [C][taps][K / groups].
inline void pack_spread_weights(Context& ctx, const ConvNdShape& s, const float* w, float* out) {
  const int64_t c = s.c / s.groups;
  const int64_t width = ConvNdShape::product(s.kernel, s.rank) * (s.k / s.groups);
  for (int64_t g = 0; g < s.groups; g++)
    pack_b(ctx, c, width, w + g * c * width, width, 1, out + g * packed_b_size(c, width));
}

}  // namespace ait
