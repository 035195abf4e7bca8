#pragma once
// Pooling over one to three axes, channels first or last. Global pooling is a reduction (reduce.h).
#include "reduce.h"

namespace ait {

/// Fewer than three axes come last, after axes of extent 1 with kernel, stride and dilation 1.
struct Window {
  int64_t batch, channels;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], pad_end[3];
  /// Whether an average counts the padding (but never what lies beyond it).
  bool count_padding;
};

struct MaxPool {
  template <class E>
  static E start() {
    return detail::lowest<E>();
  }
  template <class V>
  static V step(V a, V x) {
    return max_(a, x);
  }
  template <class V>
  static V finish(V a, int64_t) {
    return a;
  }
};
struct AveragePool {
  template <class E>
  static E start() {
    return E(0);
  }
  template <class V>
  static V step(V a, V x) {
    return a + x;
  }
  template <class V>
  static V finish(V a, int64_t count) {
    return a / static_cast<Element<V>>(count);
  }
};
template <int P>
struct LpPool : AveragePool {
  template <class V>
  static V step(V a, V x) {
    if constexpr (P == 1) return a + abs_(x);
    if constexpr (P == 2) return a + x * x;
    return a + pow_(abs_(x), V(detail::k<V>(P)));
  }
  template <class V>
  static V finish(V a, int64_t) {
    if constexpr (P == 1) return a;
    if constexpr (P == 2) return sqrt_(a);
    return pow_(a, V(detail::k<V>(Element<V>(1) / P)));
  }
};

namespace detail {

/// The taps of a window along one axis: those inside the input, and how many an average counts.
struct Taps {
  int64_t origin;
  int32_t first, last, counted;
};

inline Taps taps_of(const Window& w, int axis, int64_t o) {
  const int64_t d = w.dilation[axis], origin = o * w.stride[axis] - w.pad[axis];
  const auto within = [&](int64_t extent) {
    const int64_t space = extent - origin;
    return space <= 0 ? int64_t{0} : min_of(w.kernel[axis], ceil_div(space, d));
  };
  const int64_t first = origin < 0 ? min_of(w.kernel[axis], ceil_div(-origin, d)) : 0;
  const int64_t last = max_of(first, within(w.in[axis]));
  const int64_t counted = w.count_padding ? within(w.in[axis] + w.pad_end[axis]) : last - first;
  return {origin, static_cast<int32_t>(first), static_cast<int32_t>(last), static_cast<int32_t>(counted)};
}

/// Tables for the three axes, one after the other.
inline const Taps* window_taps(Context& ctx, const Window& w) {
  auto* taps =
      static_cast<Taps*>(ctx.scratch(static_cast<size_t>(w.out[0] + w.out[1] + w.out[2]) * sizeof(Taps)));
  Taps* at = taps;
  for (int a = 0; a < 3; a++) {
    for (int64_t o = 0; o < w.out[a]; o++) *at++ = taps_of(w, a, o);
  }
  return taps;
}

/// Channels c .. c + K vectors of one output element.
template <class Op, class V, int K, class T, class O>
inline void pool_channels(const Window& w, const T* x, O* y, const Taps& d, const Taps& h, const Taps& v,
                          int64_t count, int n) {
  constexpr int lanes = kLanesOf<V>;
  V a[K];
  for (int k = 0; k < K; k++) a[k] = V{} + Op::template start<Element<V>>();
  for (int64_t i = d.first; i < d.last; i++) {
    for (int64_t j = h.first; j < h.last; j++) {
      const int64_t row =
          ((d.origin + i * w.dilation[0]) * w.in[1] + h.origin + j * w.dilation[1]) * w.in[2] + v.origin;
      for (int64_t l = v.first; l < v.last; l++) {
        const T* p = x + (row + l * w.dilation[2]) * w.channels;
        for (int k = 0; k < K; k++) a[k] = Op::step(a[k], load_some<V>(p + k * lanes, n));
      }
    }
  }
  for (int k = 0; k < K; k++) store_some(y + k * lanes, V(Op::finish(a[k], count)), n);
}

}  // namespace detail

