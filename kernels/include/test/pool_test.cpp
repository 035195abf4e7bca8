#include "../ait/pool.h"

#include <unistd.h>

#include <thread>

#include "check.h"

using ait::Context;

static bool covers_once(int threads, int64_t n, int64_t grain) {
  Context ctx;
  ctx.threads = threads;
  std::vector<int> hits(static_cast<size_t>(n), 0);
  bool sizes = true;
  ait::parallel_for(ctx, n, grain, [&](int64_t begin, int64_t end) {
    if (end - begin < (n < grain ? n : grain)) sizes = false;
    for (int64_t i = begin; i < end; i++) hits[static_cast<size_t>(i)]++;
  });
  for (int h : hits) sizes = sizes && h == 1;
  return sizes;
}

/// The ranges a call is split into, in order of their begin.
static std::vector<int64_t> partition(int threads, int64_t n, int64_t grain) {
  Context ctx;
  ctx.threads = threads;
  std::vector<std::atomic<int64_t>> end_of(static_cast<size_t>(n));
  ait::parallel_for(ctx, n, grain, [&](int64_t b, int64_t e) { end_of[static_cast<size_t>(b)] = e; });
  std::vector<int64_t> ends;
  for (int64_t at = 0; at < n; at = ends.back()) ends.push_back(end_of[static_cast<size_t>(at)]);
  return ends;
}

static int64_t sum_of_squares(int threads, int64_t n) {
  Context ctx;
  ctx.threads = threads;
  std::atomic<int64_t> total{0};
  ait::parallel_for(ctx, n, 1, [&](int64_t begin, int64_t end) {
    int64_t s = 0;
    for (int64_t i = begin; i < end; i++) s += i * i;
    total += s;
  });
  return total;
}

int main() {
  for (int threads : {1, 2, 3, 7}) {
    for (int64_t n : {1, 2, 5, 63, 64, 1000, 4097}) {
      for (int64_t grain : {0, 1, 10, 64, 5000}) test::check(covers_once(threads, n, grain), "coverage", n);
    }
  }
  test::check(partition(3, 1000, 10) == partition(3, 1000, 10), "the partition is reproducible");
  test::check(partition(2, 1000, 500).size() == 2, "grain = n / threads gives a range a thread");
  test::check(partition(1, 1000, 1).size() == 1, "one thread gets one range");

  // Many short jobs, with and without sleeping workers in between.
  for (int spin : {0, 50}) {
    ait::set_pool_spin(spin);
    for (int i = 0; i < 2000; i++) {
      if (i % 500 == 0) usleep(300);
      if (sum_of_squares(3, 100) != 328350) test::check(false, "short jobs", i);
    }
    test::check(true, "short jobs");
  }

  // Concurrent callers and nested calls fall back to their own thread.
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; t++) {
    callers.emplace_back([&] {
      for (int i = 0; i < 300; i++) good += sum_of_squares(2 + i % 3, 100) == 328350;
      good += ait::thread_scratch(1000) != nullptr;
    });
  }
  for (auto& c : callers) c.join();
  test::check(good == 1204, "concurrent callers", good);
  {
    Context ctx;
    ctx.threads = 3;
    std::atomic<int64_t> total{0};
    ait::parallel_for(ctx, 20, 1, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; i++) total += sum_of_squares(3, 100);
    });
    test::check(total == 20 * 328350, "nested");
  }

  Context ctx;
  auto* a = static_cast<uint8_t*>(ctx.scratch(10));
  test::check(reinterpret_cast<uintptr_t>(a) % 64 == 0 && ctx.scratch_bytes >= 10, "scratch is aligned");
  test::check(ctx.scratch(20) == a, "scratch is kept");
  auto* b = static_cast<uint8_t*>(ctx.scratch(1 << 20));
  std::memset(b, 1, 1 << 20);
  test::check(ctx.scratch_bytes >= 1 << 20, "scratch grows");
  ctx.release_scratch();
  test::check(ctx.scratch_base == nullptr, "scratch is released");
  void* mine = ait::thread_scratch(100);
  test::check(mine == ait::thread_scratch(200), "thread scratch is kept");
  std::memset(ait::thread_scratch(1 << 16), 1, 1 << 16);
  return test::summary();
}
