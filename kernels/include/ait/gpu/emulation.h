#pragma once
// Runs a kernel on the host. The threads of a block are fibers of one host thread, switched where they wait
// for one another, so that a kernel's races, missing waits and out-of-bounds accesses show up in tests and
// under AddressSanitizer. What a thread's code calls is in device_emulated.h; hosts call emulated_launch.
//
// Stacks are switched by a few instructions on x86-64, elsewhere (and with AIT_EMULATION_PORTABLE) by
// ucontext. AIT_EMULATION_SEED=n (n > 0) runs fibers in a random order, which makes a missing barrier
// visible.
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
  void* fake_stack = nullptr;
  void* offered = nullptr;
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
  Fiber* ready[kMaxThreads];
  int ready_first = 0, ready_count = 0;
  char* stacks[kMaxThreads + 1];
  int stacks_free = 0, stacks_made = 0;
  Fiber* finished = nullptr;
  const void* host_stack = nullptr;
  size_t host_stack_bytes = 0;
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
  b.stacks_made++;
  return static_cast<char*>(p) + kGuard;
}

inline Fiber& next_fiber(Block& b) {
  // The stack of a fiber that has ended is free as soon as another one runs.
  if (b.finished && b.finished != fiber) {
    b.stacks[b.stacks_free++] = b.finished->stack;
    b.finished->stack = nullptr;
    b.finished = nullptr;
  }
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

// ---- Meeting ------------------------------------------------------------------------------------------

inline void release(Block& b, Meeting& m) {
  for (int i = 0; i < m.arrived; i++) make_ready(b, m.waiting[i]);
  m.arrived = 0;
}

/// `expected` of the block's threads, or all that have not returned (0), wait for one another.
inline void meet(int id, int expected) {
  Block& b = *block;
  Meeting& m = b.barriers[id];
  m.waiting[m.arrived++] = fiber;
  m.expected = expected;
  if (m.arrived == (expected == 0 ? b.live : expected)) release(b, m);
  wait();
}

/// Once all of a warp's lanes that have not returned have come.
inline void complete_warp(Block& b, int thread, int lanes) {
  WarpMeeting& m = b.warps[thread / lanes];
  int live = 0;
  for (int i = thread / lanes * lanes; i < (thread / lanes + 1) * lanes; i += kFewestLanes)
    live += b.live_lanes[i / kFewestLanes];
  if (m.arrived != live) return;
  if (m.what) {
    void* offered[kMostLanes] = {};
    for (int i = 0; i < m.arrived; i++) offered[m.waiting[i]->thread % lanes] = m.waiting[i]->offered;
    m.what(offered);
  }
  for (int i = 0; i < m.arrived; i++) make_ready(b, m.waiting[i]);
  m.arrived = 0;
}

/// The lanes of a warp come together, each with a value that the last one's call of `what` reads and changes.
inline void meet_warp(int lanes, void* offered, Collective what) {
  Block& b = *block;
  WarpMeeting& m = b.warps[fiber->thread / lanes];
  if (m.arrived > 0 && m.what != what) fail("lanes of a warp are at different warp operations");
  m.what = what;
  m.lanes = lanes;
  fiber->offered = offered;
  m.waiting[m.arrived++] = fiber;
  complete_warp(b, fiber->thread, lanes);
  wait();
}

// ---- Asynchronous copies ------------------------------------------------------------------------------

inline void perform(const Copy& c) {
  if (c.valid)
    memcpy(c.to, c.from, static_cast<size_t>(c.bytes));
  else
    memset(c.to, 0, static_cast<size_t>(c.bytes));
}

/// Only a wait makes the copy, so that code which forgets to wait reads old data; under a seed some copies
/// are made at once, so that code which overwrites what others still read is found as well.
inline void issue_copy(const Copy& c) {
  Fiber& f = *fiber;
  if (reinterpret_cast<uintptr_t>(c.to) % static_cast<unsigned>(c.bytes) != 0 ||
      (c.valid && reinterpret_cast<uintptr_t>(c.from) % static_cast<unsigned>(c.bytes) != 0))
    fail("an asynchronous copy is not aligned to its size");
  if (block->random != 0 && random_number(*block) % 2 == 0) {
    perform(c);
    return;
  }
  if (f.copy_count == f.copy_room) {
    f.copy_room = f.copy_room ? 2 * f.copy_room : 64;
    f.copies = static_cast<Copy*>(realloc(f.copies, sizeof(Copy) * static_cast<size_t>(f.copy_room)));
  }
  f.copies[f.copy_count] = c;
  f.copies[f.copy_count++].group = f.group;
}

/// Completes the groups committed before group `end`.
inline void complete_copies(int end) {
  Fiber& f = *fiber;
  int kept = 0;
  for (int i = 0; i < f.copy_count; i++) {
    if (f.copies[i].group < end)
      perform(f.copies[i]);
    else
      f.copies[kept++] = f.copies[i];
  }
  f.copy_count = kept;
}

// ---- Running ------------------------------------------------------------------------------------------

/// The bottom of every fiber's stack.
inline void run_fiber() {
#if defined(AIT_ASAN)
  // The first fiber learns the host's stack from where it comes.
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
  if (!block->host_stack) {
    block->host_stack = bottom;
    block->host_stack_bytes = size;
  }
#endif
  Block& b = *block;
  b.entry(b.args);
  Fiber& f = *fiber;
  b.live--;
  b.live_lanes[f.thread / kFewestLanes]--;
  for (int lanes = kFewestLanes; lanes <= kMostLanes; lanes *= 2) {
    const WarpMeeting& w = b.warps[f.thread / lanes];
    if (w.arrived > 0 && w.lanes == lanes) complete_warp(b, f.thread, lanes);
  }
  for (Meeting& m : b.barriers)
    if (m.arrived > 0 && m.expected == 0 && m.arrived == b.live) release(b, m);
  Fiber& next = next_fiber(b);
  b.finished = &f;
  switch_to(next, true);
  abort();
}

inline Block& this_threads_block() {
  struct Owner {
    Block* b = new Block;
    ~Owner() {
      for (int i = 0; i < b->stacks_free; i++) munmap(b->stacks[i] - kGuard, kGuard + kStack);
      for (Fiber& f : b->fibers) free(f.copies);
      delete b;
    }
  };
  static thread_local Owner owner;
  return *owner.b;
}

inline void run_block(Block& b) {
  b.live = b.threads;
  b.ready_first = b.ready_count = 0;
  for (WarpMeeting& w : b.warps) w.arrived = 0;
  for (int& n : b.live_lanes) n = 0;
  for (Meeting& m : b.barriers) m.arrived = 0;
  // Odd blocks start with their last thread: a value that thread 0 hands to the others without a barrier
  // is missed in them.
  const bool backwards = ((b.index[0] + b.index[1] + b.index[2]) & 1) != 0;
  for (int i = 0; i < b.threads; i++) {
    Fiber& f = b.fibers[backwards ? b.threads - 1 - i : i];
    f.thread = static_cast<int>(&f - b.fibers);
    f.copy_count = f.group = 0;
    b.live_lanes[f.thread / kFewestLanes]++;
    make_ready(b, &f);
  }
  if (b.shared) memset(b.shared, 0xff, b.shared_bytes);
  fiber = &b.host;
  switch_to(next_fiber(b));
  if (b.finished) {
    b.stacks[b.stacks_free++] = b.finished->stack;
    b.finished->stack = nullptr;
    b.finished = nullptr;
  }
  // Fibers left hanging by an error give their stacks back as well.
  for (int i = 0; i < b.threads; i++) {
    Fiber& f = b.fibers[i];
    if (!f.stack) continue;
    b.stacks[b.stacks_free++] = f.stack;
    f.stack = nullptr;
  }
}

inline uint64_t seed() {
  const char* text = getenv("AIT_EMULATION_SEED");
  return text ? strtoull(text, nullptr, 10) * 0x9e3779b97f4a7c15u : 0;
}

}  // namespace ait::gpu::emulated

