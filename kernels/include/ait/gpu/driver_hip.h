#pragma once
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <cstring>

#include "driver.h"

// HIP's runtime, loaded at run time: the library needs neither its headers nor its libraries, and opens on a
// machine without a GPU.
namespace ait::gpu::driver {

Properties properties;
const int32_t place = AIT_DEVICE_ROCM;

namespace hip {

using Result = int;

constexpr int kMultiprocessors = 63, kSharedPerBlock = 74;  // hipDeviceAttribute…
constexpr int kRelaxedCapture = 2;
constexpr int kOutOfMemory = 2;
constexpr int kToDevice = 1, kToHost = 2, kWithin = 3;
constexpr int kSupportedRuntime = 50000000;

/// The entries used: type and member.
#define AIT_HIP_ENTRIES(X)                                                                             \
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
  X(module_function, "hipModuleGetFunction", Result(void**, void*, const char*))                       \
  X(launch_kernel, "hipModuleLaunchKernel",                                                            \
    Result(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, \
           void**))

template <class T>
struct Entry {
  using type = T*;
};
#define AIT_MEMBER(member, name, signature) Entry<signature>::type member = nullptr;
struct Entries {
  AIT_HIP_ENTRIES(AIT_MEMBER)
};
#undef AIT_MEMBER

static Entries api;
static int device = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool opened = false;

inline bool good(Result result, const char* what, const char* object = "") {
  if (result == 0) return true;
  report(result == kOutOfMemory ? AIT_OUT_OF_MEMORY : AIT_RUN_FAILED, "the GPU could not %s%s: %s", what,
         object, api.error_string == nullptr ? "unknown error" : api.error_string(result));
  return false;
}

inline ait_status load_entries() {
  void* library = nullptr;
  static const char* const names[] = {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5",
                                      "libamdhip64.so"};
  for (const char* name : names)
    if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return report(AIT_NO_DEVICE,
                  "this model was compiled for AMD GPUs, and this machine has no runtime for them "
                  "(libamdhip64.so); install ROCm, or convert the model with --target cpu");
  }
  const char* lacking = nullptr;
#define AIT_FIND(member, name, signature)                        \
  *reinterpret_cast<void**>(&api.member) = dlsym(library, name); \
  if (api.member == nullptr && lacking == nullptr) lacking = name;
  AIT_HIP_ENTRIES(AIT_FIND)
#undef AIT_FIND
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
    void* module = nullptr;
    char archs[256] = "";
    for (const Image* i = f.images; i->arch != nullptr && module == nullptr; i++) {
      if (api.module_load(&module, i->code) != 0) module = nullptr;
      const size_t length = std::strlen(archs);
      snprintf(archs + length, sizeof archs - length, "%s%s", length == 0 ? "" : ", ", i->arch);
    }
    if (module == nullptr) {
      return report(
          AIT_NO_DEVICE,
          "this model was compiled for %s, and the device (%s) does not run that; convert the model "
          "again with --arch and what `rocminfo` calls the device",
          archs, name);
    }
    if (!good(api.module_function(&f.handle, module, f.name), "find the model's code")) return AIT_NO_DEVICE;
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
  const char* chosen = getenv("AIT_DEVICE");
  device = chosen == nullptr ? 0 : atoi(chosen);
  if (device < 0 || device >= count) {
    return report(AIT_NO_DEVICE, "AIT_DEVICE is %d, and this machine has %d GPUs, numbered from 0", device,
                  count);
  }
  char name[128] = "GPU";
  int shared = 0;
  api.device_name(name, sizeof name, device);
  api.device_attribute(&properties.multiprocessors, kMultiprocessors, device);
  api.device_attribute(&shared, kSharedPerBlock, device);
  properties.shared_bytes = shared;
  if (!enter()) return AIT_NO_DEVICE;
  return load_functions(name);
}

inline bool copy(void* to, const void* from, int64_t bytes, int kind, Stream stream, const char* what) {
  return good(api.copy(to, from, static_cast<size_t>(bytes), kind, stream), what);
}

}  // namespace hip

