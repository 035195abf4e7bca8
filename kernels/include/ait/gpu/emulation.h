#pragma once
// Runs a kernel on the host. The threads of a block are fibers of one host thread, switched where they wait
// for one another, so that a kernel's races, missing waits and out-of-bounds accesses show up in tests and
// under AddressSanitizer. What a thread's code calls is in device_emulated.h; hosts call emulated_launch.
//
// AIT_EMULATION_SEED=n (n > 0) runs fibers in a random order, which makes a missing barrier visible.
#include "emulation_fibers.h"

namespace ait::gpu::emulated {

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

/// Blocks that no launch uses. They belong to the library and not to threads, whose ends would have to be
/// waited for before the library can be unloaded.
struct IdleBlocks {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  Block* first = nullptr;

  Block* take() {
    pthread_mutex_lock(&mutex);
    Block* b = first;
    if (b) first = b->next;
    pthread_mutex_unlock(&mutex);
    return b ? b : new Block;
  }

  void give(Block* b) {
    pthread_mutex_lock(&mutex);
    b->next = first;
    first = b;
    pthread_mutex_unlock(&mutex);
  }

  ~IdleBlocks() {
    while (Block* b = first) {
      first = b->next;
      for (int i = 0; i < b->stacks_free; i++) munmap(b->stacks[i] - kGuard, kGuard + kStack);
      for (Fiber& f : b->fibers) free(f.copies);
      delete b;
    }
  }
};

inline IdleBlocks idle_blocks;

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
  bury_finished(b);
  // Fibers left hanging by an error give their stacks back as well.
  for (int i = 0; i < b.threads; i++) {
    Fiber& f = b.fibers[i];
    if (f.stack) free_stack(b, f);
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
  void* memory = nullptr;
  if (shared > 0 && posix_memalign(&memory, 1024, shared) != 0) return "no memory for shared memory";
  Block& b = *idle_blocks.take();
  b.threads = threads;
  b.entry = entry;
  b.args = args;
  b.error = nullptr;
  b.random = seed();
  b.shared = static_cast<uint8_t*>(memory);
  b.shared_bytes = shared;
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
  const char* error = b.error;
  idle_blocks.give(&b);
  return error;
}

}  // namespace ait::gpu
