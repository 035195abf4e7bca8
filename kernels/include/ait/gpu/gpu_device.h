#pragma once
#include "../host_device.h"
#include "recording.h"

// How engines of a GPU run: intermediates in one arena on the device, weights uploaded once, and after the
// first run of a shape its launches replayed as one graph.
namespace ait {

struct GpuDevice {
  using Memory = gpu::KeptMemory<gpu::driver::allocate, gpu::driver::release>;
  /// Page-locked memory of the host.
  using Result = gpu::KeptMemory<gpu::driver::allocate_host, gpu::driver::release_host>;

  struct Weights {
    uint8_t* data = nullptr;
  };

  using Recording = gpu::Recording;

  struct State {
    gpu::driver::Stream stream;
    bool owns_stream;
    Memory* inputs;
    Memory* outputs;
    Memory scratch;
    Result staged;     ///< Inputs on their way to the device.
    int64_t* key;      ///< Of the run in hand, as Recording::inputs.
    gpu::Looks looks;  ///< Of the run in hand.
    uint64_t* status;  ///< What device code reports, in memory that both sides see.
    bool recording;
    uint64_t runs;
    Recording recordings[8];
  };

  static ait_status open() { return gpu::driver::open(); }
  static void close() { gpu::driver::close(); }

  static ait_status take_weights(const uint8_t* data, size_t bytes, Weights& weights) {
    gpu::driver::Stream stream = gpu::driver::enter() ? gpu::driver::create_stream() : nullptr;
    if (stream == nullptr) return last_status;
    const auto size = static_cast<int64_t>(bytes);
    weights.data = static_cast<uint8_t*>(gpu::driver::allocate(size));
    ait_status status = AIT_OK;
    if (weights.data == nullptr) {
      status = report(AIT_OUT_OF_MEMORY, "the model's weights, %lld MiB, do not fit the memory of the GPU",
                      static_cast<long long>((size + (1 << 20) - 1) >> 20));
    } else if (!gpu::driver::upload(weights.data, data, size, stream) || !gpu::driver::synchronize(stream)) {
      status = last_status;
    }
    if (status != AIT_OK) drop_weights(weights);
    gpu::driver::destroy_stream(stream);
    return status;
  }
  static void drop_weights(Weights& weights) {
    gpu::driver::enter();
    gpu::driver::release(weights.data);
    weights.data = nullptr;
  }

  static bool create(State& state, void* stream, const Segment& segment) {
    if (!gpu::driver::enter()) return false;
    state.owns_stream = stream == nullptr;
    state.stream = stream == nullptr ? gpu::driver::create_stream() : stream;
    state.inputs = zeroed<Memory>(segment.input_count);
    state.outputs = zeroed<Memory>(segment.output_count);
    state.key = zeroed<int64_t>(key_length(segment));
    state.status = static_cast<uint64_t*>(gpu::driver::allocate_host(sizeof(uint64_t)));
    if (state.status != nullptr) *state.status = 0;
    return state.stream != nullptr && state.inputs != nullptr && state.outputs != nullptr &&
           state.key != nullptr && state.status != nullptr;
  }

  static void destroy(State& state, const Segment& segment) {
    gpu::driver::enter();
    for (int i = 0; state.inputs != nullptr && i < segment.input_count; i++) state.inputs[i].release();
    for (int i = 0; state.outputs != nullptr && i < segment.output_count; i++) state.outputs[i].release();
    for (Recording& r : state.recordings) r.forget();
    state.scratch.release();
    state.staged.release();
    gpu::driver::release_host(state.status);
    if (state.owns_stream && state.stream != nullptr) gpu::driver::destroy_stream(state.stream);
    free(state.inputs);
    free(state.outputs);
    free(state.key);
  }

  static bool reads(int32_t device_type) {
    return HostDevice::reads(device_type) || device_type == gpu::driver::place;
  }
  static constexpr const char* kMemory = "the memory of the host or of the model's GPU";
  static constexpr const char* kRoom = " on the GPU";

