#pragma once
#include <cstddef>
#include <cstdint>

// CUDA's driver interface, loaded at run time: the library needs neither its headers nor its libraries, and
// opens on a machine without a GPU.
namespace ait::gpu::driver {

namespace native {

using Result = int;
using DevicePtr = uint64_t;

struct LaunchAttribute {
  int id;
  char padding[4];
  union {
    char bytes[64];
    int flag;
  } value;
};
struct LaunchConfig {
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  void* stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

constexpr int kMultiprocessors = 16, kMajor = 75, kMinor = 76, kSharedOptIn = 97;
constexpr int kFixedShared = 1;          // CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES
constexpr int kMaxDynamicShared = 8;     // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
constexpr int kOverlapWithPrevious = 6;  // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
constexpr int kSupportedDriver = 12000;

}  // namespace native
}  // namespace ait::gpu::driver

/// The entries used, by name: type and member.
#define AIT_DRIVER_ENTRIES(X)                                                                               \
  X(init, "cuInit", Result(unsigned))                                                                       \
  X(driver_version, "cuDriverGetVersion", Result(int*))                                                     \
  X(error_string, "cuGetErrorString", Result(Result, const char**))                                         \
  X(device_count, "cuDeviceGetCount", Result(int*))                                                         \
  X(device_get, "cuDeviceGet", Result(int*, int))                                                           \
  X(device_name, "cuDeviceGetName", Result(char*, int, int))                                                \
  X(device_attribute, "cuDeviceGetAttribute", Result(int*, int, int))                                       \
  X(retain, "cuDevicePrimaryCtxRetain", Result(void**, int))                                                \
  X(release, "cuDevicePrimaryCtxRelease_v2", Result(int))                                                   \
  X(set_current, "cuCtxSetCurrent", Result(void*))                                                          \
  X(mem_alloc, "cuMemAlloc_v2", Result(DevicePtr*, size_t))                                                 \
  X(mem_free, "cuMemFree_v2", Result(DevicePtr))                                                            \
  X(host_alloc, "cuMemHostAlloc", Result(void**, size_t, unsigned))                                         \
  X(host_free, "cuMemFreeHost", Result(void*))                                                              \
  X(upload, "cuMemcpyHtoDAsync_v2", Result(DevicePtr, const void*, size_t, void*))                          \
  X(download, "cuMemcpyDtoHAsync_v2", Result(void*, DevicePtr, size_t, void*))                              \
  X(copy, "cuMemcpyDtoDAsync_v2", Result(DevicePtr, DevicePtr, size_t, void*))                              \
  X(stream_create, "cuStreamCreate", Result(void**, unsigned))                                              \
  X(stream_destroy, "cuStreamDestroy_v2", Result(void*))                                                    \
  X(stream_synchronize, "cuStreamSynchronize", Result(void*))                                               \
  X(begin_capture, "cuStreamBeginCapture_v2", Result(void*, int))                                           \
  X(end_capture, "cuStreamEndCapture", Result(void*, void**))                                               \
  X(instantiate, "cuGraphInstantiateWithFlags", Result(void**, void*, unsigned long long))                  \
  X(graph_launch, "cuGraphLaunch", Result(void*, void*))                                                    \
  X(graph_destroy, "cuGraphDestroy", Result(void*))                                                         \
  X(exec_destroy, "cuGraphExecDestroy", Result(void*))                                                      \
  X(module_load, "cuModuleLoadData", Result(void**, const void*))                                           \
  X(module_unload, "cuModuleUnload", Result(void*))                                                         \
  X(module_function, "cuModuleGetFunction", Result(void**, void*, const char*))                             \
  X(function_has, "cuFuncGetAttribute", Result(int*, int, void*))                                           \
  X(function_attribute, "cuFuncSetAttribute", Result(void*, int, int))                                      \
  X(launch_kernel, "cuLaunchKernelEx", Result(const LaunchConfig*, void*, void**, void**))                  \
  X(tensor_map, "cuTensorMapEncodeTiled",                                                                   \
    Result(void*, int, unsigned, void*, const uint64_t*, const uint64_t*, const uint32_t*, const uint32_t*, \
           int, int, int, int))                                                                             \
  X(window_map, "cuTensorMapEncodeIm2col",                                                                  \
    Result(void*, int, unsigned, void*, const uint64_t*, const uint64_t*, const int*, const int*, unsigned, \
           unsigned, const uint32_t*, int, int, int, int))

#include "driver_native.h"

namespace ait::gpu::driver {

const int32_t place = AIT_DEVICE_CUDA;

namespace native {

static void* primary = nullptr;
static int device = 0;

inline const char* text(Result result) {
  const char* found = nullptr;
  if (api.error_string != nullptr) api.error_string(result, &found);
  return found == nullptr ? "unknown error" : found;
}
inline Result make_current() { return api.set_current(primary); }
inline Result instantiate(void** executable, void* graph) { return api.instantiate(executable, graph, 0); }

inline ait_status load_entries() {
  // A driver is never unloaded: it would not survive that.
  static void* library = nullptr;
  if (library == nullptr) library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return report(AIT_NO_DEVICE,
                  "this model was compiled for NVIDIA GPUs, and this machine has no driver for them "
                  "(libcuda.so.1); run it where there is one, or convert the model with --target cpu");
  }
  const char* lacking = find_entries(library);
  int version = 0;
  if (api.driver_version != nullptr) api.driver_version(&version);
  if (lacking != nullptr || version < kSupportedDriver) {
    return report(AIT_NO_DEVICE,
                  "the driver of the GPU is too old: it is of CUDA %d.%d, and this model needs 12.0; "
                  "install a newer driver",
                  version / 1000, version % 1000 / 10);
  }
  return AIT_OK;
}

/// The best of a function's images for the device: its own, else the newest older one of its generation.
inline const Image* image_for(const Function& function, int capability) {
  const Image* best = nullptr;
  int best_version = 0;
  for (const Image* i = function.images; i->arch != nullptr; i++) {
    char* end = nullptr;
    const int version = static_cast<int>(strtol(i->arch + 3, &end, 10));
    const bool exact = *end == 'a';
    const bool fits =
        exact ? version == capability : version / 10 == capability / 10 && version <= capability;
    if (!fits || 2 * version + exact < best_version) continue;
    best = i;
    best_version = 2 * version + exact;
  }
  return best;
}

inline ait_status load_functions(const char* name) {
  for (Function* const* at = ait_functions; *at != nullptr; at++) {
    Function& f = **at;
    const Image* image = image_for(f, properties.capability);
    if (image == nullptr && f.elsewhere) continue;
    if (image == nullptr) {
      return report(AIT_NO_DEVICE,
                    "this model was compiled for %s, and the device (%s) is sm_%d; convert the model again "
                    "with --arch sm_%d",
                    Archs(f).names, name, properties.capability, properties.capability);
    }
    int fixed = 0;
    if (!good(api.module_load(&f.module, image->code), "load the model's code") ||
        !good(api.module_function(&f.handle, f.module, f.name), "find the model's code") ||
        !good(api.function_has(&fixed, kFixedShared, f.handle), "measure the model's code") ||
        !good(api.function_attribute(f.handle, kMaxDynamicShared,
                                     static_cast<int>(properties.shared_bytes) - fixed),
              "reserve shared memory")) {
      return last_status;
    }
  }
  return AIT_OK;
}

inline ait_status open_device() {
  const ait_status status = load_entries();
  if (status != AIT_OK) return status;
  int count = 0;
  if (api.init(0) != 0 || api.device_count(&count) != 0 || count == 0) {
    return report(AIT_NO_DEVICE,
                  "this model was compiled for NVIDIA GPUs, and the driver finds none on this machine");
  }
  int index = 0;
  const ait_status found = choose_device(count, &index);
  if (found != AIT_OK) return found;
  if (!good(api.device_get(&device, index), "be opened")) return last_status;
  char name[128] = "GPU";
  api.device_name(name, sizeof name, device);
  int major = 0, minor = 0, shared = 0;
  api.device_attribute(&major, kMajor, device);
  api.device_attribute(&minor, kMinor, device);
  api.device_attribute(&shared, kSharedOptIn, device);
  api.device_attribute(&properties.multiprocessors, kMultiprocessors, device);
  properties.capability = 10 * major + minor;
  properties.shared_bytes = shared;
  if (!good(api.retain(&primary, device), "be opened") || !enter()) return last_status;
  return load_functions(name);
}

inline void close_device() {
  if (primary == nullptr) return;
  make_current();
  unload_functions();
  api.set_current(nullptr);
  api.release(device);
  primary = nullptr;
}

}  // namespace native

void* allocate(int64_t bytes) {
  native::DevicePtr data = 0;
  const auto size = static_cast<size_t>(bytes < 1 ? 1 : bytes);
  return native::api.mem_alloc(&data, size) == 0 ? reinterpret_cast<void*>(data) : nullptr;
}
void release(void* data) {
  if (data != nullptr) native::api.mem_free(reinterpret_cast<native::DevicePtr>(data));
}
bool upload(void* to, const void* from, int64_t bytes, Stream stream) {
  const auto at = reinterpret_cast<native::DevicePtr>(to);
  return native::good(native::api.upload(at, from, static_cast<size_t>(bytes), stream), "take data");
}
bool download(void* to, const void* from, int64_t bytes, Stream stream) {
  const auto at = reinterpret_cast<native::DevicePtr>(from);
  return native::good(native::api.download(to, at, static_cast<size_t>(bytes), stream), "give data");
}
bool copy(void* to, const void* from, int64_t bytes, Stream stream) {
  return native::good(
      native::api.copy(reinterpret_cast<native::DevicePtr>(to), reinterpret_cast<native::DevicePtr>(from),
                       static_cast<size_t>(bytes), stream),
      "copy memory");
}

bool launch(const Function& function, Grid grid, int threads, int64_t shared_bytes, void** args,
            Stream stream) {
  // From sm_90 on, a function may start while the one before it ends; it waits before it reads.
  native::LaunchAttribute overlap{};
  overlap.id = native::kOverlapWithPrevious;
  overlap.value.flag = 1;
  const native::LaunchConfig config{static_cast<unsigned>(grid.x),
                                    static_cast<unsigned>(grid.y),
                                    static_cast<unsigned>(grid.z),
                                    static_cast<unsigned>(threads),
                                    1,
                                    1,
                                    static_cast<unsigned>(shared_bytes),
                                    stream,
                                    &overlap,
                                    properties.capability >= 90 ? 1u : 0u};
  return native::good(native::api.launch_kernel(&config, function.handle, args, nullptr), "run ",
                      function.name);
}

namespace native {
constexpr int kF16 = 6, kBf16 = 9, kSwizzle128 = 3, kPromote256 = 3;
}  // namespace native

bool box_map(TensorMap& map, const void* data, bool bf16, const Boxes& b) {
  const uint32_t steps[] = {1, 1, 1, 1};
  return native::good(
      native::api.tensor_map(map.bytes, bf16 ? native::kBf16 : native::kF16, static_cast<unsigned>(b.rank),
                             const_cast<void*>(data), b.sizes, b.strides, b.box, steps, 0,
                             native::kSwizzle128, native::kPromote256, 0),
      "describe a matrix");
}

bool windows_map(TensorMap& map, const void* data, bool bf16, const WindowBoxes& b, int box_rows) {
  const auto whole = [](int64_t n) { return static_cast<uint64_t>(n); };
  const uint64_t sizes[] = {whole(b.channels), whole(b.w), whole(b.h), whole(b.batch)};
  const uint64_t line = whole(b.channels) * 2;
  const uint64_t strides[] = {line, line * whole(b.w), line * whole(b.w) * whole(b.h)};
  // The last window along an axis begins at the upper corner, counted from the last pixel.
  const int lower[] = {static_cast<int>(-b.pad_left), static_cast<int>(-b.pad_top)};
  const int upper[] = {static_cast<int>((b.ow - 1) * b.stride_w - b.pad_left - (b.w - 1)),
                       static_cast<int>((b.oh - 1) * b.stride_h - b.pad_top - (b.h - 1))};
  const uint32_t steps[] = {1, static_cast<uint32_t>(b.stride_w), static_cast<uint32_t>(b.stride_h), 1};
  return native::good(
      native::api.window_map(map.bytes, bf16 ? native::kBf16 : native::kF16, 4, const_cast<void*>(data),
                             sizes, strides, lower, upper, 64, static_cast<unsigned>(box_rows), steps, 0,
                             native::kSwizzle128, native::kPromote256, 0),
      "describe an image");
}

}  // namespace ait::gpu::driver
