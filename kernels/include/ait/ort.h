#pragma once
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include <cstring>

#include "engine.h"

// The library as a custom-operator library of onnxruntime: one operator of the domain `ai.ait` per segment.
// onnxruntime's tables only ever grow at their ends, so the few entries used are known by their numbers and
// nothing of its headers is needed.
namespace ait {
namespace {

constexpr uint32_t kOrtVersion = 16;  ///< Operators that report errors as statuses came with 1.16.
constexpr int kOrtFail = 1;
constexpr int kOrtInvalidArgument = 2;

struct OrtStatus;
struct OrtApi;

/// The entries of the OrtApi table in use: their numbers and their types.
namespace slot {
constexpr int create_status = 0, create_domain = 26, add_operator = 27, add_domain = 28;
constexpr int tensor_data = 51, rank = 61, extents = 62, type_and_shape = 65, get_input = 90, get_output = 91;
constexpr int release_shape = 99;

using CreateStatus = OrtStatus* (*)(int code, const char* message);
using CreateDomain = OrtStatus* (*)(const char* name, void** domain);
using AddOperator = OrtStatus* (*)(void* domain, const void* op);
using AddDomain = OrtStatus* (*)(void* session_options, void* domain);
using TensorData = OrtStatus* (*)(void* value, void** data);
using Rank = OrtStatus* (*)(const void* shape, size_t* rank);
using Extents = OrtStatus* (*)(const void* shape, int64_t* extents, size_t count);
using TypeAndShape = OrtStatus* (*)(const void* value, void** shape);
using GetInput = OrtStatus* (*)(const void* context, size_t index, const void** value);
using GetOutput = OrtStatus* (*)(void* context, size_t index, const int64_t* extents, size_t rank,
                                 void** value);
using ReleaseShape = void (*)(void* shape);
}  // namespace slot

template <class F>
inline F entry(const OrtApi* api, int number) {
  F function;
  std::memcpy(&function, reinterpret_cast<const char*>(api) + sizeof(void*) * static_cast<size_t>(number),
              sizeof function);
  return function;
}

inline OrtStatus* ort_error(const OrtApi* api, int code, const char* message) {
  return entry<slot::CreateStatus>(api, slot::create_status)(code, message);
}

struct OrtApiBase {
  const OrtApi* (*get_api)(uint32_t version);
  const char* (*version)();
};

/// OrtCustomOp of version 16, and behind it what is ours.
struct SegmentOp {
  uint32_t version;
  void* (*create)(const SegmentOp*, const OrtApi*, const void*);
  const char* (*name)(const SegmentOp*);
  const char* (*provider)(const SegmentOp*);
  int (*input_type)(const SegmentOp*, size_t);
  size_t (*input_count)(const SegmentOp*);
  int (*output_type)(const SegmentOp*, size_t);
  size_t (*output_count)(const SegmentOp*);
  void (*compute)(void*, void*);
  void (*destroy)(void*);
  int (*input_kind)(const SegmentOp*, size_t);
  int (*output_kind)(const SegmentOp*, size_t);
  int (*input_memory)(const SegmentOp*, size_t);
  int (*variadic_input_least)(const SegmentOp*);
  int (*variadic_input_uniform)(const SegmentOp*);
  int (*variadic_output_least)(const SegmentOp*);
  int (*variadic_output_uniform)(const SegmentOp*);
  OrtStatus* (*create_or_fail)(const SegmentOp*, const OrtApi*, const void*, void**);
  OrtStatus* (*compute_or_fail)(void*, void*);
  void* later_versions[8];
  const Segment* segment;
};

/// A segment in one session. Sessions may be run by many threads at once, each run with its own context.
struct OrtKernel {
  const OrtApi* api;
  ait_engine* engine;
  pthread_mutex_t mutex;
  ait_context** idle;
  int idle_count, idle_room;
};

inline ait_context* borrow_context(OrtKernel& kernel) {
  pthread_mutex_lock(&kernel.mutex);
  ait_context* context = kernel.idle_count > 0 ? kernel.idle[--kernel.idle_count] : nullptr;
  pthread_mutex_unlock(&kernel.mutex);
  return context != nullptr ? context : create_context(kernel.engine, 0);
}

inline void return_context(OrtKernel& kernel, ait_context* context) {
  pthread_mutex_lock(&kernel.mutex);
  if (kernel.idle_count == kernel.idle_room) {
    const int room = kernel.idle_room == 0 ? 4 : 2 * kernel.idle_room;
    void* grown = realloc(kernel.idle, sizeof(ait_context*) * static_cast<size_t>(room));
    if (grown != nullptr) {
      kernel.idle = static_cast<ait_context**>(grown);
      kernel.idle_room = room;
    }
  }
  const bool kept = kernel.idle_count < kernel.idle_room;
  if (kept) kernel.idle[kernel.idle_count++] = context;
  pthread_mutex_unlock(&kernel.mutex);
  if (!kept) destroy_context(context);
}

class OrtRun final : public SegmentRun {
 public:
  OrtRun(ait_context& context, const OrtApi* api, void* kernel_context)
      : SegmentRun(context), api_(api), kernel_context_(kernel_context) {}

