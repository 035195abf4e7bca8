#pragma once
#include "memory.h"
#include "ports.h"

namespace ait {

/// Where an engine's memory is and how its segments run. This one is the CPU: everything is memory of the
/// host, and a segment's function does the work itself. Engines of a GPU have another (gpu/gpu_device.h).
struct HostDevice {
  using Memory = Block;  ///< Of intermediate values.
  using Result = Block;  ///< Of outputs that the library gives to its caller, on the host.

  /// What belongs to one mapping of weights.bin.
  struct Weights {
    const uint8_t* data = nullptr;
  };
  /// What belongs to a context.
  struct State {};

  static ait_status open() { return AIT_OK; }
  static void close() {}
  static ait_status take_weights(const uint8_t* data, size_t, Weights& weights) {
    weights.data = data;
    return AIT_OK;
  }
  static void drop_weights(Weights&) {}
  static bool create(State&, void*, const Segment&) { return true; }
  static void destroy(State&, const Segment&) {}
  static bool reads(int32_t device_type) {
    return device_type == AIT_DEVICE_CPU || device_type == AIT_DEVICE_CUDA_HOST ||
           device_type == AIT_DEVICE_ROCM_HOST;
  }
  static constexpr const char* kMemory = "the memory of the CPU";
  static constexpr const char* kRoom = "";  ///< Where that is, behind "there is no memory".

  template <class SegmentRun>
  static void run(SegmentRun& run) {
    run.segment().run(run);
  }
  template <class SegmentRun>
  static void abandon(SegmentRun&) {}
  /// Memory for an output while the segment runs.
  template <class SegmentRun>
  static void* output(SegmentRun& run, int i, int64_t bytes) {
    return run.memory_of(i, bytes);
  }
  template <class Context>
  static void fetch(Context&, void* to, const void* from, const void*, size_t bytes) {
    std::memcpy(to, from, bytes);
  }
  template <class Context>
  static void copy(Context&, void* to, const void* from, int64_t bytes) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
};

}  // namespace ait
