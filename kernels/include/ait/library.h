#pragma once
// Everything a compiled model's library has beside its segments: the C interface of ait.h, the thread pool,
// and the registration with onnxruntime. Exactly one translation unit includes this file. Nothing here
// depends on the instruction set of the kernels, so it is compiled for the oldest processor of its family:
// it is what tells a processor that it is too old.
#include "engine.h"
#include "ort.h"
#include "pool.h"

namespace ait {
namespace {

inline ait_status port_info(const Port* ports, int32_t count, int32_t index, ait_port* out) {
  if (index < 0 || index >= count || out == nullptr) {
    return report(AIT_INVALID_ARGUMENT, "there is no input or output %d", static_cast<int>(index));
  }
  static_assert(sizeof(ait_extent) == sizeof(Extent), "ait_extent mirrors ait::Extent");
  const Port& port = ports[index];
  *out = ait_port{port.name, row_of(port.dtype).dl, static_cast<int32_t>(port.dtype), port.rank,
                  reinterpret_cast<const ait_extent*>(port.extents)};
  return AIT_OK;
}

inline bool same_type(const ait_dtype& given, const ait_dtype& wanted) {
  if (given.lanes != 1 || given.bits != wanted.bits) return false;
  return given.code == wanted.code || (wanted.code == AIT_TYPE_BOOL && given.code == AIT_TYPE_UINT);
}

inline bool is_dense(const ait_tensor& tensor) {
  if (tensor.strides == nullptr) return true;
  int64_t step = 1;
  for (int32_t axis = 0; axis < tensor.ndim; axis++) {
    if (tensor.shape[axis] == 0) return true;
  }
  for (int32_t axis = tensor.ndim - 1; axis >= 0; axis--) {
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != step) return false;
    step *= tensor.shape[axis];
  }
  return true;
}

inline void* data_of(const ait_tensor& tensor) {
  return tensor.data == nullptr ? nullptr : static_cast<uint8_t*>(tensor.data) + tensor.byte_offset;
}

/// What holds of every tensor that comes from outside, whichever direction it has.
inline ait_status check_tensor(const char* kind, const Port& port, const ait_tensor& tensor) {
  const TypeRow& row = row_of(port.dtype);
  if (!same_type(tensor.dtype, row.dl)) {
    return report(
        AIT_INVALID_ARGUMENT,
        "%s \"%s\" has elements of type (code %d, %d bits, %d lanes), expected %s (code %d, %d bits)", kind,
        port.name, tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes, row.name, row.dl.code,
        row.dl.bits);
  }
  if (!Device::reads(tensor.device.type)) {
    return report(AIT_INVALID_ARGUMENT, "%s \"%s\" is not in %s", kind, port.name, Device::kMemory);
  }
  if (tensor.ndim < 0 || (tensor.ndim > 0 && tensor.shape == nullptr)) {
    return report(AIT_INVALID_ARGUMENT, "%s \"%s\" has no shape", kind, port.name);
  }
  return AIT_OK;
}

inline ait_status check_memory(const char* kind, const Port& port, const ait_tensor& tensor) {
  if (!is_dense(tensor)) {
    return report(AIT_INVALID_ARGUMENT,
                  "%s \"%s\" is not contiguous; copy it to a dense row-major tensor first", kind, port.name);
  }
  const int64_t bytes = bytes_of(port.dtype, tensor.shape, tensor.ndim);
  if (bytes > 0 && tensor.data == nullptr) {
    return report(AIT_INVALID_ARGUMENT, "%s \"%s\" has no data", kind, port.name);
  }
  const int width =
      row_of(port.dtype).dl.bits / (port.dtype == DType::c64 || port.dtype == DType::c128 ? 16 : 8);
  if (width > 1 && reinterpret_cast<uintptr_t>(data_of(tensor)) % static_cast<uintptr_t>(width) != 0) {
    return report(AIT_INVALID_ARGUMENT, "%s \"%s\" does not lie at a multiple of its element's size", kind,
                  port.name);
  }
  return AIT_OK;
}

inline ait_status check_counts(const Segment& segment, int32_t inputs, int32_t outputs) {
  if (inputs != segment.input_count) {
    return report(AIT_INVALID_ARGUMENT, "%d inputs were given, expected %d", static_cast<int>(inputs),
                  static_cast<int>(segment.input_count));
  }
  if (outputs != segment.output_count) {
    return report(AIT_INVALID_ARGUMENT, "room for %d outputs was given, expected %d",
                  static_cast<int>(outputs), static_cast<int>(segment.output_count));
  }
  return AIT_OK;
}

/// Types, ranks and extents of the inputs; `tensors` receives them in the library's own terms.
inline ait_status take_inputs(const Segment& segment, const ait_tensor* inputs, Tensor* tensors) {
  for (int i = 0; i < segment.input_count; i++) {
    const ait_status status = check_tensor("input", segment.inputs[i], inputs[i]);
    if (status != AIT_OK) return status;
    tensors[i] = Tensor{data_of(inputs[i]), inputs[i].shape, inputs[i].ndim, inputs[i].device.type};
  }
  last_error.clear();
  return check_inputs(segment, tensors, last_error) ? AIT_OK : AIT_INVALID_ARGUMENT;
}

class CallerRun final : public SegmentRun {
 public:
  CallerRun(ait_context& context, ait_tensor* outputs) : SegmentRun(context), outputs_(outputs) {}