  /// Where onnxruntime itself refused something.
  OrtStatus* refusal = nullptr;

  /// The shape of input i goes to `extents`, which has room for its rank.
  bool take_input(int i, int64_t* extents) {
    const void* value = nullptr;
    void* shape = nullptr;
    size_t rank = 0;
    Tensor& tensor = context_.input_tensors[i];
    refusal = entry<slot::GetInput>(api_, slot::get_input)(kernel_context_, static_cast<size_t>(i), &value);
    if (refusal == nullptr) refusal = entry<slot::TypeAndShape>(api_, slot::type_and_shape)(value, &shape);
    if (refusal != nullptr) return false;
    refusal = entry<slot::Rank>(api_, slot::rank)(shape, &rank);
    const bool fits = refusal == nullptr && rank == static_cast<size_t>(segment_.inputs[i].rank);
    if (fits) refusal = entry<slot::Extents>(api_, slot::extents)(shape, extents, rank);
    entry<slot::ReleaseShape>(api_, slot::release_shape)(shape);
    if (refusal == nullptr && !fits) {
      context_.message.add("input \"%s\" has rank %d, expected %d", segment_.inputs[i].name,
                           static_cast<int>(rank), static_cast<int>(segment_.inputs[i].rank));
      return false;
    }
    tensor = Tensor{nullptr, extents, static_cast<int32_t>(rank)};
    if (refusal == nullptr) {
      refusal = entry<slot::TensorData>(api_, slot::tensor_data)(const_cast<void*>(value), &tensor.data);
    }
    return refusal == nullptr;
  }

  void* memory_of(int i, int64_t) override {
    const Tensor& tensor = context_.output_tensors[i];
    void* value = nullptr;
    void* data = nullptr;
    refusal = entry<slot::GetOutput>(api_, slot::get_output)(
        kernel_context_, static_cast<size_t>(i), tensor.shape, static_cast<size_t>(tensor.rank), &value);
    if (refusal == nullptr) refusal = entry<slot::TensorData>(api_, slot::tensor_data)(value, &data);
    // Null is what a failure looks like, and what onnxruntime may give for a tensor without elements.
    static uint8_t nothing[kAlignment];
    if (refusal != nullptr) return nullptr;
    return data == nullptr ? nothing : data;
  }

