#pragma once
#include "conv.h"

// Convolution over any number of spatial dimensions, for volumes; one and two dimensions belong to conv2d.
namespace ait {

constexpr int kMaxSpatial = 6;

/// Spatial dimensions outermost first. Padding at the far ends follows from `out`.
struct ConvNdShape {
  int rank = 0;
  int64_t batch = 1;
  int64_t c = 1;  // input channels of all groups
  int64_t k = 1;  // output channels of all groups
  int64_t groups = 1;
  int64_t in[kMaxSpatial] = {};
  int64_t out[kMaxSpatial] = {};
  int64_t kernel[kMaxSpatial] = {};
  int64_t stride[kMaxSpatial] = {};
  int64_t dilation[kMaxSpatial] = {};
  int64_t pad[kMaxSpatial] = {};

  static int64_t product(const int64_t* sizes, int rank) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= sizes[i];
    return n;
  }
};

namespace detail {

struct VolumeRows {
  const ConvNdShape& s;
  const float* x;
  int64_t ldx;
  const float* zeros;

  size_t space() const { return 0; }
  void fill(int64_t group, int64_t row, int count, const float** table, float*) const {
    const int64_t taps = ConvNdShape::product(s.kernel, s.rank);
    const float* base = x + group * (s.c / s.groups);
    for (int r = 0; r < count; r++) {
      int64_t origin[kMaxSpatial];
      int64_t rest = row + r;
      for (int d = s.rank - 1; d >= 0; d--) {
        origin[d] = rest % s.out[d] * s.stride[d] - s.pad[d];
        rest /= s.out[d];
      }
      int64_t tap[kMaxSpatial] = {};
      for (int64_t t = 0; t < taps; t++) {
        int64_t pixel = rest;
        bool ok = true;
        for (int d = 0; d < s.rank; d++) {
          const int64_t i = origin[d] + tap[d] * s.dilation[d];
          ok = ok && inside(i, s.in[d]);
          pixel = pixel * s.in[d] + i;
        }
        table[t * kMR + r] = ok ? base + pixel * ldx : zeros;
        for (int d = s.rank - 1; d >= 0 && ++tap[d] == s.kernel[d]; d--) tap[d] = 0;
      }
    }
  }
};

}  // namespace detail

/// As conv2d; the taps of the packed weights are in row-major order of the kernel.
template <class E = NoEpilogue>
inline void conv_nd(Context& ctx, const ConvNdShape& s, const float* x, int64_t ldx, const float* packed_w,
                    float* y, int64_t ldy, const E& epilogue = E{}) {
  const int64_t c = s.c / s.groups;
  const int64_t n = s.k / s.groups;
  const int64_t taps = ConvNdShape::product(s.kernel, s.rank);
  const int64_t pixels = s.batch * ConvNdShape::product(s.out, s.rank);
  const float* zeros = detail::zero_row(ctx, c);
  detail::contract(ctx, {s.groups, pixels, n, taps, c}, detail::VolumeRows{s, x, ldx, zeros}, packed_w, y,
                   ldy, detail::BatchStrides{packed_b_size(taps * c, n), n, 0, n}, epilogue);
}

}  // namespace ait
