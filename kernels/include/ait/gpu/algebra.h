#pragma once
// Products of strided operands, determinants, counts of n-grams: ../algebra.h for the device.
#include "../grams.h"
#include "integer.h"
#include "strided.h"

namespace ait::gpu {

/// Elements of two operands, multiplied.
template <class A, class B>
struct Times {
  A a;
  B b;
  template <int N, class E>
  AIT_DEVICE void operator()(E (&v)[N], int64_t i) const {
    E w[N];
    a(v, i);
    b(w, i);
    AIT_UNROLL
    for (int k = 0; k < N; k++) {
      if constexpr (kFloating<E>) {
        v[k] *= w[k];
      } else {
        v[k] = wrap_mul(v[k], w[k]);
      }
    }
  }
};
template <class A, class B>
AIT_DEVICE Times<A, B> times(const A& a, const B& b) {
  return {a, b};
}

/// The determinant of matrix block_x of n x n, by elimination with the largest pivots. F is the type that
/// elements are widened to, `a` memory of the block's for a matrix.
template <class F, class T>
AIT_DEVICE void determinant(int64_t n, const T* x, T* y, double* a) {
  x += block_x() * n * n;
  for (int64_t i = thread(); i < n * n; i += threads()) a[i] = compute<F>(x[i]);
  double result = 1;
  for (int64_t c = 0; c < n; c++) {
    barrier();
    int64_t pivot = c;
    for (int64_t r = c + 1; r < n; r++) {
      if (fabs(a[r * n + c]) > fabs(a[pivot * n + c])) pivot = r;
    }
    const double top = a[pivot * n + c];
    result *= top;
    if (top == 0) break;
    barrier();
    if (pivot != c) {
      result = -result;
      for (int64_t k = c + thread(); k < n; k += threads()) {
        const double t = a[c * n + k];
        a[c * n + k] = a[pivot * n + k];
        a[pivot * n + k] = t;
      }
      barrier();
    }
    const int64_t rest = n - c - 1;
    for (int64_t i = thread(); i < rest * rest; i += threads()) {
      const int64_t r = c + 1 + i / rest, k = c + 1 + i % rest;
      a[r * n + k] -= a[r * n + c] / top * a[c * n + k];
    }
  }
  if (thread() == 0) y[block_x()] = stored<T>(static_cast<F>(result));
}

/// Counts the n-grams that begin at item i of [rows][width]; the counts are whole, so their order is of no
/// account.
template <class I>
AIT_DEVICE void count_grams(float* counts, const I* x, int64_t i, int64_t width, int64_t columns,
                            const Grams* grams, int kinds, int64_t skips) {
  const int64_t row = i / width, at = i % width;
  for (int g = 0; g < kinds; g++) {
    for (int64_t step = 1; step <= most_steps(grams[g], skips); step++) {
      if (at + (grams[g].length - 1) * step >= width) break;
      const int64_t column = grams[g].find(x + i, step);
      if (column >= 0) atomic_add(counts + row * columns + column, 1.f);
    }
  }
}

}  // namespace ait::gpu
