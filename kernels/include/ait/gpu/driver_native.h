#pragma once
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <cstring>

#include "driver.h"

// What the drivers of both vendors do alike. driver_cuda.h and driver_hip.h define ahead of it the list of
// the functions that a driver exports, AIT_DRIVER_ENTRIES(X) with X(member, name, type), and behind it what
// differs.
namespace ait::gpu::driver {

Properties properties;

namespace native {

#define AIT_MEMBER(member, name, signature) Pointer<signature>::type member = nullptr;
template <class T>
struct Pointer {
  using type = T*;
};
struct Entries {
  AIT_DRIVER_ENTRIES(AIT_MEMBER)
};
#undef AIT_MEMBER

static Entries api;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int users = 0;

/// Finds the driver, unless that was done, and the device; loads every function.
ait_status open_device();
/// Gives back what open_device took, however far it came.
void close_device();
const char* text(Result result);
Result make_current();
Result instantiate(void** executable, void* graph);

inline bool good(Result result, const char* what, const char* object = "") {
  if (result == 0) return true;
  // Out of memory is told apart: a smaller batch may fit. Either vendor calls it 2.
  report(result == 2 ? AIT_OUT_OF_MEMORY : AIT_DEVICE_FAILED, "the GPU could not %s%s: %s", what, object,
         text(result));
  return false;
}

/// The name of a function that the library lacks, or null.
inline const char* find_entries(void* library) {
  const char* lacking = nullptr;
#define AIT_FIND(member, name, signature)                        \
  *reinterpret_cast<void**>(&api.member) = dlsym(library, name); \
  if (api.member == nullptr && lacking == nullptr) lacking = name;
  AIT_DRIVER_ENTRIES(AIT_FIND)
#undef AIT_FIND
  return lacking;
}

inline ait_status choose_device(int count, int* index) {
  const char* chosen = getenv("AIT_DEVICE");
  *index = chosen == nullptr ? 0 : atoi(chosen);
  if (*index >= 0 && *index < count) return AIT_OK;
  return report(AIT_NO_DEVICE, "AIT_DEVICE is %d, and this machine has %d GPU%s, numbered from 0", *index,
                count, count == 1 ? "" : "s");
}

/// The devices that a function has code for, in words.
struct Archs {
  char names[256] = "";
  explicit Archs(const Function& f) {
    for (const Image* i = f.images; i->arch != nullptr; i++) {
      const size_t length = std::strlen(names);
      snprintf(names + length, sizeof names - length, "%s%s", length == 0 ? "" : ", ", i->arch);
    }
  }
};

inline void unload_functions() {
  for (Function* const* at = ait_functions; *at != nullptr; at++) {
    if ((*at)->module != nullptr) api.module_unload((*at)->module);
    (*at)->module = (*at)->handle = nullptr;
  }
}

}  // namespace native

ait_status open() {
  pthread_mutex_lock(&native::mutex);
  const ait_status status = native::users > 0 ? AIT_OK : native::open_device();
  if (status == AIT_OK) {
    native::users++;
  } else {
    native::close_device();
  }
  pthread_mutex_unlock(&native::mutex);
  return status;
}

void close() {
  pthread_mutex_lock(&native::mutex);
  if (--native::users == 0) native::close_device();
  pthread_mutex_unlock(&native::mutex);
}

bool enter() { return native::good(native::make_current(), "be used by this thread"); }

void* allocate_host(int64_t bytes) {
  void* data = nullptr;
  constexpr unsigned kPortableAndMapped = 3;
  const auto size = static_cast<size_t>(bytes < 1 ? 1 : bytes);
  return native::api.host_alloc(&data, size, kPortableAndMapped) == 0 ? data : nullptr;
}
void release_host(void* data) {
  if (data != nullptr) native::api.host_free(data);
}

Stream create_stream() {
  void* stream = nullptr;
  constexpr unsigned kNonBlocking = 1;
  return native::good(native::api.stream_create(&stream, kNonBlocking), "make a stream") ? stream : nullptr;
}
void destroy_stream(Stream stream) { native::api.stream_destroy(stream); }
bool synchronize(Stream stream) {
  return native::good(native::api.stream_synchronize(stream), "finish the run");
}

bool begin_capture(Stream stream) {
  constexpr int kRelaxed = 2;
  return native::api.begin_capture(stream, kRelaxed) == 0;
}
Graph end_capture(Stream stream) {
  void* graph = nullptr;
  void* executable = nullptr;
  if (native::api.end_capture(stream, &graph) != 0 || graph == nullptr) return nullptr;
  if (native::instantiate(&executable, graph) != 0) executable = nullptr;
  native::api.graph_destroy(graph);
  return executable;
}
bool replay(Graph graph, Stream stream) {
  return native::good(native::api.graph_launch(graph, stream), "run the model");
}
void destroy_graph(Graph graph) { native::api.exec_destroy(graph); }

}  // namespace ait::gpu::driver