  /// A problem with the caller's tensors rather than with their contents.
  bool caller_erred = false;

  int32_t place_of(int i) const override {
    return outputs_[i].data == nullptr ? AIT_DEVICE_CPU : outputs_[i].device.type;
  }

  void* memory_of(int i, int64_t bytes) override {
    ait_tensor& wanted = outputs_[i];
    const Tensor& tensor = context_.output_tensors[i];
    if (wanted.data == nullptr) return context_.outputs[i].reserve(bytes);
    bool same = wanted.ndim == tensor.rank;
    for (int axis = 0; same && axis < tensor.rank; axis++) same = wanted.shape[axis] == tensor.shape[axis];
    if (same) return data_of(wanted);
    caller_erred = true;
    context_.message.clear();
    context_.message.add("output \"%s\" has shape ", segment_.outputs[i].name);
    add_shape(context_.message, tensor.shape, tensor.rank);
    context_.message.add(", and the tensor given for it ");
    add_shape(context_.message, wanted.shape, wanted.ndim);
    context_.stop(context_.message.data);
  }

 private:
  ait_tensor* outputs_;
};

inline ait_status run_context(ait_context* context, const ait_tensor* inputs, int32_t input_count,
                              ait_tensor* outputs, int32_t output_count) {
  const Segment& segment = *context->engine->segment;
  ait_status status = check_counts(segment, input_count, output_count);
  if (status == AIT_OK) status = take_inputs(segment, inputs, context->input_tensors);
  for (int i = 0; status == AIT_OK && i < input_count; i++) {
    status = check_memory("input", segment.inputs[i], inputs[i]);
  }
  for (int i = 0; status == AIT_OK && i < output_count; i++) {
    if (outputs[i].data == nullptr) continue;
    status = check_tensor("output", segment.outputs[i], outputs[i]);
    if (status == AIT_OK) status = check_memory("output", segment.outputs[i], outputs[i]);
  }
  if (status != AIT_OK) return status;
  CallerRun run(*context, outputs);
  if (const char* error = run.execute()) {
    const ait_status failed = error == last_error.data ? last_status : AIT_RUN_FAILED;
    return report(run.caller_erred ? AIT_INVALID_ARGUMENT : failed, "%s", error);
  }
  for (int i = 0; i < output_count; i++) {
    if (outputs[i].data != nullptr) continue;
    const Tensor& tensor = context->output_tensors[i];
    outputs[i] = ait_tensor{tensor.data,
                            {AIT_DEVICE_CPU, 0},
                            tensor.rank,
                            row_of(segment.outputs[i].dtype).dl,
                            tensor.shape,
                            nullptr,
                            0};
  }
  return AIT_OK;
}

}  // namespace
}  // namespace ait

