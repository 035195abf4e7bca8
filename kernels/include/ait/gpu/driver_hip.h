#pragma once
#include <cstddef>
#include <cstdint>

// HIP's runtime, loaded at run time: the library needs neither its headers nor its libraries, and opens on a
// machine without a GPU.
namespace ait::gpu::driver {

namespace native {

using Result = int;

constexpr int kMultiprocessors = 63, kSharedPerBlock = 74;  // hipDeviceAttribute…
constexpr int kToDevice = 1, kToHost = 2, kWithin = 3;
constexpr int kSupportedRuntime = 50000000;

}  // namespace native
}  // namespace ait::gpu::driver

/// The entries used: type and member.
#define AIT_DRIVER_ENTRIES(X)                                                                          \
  X(init, "hipInit", Result(unsigned))                                                                 \
  X(runtime_version, "hipRuntimeGetVersion", Result(int*))                                             \
  X(error_string, "hipGetErrorString", const char*(Result))                                            \
  X(device_count, "hipGetDeviceCount", Result(int*))                                                   \
  X(set_device, "hipSetDevice", Result(int))                                                           \
  X(device_name, "hipDeviceGetName", Result(char*, int, int))                                          \
  X(device_attribute, "hipDeviceGetAttribute", Result(int*, int, int))                                 \
  X(mem_alloc, "hipMalloc", Result(void**, size_t))                                                    \
  X(mem_free, "hipFree", Result(void*))                                                                \
  X(host_alloc, "hipHostMalloc", Result(void**, size_t, unsigned))                                     \
  X(host_free, "hipHostFree", Result(void*))                                                           \
  X(copy, "hipMemcpyAsync", Result(void*, const void*, size_t, int, void*))                            \
  X(stream_create, "hipStreamCreateWithFlags", Result(void**, unsigned))                               \
  X(stream_destroy, "hipStreamDestroy", Result(void*))                                                 \
  X(stream_synchronize, "hipStreamSynchronize", Result(void*))                                         \
  X(begin_capture, "hipStreamBeginCapture", Result(void*, int))                                        \
  X(end_capture, "hipStreamEndCapture", Result(void*, void**))                                         \
  X(instantiate, "hipGraphInstantiate", Result(void**, void*, void**, char*, size_t))                  \
  X(graph_launch, "hipGraphLaunch", Result(void*, void*))                                              \
  X(graph_destroy, "hipGraphDestroy", Result(void*))                                                   \
  X(exec_destroy, "hipGraphExecDestroy", Result(void*))                                                \
  X(module_load, "hipModuleLoadData", Result(void**, const void*))                                     \
  X(module_unload, "hipModuleUnload", Result(void*))                                                   \
  X(module_function, "hipModuleGetFunction", Result(void**, void*, const char*))                       \
  X(launch_kernel, "hipModuleLaunchKernel",                                                            \
    Result(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, \
           void**))

#include "driver_native.h"

namespace ait::gpu::driver {

const int32_t place = AIT_DEVICE_ROCM;

namespace native {

static int device = 0;

inline const char* text(Result result) {
  return api.error_string == nullptr ? "unknown error" : api.error_string(result);
}
inline Result make_current() { return api.set_device(device); }
inline Result instantiate(void** executable, void* graph) {
  return api.instantiate(executable, graph, nullptr, nullptr, 0);
}

inline ait_status load_entries() {
  static void* library = nullptr;
  static const char* const names[] = {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5",
                                      "libamdhip64.so"};
  for (const char* name : names)
    if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return report(AIT_NO_DEVICE,
                  "this model was compiled for AMD GPUs, and this machine has no runtime for them "
                  "(libamdhip64.so); install ROCm, or convert the model with --target cpu");
  }
  const char* lacking = find_entries(library);
  int version = 0;
  if (api.runtime_version != nullptr) api.runtime_version(&version);
  if (lacking != nullptr || version < kSupportedRuntime) {
    return report(AIT_NO_DEVICE,
                  "the runtime of the GPU is too old: it is HIP %d.%d, and this model needs 5.0; install a "
                  "newer ROCm",
                  version / 10000000, version / 100000 % 100);
  }
  return AIT_OK;
}

/// The runtime knows which code suits the device: the first of a function's images that it takes.
inline ait_status load_functions(const char* name) {
  for (Function* const* at = ait_functions; *at != nullptr; at++) {
    Function& f = **at;
    for (const Image* i = f.images; i->arch != nullptr && f.module == nullptr; i++) {
      if (api.module_load(&f.module, i->code) != 0) f.module = nullptr;
    }
    if (f.module == nullptr) {
      return report(
          AIT_NO_DEVICE,
          "this model was compiled for %s, and the device (%s) does not run that; convert the model "
          "again with --arch and what `rocminfo` calls the device",
          Archs(f).names, name);
    }
    if (!good(api.module_function(&f.handle, f.module, f.name), "find the model's code")) return last_status;
  }
  return AIT_OK;
}

inline ait_status open_device() {
  const ait_status status = load_entries();
  if (status != AIT_OK) return status;
  int count = 0;
  if (api.init(0) != 0 || api.device_count(&count) != 0 || count == 0) {
    return report(AIT_NO_DEVICE,
                  "this model was compiled for AMD GPUs, and the runtime finds none on this machine");
  }
  const ait_status found = choose_device(count, &device);
  if (found != AIT_OK) return found;
  char name[128] = "GPU";
  int shared = 0;
  api.device_name(name, sizeof name, device);
  api.device_attribute(&properties.multiprocessors, kMultiprocessors, device);
  api.device_attribute(&shared, kSharedPerBlock, device);
  properties.shared_bytes = shared;
  if (!enter()) return last_status;
  return load_functions(name);
}

inline void close_device() {
  if (api.set_device != nullptr) make_current();
  unload_functions();
}

inline bool copy(void* to, const void* from, int64_t bytes, int kind, Stream stream, const char* what) {
  return good(api.copy(to, from, static_cast<size_t>(bytes), kind, stream), what);
}

}  // namespace native

void* allocate(int64_t bytes) {
  void* data = nullptr;
  return native::api.mem_alloc(&data, static_cast<size_t>(bytes < 1 ? 1 : bytes)) == 0 ? data : nullptr;
}
void release(void* data) {
  if (data != nullptr) native::api.mem_free(data);
}
bool upload(void* to, const void* from, int64_t bytes, Stream stream) {
  return native::copy(to, from, bytes, native::kToDevice, stream, "take data");
}
bool download(void* to, const void* from, int64_t bytes, Stream stream) {
  return native::copy(to, from, bytes, native::kToHost, stream, "give data");
}
bool copy(void* to, const void* from, int64_t bytes, Stream stream) {
  return native::copy(to, from, bytes, native::kWithin, stream, "copy memory");
}

bool launch(const Function& function, Grid grid, int threads, int64_t shared_bytes, void** args,
            Stream stream) {
  return native::good(
      native::api.launch_kernel(function.handle, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                                static_cast<unsigned>(grid.z), static_cast<unsigned>(threads), 1, 1,
                                static_cast<unsigned>(shared_bytes), stream, args, nullptr),
      "run ", function.name);
}

bool box_map(TensorMap&, const void*, bool, const Boxes&) { return no_copy_engine(); }
bool windows_map(TensorMap&, const void*, bool, const WindowBoxes&, int) { return no_copy_engine(); }

}  // namespace ait::gpu::driver
