#pragma once
// Discrete Fourier transforms: ../signal.h for the device.
#include "../spectra.h"
#include "elements.h"

namespace ait::gpu {

template <class R>
AIT_DEVICE ComplexOf<R> rounded_root(int64_t k, int64_t n) {
  const Complex z = root_of_unity(k, n);
  return {static_cast<R>(z.re), static_cast<R>(z.im)};
}

/// Stockham's self-sorting transform of x[0, n) by a block, one pass for each factor of n, between two
/// buffers; gives the one that holds the result. A large prime factor costs its square.
template <class R>
AIT_DEVICE ComplexOf<R>* transform(int n, const ComplexOf<R>* roots, ComplexOf<R>* x, ComplexOf<R>* y) {
  int stride = 1;
  for (int rest = n; rest > 1;) {
    int radix = 4;
    if (rest % 4 != 0) {
      radix = 2;
      while (rest % radix != 0) radix = radix * radix > rest ? rest : radix + 1;
    }
    const int hop = n / radix;
    barrier();
    if (radix == 4) {
      for (int j = thread(); j < hop; j += threads()) {
        const int p = j / stride, q = j - p * stride, turn = p * stride;
        const auto a = x[j] + x[j + 2 * hop], b = x[j] - x[j + 2 * hop];
        const auto c = x[j + hop] + x[j + 3 * hop], d = turned(x[j + hop] - x[j + 3 * hop]);
        ComplexOf<R>* to = y + 4 * turn + q;
        to[0] = a + c;
        to[stride] = (b + d) * roots[turn];
        to[2 * stride] = (a - c) * roots[2 * turn];
        to[3 * stride] = (b - d) * roots[3 * turn];
      }
    } else {
      for (int i = thread(); i < n; i += threads()) {
        const int k = i / hop, j = i - k * hop, p = j / stride, q = j - p * stride;
        ComplexOf<R> sum = x[j];
        int turn = 0;
        for (int r = 1; r < radix; r++) {
          turn = turn + k < radix ? turn + k : turn + k - radix;
          sum = sum + x[j + r * hop] * roots[turn * hop];
        }
        y[(radix * p + k) * stride + q] = sum * roots[p * k * stride];
      }
    }
    ComplexOf<R>* const result = y;
    y = x;
    x = result;
    rest /= radix;
    stride *= radix;
  }
  barrier();
  return x;
}

/// Transform block_x of a batch; `work` is memory of the block's for two of them.
template <class R, class T>
AIT_DEVICE void dft(const T* x, T* y, const DftShape& s, bool inverse, const R* roots, R* memory) {
  const int64_t i = block_x(), o = i / s.inner, c = i - o * s.inner, step = s.inner * s.in_parts;
  const int n = static_cast<int>(s.n);
  auto* work = reinterpret_cast<ComplexOf<R>*>(memory);
  const R sign = inverse ? R(-1) : R(1), scale = inverse ? R(1) / static_cast<R>(n) : R(1);
  x += (o * s.in * s.inner + c) * s.in_parts;
  const auto part = [&](int64_t at, int64_t which) { return compute<R>(x[at * step + which]); };
  for (int k = thread(); k < n; k += threads()) work[k] = dft_input(s, k, sign, part);
  const auto* f = transform(n, reinterpret_cast<const ComplexOf<R>*>(roots), work, work + n);
  y += (o * s.out * s.inner + c) * s.out_parts;
  for (int k = thread(); k < s.out; k += threads()) {
    y[k * s.inner * s.out_parts] = stored<T>(f[k].re * scale);
    if (s.out_parts == 2) y[k * s.inner * 2 + 1] = stored<T>(f[k].im * scale * sign);
  }
}

/// The same for frame block_x of signals, weighted by the window unless it is null.
template <class R, class T>
AIT_DEVICE void stft(const T* x, const T* window, T* y, const StftShape& s, const R* roots, R* memory) {
  const int64_t i = block_x(), start = i % s.frames * s.step;
  const int n = static_cast<int>(s.n);
  auto* work = reinterpret_cast<ComplexOf<R>*>(memory);
  x += i / s.frames * s.length * s.parts;
  const auto part = [&](int64_t at, int64_t which) { return compute<R>(x[at * s.parts + which]); };
  for (int k = thread(); k < n; k += threads()) {
    const ComplexOf<R> z = stft_input<R>(s, start, k, part);
    const R w = window && k < s.window ? compute<R>(window[k]) : R(1);
    work[k] = {z.re * w, z.im * w};
  }
  const auto* f = transform(n, reinterpret_cast<const ComplexOf<R>*>(roots), work, work + n);
  y += i * s.bins * 2;
  for (int k = thread(); k < s.bins; k += threads()) {
    y[2 * k] = stored<T>(f[k].re);
    y[2 * k + 1] = stored<T>(f[k].im);
  }
}

}  // namespace ait::gpu
