#pragma once
// The thread pool and the scratch memory behind context.h. Exactly one translation unit of a library
// includes this file: the definitions are not inline, so that every library owns a pool of its own and
// takes its threads along when it is unloaded.
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <atomic>

#include "context.h"

namespace ait {
namespace {

constexpr int kMaxThreads = 256;
constexpr int kRangesPerThread = 4;

inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
}

inline int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

void* aligned_bytes(size_t bytes) {
  void* p = nullptr;
  return posix_memalign(&p, 64, bytes) == 0 ? p : nullptr;
}

/// The ranges one participant still has to run: epoch (32 bits) | next (16) | end (16). A range is taken
/// by compare-and-swap, so a thread that wakes up late sees a foreign epoch and touches nothing.
struct alignas(64) Slot {
  std::atomic<uint64_t> word{0};
};

struct ThreadBlock {
  void* data;
  size_t bytes;
  ThreadBlock* next;
};

class Pool {
 public:
  void run(int threads, int parts, int64_t n, RangeBody body, void* closure) {
    grow(threads - 1);
    n_ = n;
    parts_ = parts;
    body_ = body;
    closure_ = closure;
    done_.store(0, std::memory_order_relaxed);
    const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    participants_.store(threads, std::memory_order_relaxed);
    for (int t = 0; t < threads; t++) {
      const uint64_t begin = static_cast<uint64_t>(parts) * t / threads;
      const uint64_t end = static_cast<uint64_t>(parts) * (t + 1) / threads;
      slots_[t].word.store(uint64_t{epoch} << 32 | begin << 16 | end, std::memory_order_release);
    }
    epoch_.store(epoch);
    if (sleepers_.load() > 0) {
      pthread_mutex_lock(&mutex_);
      pthread_cond_broadcast(&work_);
      pthread_mutex_unlock(&mutex_);
    }
    participate(0, threads, epoch);
    if (spin([&] { return done_.load(std::memory_order_acquire) == parts; })) return;
    pthread_mutex_lock(&mutex_);
    caller_waits_.store(true);
    while (done_.load() != parts) pthread_cond_wait(&finished_, &mutex_);
    caller_waits_.store(false);
    pthread_mutex_unlock(&mutex_);
  }

  bool acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  void* thread_block(size_t bytes) {
    pthread_once(&key_once_, [] { instance().make_key(); });
    auto* block = static_cast<ThreadBlock*>(pthread_getspecific(key_));
    if (block == nullptr) {
      block = static_cast<ThreadBlock*>(calloc(1, sizeof(ThreadBlock)));
      if (block == nullptr) return nullptr;
      pthread_mutex_lock(&mutex_);
      block->next = blocks_;
      blocks_ = block;
      pthread_mutex_unlock(&mutex_);
      pthread_setspecific(key_, block);
    }
    if (block->bytes < bytes) {
      free(block->data);
      block->data = aligned_bytes(bytes);
      block->bytes = block->data == nullptr ? 0 : bytes;
    }
    return block->data;
  }

  ~Pool() {
    pthread_mutex_lock(&mutex_);
    stop_.store(true);
    pthread_cond_broadcast(&work_);
    pthread_mutex_unlock(&mutex_);
    for (int i = 0; i < workers_; i++) pthread_join(threads_[i], nullptr);
    if (has_key_) pthread_key_delete(key_);
    while (blocks_ != nullptr) {
      ThreadBlock* next = blocks_->next;
      free(blocks_->data);
      free(blocks_);
      blocks_ = next;
    }
  }

  static Pool& instance();
  std::atomic<int> spin_us_{50};

 private:
  static void* worker_main(void* arg) {
    const int id = static_cast<int>(reinterpret_cast<intptr_t>(arg));
    instance().work(id);
    return nullptr;
  }

  void work(int id) {
    uint32_t seen = 0;
    for (;;) {
      const auto news = [&] { return epoch_.load(std::memory_order_acquire) != seen || stop_.load(); };
      if (!spin(news)) {
        pthread_mutex_lock(&mutex_);
        sleepers_.fetch_add(1);
        while (epoch_.load() == seen && !stop_.load()) pthread_cond_wait(&work_, &mutex_);
        sleepers_.fetch_sub(1);
        pthread_mutex_unlock(&mutex_);
      }
      if (stop_.load()) return;
      seen = epoch_.load(std::memory_order_acquire);
      const int participants = participants_.load(std::memory_order_relaxed);
      if (id < participants) participate(id, participants, seen);
    }
  }

  /// Runs this participant's own ranges, then what the others have not started.
  void participate(int id, int threads, uint32_t epoch) {
    for (int i = 0; i < threads; i++) {
      const int owner = id + i < threads ? id + i : id + i - threads;
      std::atomic<uint64_t>& word = slots_[owner].word;
      uint64_t w = word.load(std::memory_order_acquire);
      for (;;) {
        if (static_cast<uint32_t>(w >> 32) != epoch) return;
        const int64_t part = w >> 16 & 0xffff;
        if (part >= static_cast<int64_t>(w & 0xffff)) break;
        if (!word.compare_exchange_weak(w, w + (1 << 16), std::memory_order_acq_rel)) continue;
        // The range taken is unfinished, so the caller is still waiting and the job's fields are stable.
        const int parts = parts_;
        body_(closure_, n_ / parts * part + n_ % parts * part / parts,
              n_ / parts * (part + 1) + n_ % parts * (part + 1) / parts);
        if (done_.fetch_add(1) + 1 == parts && caller_waits_.load()) {
          pthread_mutex_lock(&mutex_);
          pthread_cond_signal(&finished_);
          pthread_mutex_unlock(&mutex_);
        }
        w = word.load(std::memory_order_acquire);
      }
    }
  }

