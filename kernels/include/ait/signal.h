#pragma once
// Discrete Fourier transforms of any length, windows and mel filters.
#include "context.h"
#include "numeric.h"
#include "spectra.h"

namespace ait {

// Every operation of a transform is rounded, as in the libraries that results are compared with.
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")

/// A transform of one length: mixed radices, or Bluestein's convolution where a prime factor is large.
template <class R>
class FourierOf {
  using Complex = ComplexOf<R>;

 public:
  static constexpr int64_t kLargestRadix = 31;

  /// Numbers of type Complex that the tables and one transform need.
  static int64_t table_size(int64_t n) { return smooth(n) ? n : 2 * padded(n) + n; }
  static int64_t work_size(int64_t n) { return smooth(n) ? 2 * n : 2 * padded(n); }

  FourierOf(int64_t n, Complex* tables) : n_(n), length_(smooth(n) ? n : padded(n)), roots_(tables) {
    for (int64_t k = 0; k < length_; k++) roots_[k] = rounded(root_of_unity(k, length_));
    if (length_ == n) return;
    filter_ = roots_ + length_;
    chirp_ = filter_ + length_;
    for (int64_t k = 0; k < n; k++) chirp_[k] = rounded(root_of_unity(k * k % (2 * n), 2 * n));
  }

  /// Bluestein's filter needs memory for one transform; called once, before run().
  void prepare(Complex* work) {
    if (!chirp_) return;
    for (int64_t k = 0; k < length_; k++) work[k] = {0, 0};
    for (int64_t k = 0; k < n_; k++) work[k] = work[k == 0 ? 0 : length_ - k] = conjugate(chirp_[k]);
    const Complex* f = stages(work, work + length_);
    for (int64_t k = 0; k < length_; k++) filter_[k] = f[k];
  }

  /// Transforms work[0, n) and gives the place of the result, inside work.
  Complex* run(Complex* work) const {
    if (!chirp_) return stages(work, work + n_);
    for (int64_t k = 0; k < n_; k++) work[k] = work[k] * chirp_[k];
    for (int64_t k = n_; k < length_; k++) work[k] = {0, 0};
    Complex* f = stages(work, work + length_);
    Complex* other = f == work ? work + length_ : work;
    // The inverse transform is the conjugate of the transform of the conjugate.
    for (int64_t k = 0; k < length_; k++) f[k] = conjugate(f[k] * filter_[k]);
    Complex* g = stages(f, other);
    const R scale = R(1) / static_cast<R>(length_);
    for (int64_t k = 0; k < n_; k++) {
      const Complex z = conjugate(g[k]);
      g[k] = Complex{z.re * scale, z.im * scale} * chirp_[k];
    }
    return g;
  }

 private:
  static Complex rounded(ComplexOf<double> z) { return {static_cast<R>(z.re), static_cast<R>(z.im)}; }
  static bool smooth(int64_t n) {
    for (int64_t r = 2; r <= kLargestRadix; r++) {
      while (n % r == 0) n /= r;
    }
    return n == 1;
  }
  static int64_t padded(int64_t n) {
    int64_t m = 1;
    while (m < 2 * n - 1) m *= 2;
    return m;
  }

  /// Stockham's self-sorting transform: one pass for each factor, between two buffers.
  Complex* stages(Complex* x, Complex* y) const {
    int64_t rest = length_, stride = 1;
    while (rest > 1) {
      const int64_t radix = rest % 4 == 0 ? 4 : smallest_factor(rest);
      pass(x, y, rest, stride, radix);
      Complex* t = x;
      x = y;
      y = t;
      rest /= radix;
      stride *= radix;
    }
    return x;
  }
  static int64_t smallest_factor(int64_t n) {
    int64_t r = 2;
    while (n % r != 0) r++;
    return r;
  }