  template <class SegmentRun>
  static void run(SegmentRun& run) {
    auto& context = run.context();
    State& state = context.state;
    const Segment& segment = run.segment();
    bool waits = state.owns_stream;
    if (!gpu::driver::enter() || !take_inputs(context, segment, waits)) return context.fail(last_error.data);
    launch_all(run);
    if (context.error != nullptr) return settle(state);
    for (int i = 0; i < segment.output_count; i++) {
      if (run.place_of(i) == gpu::driver::place) continue;
      waits = true;
      Tensor& tensor = context.output_tensors[i];
      const int64_t bytes = bytes_of(segment.outputs[i].dtype, tensor.shape, tensor.rank);
      void* to = run.memory_of(i, bytes);
      if (to == nullptr) context.exhausted("an output", "");
      if (bytes > 0 && !gpu::driver::download(to, tensor.data, bytes, state.stream)) {
        return context.fail(last_error.data);
      }
      tensor.data = to;
    }
    // A caller with a stream and everything on the device waits for it when it likes.
    if (waits && !gpu::driver::synchronize(state.stream)) return context.fail(last_error.data);
    if (*state.status == 0) return;
    context.fail(reinterpret_cast<const char*>(*state.status));
    *state.status = 0;
  }

  /// The program was left in the middle.
  template <class SegmentRun>
  static void abandon(SegmentRun& run) {
    State& state = run.context().state;
    if (state.recording) gpu::drop(gpu::driver::end_capture(state.stream));
    state.recording = false;
    settle(state);
  }

  template <class SegmentRun>
  static void* output(SegmentRun& run, int i, int64_t bytes) {
    if (run.place_of(i) == gpu::driver::place) return run.memory_of(i, bytes);
    return run.context().state.outputs[i].reserve(bytes);
  }

  template <class Context>
  static void fetch(Context& context, void* to, const void* from, const void* host, size_t bytes) {
    State& state = context.state;
    if (host != nullptr) {
      std::memcpy(to, host, bytes);
      // Other elements that the host has follow from shapes.
      const auto at = static_cast<int64_t>(address(host) - address(state.staged.data));
      if (at >= 0 && at < state.staged.bytes) state.looks.add(at, host, bytes);
      return;
    }
    state.looks.beyond = true;
    if (!gpu::driver::download(to, from, static_cast<int64_t>(bytes), state.stream) ||
        !gpu::driver::synchronize(state.stream)) {
      context.stop(last_error.data);
    }
    if (*state.status != 0) context.stop(reinterpret_cast<const char*>(*state.status));
  }

  template <class Context>
  static void copy(Context& context, void* to, const void* from, int64_t bytes) {
    if (bytes > 0 && !gpu::driver::copy(to, from, bytes, context.state.stream)) context.fail(last_error.data);
  }

 private:
  /// After a run that failed: waits for what it started and forgets what that reports. The run's error stays.
  static void settle(State& state) {
    const Text text = last_error;
    const ait_status status = last_status;
    gpu::driver::synchronize(state.stream);
    *state.status = 0;
    last_error = text;
    last_status = status;
  }

  static uintptr_t address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

  static int64_t key_length(const Segment& segment) {
    return extent_count(segment.inputs, segment.input_count) + segment.input_count;
  }

  /// Brings the inputs to the device; context.input_tensors then names their places there.
  template <class Context>
  static bool take_inputs(Context& context, const Segment& segment, bool& waits) {
    State& state = context.state;
    const auto padded = [&](int i) {
      const Tensor& tensor = context.input_tensors[i];
      return (bytes_of(segment.inputs[i].dtype, tensor.shape, tensor.rank) + 255) / 256 * 256;
    };
    int64_t total = 0;
    for (int i = 0; i < segment.input_count; i++) {
      if (context.input_tensors[i].place != gpu::driver::place) total += padded(i);
    }
    uint8_t* staged = state.staged.reserve(total);
    if (staged == nullptr) return report(AIT_OUT_OF_MEMORY, "there is no memory for the inputs") == AIT_OK;
    int64_t* key = state.key;
    for (int i = 0; i < segment.input_count; i++) {
      Tensor& tensor = context.input_tensors[i];
      tensor.host = nullptr;
      if (tensor.place != gpu::driver::place) {
        waits = true;
        const int64_t bytes = bytes_of(segment.inputs[i].dtype, tensor.shape, tensor.rank);
        uint8_t* to = state.inputs[i].reserve(bytes);
        if (to == nullptr) {
          return report(AIT_OUT_OF_MEMORY, "the inputs do not fit the memory of the GPU") == AIT_OK;
        }
        // A copy of its own: the caller's memory need not be page-locked, and is looked at once.
        if (bytes > 0) std::memcpy(staged, tensor.data, static_cast<size_t>(bytes));
        if (bytes > 0 && !gpu::driver::upload(to, staged, bytes, state.stream)) return false;
        tensor.host = staged;
        tensor.data = to;
        staged += padded(i);
      }
      for (int axis = 0; axis < tensor.rank; axis++) *key++ = tensor.shape[axis];
      *key++ = reinterpret_cast<int64_t>(tensor.data);
    }
    return true;
  }

