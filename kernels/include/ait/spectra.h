#pragma once
// Complex numbers, and what the kernels of the CPU and of devices have in common about spectra.
#include "both.h"

namespace ait {

#if defined(__GNUC__) && !defined(AIT_DEVICE)
// Every operation of a transform is rounded, as in the libraries that results are compared with.
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

template <class R>
struct ComplexOf {
  R re, im;
};
using Complex = ComplexOf<double>;

template <class R>
AIT_BOTH ComplexOf<R> operator+(ComplexOf<R> a, ComplexOf<R> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class R>
AIT_BOTH ComplexOf<R> operator-(ComplexOf<R> a, ComplexOf<R> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class R>
AIT_BOTH ComplexOf<R> operator*(ComplexOf<R> a, ComplexOf<R> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class R>
AIT_BOTH ComplexOf<R> conjugate(ComplexOf<R> a) {
  return {a.re, -a.im};
}
/// a * -i
template <class R>
AIT_BOTH ComplexOf<R> turned(ComplexOf<R> a) {
  return {a.im, -a.re};
}

/// exp(-2 pi i k / n), exact at the quarters.
AIT_BOTH Complex root_of_unity(int64_t k, int64_t n) {
  k %= n;
  // Angles beyond an eighth of a turn are folded back, so that the arguments stay small.
  const int64_t octant = 8 * k / n;
  const int64_t quarter = (octant + 1) / 2;
  const double angle = -6.283185307179586476925286766559 * (static_cast<double>(4 * k - quarter * n) / 4) /
                       static_cast<double>(n);
  const Complex z = {::cos(angle), ::sin(angle)};
  switch (quarter & 3) {
    case 0:
      return z;
    case 1:
      return turned(z);
    case 2:
      return {-z.re, -z.im};
    default:
      return {-z.im, z.re};
  }
}

#if defined(__GNUC__) && !defined(AIT_DEVICE)
#pragma GCC pop_options
#endif

/// A batch of transforms. Signals are strided by `inner`; samples have one part (real) or two.
struct DftShape {
  int64_t outer, in, inner, in_parts;
  int64_t n;  ///< Length of the transform: signals are cut or filled up with zeros.
  int64_t out, out_parts;
};

/// Sample k of a signal whose parts are given by part(sample, part); `sign` is -1 for an inverse.
template <class R, class Part>
AIT_BOTH ComplexOf<R> dft_input(const DftShape& s, int64_t k, R sign, const Part& part) {
  // Half a spectrum is completed by its mirror image.
  const bool one_sided = s.out_parts == 1, mirrored = one_sided && 2 * k > s.n;
  const int64_t at = mirrored ? s.n - k : k;
  ComplexOf<R> z = {0, 0};
  if (at < s.in && at < s.n) {
    z.re = part(at, 0);
    if (s.in_parts == 2) z.im = part(at, 1);
  }
  if (one_sided && (k == 0 || 2 * k == s.n)) z.im = 0;
  return {z.re, (mirrored ? -z.im : z.im) * sign};
}

struct StftShape {
  int64_t batch, length, parts;
  int64_t step, frames, window;  ///< window: how many samples of a frame are looked at.
  int64_t n, bins;
};

/// Sample k of the frame that begins at `start`, without its weight.
template <class R, class Part>
AIT_BOTH ComplexOf<R> stft_input(const StftShape& s, int64_t start, int64_t k, const Part& part) {
  if (k >= s.window || k >= s.n || k >= s.length - start) return {0, 0};
  return {part(start + k, 0), s.parts == 2 ? part(start + k, 1) : R(0)};
}

/// a - b cos(2 pi i / n) + c cos(4 pi i / n), n being size or, unless periodic, size - 1.
AIT_BOTH double cosine_window_at(int64_t i, int64_t size, bool periodic, double a, double b, double c) {
  const double n = static_cast<double>(periodic ? size : size - 1);
  const double turn = n == 0 ? 0 : 6.283185307179586476925286766559 * static_cast<double>(i) / n;
  return a - b * ::cos(turn) + c * ::cos(2 * turn);
}

/// Triangular filters on the mel scale, over the bins of a spectrogram.
struct MelFilters {
  int64_t mels, n, rate;
  double first, step;

  static constexpr double kTen = 2.302585092994045684017991454684;

  AIT_BOTH MelFilters(int64_t filters, int64_t length, int64_t samples, double low, double high)
      : mels(filters), n(length), rate(samples), first(2595.0 * ::log1p(low / 700.0) / kTen) {
    step = (2595.0 * ::log1p(high / 700.0) / kTen - first) / static_cast<double>(mels + 2);
  }
  AIT_BOTH int64_t bins() const { return n / 2 + 1; }
  /// The bin at which filter i begins.
  AIT_BOTH int64_t edge(int64_t i) const {
    const double hertz = 700.0 * ::expm1((first + step * static_cast<double>(i)) / 2595.0 * kTen);
    return static_cast<int64_t>(::floor(static_cast<double>(n + 1) * hertz / static_cast<double>(rate)));
  }
  AIT_BOTH bool fits(int64_t i) const {
    return rate > 0 && edge(i) >= 0 && edge(i) <= (i == mels + 1 ? bins() : bins() - 1);
  }
  AIT_BOTH double weight(int64_t bin, int64_t i) const {
    const int64_t left = edge(i), centre = edge(i + 1), right = edge(i + 2);
    if (bin >= centre && bin < right) {
      return static_cast<double>(right - bin) / static_cast<double>(right - centre);
    }
    if (bin >= left && bin <= centre) {
      return left == centre ? 1 : static_cast<double>(bin - left) / static_cast<double>(centre - left);
    }
    return 0;
  }
};

}  // namespace ait
