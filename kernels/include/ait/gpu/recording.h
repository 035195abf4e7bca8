#pragma once
#include <stdlib.h>

#include <cstring>

#include "driver.h"

// What the runs of an engine leave for those that follow.
namespace ait::gpu {

/// Memory that is kept until more is asked for.
template <void* (*ALLOCATE)(int64_t), void (*RELEASE)(void*)>
struct KeptMemory {
  uint8_t* data = nullptr;
  int64_t bytes = 0;

  uint8_t* reserve(int64_t wanted) {
    if (wanted <= bytes && data != nullptr) return data;
    release();
    data = static_cast<uint8_t*>(ALLOCATE(wanted));
    bytes = data == nullptr ? 0 : wanted;
    return data;
  }
  void release() {
    RELEASE(data);
    data = nullptr;
    bytes = 0;
  }
};

/// An element of an input that a run looked at to know how to go on.
struct Look {
  int64_t at;  ///< In the staged inputs.
  int64_t bytes;
  uint8_t value[8];
};

/// What a run has looked at.
struct Looks {
  static constexpr int kMost = 32;
  Look all[kMost];
  int count;
  bool beyond;  ///< Also at what only the device has, so what was recorded need not come again.

  void add(int64_t at, const void* value, size_t bytes) {
    for (int i = 0; i < count; i++) {
      if (all[i].at == at && all[i].bytes == static_cast<int64_t>(bytes)) return;
    }
    beyond |= count == kMost || bytes > sizeof all[0].value;
    if (beyond) return;
    all[count].at = at;
    all[count].bytes = static_cast<int64_t>(bytes);
    std::memcpy(all[count++].value, value, bytes);
  }
  bool holds(const uint8_t* staged) const {
    for (int i = 0; i < count; i++) {
      if (std::memcmp(staged + all[i].at, all[i].value, static_cast<size_t>(all[i].bytes)) != 0) return false;
    }
    return true;
  }
};

inline void drop(driver::Graph graph) {
  if (graph != nullptr) driver::destroy_graph(graph);
}

/// The launches of one shape as a graph, with everything that is fixed in it. A program is a function of
/// its inputs' shapes and of what it looks at.
struct Recording {
  driver::Graph graph;  ///< Null while the shape was only seen.
  int64_t* inputs;      ///< Their extents and places; null in an unused entry.
  Looks looks;
  int64_t* extents;  ///< Of the outputs, one after another.
  void** outputs;    ///< Their places.
  const uint8_t* arena;
  const uint8_t* scratch;
  uint64_t late_moves;
  uint64_t used;

  void forget() {
    drop(graph);
    free(inputs);
    free(extents);
    free(outputs);
    *this = Recording{};
  }
};

}  // namespace ait::gpu
