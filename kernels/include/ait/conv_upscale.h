#pragma once
#include "conv.h"

// Transposed convolutions into one channel whose windows do not overlap, as at the end of segmenters: every
// input pixel becomes a block of KH x KW output pixels. Panels would use one lane of each vector for its sums
// and its epilogue; here lanes run along the lines of the images, in and out.
//
// Weights: w[ky * KW + kx][c].
namespace ait {
namespace detail {

/// The sums of up to kF32 pixels for every place in their blocks: sums[place][pixel].
inline void upscale_pixels(const float* x, int64_t ldx, int count, int64_t c, const float* w, int64_t places,
                           float* sums) {
  alignas(64) float block[kF32 * kF32];
  std::memset(sums, 0, sizeof(float) * static_cast<size_t>(places * kF32));
  for (int64_t first = 0; first < c; first += kF32) {
    const int depth = static_cast<int>(min_of<int64_t>(kF32, c - first));
    transpose_block(x + first, ldx, count, depth, block, kF32);
    for (int64_t p = 0; p < places; p += 4) {
      f32v acc[4] = {};
      const int some = static_cast<int>(min_of<int64_t>(4, places - p));
      for (int j = 0; j < some; j++) acc[j] = load<f32v>(sums + (p + j) * kF32);
      for (int i = 0; i < depth; i++) {
        const f32v v = load<f32v>(block + i * kF32);
        for (int j = 0; j < some; j++) acc[j] += splat<f32v>(w[(p + j) * c + first + i]) * v;
      }
      for (int j = 0; j < some; j++) store(sums + (p + j) * kF32, acc[j]);
    }
  }
}

}  // namespace detail

/// As conv_transpose2d, for one group, one channel out, windows as large as the strides and no padding. The
/// epilogue must not read operands: its lanes are pixels.
template <class E = NoEpilogue>
inline void upscale_conv_transpose2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx,
                                     const float* w, float* y, const E& epilogue = E{}) {
  const int64_t places = s.kh * s.kw;
  const int64_t grain = max_of<int64_t>(1, 65536 / max_of<int64_t>(1, s.w * s.c * places));
  parallel_for(ctx, s.batch * s.h, grain, [&](int64_t begin, int64_t end) {
    auto* sums = static_cast<float*>(thread_scratch(sizeof(float) * static_cast<size_t>(places * kF32)));
    for (int64_t line = begin; line < end; line++) {
      for (int64_t first = 0; first < s.w; first += kF32) {
        const int count = static_cast<int>(min_of<int64_t>(kF32, s.w - first));
        detail::upscale_pixels(x + (line * s.w + first) * ldx, ldx, count, s.c, w, places, sums);
        for (int64_t p = 0; p < places; p++) {
          float* to = y + (line * s.kh + p / s.kw) * s.ow + first * s.kw + p % s.kw;
          for (int i = 0; i < count; i++) to[i * s.kw] = sums[p * kF32 + i];
        }
      }
      const int64_t row = line * s.kh * s.ow;
      for (int64_t i = 0; i < s.kh * s.ow; i += kF32) {
        const int lanes = static_cast<int>(min_of<int64_t>(kF32, s.kh * s.ow - i));
        store_n(y + row + i, epilogue(load_cols<f32v>(y + row, i, lanes), row + i, 0, lanes), lanes);
      }
    }
  });
}

}  // namespace ait
