#pragma once
// The threads of a block as fibers of one host thread: see emulation.h. Stacks are switched by a few
// instructions on x86-64, elsewhere (and with AIT_EMULATION_PORTABLE) by ucontext.
#include <pthread.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if !defined(__x86_64__) || defined(AIT_EMULATION_PORTABLE)
#define AIT_UCONTEXT 1
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define AIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AIT_ASAN 1
#endif
#endif
#if defined(AIT_ASAN)
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
void __asan_unpoison_memory_region(const volatile void* p, size_t size);
}
#endif

namespace ait::gpu::emulated {

constexpr int kMaxThreads = 1024;
/// Warps have 32 or 64 lanes, as the kernel's unit was compiled.
constexpr int kFewestLanes = 32, kMostLanes = 64;
constexpr int kBarriers = 16;
/// What the largest device gives one block.
constexpr size_t kMaxShared = 232448;
#if defined(AIT_ASAN)
constexpr size_t kStack = 512 << 10;
constexpr int kColour = 0;
#else
constexpr size_t kStack = 256 << 10;
/// Stacks begin at different places of a page, or all threads would meet in a few lines of the cache. (The
/// sanitizer remembers frames of a stack's last user, which must be where they were.)
constexpr int kColour = 576;
#endif
constexpr size_t kGuard = 4096;

/// A copy that cp_async issued and no wait has yet completed.
struct Copy {
  void* to;
  const void* from;
  int bytes;
  bool valid;
  int group;
};

struct Fiber {
  int thread = 0;
  char* stack = nullptr;
#if !defined(AIT_UCONTEXT)
  void* sp = nullptr;
#else
  ucontext_t context;
#endif
  void* fake_stack = nullptr;  ///< AddressSanitizer's.
  void* offered = nullptr;     ///< To the other lanes of the warp.
  Copy* copies = nullptr;
  int copy_count = 0, copy_room = 0;
  int group = 0;
};

/// What the last lane to come does with what all of a warp's lanes offer; null for lanes that have returned.
using Collective = void (*)(void* const* lanes);

struct Meeting {
  Fiber* waiting[kMaxThreads];
  int arrived = 0;
  int expected = 0;
};
struct WarpMeeting {
  Fiber* waiting[kMostLanes];
  int arrived = 0;
  int lanes = 0;
  Collective what = nullptr;
};

/// The block that a host thread runs.
struct Block {
  unsigned index[3] = {}, grid[3] = {};
  int threads = 0;
  int live = 0;
  uint8_t* shared = nullptr;
  size_t shared_bytes = 0;
  void (*entry)(void* const*) = nullptr;
  void* const* args = nullptr;
  const char* error = nullptr;
  uint64_t random = 0;

  Fiber host;
  Fiber fibers[kMaxThreads];
  WarpMeeting warps[kMaxThreads / kFewestLanes];
  /// Of every kFewestLanes threads.
  int live_lanes[kMaxThreads / kFewestLanes];
  Meeting barriers[kBarriers];
  /// Fibers that may go on, as a ring.
  Fiber* ready[kMaxThreads];
  int ready_first = 0, ready_count = 0;
  char* stacks[kMaxThreads + 1];
  int stacks_free = 0;
  /// Has ended, and still has its stack.
  Fiber* finished = nullptr;
  const void* host_stack = nullptr;
  size_t host_stack_bytes = 0;
  Block* next = nullptr;
};

inline thread_local Block* block = nullptr;
inline thread_local Fiber* fiber = nullptr;

// ---- Switching ----------------------------------------------------------------------------------------

#if !defined(AIT_UCONTEXT)
#if defined(__clang__)
#define AIT_NO_IPA
#else
#define AIT_NO_IPA , noipa
#endif
/// Leaves this stack at *from (in rdi) and goes on at the stack `to` (in rsi).
__attribute__((naked, noinline AIT_NO_IPA)) inline void switch_stacks(void**, void*) {
  asm("push %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
      "mov %rsp, (%rdi)\n\tmov %rsi, %rsp\n\t"
      "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\tret");
}
#endif

/// The bottom of every fiber's stack (emulation.h).
inline void run_fiber();

inline void prepare(Fiber& f) {
#if defined(AIT_ASAN)
  // The stack's last user left it in the middle of its frames.
  __asan_unpoison_memory_region(f.stack, kStack);
#endif
#if !defined(AIT_UCONTEXT)
  void** top = reinterpret_cast<void**>(f.stack + kStack - f.thread % 64 * kColour);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&run_fiber);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  f.sp = top;
#else
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack;
  f.context.uc_stack.ss_size = kStack;
  makecontext(&f.context, &run_fiber, 0);
#endif
}

/// Goes on with another fiber; `ends` says that this one never comes back.
inline void switch_to(Fiber& to, bool ends = false) {
  Fiber& from = *fiber;
  fiber = &to;
#if defined(AIT_ASAN)
  const bool host = &to == &block->host;
  __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, host ? block->host_stack : to.stack,
                                 host ? block->host_stack_bytes : kStack);
#else
  (void)ends;
#endif
#if !defined(AIT_UCONTEXT)
  switch_stacks(&from.sp, to.sp);
#else
  swapcontext(&from.context, &to.context);
#endif
#if defined(AIT_ASAN)
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

inline uint64_t random_number(Block& b) {
  b.random ^= b.random << 13;
  b.random ^= b.random >> 7;
  b.random ^= b.random << 17;
  return b.random;
}

inline void make_ready(Block& b, Fiber* f) { b.ready[(b.ready_first + b.ready_count++) % kMaxThreads] = f; }

inline char* take_stack(Block& b) {
  if (b.stacks_free > 0) return b.stacks[--b.stacks_free];
  void* p = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (p == MAP_FAILED || mprotect(p, kGuard, PROT_NONE) != 0) {
    fputs("emulation: no memory for the stack of a thread\n", stderr);
    abort();
  }
  return static_cast<char*>(p) + kGuard;
}

inline void free_stack(Block& b, Fiber& f) {
  b.stacks[b.stacks_free++] = f.stack;
  f.stack = nullptr;
}

/// The stack of a fiber that has ended is free as soon as another one runs.
inline void bury_finished(Block& b) {
  if (!b.finished || b.finished == fiber) return;
  free_stack(b, *b.finished);
  b.finished = nullptr;
}

inline Fiber& next_fiber(Block& b) {
  bury_finished(b);
  if (b.ready_count == 0) {
    if (b.live > 0 && !b.error) b.error = "threads of a block wait for one another at different places";
    return b.host;
  }
  if (b.random != 0) {
    const int other = static_cast<int>(random_number(b) % static_cast<unsigned>(b.ready_count));
    Fiber*& first = b.ready[b.ready_first];
    Fiber*& chosen = b.ready[(b.ready_first + other) % kMaxThreads];
    Fiber* const f = chosen;
    chosen = first;
    first = f;
  }
  Fiber& f = *b.ready[b.ready_first];
  b.ready_first = (b.ready_first + 1) % kMaxThreads;
  b.ready_count--;
  if (!f.stack) {
    f.stack = take_stack(b);
    prepare(f);
  }
  return f;
}

/// Runs others until this fiber is ready again.
inline void wait() {
  Fiber& next = next_fiber(*block);
  if (&next != fiber) switch_to(next);
}

/// Stops the whole launch with a message. Does not return to the thread.
[[noreturn]] inline void fail(const char* message) {
  if (!block->error) block->error = message;
  switch_to(block->host, true);
  abort();
}

}  // namespace ait::gpu::emulated