  /// Waits for the condition without sleeping, for a while; tells whether it came true.
  template <class F>
  bool spin(F&& condition) {
    const int64_t budget = int64_t{1000} * spin_us_.load(std::memory_order_relaxed);
    const int64_t start = budget > 0 ? now_ns() : 0;
    do {
      for (int i = 0; i < 32; i++) {
        if (condition()) return true;
        cpu_relax();
      }
    } while (budget > 0 && now_ns() - start < budget);
    return condition();
  }

  void grow(int workers) {
    if (workers <= workers_) return;
    if (workers_ == 0 && !fork_handled_) {
      fork_handled_ = true;
      pthread_atfork(nullptr, nullptr, [] { instance().after_fork(); });
    }
    while (workers_ < workers) {
      void* id = reinterpret_cast<void*>(static_cast<intptr_t>(workers_ + 1));
      if (pthread_create(&threads_[workers_], nullptr, worker_main, id) != 0) return;
      workers_++;
    }
  }

  /// A forked child has no workers; it makes new ones when it needs them.
  void after_fork() {
    workers_ = 0;
    sleepers_.store(0);
    caller_waits_.store(false);
    busy_.store(false);
    mutex_ = PTHREAD_MUTEX_INITIALIZER;
    work_ = PTHREAD_COND_INITIALIZER;
    finished_ = PTHREAD_COND_INITIALIZER;
  }

  void make_key() { has_key_ = pthread_key_create(&key_, forget_thread) == 0; }

  static void forget_thread(void* arg) {
    Pool& pool = instance();
    pthread_mutex_lock(&pool.mutex_);
    ThreadBlock** at = &pool.blocks_;
    while (*at != nullptr && *at != arg) at = &(*at)->next;
    if (*at != nullptr) *at = (*at)->next;
    pthread_mutex_unlock(&pool.mutex_);
    free(static_cast<ThreadBlock*>(arg)->data);
    free(arg);
  }

  Slot slots_[kMaxThreads];
  alignas(64) std::atomic<uint32_t> epoch_{0};
  std::atomic<int> participants_{0};
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<int> done_{0};
  std::atomic<bool> caller_waits_{false};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> busy_{false};
  int64_t n_ = 0;
  int parts_ = 0;
  RangeBody body_ = nullptr;
  void* closure_ = nullptr;
  int workers_ = 0;
  bool fork_handled_ = false;
  bool has_key_ = false;
  pthread_t threads_[kMaxThreads];
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t work_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t finished_ = PTHREAD_COND_INITIALIZER;
  pthread_key_t key_{};
  pthread_once_t key_once_ = PTHREAD_ONCE_INIT;
  ThreadBlock* blocks_ = nullptr;
};

Pool pool_instance;
Pool& Pool::instance() { return pool_instance; }

}  // namespace

void parallel_ranges(Context& ctx, int64_t n, int64_t grain, RangeBody body, void* closure) {
  if (n <= 0) return;
  const int64_t limit = ctx.threads < 1 ? 1 : ctx.threads > kMaxThreads ? kMaxThreads : ctx.threads;
  const int64_t by_grain = n / (grain < 1 ? 1 : grain);
  const int64_t most = limit == 1 ? 1 : limit * kRangesPerThread;
  const int parts = static_cast<int>(by_grain < 1 ? 1 : by_grain < most ? by_grain : most);
  const int threads = static_cast<int>(parts < limit ? parts : limit);
  Pool& pool = pool_instance;
  if (threads > 1 && pool.acquire()) {
    pool.run(threads, parts, n, body, closure);
    pool.release();
    return;
  }
  for (int64_t i = 0; i < parts; i++) {
    body(closure, n / parts * i + n % parts * i / parts, n / parts * (i + 1) + n % parts * (i + 1) / parts);
  }
}

void* Context::scratch(size_t bytes) {
  if (bytes > scratch_bytes || scratch_base == nullptr) {
    free(scratch_base);
    const size_t wanted = bytes < 4096 ? 4096 : bytes;
    scratch_base = static_cast<uint8_t*>(aligned_bytes(wanted));
    scratch_bytes = scratch_base == nullptr ? 0 : wanted;
  }
  return scratch_base;
}

void Context::release_scratch() {
  free(scratch_base);
  scratch_base = nullptr;
  scratch_bytes = 0;
}

void* thread_scratch(size_t bytes) { return pool_instance.thread_block(bytes < 4096 ? 4096 : bytes); }

void set_pool_spin(int microseconds) { pool_instance.spin_us_.store(microseconds); }

}  // namespace ait