ait_status open() {
  pthread_mutex_lock(&hip::mutex);
  const ait_status status = hip::opened ? AIT_OK : hip::open_device();
  hip::opened = status == AIT_OK;
  pthread_mutex_unlock(&hip::mutex);
  return status;
}

bool enter() { return hip::good(hip::api.set_device(hip::device), "be used by this thread"); }

void* allocate(int64_t bytes) {
  void* data = nullptr;
  return hip::api.mem_alloc(&data, static_cast<size_t>(bytes < 1 ? 1 : bytes)) == 0 ? data : nullptr;
}
void release(void* data) {
  if (data != nullptr) hip::api.mem_free(data);
}
void* allocate_host(int64_t bytes) {
  void* data = nullptr;
  constexpr unsigned kPortableAndMapped = 3;
  return hip::api.host_alloc(&data, static_cast<size_t>(bytes < 1 ? 1 : bytes), kPortableAndMapped) == 0
             ? data
             : nullptr;
}
void release_host(void* data) {
  if (data != nullptr) hip::api.host_free(data);
}

Stream create_stream() {
  void* stream = nullptr;
  constexpr unsigned kNonBlocking = 1;
  return hip::good(hip::api.stream_create(&stream, kNonBlocking), "make a stream") ? stream : nullptr;
}
void destroy_stream(Stream stream) { hip::api.stream_destroy(stream); }
bool synchronize(Stream stream) { return hip::good(hip::api.stream_synchronize(stream), "finish the run"); }

bool upload(void* to, const void* from, int64_t bytes, Stream stream) {
  return hip::copy(to, from, bytes, hip::kToDevice, stream, "take the inputs");
}
bool download(void* to, const void* from, int64_t bytes, Stream stream) {
  return hip::copy(to, from, bytes, hip::kToHost, stream, "give the outputs");
}
bool copy(void* to, const void* from, int64_t bytes, Stream stream) {
  return hip::copy(to, from, bytes, hip::kWithin, stream, "copy memory");
}

bool begin_capture(Stream stream) { return hip::api.begin_capture(stream, hip::kRelaxedCapture) == 0; }
Graph end_capture(Stream stream) {
  void* graph = nullptr;
  void* executable = nullptr;
  if (hip::api.end_capture(stream, &graph) != 0 || graph == nullptr) return nullptr;
  if (hip::api.instantiate(&executable, graph, nullptr, nullptr, 0) != 0) executable = nullptr;
  hip::api.graph_destroy(graph);
  return executable;
}
bool replay(Graph graph, Stream stream) {
  return hip::good(hip::api.graph_launch(graph, stream), "run the model");
}
void destroy_graph(Graph graph) { hip::api.exec_destroy(graph); }

bool launch(const Function& function, Grid grid, int threads, int64_t shared_bytes, void** args,
            Stream stream) {
  return hip::good(
      hip::api.launch_kernel(function.handle, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                             static_cast<unsigned>(grid.z), static_cast<unsigned>(threads), 1, 1,
                             static_cast<unsigned>(shared_bytes), stream, args, nullptr),
      "run ", function.name);
}

bool matrix_map(TensorMap&, const void*, bool, int64_t, int64_t, int64_t, int, int) {
  report(AIT_RUN_FAILED, "AMD GPUs have no copy engine for matrices");
  return false;
}

bool windows_map(TensorMap&, const void*, bool, const WindowBoxes&, int) {
  report(AIT_RUN_FAILED, "AMD GPUs have no copy engine for matrices");
  return false;
}

bool taps_map(TensorMap&, const void*, bool, int64_t, int64_t, int64_t, int64_t, int) {
  report(AIT_RUN_FAILED, "AMD GPUs have no copy engine for matrices");
  return false;
}

}  // namespace ait::gpu::driver
