#pragma once
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ait.h"
#include "host_device.h"
#include "isa.h"
#include "memory.h"
#include "ports.h"
#include "run.h"
#include "threads.h"

// Engines, contexts and runs: what stands behind both the C interface and onnxruntime's custom operators.
extern "C" const ait::Contents ait_contents;

#ifndef AIT_ENGINE_DEVICE
#define AIT_ENGINE_DEVICE HostDevice
#endif

namespace ait {

using Device = AIT_ENGINE_DEVICE;

/// weights.bin in memory. One mapping serves every segment and every engine of the same file.
struct Weights {
  const uint8_t* data;
  size_t bytes;
  dev_t device;
  ino_t file;
  int users;
  Weights* next;
  Device::Weights device_data;
};

static pthread_mutex_t weights_mutex = PTHREAD_MUTEX_INITIALIZER;
static Weights* all_weights = nullptr;

inline ait_status map_weights(int fd, const char* path, Weights** out) {
  struct stat info;
  if (fstat(fd, &info) != 0) return report(AIT_FILE_ERROR, "cannot read %s: %s", path, strerror(errno));
  const auto bytes = static_cast<uint64_t>(info.st_size);
  if (bytes != ait_contents.weights_bytes) {
    return report(AIT_FILE_ERROR,
                  "%s has %llu bytes where the model has %llu: it is damaged, or of another model", path,
                  static_cast<unsigned long long>(bytes),
                  static_cast<unsigned long long>(ait_contents.weights_bytes));
  }
  for (Weights* w = all_weights; w != nullptr; w = w->next) {
    if (w->device != info.st_dev || w->file != info.st_ino) continue;
    w->users++;
    *out = w;
    return AIT_OK;
  }
  auto* w = static_cast<Weights*>(malloc(sizeof(Weights)));
  if (w == nullptr) return report(AIT_OUT_OF_MEMORY, "there is no memory to open the model");
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    free(w);
    return report(AIT_FILE_ERROR, "cannot map %s: %s", path, strerror(errno));
  }
  madvise(data, bytes, MADV_WILLNEED);
  *w = Weights{static_cast<const uint8_t*>(data), bytes, info.st_dev, info.st_ino, 1, all_weights, {}};
  const ait_status status = Device::take_weights(w->data, bytes, w->device_data);
  if (status != AIT_OK) {
    munmap(data, bytes);
    free(w);
    return status;
  }
  all_weights = w;
  *out = w;
  return AIT_OK;
}

inline ait_status open_weights(const char* directory, Weights** out) {
  *out = nullptr;
  if (ait_contents.weights_bytes == 0) return AIT_OK;
  char path[4096];
  if (snprintf(path, sizeof path, "%s/weights.bin", directory) >= static_cast<int>(sizeof path)) {
    return report(AIT_FILE_ERROR, "the name of the model's directory is too long");
  }
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return report(AIT_FILE_ERROR, "cannot open %s: %s", path, strerror(errno));
  pthread_mutex_lock(&weights_mutex);
  const ait_status status = map_weights(fd, path, out);
  pthread_mutex_unlock(&weights_mutex);
  close(fd);
  return status;
}

inline void close_weights(Weights* weights) {
  if (weights == nullptr) return;
  pthread_mutex_lock(&weights_mutex);
  if (--weights->users == 0) {
    Weights** at = &all_weights;
    while (*at != weights) at = &(*at)->next;
    *at = weights->next;
    Device::drop_weights(weights->device_data);
    munmap(const_cast<uint8_t*>(weights->data), weights->bytes);
    free(weights);
  }
  pthread_mutex_unlock(&weights_mutex);
}

}  // namespace ait

struct ait_engine {
  const ait::Segment* segment;
  ait::Weights* weights;
  int users;  ///< The caller's handle and every context.
};

struct ait_context : ait::Context {
  ait_engine* engine;
  ait::Text message;
  ait::Device::State state;
  ait::Device::Memory arena;
  ait::PlanCache plans;
  ait::Device::Memory* late;
  int late_count;
  uint64_t late_moves;           ///< How often a block of `late` was replaced.
  ait::Device::Result* outputs;  ///< Memory the library gives for outputs.
  ait::Tensor* input_tensors;
  ait::Tensor* output_tensors;
  int64_t* output_extents;  ///< Shapes of the outputs, one after another.
  jmp_buf end;              ///< Where a run goes that cannot have the memory it needs.

  [[noreturn]] void stop(const char* message) {
    fail(message);
    longjmp(end, 1);
  }
  /// The same where memory is lacking.
  [[noreturn]] void exhausted(const char* what, const char* where = ait::Device::kRoom) {
    ait::report(AIT_OUT_OF_MEMORY, "there is no memory%s for %s", where, what);
    stop(ait::last_error.data);
  }
};