/// x[batch][in][channels] to y[batch][out][channels], computing in E.
template <class Op, class E, class T, class O>
inline void pool_channels_last(Context& ctx, const Window& w, const T* x, O* y) {
  using V = Vec<E>;
  constexpr int lanes = kLanesOf<V>;
  const detail::Taps* taps = detail::window_taps(ctx, w);
  const detail::Taps *th = taps + w.out[0], *tw = th + w.out[1];
  const int64_t plane = w.in[0] * w.in[1] * w.in[2] * w.channels;
  const int64_t work = w.out[2] * w.channels * w.kernel[0] * w.kernel[1] * w.kernel[2];
  parallel_for(ctx, w.batch * w.out[0] * w.out[1], ceil_div(kReduceGrain, max_of<int64_t>(1, work)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; r++) {
                   const detail::Taps &d = taps[r / w.out[1] % w.out[0]], &h = th[r % w.out[1]];
                   const T* image = x + r / (w.out[0] * w.out[1]) * plane;
                   for (int64_t o = 0; o < w.out[2]; o++) {
                     O* to = y + (r * w.out[2] + o) * w.channels;
                     const int64_t count = int64_t{d.counted} * h.counted * tw[o].counted;
                     int64_t c = 0;
                     for (; c + 4 * lanes <= w.channels; c += 4 * lanes) {
                       detail::pool_channels<Op, V, 4>(w, image + c, to + c, d, h, tw[o], count, lanes);
                     }
                     for (; c < w.channels; c += lanes) {
                       const int n = static_cast<int>(min_of<int64_t>(lanes, w.channels - c));
                       detail::pool_channels<Op, V, 1>(w, image + c, to + c, d, h, tw[o], count, n);
                     }
                   }
                 }
               });
}

namespace detail {

/// a[o] = step(a[o], x[o * Stride]) for n outputs; Stride 0 takes the run-time one.
template <class Op, class E, int Stride, class T>
inline void pool_tap(E* __restrict a, const T* __restrict x, int64_t n, int64_t stride) {
  const int64_t s = Stride == 0 ? stride : Stride;
  int64_t o = 0;
  if constexpr (Stride == 1) {
    using V = Vec<E>;
    for (; o + kLanesOf<V> <= n; o += kLanesOf<V>) {
      store(a + o, V(Op::step(load<V>(a + o), load_as<V>(x + o))));
    }
  }
  for (; o < n; o++) a[o] = Op::step(a[o], cast_to<E>(x[o * s]));
}

}  // namespace detail

/// x[batch][channels][in] to y[batch][channels][out]. A row of outputs is swept once for each tap.
template <class Op, class E, class T, class O>
inline void pool_channels_first(Context& ctx, const Window& w, const T* x, O* y) {
  const detail::Taps* taps = detail::window_taps(ctx, w);
  const detail::Taps *th = taps + w.out[0], *tw = th + w.out[1];
  const int64_t plane = w.in[0] * w.in[1] * w.in[2], stride = w.stride[2];
  const int64_t work = w.out[2] * w.kernel[0] * w.kernel[1] * w.kernel[2];
  parallel_for(
      ctx, w.batch * w.channels * w.out[0] * w.out[1], ceil_div(kReduceGrain, max_of<int64_t>(1, work)),
      [&](int64_t begin, int64_t end) {
        auto* a = static_cast<E*>(thread_scratch(static_cast<size_t>(w.out[2]) * sizeof(E)));
        for (int64_t r = begin; r < end; r++) {
          const detail::Taps &d = taps[r / w.out[1] % w.out[0]], &h = th[r % w.out[1]];
          const T* image = x + r / (w.out[0] * w.out[1]) * plane;
          for (int64_t o = 0; o < w.out[2]; o++) a[o] = Op::template start<E>();
          for (int64_t l = 0; l < w.kernel[2]; l++) {
            // Outputs whose tap l falls inside the row.
            const int64_t shift = l * w.dilation[2] - w.pad[2];
            const int64_t first = shift < 0 ? ceil_div(-shift, stride) : 0;
            const int64_t last = shift >= w.in[2] ? 0 : min_of(w.out[2], ceil_div(w.in[2] - shift, stride));
            if (first >= last) continue;
            for (int64_t i = d.first; i < d.last; i++) {
              for (int64_t j = h.first; j < h.last; j++) {
                const int64_t row = (d.origin + i * w.dilation[0]) * w.in[1] + h.origin + j * w.dilation[1];
                const T* p = image + row * w.in[2] + shift + first * stride;
                if (stride == 1) {
                  detail::pool_tap<Op, E, 1>(a + first, p, last - first, stride);
                } else if (stride == 2) {
                  detail::pool_tap<Op, E, 2>(a + first, p, last - first, stride);
                } else {
                  detail::pool_tap<Op, E, 0>(a + first, p, last - first, stride);
                }
              }
            }
          }
          for (int64_t o = 0; o < w.out[2]; o++) {
            const int64_t count = int64_t{d.counted} * h.counted * tw[o].counted;
            y[r * w.out[2] + o] = cast_to<O>(E(Op::finish(a[o], count)));
          }
        }
      });
}

