#pragma once
#include <cstddef>
#include <cstdint>

#include "../ports.h"
#include "function.h"
#include "launch.h"

// What a driver offers. driver_cuda.h, driver_hip.h and driver_emulated.h implement it; a library includes
// one. Functions that can fail give false or null, and the reason in last_error.
namespace ait::gpu::driver {

using Stream = void*;
using Graph = void*;

/// What is asked of the device once.
struct Properties {
  int multiprocessors = 0;
  int capability = 0;  ///< CUDA: 10 × major + minor. Otherwise 0.
  int64_t shared_bytes = 0;
};

extern Properties properties;

/// Kind of device, as DLPack numbers them, whose memory functions read.
extern const int32_t place;

/// For each engine: the first finds the driver and the device, and loads every function.
ait_status open();
/// Behind each engine that was opened: the last gives everything back.
void close();

/// Makes the device the calling thread's.
bool enter();

void* allocate(int64_t bytes);
void release(void* data);
/// Page-locked memory of the host that the device can also address.
void* allocate_host(int64_t bytes);
void release_host(void* data);

Stream create_stream();
void destroy_stream(Stream stream);
bool synchronize(Stream stream);

bool upload(void* to, const void* from, int64_t bytes, Stream stream);
bool download(void* to, const void* from, int64_t bytes, Stream stream);
bool copy(void* to, const void* from, int64_t bytes, Stream stream);

/// Between the two, work on the stream is recorded instead of done.
bool begin_capture(Stream stream);
Graph end_capture(Stream stream);
bool replay(Graph graph, Stream stream);
void destroy_graph(Graph graph);

bool launch(const Function& function, Grid grid, int threads, int64_t shared_bytes, void** args,
            Stream stream);
/// Up to four axes, the innermost first, and what one copy takes of them; strides in bytes, from the second
/// on.
struct Boxes {
  int rank;
  uint64_t sizes[4];
  uint64_t strides[3];
  uint32_t box[4];
};
bool box_map(TensorMap& map, const void* data, bool bf16, const Boxes& boxes);
bool windows_map(TensorMap& map, const void* data, bool bf16, const WindowBoxes& boxes, int box_rows);
/// For drivers without.
inline bool no_copy_engine() {
  report(AIT_RUN_FAILED, "only NVIDIA GPUs have a copy engine for matrices");
  return false;
}

}  // namespace ait::gpu::driver
