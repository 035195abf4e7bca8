#pragma once
#include <stdlib.h>

#include <cstring>

#include "driver.h"
#include "emulation.h"

// The device is the host: memory is the host's, and functions run at once. It is how engines of a GPU are
// tested where there is none.
namespace ait::gpu::driver {

Properties properties{4, 80, 96 * 1024};
const int32_t place = AIT_DEVICE_CUDA;

ait_status open() { return AIT_OK; }
void close() {}
bool enter() { return true; }

void* allocate(int64_t bytes) {
  void* data = nullptr;
  const auto size = static_cast<size_t>((bytes < 1 ? 1 : bytes) + 255) / 256 * 256;
  return posix_memalign(&data, 256, size) == 0 ? std::memset(data, 0xff, size) : nullptr;
}
void release(void* data) { free(data); }
void* allocate_host(int64_t bytes) { return allocate(bytes); }
void release_host(void* data) { free(data); }

Stream create_stream() { return &properties; }
void destroy_stream(Stream) {}
bool synchronize(Stream) { return true; }

bool copy(void* to, const void* from, int64_t bytes, Stream) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return true;
}
bool upload(void* to, const void* from, int64_t bytes, Stream stream) {
  return copy(to, from, bytes, stream);
}
bool download(void* to, const void* from, int64_t bytes, Stream stream) {
  return copy(to, from, bytes, stream);
}

bool begin_capture(Stream) { return false; }
Graph end_capture(Stream) { return nullptr; }
bool replay(Graph, Stream) { return false; }
void destroy_graph(Graph) {}

bool launch(const Function& function, Grid grid, int threads, int64_t shared_bytes, void** args, Stream) {
  const char* problem =
      emulated_launch(function.emulated, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                      static_cast<unsigned>(grid.z), threads, static_cast<size_t>(shared_bytes), args);
  if (problem != nullptr) report(AIT_RUN_FAILED, "%s: %s", function.name, problem);
  return problem == nullptr;
}

bool box_map(TensorMap&, const void*, bool, const Boxes&) { return no_copy_engine(); }
bool windows_map(TensorMap&, const void*, bool, const WindowBoxes&, int) { return no_copy_engine(); }

}  // namespace ait::gpu::driver
