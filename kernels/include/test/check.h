#pragma once
// The few lines every header test shares: checks that count, random numbers, a summary.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace test {

inline int passed = 0;
inline int failed = 0;

inline bool check(bool ok, const char* what, long long detail = 0) {
  if (ok) {
    passed++;
  } else if (failed++ < 20) {
    std::printf("FAILED %s (%lld)\n", what, detail);
  }
  return ok;
}

inline int summary() {
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

/// xorshift64*, so that a failure is reproducible.
struct Random {
  uint64_t state = 0x9E3779B97F4A7C15ull;
  uint64_t bits() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  float between(double lo, double hi) { return static_cast<float>(lo + (hi - lo) * uniform()); }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
  std::vector<float> floats(int64_t n, double lo = -1, double hi = 1) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = between(lo, hi);
    return v;
  }
};

/// |got - want| <= absolute + relative * |want|; two NaN agree.
inline bool near(double got, double want, double relative, double absolute) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <= absolute + relative * std::fabs(want);
}

template <class A, class B>
inline bool all_near(const A& got, const B& want, double relative, double absolute, const char* what) {
  for (size_t i = 0; i < want.size(); i++) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
    if (!near(g, w, relative, absolute)) {
      std::printf("  %s[%zu]: got %.9g, want %.9g\n", what, i, g, w);
      return check(false, what, static_cast<long long>(i));
    }
  }
  return check(true, what);
}

}  // namespace test