  void pass(const Complex* x, Complex* y, int64_t rest, int64_t stride, int64_t radix) const {
    const int64_t m = rest / radix, hop = stride * m;
    for (int64_t p = 0; p < m; p++) {
      const Complex* from = x + stride * p;
      Complex* to = y + stride * radix * p;
      if (radix == 2) {
        const Complex w = roots_[p * stride];
        for (int64_t q = 0; q < stride; q++) {
          const Complex a = from[q], b = from[q + hop];
          to[q] = a + b;
          to[q + stride] = (a - b) * w;
        }
      } else if (radix == 4) {
        const Complex w1 = roots_[p * stride], w2 = roots_[2 * p * stride], w3 = roots_[3 * p * stride];
        for (int64_t q = 0; q < stride; q++) {
          const Complex a = from[q] + from[q + 2 * hop], b = from[q] - from[q + 2 * hop];
          const Complex c = from[q + hop] + from[q + 3 * hop];
          const Complex d = turned(from[q + hop] - from[q + 3 * hop]);
          to[q] = a + c;
          to[q + stride] = (b + d) * w1;
          to[q + 2 * stride] = (a - c) * w2;
          to[q + 3 * stride] = (b - d) * w3;
        }
      } else if (radix == 5) {
        for (int64_t q = 0; q < stride; q++) five(from + q, hop, to + q, stride, p * stride);
      } else {
        for (int64_t k = 0; k < radix; k++) {
          const Complex w = roots_[p * k * stride];
          for (int64_t q = 0; q < stride; q++) {
            Complex sum = from[q];
            for (int64_t j = 1; j < radix; j++) {
              sum = sum + from[q + j * hop] * roots_[j * k % radix * (length_ / radix)];
            }
            to[q + k * stride] = sum * w;
          }
        }
      }
    }
  }

  /// Five samples: sums and differences of opposite ones, weighted by the cosines and sines of the pentagon.
  void five(const Complex* x, int64_t hop, Complex* y, int64_t stride, int64_t turn) const {
    const R c1 = R(0.30901699437494742410), c2 = R(-0.80901699437494742410);
    const R s1 = R(0.95105651629515357212), s2 = R(0.58778525229247312917);
    const Complex a = x[0], p1 = x[hop] + x[4 * hop], m1 = x[hop] - x[4 * hop];
    const Complex p2 = x[2 * hop] + x[3 * hop], m2 = x[2 * hop] - x[3 * hop];
    const Complex near = {a.re + c1 * p1.re + c2 * p2.re, a.im + c1 * p1.im + c2 * p2.im};
    const Complex far = {a.re + c2 * p1.re + c1 * p2.re, a.im + c2 * p1.im + c1 * p2.im};
    const Complex up = {s1 * m1.im + s2 * m2.im, -(s1 * m1.re + s2 * m2.re)};
    const Complex down = {s2 * m1.im - s1 * m2.im, -(s2 * m1.re - s1 * m2.re)};
    y[0] = a + p1 + p2;
    y[stride] = (near + up) * roots_[turn];
    y[2 * stride] = (far + down) * roots_[2 * turn];
    y[3 * stride] = (far - down) * roots_[3 * turn];
    y[4 * stride] = (near - up) * roots_[4 * turn];
  }