  /// Replays the launches of this shape, or makes them. The first run of a shape is not recorded: memory may
  /// grow in it.
  template <class SegmentRun>
  static void launch_all(SegmentRun& run) {
    auto& context = run.context();
    State& state = context.state;
    const Segment& segment = run.segment();
    const size_t bytes = static_cast<size_t>(key_length(segment)) * sizeof(int64_t);
    Recording* found = nullptr;
    Recording* oldest = state.recordings;
    for (Recording& r : state.recordings) {
      if (r.inputs != nullptr && std::memcmp(r.inputs, state.key, bytes) == 0 &&
          r.looks.holds(state.staged.data)) {
        found = &r;
      }
      if (r.used < oldest->used) oldest = &r;
    }
    state.runs++;
    if (found != nullptr) found->used = state.runs;
    if (found != nullptr && found->graph != nullptr && fits(run, *found)) {
      if (!gpu::driver::replay(found->graph, state.stream)) context.fail(last_error.data);
      return;
    }
    state.looks.count = 0;
    state.looks.beyond = false;
    state.recording = found != nullptr && !found->looks.beyond && gpu::driver::begin_capture(state.stream);
    segment.run(run);
    if (!state.recording) {
      if (found == nullptr && context.error == nullptr) remember(run, *oldest, bytes);
      return;
    }
    state.recording = false;
    gpu::drop(found->graph);
    found->graph = gpu::driver::end_capture(state.stream);
    if (context.error != nullptr) return;
    if (found->graph == nullptr) {
      // What cannot be recorded is run.
      found->looks.beyond = true;
      return segment.run(run);
    }
    note(run, *found);
    if (!gpu::driver::replay(found->graph, state.stream)) context.fail(last_error.data);
  }

  template <class SegmentRun>
  static void remember(SegmentRun& run, Recording& r, size_t bytes) {
    State& state = run.context().state;
    const Segment& segment = run.segment();
    r.forget();
    r.inputs = static_cast<int64_t*>(malloc(bytes + 1));
    r.extents = zeroed<int64_t>(extent_count(segment.outputs, segment.output_count));
    r.outputs = zeroed<void*>(segment.output_count);
    if (r.inputs == nullptr || r.extents == nullptr || r.outputs == nullptr) return r.forget();
    std::memcpy(r.inputs, state.key, bytes);
    r.looks = state.looks;
    r.used = state.runs;
  }

  /// What the graph of a recording has fixed.
  template <class SegmentRun>
  static void note(SegmentRun& run, Recording& r) {
    const auto& context = run.context();
    int64_t* extent = r.extents;
    for (int i = 0; i < run.segment().output_count; i++) {
      const Tensor& tensor = context.output_tensors[i];
      r.outputs[i] = tensor.data;
      for (int axis = 0; axis < tensor.rank; axis++) *extent++ = tensor.shape[axis];
    }
    r.arena = context.arena.data;
    r.scratch = context.state.scratch.data;
    r.late_moves = context.late_moves;
  }

  /// Whether a recording's memory is still where it was; the outputs then have its shapes and places.
  template <class SegmentRun>
  static bool fits(SegmentRun& run, const Recording& r) {
    auto& context = run.context();
    const Segment& segment = run.segment();
    if (r.arena != context.arena.data || r.scratch != context.state.scratch.data) return false;
    if (r.late_moves != context.late_moves) return false;
    const int64_t* extent = r.extents;
    for (int i = 0; i < segment.output_count; i++) {
      Tensor& tensor = context.output_tensors[i];
      tensor.rank = segment.outputs[i].rank;
      for (int axis = 0; axis < tensor.rank; axis++) tensor.shape[axis] = *extent++;
      tensor.data = output(run, i, bytes_of(segment.outputs[i].dtype, tensor.shape, tensor.rank));
      if (tensor.data != r.outputs[i]) return false;
    }
    return true;
  }
};

}  // namespace ait