namespace ait {

inline ait_status find_segment(const char* name, const Segment** segment) {
  if (name == nullptr && ait_contents.segment_count == 1) {
    *segment = ait_contents.segments;
    return AIT_OK;
  }
  if (name == nullptr) {
    return report(AIT_INVALID_ARGUMENT,
                  "this model has %d compiled segments and no one that is the whole model; name the segment, "
                  "or run model.onnx with onnxruntime",
                  static_cast<int>(ait_contents.segment_count));
  }
  for (int32_t i = 0; i < ait_contents.segment_count; i++) {
    if (std::strcmp(ait_contents.segments[i].name, name) != 0) continue;
    *segment = &ait_contents.segments[i];
    return AIT_OK;
  }
  return report(AIT_INVALID_ARGUMENT, "this model has no segment \"%s\"", name);
}

inline ait_status check_processor() {
  size_t length = 0;
  const char* lacking = missing_feature(ait_contents.isa, &length);
  if (lacking == nullptr) return AIT_OK;
  return report(
      AIT_UNSUPPORTED_CPU,
      "this model was compiled for %s, and this processor has no %.*s; convert the model again on this "
      "machine, or for an older processor",
      ait_contents.isa, static_cast<int>(length), lacking);
}

inline ait_status open_engine(const char* directory, const char* name, ait_engine** engine) {
  const Segment* segment = nullptr;
  ait_status status = check_processor();
  if (status == AIT_OK) status = find_segment(name, &segment);
  if (status == AIT_OK) status = Device::open();
  if (status != AIT_OK) return status;
  Weights* weights = nullptr;
  status = open_weights(directory, &weights);
  auto* made = status == AIT_OK ? static_cast<ait_engine*>(malloc(sizeof(ait_engine))) : nullptr;
  if (made == nullptr) {
    close_weights(weights);
    Device::close();
    return status == AIT_OK ? report(AIT_OUT_OF_MEMORY, "there is no memory to open the model") : status;
  }
  *made = ait_engine{segment, weights, 1};
  *engine = made;
  return AIT_OK;
}

inline void leave_engine(ait_engine* engine) {
  if (engine == nullptr || __atomic_sub_fetch(&engine->users, 1, __ATOMIC_ACQ_REL) > 0) return;
  close_weights(engine->weights);
  Device::close();
  free(engine);
}

inline void destroy_context(ait_context* context) {
  if (context == nullptr) return;
  const Segment& segment = *context->engine->segment;
  context->release_scratch();
  Device::destroy(context->state, segment);
  context->arena.release();
  context->plans.release();
  for (int i = 0; i < context->late_count; i++) context->late[i].release();
  for (int i = 0; context->outputs != nullptr && i < segment.output_count; i++) context->outputs[i].release();
  free(context->late);
  free(context->outputs);
  free(context->input_tensors);
  free(context->output_tensors);
  free(context->output_extents);
  leave_engine(context->engine);
  free(context);
}

/// Null when there is no memory for it, or the device has none; the reason is in last_error.
inline ait_context* create_context(ait_engine* engine, int threads, void* stream = nullptr) {
  const auto without = [] {
    if (last_status == AIT_OK) report(AIT_OUT_OF_MEMORY, "there is no memory for a context");
    return nullptr;
  };
  last_status = AIT_OK;
  auto* context = zeroed<ait_context>(1);
  if (context == nullptr) return without();
  const Segment& segment = *engine->segment;
  __atomic_add_fetch(&engine->users, 1, __ATOMIC_RELAXED);
  context->engine = engine;
  context->threads = threads > 0 ? threads : default_threads();
  context->outputs = zeroed<Device::Result>(segment.output_count);
  context->input_tensors = zeroed<Tensor>(segment.input_count);
  context->output_tensors = zeroed<Tensor>(segment.output_count);
  context->output_extents = zeroed<int64_t>(extent_count(segment.outputs, segment.output_count));
  if (context->outputs == nullptr || context->input_tensors == nullptr ||
      context->output_tensors == nullptr || context->output_extents == nullptr ||
      !Device::create(context->state, stream, segment)) {
    destroy_context(context);
    return without();
  }
  int64_t* shape = context->output_extents;
  for (int i = 0; i < segment.output_count; i++) {
    context->output_tensors[i].shape = shape;
    shape += segment.outputs[i].rank;
  }
  return context;
}

/// One run in a context; the two subclasses differ in where the memory of outputs comes from.
class SegmentRun : public Run {
 public:
  explicit SegmentRun(ait_context& context)
      : Run(context), context_(context), segment_(*context.engine->segment) {
    inputs_ = context.input_tensors;
    weights_ = context.engine->weights == nullptr ? nullptr : context.engine->weights->device_data.data;
    context.error = nullptr;
    context.message.clear();
    for (int i = 0; i < segment_.output_count; i++) context.output_tensors[i].data = nullptr;
  }

