#pragma once
// Pooling over one to three axes, channels first or last: a thread for each result, or for some neighbouring
// channels of it. Global pooling is a reduction (reduce.h).
#include "elements.h"

namespace ait::gpu {

/// Fewer than three axes come last, after axes of extent 1 with kernel, stride and dilation 1.
struct Window {
  int64_t batch, channels;
  int in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], pad_end[3];
  /// Whether an average counts the padding (but never what lies beyond it).
  bool count_padding;
};

template <class E>
struct MaxPool {
  AIT_DEVICE static E start() { return lowest<E>(); }
  AIT_DEVICE static E step(E a, E x) { return Max{}(a, x); }
  AIT_DEVICE static E finish(E a, int) { return a; }
};
template <class E>
struct AveragePool {
  AIT_DEVICE static E start() { return E(0); }
  AIT_DEVICE static E step(E a, E x) { return a + x; }
  AIT_DEVICE static E finish(E a, int count) { return a / static_cast<E>(count); }
};
AIT_DEVICE float power(float x, float y) { return powf(x, y); }
AIT_DEVICE double power(double x, double y) { return pow(x, y); }
template <class E, int P>
struct LpPool : AveragePool<E> {
  AIT_DEVICE static E step(E a, E x) {
    const E size = x < E(0) ? -x : x;
    if constexpr (P == 1) return a + size;
    if constexpr (P == 2) return a + x * x;
    return a + power(size, E(P));
  }
  AIT_DEVICE static E finish(E a, int) {
    if constexpr (P == 1) return a;
    if constexpr (P == 2) return root(a);
    return power(a, E(1) / E(P));
  }
};

/// The taps of a window along one axis: those inside the input, and how many an average counts.
struct Taps {
  int origin, first, last, counted;
};

AIT_DEVICE Taps taps_of(const Window& w, int axis, int o) {
  const int d = w.dilation[axis], kernel = w.kernel[axis], origin = o * w.stride[axis] - w.pad[axis];
  const auto within = [&](int extent) {
    const int space = extent - origin;
    if (space <= 0) return 0;
    const int taps = (space + d - 1) / d;
    return taps < kernel ? taps : kernel;
  };
  int first = origin < 0 ? (d - 1 - origin) / d : 0;
  first = first < kernel ? first : kernel;
  const int inside = within(w.in[axis]), last = inside > first ? inside : first;
  return {origin, first, last, w.count_padding ? within(w.in[axis] + w.pad_end[axis]) : last - first};
}

/// x[batch][in][channels] to y[batch][out][channels], kVec channels a thread. Index is an unsigned type for
/// the number of results.
template <class Op, class E, class Index, int kVec, class Load, class Store>
AIT_DEVICE void pool_channels_last(const Window& w, const Load& load, const Store& store) {
  const auto vectors = static_cast<Index>(w.channels / kVec);
  const Index u = static_cast<Index>(block_x()) * threads() + thread();
  Index rest = u / vectors;
  const int64_t c = static_cast<int64_t>(u - rest * vectors) * kVec;
  const int ow = static_cast<int>(rest % w.out[2]);
  rest /= w.out[2];
  const int oh = static_cast<int>(rest % w.out[1]);
  rest /= w.out[1];
  const int od = static_cast<int>(rest % w.out[0]);
  const int64_t image = rest / w.out[0];
  if (image >= w.batch) return;
  const Taps td = taps_of(w, 0, od), th = taps_of(w, 1, oh), tw = taps_of(w, 2, ow);
  E a[kVec];
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) a[k] = Op::start();
  for (int i = td.first; i < td.last; i++) {
    for (int j = th.first; j < th.last; j++) {
      const int64_t row =
          ((image * w.in[0] + td.origin + i * w.dilation[0]) * w.in[1] + th.origin + j * w.dilation[1]) *
              w.in[2] +
          tw.origin;
      for (int l = tw.first; l < tw.last; l++) {
        E v[kVec];
        load(v, (row + l * w.dilation[2]) * w.channels + c);
        AIT_UNROLL
        for (int k = 0; k < kVec; k++) a[k] = Op::step(a[k], v[k]);
      }
    }
  }
  const int count = td.counted * th.counted * tw.counted;
  AIT_UNROLL
  for (int k = 0; k < kVec; k++) a[k] = Op::finish(a[k], count);
  store(static_cast<int64_t>(u) * kVec, a);
}

/// x[batch][channels][in] to y[batch][channels][out].
template <class Op, class E, class Index, class Load, class Store>
AIT_DEVICE void pool_channels_first(const Window& w, const Load& load, const Store& store) {
  Window planes = w;
  planes.batch = w.batch * w.channels;
  planes.channels = 1;
  pool_channels_last<Op, E, Index, 1>(planes, load, store);
}

/// Max pooling of x[batch][channels][in] with the index of each maximum in the whole of x, the spatial part
/// in column-major order if asked.
template <class E, bool kColumnMajor, class Load, class Store>
AIT_DEVICE void max_pool_indices(const Window& w, const Load& load, const Store& store, int64_t* indices) {
  const int64_t u = int64_t{block_x()} * threads() + thread();
  const int ow = static_cast<int>(u % w.out[2]);
  const int oh = static_cast<int>(u / w.out[2] % w.out[1]);
  int64_t rest = u / w.out[2] / w.out[1];
  const int od = static_cast<int>(rest % w.out[0]);
  const int64_t image = rest / w.out[0];
  if (image >= w.batch * w.channels) return;
  const Taps td = taps_of(w, 0, od), th = taps_of(w, 1, oh), tw = taps_of(w, 2, ow);
  const int64_t first = image * w.in[0] * w.in[1] * w.in[2];
  E best[1] = {lowest<E>()};
  int64_t at = -1;
  for (int i = td.first; i < td.last; i++) {
    for (int j = th.first; j < th.last; j++) {
      for (int l = tw.first; l < tw.last; l++) {
        const int64_t d = td.origin + i * w.dilation[0], h = th.origin + j * w.dilation[1],
                      v = tw.origin + l * w.dilation[2];
        E e[1];
        load(e, first + (d * w.in[1] + h) * w.in[2] + v);
        if (at >= 0 && !(e[0] > best[0] || (e[0] != e[0] && best[0] == best[0]))) continue;
        best[0] = e[0];
        at = kColumnMajor ? (v * w.in[1] + h) * w.in[0] + d : (d * w.in[1] + h) * w.in[2] + v;
      }
    }
  }
  store(u, best);
  indices[u] = at < 0 ? -1 : first + at;
}

}  // namespace ait::gpu
