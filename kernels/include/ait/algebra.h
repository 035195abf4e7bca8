#pragma once
// Contractions of any form, determinants, counts of n-grams.
#include "grams.h"
#include "movement.h"

namespace ait {

namespace detail {
template <class T, bool Number = kIsNumber<T>>
struct SumType {
  using type = T;
};
template <class T>
struct SumType<T, false> {
  using type = float;
};
}  // namespace detail

/// Sums of products of N operands over the last `summed` of the axes; every operand has a stride for each
/// axis.
template <int N, class T>
inline void einsum(Context& ctx, T* dst, const T* const (&operands)[N], int kept, int summed,
                   const int64_t* extents, const int64_t* const (&strides)[N]) {
  using S = typename detail::SumType<T>::type;
  const int64_t total = product(extents, kept), terms = product(extents + kept, summed);
  const int64_t inner = summed > 0 ? extents[kept + summed - 1] : 1;
  parallel_for(ctx, total, max_of<int64_t>(1, 16384 / (terms * N + 1)), [&](int64_t begin, int64_t end) {
    Walk<N> out{kept, extents, {}};
    Walk<N> sum{summed > 0 ? summed - 1 : 0, extents + kept, {}};
    int64_t step[N];
    for (int k = 0; k < N; k++) {
      out.strides[k] = strides[k];
      sum.strides[k] = strides[k] + kept;
      step[k] = summed > 0 ? strides[k][kept + summed - 1] : 0;
    }
    out.seek(begin);
    for (int64_t i = begin; i < end; i++, out.next()) {
      S result = S(0);
      if (terms > 0) sum.seek(0);
      for (int64_t t = 0; t < terms; t += inner, sum.next()) {
        for (int64_t j = 0; j < inner; j++) {
          S x = cast_to<S>(operands[0][out.offset[0] + sum.offset[0] + j * step[0]]);
          for (int k = 1; k < N; k++) {
            const S y = cast_to<S>(operands[k][out.offset[k] + sum.offset[k] + j * step[k]]);
            if constexpr (detail::kIsFloat<S>) {
              x *= y;
            } else {
              x = wrap_mul(x, y);
            }
          }
          if constexpr (detail::kIsFloat<S>) {
            result += x;
          } else {
            result = wrap_add(result, x);
          }
        }
      }
      dst[i] = cast_to<T>(result);
    }
  });
}

/// Determinants of n x n matrices, by elimination in double with the largest pivots.
template <class T>
inline void det(Context& ctx, T* dst, const T* src, int64_t batch, int64_t n) {
  parallel_for(ctx, batch, max_of<int64_t>(1, 4096 / (n * n * n + 1)), [&](int64_t begin, int64_t end) {
    double* a = static_cast<double*>(thread_scratch(static_cast<size_t>(n * n + 1) * sizeof(double)));
    for (int64_t b = begin; b < end; b++) {
      for (int64_t i = 0; i < n * n; i++) a[i] = cast_to<double>(src[b * n * n + i]);
      double result = 1;
      for (int64_t c = 0; c < n; c++) {
        int64_t pivot = c;
        for (int64_t r = c + 1; r < n; r++) {
          if (__builtin_fabs(a[r * n + c]) > __builtin_fabs(a[pivot * n + c])) pivot = r;
        }
        result *= a[pivot * n + c];
        if (a[pivot * n + c] == 0) break;
        if (pivot != c) {
          result = -result;
          for (int64_t k = c; k < n; k++) {
            const double t = a[c * n + k];
            a[c * n + k] = a[pivot * n + k];
            a[pivot * n + k] = t;
          }
        }
        for (int64_t r = c + 1; r < n; r++) {
          const double f = a[r * n + c] / a[c * n + c];
          for (int64_t k = c + 1; k < n; k++) a[r * n + k] -= f * a[c * n + k];
        }
      }
      dst[b] = cast_to<T>(result);
    }
  });
}

/// dst[row][column]: how often each n-gram occurs, items up to `skips` further apart counted too.
template <class I>
inline void count_grams(Context& ctx, float* dst, const I* src, int64_t rows, int64_t width, int64_t columns,
                        const Grams* grams, int kinds, int64_t skips) {
  parallel_for(ctx, rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      float* to = dst + r * columns;
      for (int64_t c = 0; c < columns; c++) to[c] = 0;
      for (int g = 0; g < kinds; g++) {
        const int64_t most = most_steps(grams[g], skips);
        for (int64_t step = 1; step <= most; step++) {
          for (int64_t i = 0; i + (grams[g].length - 1) * step < width; i++) {
            const int64_t column = grams[g].find(src + r * width + i, step);
            if (column >= 0) to[column] += 1;
          }
        }
      }
    }
  });
}

}  // namespace ait
