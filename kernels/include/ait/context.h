#pragma once
#include <cstddef>
#include <cstdint>

namespace ait {

/// What a kernel may use while it runs. One per context; never shared by two runs at once.
struct Context {
  /// Number of threads parallel_for may use, at least 1.
  int threads = 1;
  /// Scratch memory that lives until the kernel returns, 64-byte aligned, `scratch_bytes` long; allocated
  /// by scratch() alone.
  uint8_t* scratch_base = nullptr;
  size_t scratch_bytes = 0;

  /// What went wrong in this run, or null. The first error wins; a kernel that fails writes nothing.
  const char* error = nullptr;
  void fail(const char* message) {
    if (!error) error = message;
  }

  /// At least `bytes` of 64-byte aligned memory, grown on demand, valid until the kernel returns
  /// or asks again. Contents are undefined. Not to be called inside a parallel_for body.
  void* scratch(size_t bytes);

  /// Frees what scratch() allocated. The owner of the context calls it once, at the end.
  void release_scratch();
};

/// 64-byte aligned memory of the calling thread, for use inside a parallel_for body: valid until the same
/// thread asks again. Contents are undefined.
void* thread_scratch(size_t bytes);

/// How long idle workers (and a caller that waits for the last of them) spin before they sleep; 50 at first.
void set_pool_spin(int microseconds);

using RangeBody = void (*)(void* closure, int64_t begin, int64_t end);

/// Splits [0, n) into contiguous ranges of at least `grain` items, runs them on the pool (the caller
/// takes part) and returns when all are done. The partition depends on n, grain and ctx.threads only;
/// there are up to four ranges a thread, so that a late thread's share can be taken over. A body that
/// wants one range a thread passes grain = ceil_div(n, ctx.threads).
/// Nested or concurrent calls that find the pool busy run on the calling thread.
void parallel_ranges(Context& ctx, int64_t n, int64_t grain, RangeBody body, void* closure);

/// parallel_for(ctx, n, grain, [&](int64_t begin, int64_t end) { ... });
template <class F>
inline void parallel_for(Context& ctx, int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (ctx.threads == 1 || n <= grain) {
    f(int64_t{0}, n);
    return;
  }
  parallel_ranges(
      ctx, n, grain,
      [](void* closure, int64_t begin, int64_t end) { (*static_cast<F*>(closure))(begin, end); }, &f);
}

}  // namespace ait