namespace ait::gpu {

/// Runs a grid; `entry` unpacks `args` and calls the kernel. Returns what went wrong, or null. It must be
/// called in the library that holds the kernel.
inline const char* emulated_launch(void (*entry)(void* const*), unsigned x, unsigned y, unsigned z,
                                   int threads, size_t shared, void* const* args) {
  using namespace emulated;
  if (threads < 1 || threads > kMaxThreads) return "a block has 1 to 1024 threads";
  if (threads % kFewestLanes != 0) return "a block's threads are no whole number of warps";
  if (x < 1 || y < 1 || z < 1 || x > 0x7fffffffu || y > 65535 || z > 65535) return "the grid is out of range";
  if (shared > kMaxShared) return "a block cannot have as much shared memory";
  if (block) return "a kernel cannot launch another";
  Block& b = this_threads_block();
  b.threads = threads;
  b.entry = entry;
  b.args = args;
  b.error = nullptr;
  b.random = seed();
  b.shared = nullptr;
  b.shared_bytes = shared;
  void* memory = nullptr;
  if (shared > 0 && posix_memalign(&memory, 1024, shared) != 0) return "no memory for shared memory";
  b.shared = static_cast<uint8_t*>(memory);
  b.grid[0] = x, b.grid[1] = y, b.grid[2] = z;
  b.host_stack = nullptr;
  block = &b;
  for (unsigned k = 0; k < z && !b.error; k++)
    for (unsigned j = 0; j < y && !b.error; j++)
      for (unsigned i = 0; i < x && !b.error; i++) {
        b.index[0] = i, b.index[1] = j, b.index[2] = k;
        run_block(b);
      }
  block = nullptr;
  fiber = nullptr;
  free(memory);
  return b.error;
}

}  // namespace ait::gpu