/// Max pooling of x[batch][channels][in] with ONNX's second output: the index of each maximum in the whole of
/// x, the spatial part in column-major order if asked.
template <class E, class T, class O, class I>
inline void max_pool_indices(Context& ctx, const Window& w, bool column_major, const T* x, O* y, I* indices) {
  const detail::Taps* taps = detail::window_taps(ctx, w);
  const detail::Taps *th = taps + w.out[0], *tw = th + w.out[1];
  const int64_t plane = w.in[0] * w.in[1] * w.in[2];
  parallel_for(ctx, w.batch * w.channels * w.out[0] * w.out[1], 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const detail::Taps &d = taps[r / w.out[1] % w.out[0]], &h = th[r % w.out[1]];
      const int64_t image = r / (w.out[0] * w.out[1]);
      for (int64_t o = 0; o < w.out[2]; o++) {
        const detail::Taps& v = tw[o];
        E best = detail::lowest<E>();
        int64_t at[3] = {-1, 0, 0};
        for (int64_t i = d.first; i < d.last; i++) {
          for (int64_t j = h.first; j < h.last; j++) {
            for (int64_t l = v.first; l < v.last; l++) {
              const int64_t p[3] = {d.origin + i * w.dilation[0], h.origin + j * w.dilation[1],
                                    v.origin + l * w.dilation[2]};
              const E e = cast_to<E>(x[image * plane + (p[0] * w.in[1] + p[1]) * w.in[2] + p[2]]);
              if (at[0] >= 0 && !(e > best || (e != e && best == best))) continue;
              best = e;
              for (int a = 0; a < 3; a++) at[a] = p[a];
            }
          }
        }
        y[r * w.out[2] + o] = cast_to<O>(best);
        const int64_t inside = column_major ? (at[2] * w.in[1] + at[1]) * w.in[0] + at[0]
                                            : (at[0] * w.in[1] + at[1]) * w.in[2] + at[2];
        indices[r * w.out[2] + o] = static_cast<I>(at[0] < 0 ? -1 : image * plane + inside);
      }
    }
  });
}

/// MaxUnpool: y is zero but for y[indices[i]] = x[i]. Returns false when an index lies outside of y.
template <class T, class I>
inline bool max_unpool(const T* x, const I* indices, int64_t n, T* y, int64_t size) {
  std::memset(static_cast<void*>(y), 0, static_cast<size_t>(size) * sizeof(T));
  bool inside = true;
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = static_cast<int64_t>(indices[i]);
    if (at >= 0 && at < size) {
      y[at] = x[i];
    } else {
      inside = false;
    }
  }
  return inside;
}

}  // namespace ait