  int64_t n_, length_;
  Complex* roots_;
  Complex* filter_ = nullptr;
  Complex* chirp_ = nullptr;
};

using Fourier = FourierOf<double>;

#pragma GCC pop_options

template <class R, class Load, class Store>
inline void transform_batch(Context& ctx, int64_t count, int64_t n, Load&& load, Store&& store) {
  using Complex = ComplexOf<R>;
  const int64_t tables = FourierOf<R>::table_size(n), work = FourierOf<R>::work_size(n);
  Complex* memory = static_cast<Complex*>(ctx.scratch(static_cast<size_t>(tables + work) * sizeof(Complex)));
  FourierOf<R> plan(n, memory);
  plan.prepare(memory + tables);
  parallel_for(ctx, count, max_of<int64_t>(1, 8192 / n), [&](int64_t begin, int64_t end) {
    Complex* mine = static_cast<Complex*>(thread_scratch(static_cast<size_t>(work) * sizeof(Complex)));
    for (int64_t i = begin; i < end; i++) {
      load(i, mine);
      store(i, plan.run(mine));
    }
  });
}

namespace detail {

template <class R, class T>
inline void dft_in(Context& ctx, T* dst, const T* src, const DftShape& s, bool inverse) {
  using Complex = ComplexOf<R>;
  const R scale = inverse ? R(1) / static_cast<R>(s.n) : R(1);
  const R sign = inverse ? R(-1) : R(1);
  transform_batch<R>(
      ctx, s.outer * s.inner, s.n,
      [&](int64_t i, Complex* work) {
        const T* x = src + (i / s.inner * s.in * s.inner + i % s.inner) * s.in_parts;
        const int64_t step = s.inner * s.in_parts;
        const auto part = [&](int64_t at, int64_t which) { return cast_to<R>(x[at * step + which]); };
        for (int64_t k = 0; k < s.n; k++) work[k] = dft_input(s, k, sign, part);
      },
      [&](int64_t i, const Complex* y) {
        T* to = dst + (i / s.inner * s.out * s.inner + i % s.inner) * s.out_parts;
        for (int64_t k = 0; k < s.out; k++) {
          to[k * s.inner * s.out_parts] = cast_to<T>(y[k].re * scale);
          if (s.out_parts == 2) to[k * s.inner * 2 + 1] = cast_to<T>(y[k].im * scale * sign);
        }
      });
}

/// Whether a length has small factors only: the rounding errors of a transform in f32 stay at its last bits.
inline bool has_small_factors(int64_t n) {
  while (n % 2 == 0) n /= 2;
  while (n % 5 == 0) n /= 5;
  return n == 1;
}

}  // namespace detail

/// The transform, or its inverse, along one axis. out_parts 1 is the real inverse of one-sided spectra. f32
/// signals of two parts are transformed in f32 where the length allows, everything else in double.
template <class T>
inline void dft(Context& ctx, T* dst, const T* src, const DftShape& s, bool inverse) {
  if (s.n <= 0) {
    ctx.fail("DFT: the length is not positive");
    return;
  }
  if constexpr (__is_same(T, float)) {
    if (s.in_parts == 2 && s.out_parts == 2 && detail::has_small_factors(s.n)) {
      return detail::dft_in<float>(ctx, dst, src, s, inverse);
    }
  }
  detail::dft_in<double>(ctx, dst, src, s, inverse);
}

/// Transforms of overlapping frames, weighted by the window unless it is null.
template <class T>
inline void stft(Context& ctx, T* dst, const T* src, const T* window, const StftShape& s) {
  if (s.n <= 0 || s.step <= 0) {
    ctx.fail("STFT: the length of a frame or the step is not positive");
    return;
  }
  transform_batch<double>(
      ctx, s.batch * s.frames, s.n,
      [&](int64_t i, Complex* work) {
        const int64_t start = i % s.frames * s.step;
        const T* x = src + i / s.frames * s.length * s.parts;
        const auto part = [&](int64_t at, int64_t which) { return cast_to<double>(x[at * s.parts + which]); };
        for (int64_t k = 0; k < s.n; k++) {
          const Complex z = stft_input<double>(s, start, k, part);
          const double w = window && k < s.window ? cast_to<double>(window[k]) : 1.0;
          work[k] = {z.re * w, z.im * w};
        }
      },
      [&](int64_t i, const Complex* y) {
        T* to = dst + i * s.bins * 2;
        for (int64_t k = 0; k < s.bins; k++) {
          to[2 * k] = cast_to<T>(y[k].re);
          to[2 * k + 1] = cast_to<T>(y[k].im);
        }
      });
}

/// See cosine_window_at.
template <class T>
inline void cosine_window(Context& ctx, T* dst, int64_t size, bool periodic, double a, double b, double c) {
  parallel_for(ctx, size, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) dst[i] = cast_to<T>(cosine_window_at(i, size, periodic, a, b, c));
  });
}

/// dst[spectrogram bin][mel bin]
template <class T>
inline void mel_weights(Context& ctx, T* dst, int64_t mels, int64_t n, int64_t rate, double low,
                        double high) {
  const MelFilters filters(mels, n, rate, low, high);
  for (int64_t i = 0; i < mels + 2; i++) {
    if (!filters.fits(i)) {
      ctx.fail("MelWeightMatrix: a filter lies outside the spectrogram");
      return;
    }
  }
  for (int64_t i = 0; i < filters.bins() * mels; i++) dst[i] = cast_to<T>(0.0);
  for (int64_t i = 0; i < mels; i++) {
    const int64_t last = max_of(filters.edge(i + 1), filters.edge(i + 2) - 1);
    for (int64_t j = filters.edge(i); j <= last; j++) dst[j * mels + i] = cast_to<T>(filters.weight(j, i));
  }
}

}  // namespace ait