  /// The inputs, already checked, lie in context.input_tensors. Null, or why there are no outputs.
  const char* execute() {
    // The segment's frame has nothing to destroy, so it may be left from within.
    if (setjmp(context_.end) == 0) {
      Device::run(*this);
    } else {
      Device::abandon(*this);
    }
    for (int i = 0; i < segment_.output_count && context_.error == nullptr; i++) {
      if (context_.output_tensors[i].data == nullptr) context_.fail("an output was not computed");
    }
    return context_.error;
  }

  const Segment& segment() const { return segment_; }
  ait_context& context() const { return context_; }

  /// The caller's memory for `bytes` bytes of output i, whose shape is in context.output_tensors[i]; null
  /// with the error set.
  virtual void* memory_of(int i, int64_t bytes) = 0;
  /// The kind of device, as DLPack numbers them, that memory is on.
  virtual int32_t place_of(int) const { return AIT_DEVICE_CPU; }

 protected:
  void* output_memory(int i, const int64_t* shape, int rank) final {
    Tensor& tensor = context_.output_tensors[i];
    const Port& port = segment_.outputs[i];
    if (rank != port.rank) context_.stop("an output has a rank it was not compiled for");
    for (int axis = 0; axis < rank; axis++) tensor.shape[axis] = shape[axis];
    tensor.rank = rank;
    const int64_t bytes = bytes_of(port.dtype, shape, rank);
    if (bytes < 0) context_.stop("an output has an impossible shape");
    tensor.data = Device::output(*this, i, bytes);
    if (tensor.data == nullptr) context_.exhausted("an output");
    return tensor.data;
  }

  ait_context& context_;
  const Segment& segment_;
};

uint8_t* Run::arena(size_t bytes) {
  auto& context = static_cast<ait_context&>(ctx);
  const bool possible = bytes <= static_cast<size_t>(kLargestBytes);
  uint8_t* data = possible ? context.arena.reserve(static_cast<int64_t>(bytes)) : nullptr;
  if (data == nullptr) context.exhausted("the intermediate values");
  return data;
}

uint8_t* Run::plan(const PlanTable& table, const int64_t* sizes, int64_t* offsets) {
  auto& context = static_cast<ait_context&>(ctx);
  const int64_t total = context.plans.find(table, sizes, offsets);
  if (total < 0) context.exhausted("the intermediate values");
  return arena(static_cast<size_t>(total));
}

void* Run::late_memory(int slot, size_t bytes) {
  auto& context = static_cast<ait_context&>(ctx);
  if (slot >= context.late_count) {
    using Memory = Device::Memory;
    auto* grown = static_cast<Memory*>(realloc(context.late, sizeof(Memory) * static_cast<size_t>(slot + 1)));
    if (grown == nullptr) context.exhausted("an intermediate value", "");
    for (int i = context.late_count; i <= slot; i++) grown[i] = Memory{};
    context.late = grown;
    context.late_count = slot + 1;
  }
  const bool possible = bytes <= static_cast<size_t>(kLargestBytes);
  const uint8_t* before = context.late[slot].data;
  uint8_t* data = possible ? context.late[slot].reserve(static_cast<int64_t>(bytes)) : nullptr;
  if (data == nullptr) context.exhausted("an intermediate value");
  if (data != before) context.late_moves++;
  return data;
}

void Run::fetch(void* to, const void* from, const void* host, size_t bytes) {
  Device::fetch(static_cast<ait_context&>(ctx), to, from, host, bytes);
}

void Run::copy(void* to, const void* from, int64_t bytes) {
  Device::copy(static_cast<ait_context&>(ctx), to, from, bytes);
}

bool Run::expect(int i, int axis, int64_t expected) {
  const int64_t found = inputs_[i].shape[axis];
  if (found == expected) return true;
  auto& context = static_cast<ait_context&>(ctx);
  const Port& port = context.engine->segment->inputs[i];
  context.message.clear();
  context.message.add("input \"%s\" has %lld on axis %d, expected %lld (%s)", port.name,
                      static_cast<long long>(found), axis, static_cast<long long>(expected),
                      port.extents[axis].symbol == nullptr ? "fixed" : port.extents[axis].symbol);
  ctx.fail(context.message.data);
  return false;
}

}  // namespace ait
