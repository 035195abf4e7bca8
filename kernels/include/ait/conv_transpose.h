#pragma once
#include "conv.h"

// Transposed convolution on channels-last activations. Output pixels are sorted by their position modulo the
// stride: every such phase is an ordinary product over the few taps that reach it, so nothing is scattered
// and nothing is multiplied by inserted zeros.
//
// Packed weights: per group, per phase (py, px) with px fastest, the panels of pack.h with N = K / groups and
// k = t * (C / groups) + c, where t counts the taps (ky, kx) of the phase, kx fastest:
//   (py + pad_top - ky * dilation_h) mod stride_h = 0 and (px + pad_left - kx * dilation_w) mod stride_w = 0.
namespace ait {
namespace detail {

/// The taps along one axis that reach outputs congruent to `phase`.
struct PhaseTaps {
  int64_t offset;  // phase + padding
  int64_t stride;
  int64_t dilation;
  int64_t size;

  bool reaches(int64_t tap) const { return (offset - tap * dilation) % stride == 0; }
  /// Input position of output phase + q * stride.
  int64_t input(int64_t tap, int64_t q) const { return (offset - tap * dilation) / stride + q; }
  int64_t count() const {
    int64_t n = 0;
    for (int64_t i = 0; i < size; i++) n += reaches(i);
    return n;
  }
};

inline PhaseTaps phase_rows(const ConvShape& s, int64_t py) {
  return {py + s.pad_top, s.stride_h, s.dilation_h, s.kh};
}
inline PhaseTaps phase_columns(const ConvShape& s, int64_t px) {
  return {px + s.pad_left, s.stride_w, s.dilation_w, s.kw};
}

struct TransposedRows {
  const ConvShape& s;
  PhaseTaps rows;
  PhaseTaps columns;
  const float* x;  // the image, at the group's channels
  int64_t ldx;
  const float* zeros;

  size_t space() const { return 0; }
  void fill(int64_t qy, int64_t qx, int count, const float** table, float*) const {
    for (int64_t i = 0; i < rows.size; i++) {
      if (!rows.reaches(i)) continue;
      const int64_t iy = rows.input(i, qy);
      const bool row_inside = inside(iy, s.h);
      const float* line = x + (row_inside ? iy * s.w * ldx : 0);
      for (int64_t j = 0; j < columns.size; j++) {
        if (!columns.reaches(j)) continue;
        const int64_t ix = columns.input(j, qx);
        for (int r = 0; r < count; r++)
          table[r] = row_inside && inside(ix + r, s.w) ? line + (ix + r) * ldx : zeros;
        table += kMR;
      }
    }
  }
};

/// Turns a phase's row, qy << 32 | qx, into the output pixel.
template <class E>
struct PhaseEpilogue {
  static constexpr bool kHeavy = is_heavy<E>(0);
  E epilogue;
  int64_t first;
  int64_t line;
  int64_t step;

  template <class V>
  V operator()(V acc, int64_t row, int64_t col, int lanes) const {
    return epilogue(acc, first + (row >> 32) * line + (row & 0xffffffff) * step, col, lanes);
  }
};

}  // namespace detail

/// Values of the packed weights of a transposed convolution.
inline int64_t packed_conv_transpose_size(const ConvShape& s) {
  int64_t size = 0;
  for (int64_t py = 0; py < s.stride_h; py++) {
    for (int64_t px = 0; px < s.stride_w; px++) {
      const int64_t taps = detail::phase_rows(s, py).count() * detail::phase_columns(s, px).count();
      size += packed_b_size(taps * (s.c / s.groups), s.k / s.groups);
    }
  }
  return size * s.groups;
}

/// Packs weights given as [C][K / groups][KH][KW] (the ONNX order).
inline void pack_conv_transpose_weights(const ConvShape& s, const float* w, float* out) {
  const int64_t c = s.c / s.groups;
  const int64_t n = s.k / s.groups;
  const int64_t window = s.kh * s.kw;
  for (int64_t phase = 0; phase < s.groups * s.stride_h * s.stride_w; phase++) {
    const detail::PhaseTaps rows = detail::phase_rows(s, phase / s.stride_w % s.stride_h);
    const detail::PhaseTaps columns = detail::phase_columns(s, phase % s.stride_w);
    const float* from = w + phase / (s.stride_h * s.stride_w) * c * n * window;
    for (int64_t first = 0; first < n; first += kNR) {
      for (int64_t tap = 0; tap < window; tap++) {
        if (!rows.reaches(tap / s.kw) || !columns.reaches(tap % s.kw)) continue;
        for (int64_t i = 0; i < c; i++) {
          for (int64_t j = first; j < first + kNR; j++)
            *out++ = j < n ? from[(i * n + j) * window + tap] : 0.0f;
        }
      }
    }
  }
}

/// y = epilogue(transposed convolution of x). s.h, s.w, s.c describe the input, s.oh, s.ow, s.k the output,
/// and output y = input y * stride - pad_top + ky * dilation. Strides between pixels and the epilogue as in
/// conv2d.
template <class E = NoEpilogue>
inline void conv_transpose2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx,
                             const float* packed_w, float* y, int64_t ldy, const E& epilogue = E{}) {
  const int64_t c = s.c / s.groups;
  const int64_t n = s.k / s.groups;
  const float* zeros = detail::zero_row(ctx, c);
  for (int64_t group = 0; group < s.groups; group++) {
    for (int64_t py = 0; py < s.stride_h; py++) {
      for (int64_t px = 0; px < s.stride_w; px++) {
        const detail::PhaseTaps rows = detail::phase_rows(s, py);
        const detail::PhaseTaps columns = detail::phase_columns(s, px);
        const int64_t taps = rows.count() * columns.count();
        const detail::Extents extents = {ceil_div(s.oh - py, s.stride_h), ceil_div(s.ow - px, s.stride_w), n,
                                         taps, c};
        for (int64_t image = 0; image < s.batch; image++) {
          const int64_t first = (image * s.oh + py) * s.ow + px;
          const detail::TransposedRows source = {s,   rows, columns, x + image * s.h * s.w * ldx + group * c,
                                                 ldx, zeros};
          const detail::PhaseEpilogue<E> mapped = {epilogue, first, s.stride_h * s.ow, s.stride_w};
          const detail::BatchStrides strides = {0, s.stride_h * s.ow * ldy, int64_t{1} << 32, 0, group * n};
          detail::contract(ctx, extents, source, packed_w, y + first * ldy + group * n, s.stride_w * ldy,
                           strides, mapped);
        }
        packed_w += packed_b_size(taps * c, n);
      }
    }
  }
}

}  // namespace ait
