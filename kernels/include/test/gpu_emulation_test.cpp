// The device layer as the host emulates it: waiting, warps, copies, and that mistakes are found.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../ait/gpu/device.h"
#include "gpu_check.h"

using namespace ait;
using namespace ait::gpu;
using test::check;

namespace {

/// Runs kernel() for every thread of a grid and returns what went wrong.
template <class F>
const char* launch(unsigned blocks, int threads, size_t shared, const F& kernel) {
  return test::emulate(blocks, 1, 1, threads, static_cast<int64_t>(shared), kernel);
}

bool says(const char* error, const char* part) { return error && strstr(error, part); }

void with_seed(int seed) {
  if (seed == 0)
    unsetenv("AIT_EMULATION_SEED");
  else
    setenv("AIT_EMULATION_SEED", std::to_string(seed).c_str(), 1);
}

void barriers() {
  std::vector<float> x = test::Random{}.floats(4 * 256), y(x.size());
  const char* error = launch(4, 256, 1024, [&] {
    auto* s = reinterpret_cast<float*>(dynamic_shared());
    const int first = block_x() * threads();
    s[thread()] = x[static_cast<size_t>(first + thread())];
    for (int step = 0; step < 5; step++) {
      barrier();
      const float other = s[255 - thread()];
      barrier();
      s[thread()] = other;
    }
    y[static_cast<size_t>(first + thread())] = s[thread()];
  });
  bool ok = !error;
  for (size_t i = 0; i < x.size(); i++) ok &= y[i] == x[i / 256 * 256 + 255 - i % 256];
  check(ok, "barriers");

  std::vector<int> got(128);
  error = launch(1, 128, 512, [&] {
    auto* s = reinterpret_cast<int*>(dynamic_shared());
    // The upper half hands values to the lower half, twice; a warp at a time goes its own way.
    for (int round = 1; round <= 2; round++) {
      if (thread() >= 64) {
        s[thread() - 64] = round * thread();
        barrier_named(1, 128);
        barrier_named(2, 128);
      } else {
        barrier_named(1, 128);
        got[static_cast<size_t>(thread())] += s[thread()];
        barrier_named(2, 128);
      }
    }
  });
  ok = !error;
  for (int i = 0; i < 64; i++) ok &= got[static_cast<size_t>(i)] == 3 * (i + 64);
  check(ok, "named barriers");

  int sum = 0;
  error = launch(1, 128, 0, [&] {
    AIT_SHARED int count;
    if (thread() == 7) count = 0;
    barrier();
    if (thread() % 3 == 0) return;
    atomic_add(&count, 1);
    barrier();
    if (thread() == 1) sum = count;
  });
  check(!error && sum == 85, "threads that have returned are not waited for");
}

template <class T>
T make(int i) {
  if constexpr (sizeof(T) == 2 && !std::is_arithmetic_v<T>)
    return T{static_cast<uint16_t>(i * 257)};
  else
    return static_cast<T>(i * 5 + 1);
}

template <class T>
void shuffles(const char* what) {
  bool ok = true;
  const char* error = launch(1, 2 * kWarp, 0, [&] {
    const auto same = [](T a, T b) { return memcmp(&a, &b, sizeof(T)) == 0; };
    const int l = lane(), base = warp() * 3;
    const T mine = make<T>(base + l);
    bool good = same(shuffle(mine, 5), make<T>(base + 5));
    good &= same(shuffle(mine, (l * 7) % kWarp), make<T>(base + (l * 7) % kWarp));
    good &= same(shuffle_xor(mine, 6), make<T>(base + (l ^ 6)));
    good &= same(shuffle_up(mine, 4), make<T>(base + (l >= 4 ? l - 4 : l)));
    if (!good) ok = false;
  });
  check(!error && ok, what);
}

void warps() {
  shuffles<int8_t>("shuffles of bytes");
  shuffles<f16>("shuffles of f16");
  shuffles<float>("shuffles of float");
  shuffles<double>("shuffles of double");
  shuffles<int64_t>("shuffles of int64");

  bool ok = true;
  const char* error = launch(1, 2 * kWarp, 0, [&] {
    const int l = lane();
    const LaneMask odd = ballot(l % 2 == 1);
    bool good = (odd & 15) == 10 && count_bits(odd) == kWarp / 2 && ballot(false) == 0;
    good &= vote_any(l == 9) && !vote_any(false);
    good &= vote_all(l < kWarp) && !vote_all(l != 9);
    good &= warp_sum(l) == kWarp * (kWarp - 1) / 2 && warp_max(l % 10) == 9 && warp_min(l - 3.5f) == -3.5f;
    good &= warp_reduce<4>(l, Sum{}) == l / 4 * 16 + 6;
    good &= warp_scan(l, Sum{}) == l * (l + 1) / 2;
    if (!good) ok = false;
    if (l >= 20) return;
    // The lanes that have returned vote no more, and give their partners nothing.
    if (count_bits(ballot(true)) != 20 || !vote_all(true) || shuffle(l, 25) != l) ok = false;
  });
  check(!error && ok, "votes and reductions");

  error = launch(3, 4 * kWarp, 0, [&] {
    AIT_SHARED double scratch[32];
    AIT_SHARED int whole[32];
    const int n = threads();
    for (int i = 0; i < 3; i++) {
      if (block_sum(thread() + 0.5, scratch) != n * (n - 1) / 2 + 0.5 * n) ok = false;
      if (block_max(thread() * (i - 1), whole) != (i == 0 ? 0 : (n - 1) * (i - 1))) ok = false;
      if (block_min(-thread(), whole) != 1 - n) ok = false;
    }
    AIT_SHARED float floats[32];
    const float some = block_max(thread() == 70 ? NAN : 1.f, floats);
    if (some == some) ok = false;
  });
  check(!error && ok, "reductions of a block");
}

void copies() {
  std::vector<float> x = test::Random{}.floats(4096), y(64);
  bool poisoned = true, unfinished = true;
  const char* error = launch(2, 32, 4096, [&] {
    auto* s = reinterpret_cast<float*>(dynamic_shared());
    if (s[thread() * 4] == s[thread() * 4]) poisoned = false;
    cp_async16(s + thread() * 4, &x[static_cast<size_t>(thread() * 4)]);
    cp_async_commit();
    cp_async16(s + 128 + thread() * 4, &x[static_cast<size_t>(128 + thread() * 4)]);
    cp_async_commit();
    cp_async4(s + 256 + thread(), nullptr, false);
    cp_async_wait<1>();
    // The second group may be under way still, and the third is not even committed.
    if (s[128 + thread() * 4] == s[128 + thread() * 4] || s[256 + thread()] == 0) unfinished = false;
    const float early = s[thread() * 4 + 1];
    cp_async_commit();
    cp_async_wait<0>();
    if (s[256 + thread()] != 0) unfinished = false;
    y[static_cast<size_t>(block_x() * 32 + thread())] = early + s[128 + thread() * 4 + 2];
  });
  bool ok = !error;
  for (size_t i = 0; i < 64; i++) ok &= y[i] == x[i % 32 * 4 + 1] + x[128 + i % 32 * 4 + 2];
  check(poisoned, "shared memory holds NaN at first");
  check(unfinished, "copies are not there before they are waited for");
  check(ok, "asynchronous copies");

  // Three buffers in turn: a pipeline as products have it.
  float total = 0;
  const auto pipeline = [&](bool wait_enough) {
    return launch(1, 32, 3 * 512, [&, wait_enough] {
      auto* s = reinterpret_cast<float*>(dynamic_shared());
      const auto fetch = [&](int i) {
        if (i < 32)
          cp_async16(s + i % 3 * 128 + thread() * 4, &x[static_cast<size_t>(i * 128 + thread() * 4)]);
        cp_async_commit();
      };
      fetch(0), fetch(1);
      float sum = 0;
      for (int i = 0; i < 32; i++) {
        if (wait_enough)
          cp_async_wait<1>();
        else
          cp_async_wait<2>();
        barrier();
        fetch(i + 2);
        for (int e = 0; e < 4; e++) sum += s[i % 3 * 128 + (31 - thread()) * 4 + e];
      }
      sum = warp_sum(sum);
      if (thread() == 0) total = sum;
    });
  };
  double want = 0;
  for (float v : x) want += v;
  for (int seed = 0; seed < 10; seed++) {
    with_seed(seed);
    check(!pipeline(true) && test::near(total, want, 0, 1e-3), "a pipeline of copies", seed);
  }
  with_seed(0);
  check(!pipeline(false) && total != total, "a wait for too few copies is seen");
}

void orders() {
  // A value handed from one thread to the others, with and without the barrier that it takes.
  const auto wrong = [](int from, bool complete, int seed) {
    with_seed(seed);
    int bad = 0;
    const char* error = launch(2, 128, 4, [&] {
      auto* s = reinterpret_cast<int*>(dynamic_shared());
      if (thread() == from) *s = 42;
      if (complete) barrier();
      if (*s != 42) atomic_add(&bad, 1);
    });
    return error ? -1 : bad;
  };
  for (int from : {0, 60, 127}) {
    int found = 0;
    for (int seed = 0; seed < 8; seed++) {
      check(wrong(from, true, seed) == 0, "no order disturbs what a barrier protects", seed);
      found += wrong(from, false, seed) > 0;
    }
    check(found >= 7, "a missing barrier is found", from);
  }
  // A buffer written again before all have read it.
  int found = 0;
  for (int seed = 0; seed < 8; seed++) {
    with_seed(seed);
    int bad = 0;
    launch(1, 128, 512, [&] {
      auto* s = reinterpret_cast<int*>(dynamic_shared());
      for (int i = 0; i < 4; i++) {
        s[thread()] = i;
        barrier();
        if (s[(thread() + 40) % 128] != i) atomic_add(&bad, 1);
      }
    });
    found += bad > 0;
  }
  check(found >= 7, "a missing second barrier is found");
  with_seed(0);
}

void mistakes() {
  const auto nothing = [] {};
  check(says(launch(1, 40, 0, nothing), "warps"), "threads are whole warps");
  check(says(launch(1, 2048, 0, nothing), "1024"), "at most 1024 threads");
  check(says(launch(0, kWarp, 0, nothing), "grid"), "a grid of nothing");
  check(says(launch(1, kWarp, 300000, nothing), "shared"), "too much shared memory");
  check(says(launch(1, 2 * kWarp, 0,
                    [] {
                      if (warp() == 0)
                        barrier();
                      else
                        barrier_named(1, 2 * kWarp);
                    }),
             "wait for one another"),
        "different barriers");
  check(says(launch(1, kWarp, 0,
                    [] {
                      if (lane() < 5)
                        barrier();
                      else
                        warp_sync();
                    }),
             "wait for one another"),
        "a barrier in one branch only");
  check(says(launch(1, kWarp, 0,
                    [] {
                      if (lane() < 5)
                        ballot(true);
                      else
                        shuffle(1, 0);
                    }),
             "different warp operations"),
        "different operations of a warp");
  check(says(launch(1, kWarp, 64, [] { cp_async16(dynamic_shared() + 4, nullptr, false); }), "aligned"),
        "a misaligned copy");

  check(!launch(2, 1024, 0, [] { barrier(); }), "a launch after one that failed");
}

void atomics() {
  float f = 0;
  double d = 0;
  int64_t n = 0;
  uint32_t turn = 0;
  bool taken[128] = {};
  const char* error = launch(2, 64, 0, [&] {
    atomic_add(&f, 0.5f);
    atomic_add(&d, 0.25);
    atomic_add(&n, int64_t{1} << 33);
    taken[atomic_add(&turn, 1u)] = true;
  });
  bool each = true;
  for (bool t : taken) each &= t;
  check(!error && f == 64 && d == 32 && n == int64_t{1} << 40 && turn == 128 && each, "atomics");
}

/// Rounds to `digits` significant bits, but to no multiple finer than 2^least, by arithmetic in double.
double nearest(double x, int digits, int least) {
  if (x == 0 || !std::isfinite(x)) return x;
  int e;
  std::frexp(x, &e);
  const double unit = std::ldexp(1, std::max(e - digits, least));
  return std::nearbyint(x / unit) * unit;
}

void conversions() {
  bool ok = true;
  for (uint32_t i = 0; i < 65536; i++) {
    const float h = to_f32(f16{static_cast<uint16_t>(i)}), b = to_f32(bf16{static_cast<uint16_t>(i)});
    ok &= h != h ? from_f32<f16>(h).bits == 0x7fff : from_f32<f16>(h).bits == i;
    ok &= b != b ? from_f32<bf16>(b).bits == 0x7fff : from_f32<bf16>(b).bits == i;
  }
  check(ok && to_f32(f16{0x3c01}) == 1 + 0x1p-10f && to_f32(f16{0xfbff}) == -65504 &&
            to_f32(f16{1}) == 0x1p-24f,
        "every narrow float");
  test::Random random;
  for (int i = 0; i < 2000000; i++) {
    uint32_t bits = static_cast<uint32_t>(random.bits());
    if (i % 2) bits = (bits & 0x8fffe000u) + 0x33000000u + (i % 3 ? 0x1000u : 0);  // halfway, or exact
    const float x = detail::as_float(bits);
    if (x != x) continue;
    double h = nearest(x, 11, -24), b = nearest(x, 8, -133);
    if (std::fabs(h) >= 65536) h = std::copysign(INFINITY, h);
    if (std::fabs(b) >= 0x1p128) b = std::copysign(INFINITY, b);
    ok &= to_f32(from_f32<f16>(x)) == h && to_f32(from_f32<bf16>(x)) == b;
    ok &= std::signbit(to_f32(from_f32<f16>(x))) == std::signbit(x);
  }
  check(ok, "rounding to narrow floats");
  check(pack2<f16>(1, -2) == 0xc0003c00u && pack2<bf16>(1, -2) == 0xc0003f80u, "pairs");

  alignas(16) float x[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  Vec<float, 4> v = load<4>(x + 4);
  v[1] = 9;
  store(x, v);
  check(x[0] == 4 && x[1] == 9 && x[3] == 7 && x[4] == 4 && kVector<f16> == 8, "vectors");
}

#if defined(AIT_ASAN)
/// What happens outside of memory ends the process.
template <class F>
bool ends(const F& f) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(2);
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

void sanitized() {
  check(ends([] {
          launch(1, kWarp, 128, [] { reinterpret_cast<float*>(dynamic_shared())[thread() + 1] = 1; });
        }),
        "writing behind shared memory");
  check(ends([] {
          launch(1, kWarp, 0, [] {
            volatile int local[4] = {};
            const int at = shuffle(thread(), 7) - 3;
            barrier();
            const_cast<volatile int*>(local)[at] = 1;
          });
        }),
        "writing behind a thread's own array");
  check(!ends([] { launch(2, 256, 128, [] { barrier(); }); }), "nothing wrong");
}
#else
void sanitized() {}
#endif

}  // namespace

int main() {
  barriers();
  warps();
  copies();
  orders();
  mistakes();
  atomics();
  conversions();
  sanitized();
  return test::summary();
}