 private:
  const OrtApi* api_;
  void* kernel_context_;
};

inline OrtStatus* compute_segment(OrtKernel& kernel, ait_context& context, void* kernel_context,
                                  int64_t* extents) {
  const Segment& segment = *kernel.engine->segment;
  OrtRun run(context, kernel.api, kernel_context);
  bool ready = true;
  for (int i = 0; ready && i < segment.input_count; i++) {
    ready = run.take_input(i, extents);
    extents += segment.inputs[i].rank;
  }
  if (run.refusal != nullptr) return run.refusal;
  if (!ready || !check_inputs(segment, context.input_tensors, context.message)) {
    return ort_error(kernel.api, kOrtInvalidArgument, context.message.data);
  }
  const char* error = run.execute();
  if (run.refusal != nullptr) return run.refusal;
  return error == nullptr ? nullptr : ort_error(kernel.api, kOrtFail, error);
}

/// The directory this library lies in, as found when the library was registered.
char library_directory[4096];

inline void find_library_directory() {
  Dl_info info;
  if (library_directory[0] != 0 || dladdr(&ait_contents, &info) == 0) return;
  char* path = realpath(info.dli_fname, nullptr);
  char* slash = path == nullptr ? nullptr : std::strrchr(path, '/');
  if (slash != nullptr && slash - path < static_cast<ptrdiff_t>(sizeof library_directory)) {
    std::memcpy(library_directory, path, static_cast<size_t>(slash - path));
  }
  free(path);
}

inline OrtStatus* create_kernel(const SegmentOp* op, const OrtApi* api, const void*, void** out) {
  auto* kernel = zeroed<OrtKernel>(1);
  if (kernel == nullptr) return ort_error(api, kOrtFail, "there is no memory for a compiled segment");
  kernel->api = api;
  if (open_engine(library_directory, op->segment->name, &kernel->engine) != AIT_OK) {
    free(kernel);
    return ort_error(api, kOrtFail, last_error.data);
  }
  pthread_mutex_init(&kernel->mutex, nullptr);
  *out = kernel;
  return nullptr;
}

inline OrtStatus* compute_kernel(void* state, void* kernel_context) {
  auto& kernel = *static_cast<OrtKernel*>(state);
  const Segment& segment = *kernel.engine->segment;
  ait_context* context = borrow_context(kernel);
  auto* extents = zeroed<int64_t>(extent_count(segment.inputs, segment.input_count));
  OrtStatus* status = context == nullptr || extents == nullptr
                          ? ort_error(kernel.api, kOrtFail,
                                      context == nullptr ? last_error.data : "there is no memory for a run")
                          : compute_segment(kernel, *context, kernel_context, extents);
  free(extents);
  if (context != nullptr) return_context(kernel, context);
  return status;
}

inline void destroy_kernel(void* state) {
  auto* kernel = static_cast<OrtKernel*>(state);
  for (int i = 0; i < kernel->idle_count; i++) destroy_context(kernel->idle[i]);
  free(kernel->idle);
  leave_engine(kernel->engine);
  pthread_mutex_destroy(&kernel->mutex);
  free(kernel);
}

inline SegmentOp describe(const Segment* segment) {
  SegmentOp op = {};
  op.version = kOrtVersion;
  op.name = [](const SegmentOp* self) { return self->segment->name; };
  op.provider = [](const SegmentOp*) -> const char* { return nullptr; };
  op.input_type = [](const SegmentOp* self, size_t i) {
    return static_cast<int>(self->segment->inputs[i].dtype);
  };
  op.input_count = [](const SegmentOp* self) { return static_cast<size_t>(self->segment->input_count); };
  op.output_type = [](const SegmentOp* self, size_t i) {
    return static_cast<int>(self->segment->outputs[i].dtype);
  };
  op.output_count = [](const SegmentOp* self) { return static_cast<size_t>(self->segment->output_count); };
  op.destroy = destroy_kernel;
  op.input_kind = op.output_kind = op.input_memory = [](const SegmentOp*, size_t) { return 0; };
  op.variadic_input_least = op.variadic_output_least = [](const SegmentOp*) { return 1; };
  op.variadic_input_uniform = op.variadic_output_uniform = [](const SegmentOp*) { return 1; };
  op.create_or_fail = create_kernel;
  op.compute_or_fail = compute_kernel;
  op.segment = segment;
  return op;
}

/// The operators as one onnxruntime of this process knows them. Its sessions keep pointers to all of it, so
/// it stays; every further registration uses it again.
struct Registration {
  const OrtApi* api;
  void* domain;
  SegmentOp* ops;
  Registration* next;
};

pthread_mutex_t registrations_mutex = PTHREAD_MUTEX_INITIALIZER;
Registration* registrations = nullptr;

inline OrtStatus* make_registration(const OrtApi* api, Registration** out) {
  const int32_t count = ait_contents.segment_count;
  auto* made = zeroed<Registration>(1);
  auto* ops = zeroed<SegmentOp>(count);
  OrtStatus* status = made == nullptr || ops == nullptr
                          ? ort_error(api, kOrtFail, "there is no memory for the compiled segments")
                          : nullptr;
  void* domain = nullptr;
  if (status == nullptr) status = entry<slot::CreateDomain>(api, slot::create_domain)("ai.ait", &domain);
  for (int32_t i = 0; status == nullptr && i < count; i++) {
    ops[i] = describe(&ait_contents.segments[i]);
    status = entry<slot::AddOperator>(api, slot::add_operator)(domain, &ops[i]);
  }
  if (status != nullptr) {
    free(made);
    free(ops);
    return status;
  }
  *made = Registration{api, domain, ops, registrations};
  registrations = *out = made;
  return nullptr;
}

}  // namespace
}  // namespace ait

/// What onnxruntime calls after loading the library.
extern "C" AIT_API void* RegisterCustomOps(void* session_options, const void* api_base) {
  const auto* base = static_cast<const ait::OrtApiBase*>(api_base);
  const ait::OrtApi* api = base->get_api(ait::kOrtVersion);
  if (api == nullptr) {
    return ait::ort_error(base->get_api(1), ait::kOrtFail, "this model needs onnxruntime 1.16 or newer");
  }
  pthread_mutex_lock(&ait::registrations_mutex);
  ait::find_library_directory();
  ait::Registration* found = ait::registrations;
  while (found != nullptr && found->api != api) found = found->next;
  ait::OrtStatus* status = found == nullptr ? ait::make_registration(api, &found) : nullptr;
  pthread_mutex_unlock(&ait::registrations_mutex);
  if (status == nullptr) {
    status = ait::entry<ait::slot::AddDomain>(api, ait::slot::add_domain)(session_options, found->domain);
  }
  return status;
}
