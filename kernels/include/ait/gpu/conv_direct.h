#pragma once
#include "contraction.h"

// Convolutions in any layout, of any number of spatial axes and of any type, one result a thread: for what no
// other kernel takes.
namespace ait::gpu {

struct DirectShape {
  int64_t batch;
  int64_t c;  // channels of a group of the input
  int64_t k;  // channels of a group of the result
  int64_t groups;
  int64_t in[6];
  int64_t out[6];
  int64_t kernel[6];
  int64_t stride[6];
  int64_t dilation[6];
  int64_t pad[6];
};

/// The factors of a product as they are summed.
struct PlainFactors {
  template <class S, class T>
  AIT_DEVICE S left(T x) const {
    return compute<S>(x);
  }
  template <class S, class T>
  AIT_DEVICE S right(T w, int64_t) const {
    return compute<S>(w);
  }
};
/// Bytes around zero points, those of the weights one or one a channel.
template <class T, class W>
struct CentredFactors {
  const T* x_point;
  const W* w_points;
  int64_t w_step;
  template <class S>
  AIT_DEVICE S left(T x) const {
    return static_cast<S>(x) - static_cast<S>(*x_point);
  }
  template <class S>
  AIT_DEVICE S right(W w, int64_t channel) const {
    return static_cast<S>(w) - static_cast<S>(w_points[channel * w_step]);
  }
};

/// Channels last, or in front of the spatial axes. Weights are [groups * k][c][kernel], or of a transposed
/// convolution [groups * c][k][kernel]. Started for enough blocks of 256 threads to have one for each result.
template <int RANK, bool LAST, bool TRANSPOSED, class T, class W, class O, class E, class F = PlainFactors>
AIT_DEVICE void direct_conv(const DirectShape& s, const T* x, const W* w, O* y, const E& epilogue,
                            const F& factors = {}) {
  using S = SumType<T>;
  int64_t in_size = 1, out_size = 1, taps = 1;
  AIT_UNROLL
  for (int i = 0; i < RANK; i++) {
    in_size *= s.in[i];
    out_size *= s.out[i];
    taps *= s.kernel[i];
  }
  const int64_t outputs = s.groups * s.k;
  const int64_t inputs = s.groups * s.c;
  const int64_t item = static_cast<int64_t>(block_x()) * 256 + thread();
  if (item >= s.batch * out_size * outputs) return;
  const int64_t channel = LAST ? item % outputs : item / out_size % outputs;
  const int64_t pixel = LAST ? item / outputs % out_size : item % out_size;
  const int64_t image = item / (outputs * out_size);
  const int64_t group = channel / s.k;
  int64_t at[RANK];
  int64_t rest = pixel;
  AIT_UNROLL
  for (int i = RANK - 1; i >= 0; i--) {
    at[i] = rest % s.out[i];
    rest /= s.out[i];
  }

  S sum[1] = {};
  for (int64_t tap = 0; tap < taps; tap++) {
    int64_t from = 0;
    int64_t left = tap;
    int64_t place[RANK];
    AIT_UNROLL
    for (int i = RANK - 1; i >= 0; i--) {
      place[i] = left % s.kernel[i];
      left /= s.kernel[i];
    }
    bool inside = true;
    AIT_UNROLL
    for (int i = 0; i < RANK; i++) {
      int64_t p;
      if (TRANSPOSED) {
        const int64_t spread = at[i] + s.pad[i] - place[i] * s.dilation[i];
        p = spread / s.stride[i];
        inside = inside && spread >= 0 && spread % s.stride[i] == 0 && p < s.in[i];
      } else {
        p = at[i] * s.stride[i] - s.pad[i] + place[i] * s.dilation[i];
        inside = inside && p >= 0 && p < s.in[i];
      }
      from = from * s.in[i] + p;
    }
    if (!inside) continue;
    const T* a = LAST ? x + (image * in_size + from) * inputs + group * s.c
                      : x + (image * inputs + group * s.c) * in_size + from;
    const W* b =
        TRANSPOSED ? w + (group * s.c * s.k + channel % s.k) * taps + tap : w + channel * s.c * taps + tap;
    for (int64_t c = 0; c < s.c; c++)
      sum[0] += factors.template left<S>(a[LAST ? c : c * in_size]) *
                factors.template right<S>(b[c * (TRANSPOSED ? s.k * taps : taps)], channel);
  }
  finish<1>(epilogue, sum, y + item, image * out_size + pixel, channel);
}

}  // namespace ait::gpu