extern "C" {

uint32_t ait_abi_version(void) { return AIT_ABI_VERSION; }
const char* ait_last_error(void) { return ait::last_error.data; }
const char* ait_required_isa(void) { return ait_contents.isa; }
int32_t ait_segment_count(void) { return ait_contents.segment_count; }
const char* ait_segment_name(int32_t index) {
  return index < 0 || index >= ait_contents.segment_count ? nullptr : ait_contents.segments[index].name;
}

ait_status ait_engine_open(const char* directory, const char* segment, const ait_engine_options* options,
                           ait_engine** engine) {
  if (directory == nullptr || engine == nullptr) {
    return ait::report(AIT_INVALID_ARGUMENT, "ait_engine_open needs a directory and a place for the engine");
  }
  if (options != nullptr && (options->size < sizeof(ait_engine_options) || options->flags != 0)) {
    return ait::report(AIT_INVALID_ARGUMENT,
                       "the engine options are not those of this version of the interface");
  }
  return ait::open_engine(directory, segment, engine);
}

void ait_engine_close(ait_engine* engine) { ait::leave_engine(engine); }

int32_t ait_input_count(const ait_engine* engine) { return engine->segment->input_count; }
int32_t ait_output_count(const ait_engine* engine) { return engine->segment->output_count; }

ait_status ait_input_info(const ait_engine* engine, int32_t index, ait_port* port) {
  return ait::port_info(engine->segment->inputs, engine->segment->input_count, index, port);
}

ait_status ait_output_info(const ait_engine* engine, int32_t index, ait_port* port) {
  return ait::port_info(engine->segment->outputs, engine->segment->output_count, index, port);
}

ait_status ait_context_create(ait_engine* engine, const ait_context_options* options, ait_context** context) {
  if (engine == nullptr || context == nullptr) {
    return ait::report(AIT_INVALID_ARGUMENT,
                       "ait_context_create needs an engine and a place for the context");
  }
  // Callers of the first version know nothing of a stream.
  if (options != nullptr && (options->size < offsetof(ait_context_options, stream) || options->threads < 0)) {
    return ait::report(AIT_INVALID_ARGUMENT,
                       "the context options are not those of this version of the interface");
  }
  const bool has_stream = options != nullptr && options->size >= sizeof(ait_context_options);
  *context = ait::create_context(engine, options == nullptr ? 0 : options->threads,
                                 has_stream ? options->stream : nullptr);
  return *context != nullptr ? AIT_OK : ait::last_status;
}

void ait_context_destroy(ait_context* context) { ait::destroy_context(context); }
int32_t ait_context_threads(const ait_context* context) { return context->threads; }

ait_status ait_output_shapes(const ait_engine* engine, const ait_tensor* inputs, int32_t input_count,
                             ait_tensor* outputs, int32_t output_count) {
  const ait::Segment& segment = *engine->segment;
  ait_status status = ait::check_counts(segment, input_count, output_count);
  if (status != AIT_OK) return status;
  auto* tensors = ait::zeroed<ait::Tensor>(input_count);
  auto* extents = ait::zeroed<int64_t>(ait::extent_count(segment.outputs, segment.output_count));
  status = tensors == nullptr || extents == nullptr ? ait::report(AIT_OUT_OF_MEMORY, "there is no memory")
                                                    : ait::take_inputs(segment, inputs, tensors);
  if (status == AIT_OK && !ait::shapes_of(segment, tensors, extents)) {
    status = ait::report(AIT_SHAPE_UNKNOWN, "the shapes of the outputs depend on the data");
  }
  const int64_t* extent = extents;
  for (int i = 0; status == AIT_OK && i < output_count; i++) {
    const ait::Port& port = segment.outputs[i];
    if (port.rank > 0 && outputs[i].shape == nullptr) {
      status =
          ait::report(AIT_INVALID_ARGUMENT, "there is no room for the shape of output \"%s\"", port.name);
      break;
    }
    for (int axis = 0; axis < port.rank; axis++) outputs[i].shape[axis] = *extent++;
    outputs[i].ndim = port.rank;
    outputs[i].dtype = ait::row_of(port.dtype).dl;
    outputs[i].device = ait_device{AIT_DEVICE_CPU, 0};
    outputs[i].strides = nullptr;
    outputs[i].byte_offset = 0;
  }
  free(tensors);
  free(extents);
  return status;
}

ait_status ait_run(ait_context* context, const ait_tensor* inputs, int32_t input_count, ait_tensor* outputs,
                   int32_t output_count) {
  const ait_status status = ait::run_context(context, inputs, input_count, outputs, output_count);
  context->message = status == AIT_OK ? ait::Text{} : ait::last_error;
  return status;
}

const char* ait_context_error(const ait_context* context) { return context->message.data; }

// The vtables name it; it is never called, and libstdc++ shall not be needed for it.
__attribute__((visibility("hidden"))) void __cxa_pure_virtual() { __builtin_trap(); }
}
