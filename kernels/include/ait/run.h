#pragma once
#include <cstddef>
#include <cstdint>

#include "context.h"

// What a generated segment program sees of the library around it.
namespace ait {

/// Element types, numbered as ONNX numbers them.
enum class DType : int32_t {
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  c64 = 14,
  c128 = 15,
  bf16 = 16,
  f8e4m3fn = 17,
  f8e4m3fnuz = 18,
  f8e5m2 = 19,
  f8e5m2fnuz = 20,
  u4 = 21,
  i4 = 22,
  f4e2m1 = 23,
  f8e8m0 = 24,
  u2 = 25,
  i2 = 26
};

/// One extent of an input or output: a number, or -1 with the symbolic expression's text.
struct Extent {
  int64_t size;
  const char* symbol;
  int64_t min, max;  ///< Range of a symbolic extent; max -1 is unbounded.
};

struct Port {
  const char* name;
  DType dtype;
  int32_t rank;
  const Extent* extents;
};

/// A tensor that crosses the border of a segment. Dense, row-major.
struct Tensor {
  void* data;
  int64_t* shape;
  int32_t rank;
  int32_t place = 1;  ///< The kind of device it is on, as DLPack numbers them; 1 is the CPU.
  /// The elements where the host has them too, for a tensor on a device.
  const void* host = nullptr;
};

class Run;

/// Largest rank of a result of a control-flow operator.
constexpr int kMaxBranchRank = 8;

struct Segment {
  const char* name;
  int32_t input_count;
  const Port* inputs;
  int32_t output_count;
  const Port* outputs;
  /// Computes the outputs. Errors are left in run.ctx.error.
  void (*run)(Run& run);
  /// The extents of all outputs, one after another, from the inputs' shapes; data is not looked at. Null
  /// where they depend on data, or are all numbers or extents of inputs.
  void (*shapes)(const Tensor* inputs, int64_t* extents);
};

/// What a library contains; generated once per engine under the name ait_contents.
struct Contents {
  int32_t segment_count;
  const Segment* segments;
  const char* isa;         ///< What the code needs of the processor: "generic", "x86-64-v4+avx512vnni", ...
  uint64_t weights_bytes;  ///< Size of weights.bin; 0 where there are no weights.
};

/// Live ranges of the intermediate values of a segment, in steps of its program, both ends included. The
/// numbers outlive the run.
struct PlanTable {
  int32_t count;
  const int32_t* first;
  const int32_t* last;
};

/// One execution of a segment. The library implements the members that are not defined here. Those that give
/// memory never give null: without memory the run ends there, and the segment's frame, which must have
/// nothing to destroy, is left. They are called by the segment's own program only, never inside a
/// parallel_for body.
class Run {
 public:
  Context& ctx;

  template <class T>
  const T* input(int i) const {
    return static_cast<const T*>(inputs_[i].data);
  }
  int64_t extent(int i, int axis) const { return inputs_[i].shape[axis]; }

  /// Memory for output i under this shape: the caller's if it gave some, else memory of the context.
  template <class T, class... Extents>
  T* output(int i, Extents... extents) {
    const int64_t shape[] = {static_cast<int64_t>(extents)..., 0};
    return static_cast<T*>(output_memory(i, shape, static_cast<int>(sizeof...(extents))));
  }

  template <class T>
  const T* weight(size_t offset) const {
    return reinterpret_cast<const T*>(weights_ + offset);
  }

  /// Memory for all planned intermediates, kept between runs, 64-byte aligned.
  virtual uint8_t* arena(size_t bytes);

  /// Places intermediates of these sizes (bytes) so that none that live at once overlap, and gives the
  /// arena; `offsets` receives count positions. Cached while the sizes stay the same.
  uint8_t* plan(const PlanTable& table, const int64_t* sizes, int64_t* offsets);

  /// Memory of a value whose size is known only in the middle of a run; one slot per value.
  template <class T>
  T* late(int slot, int64_t count) {
    size_t bytes = 0;
    if (count > 0 && __builtin_mul_overflow(static_cast<size_t>(count), sizeof(T), &bytes)) bytes = SIZE_MAX;
    return static_cast<T*>(late_memory(slot, bytes));
  }

  /// The elements of input i where the host has them beside the device, else null.
  template <class T>
  const T* host(int i) const {
    return static_cast<const T*>(inputs_[i].host);
  }

  /// An element that decides how the run goes on, wherever the value lies; `host` is where the host has the
  /// value's elements, if it does.
  template <class T>
  T read(const T* values, int64_t element, const T* host = nullptr) {
    T value;
    fetch(&value, values + element, host == nullptr ? nullptr : host + element, sizeof(T));
    return value;
  }

  /// Copies a value that is somebody else's memory into an output.
  void copy(void* to, const void* from, int64_t bytes);

  /// False, with the error set, unless extent `axis` of input i is `expected` (an expression of other
  /// extents).
  virtual bool expect(int i, int axis, int64_t expected);

 protected:
  explicit Run(Context& context) : ctx(context) {}
  ~Run() = default;
  virtual void* output_memory(int i, const int64_t* shape, int rank) = 0;
  void* late_memory(int slot, size_t bytes);
  void fetch(void* to, const void* from, const void* host, size_t bytes);

  template <int>
  friend class Branch;
  const Tensor* inputs_ = nullptr;
  const uint8_t* weights_ = nullptr;
};

/// A body of a control-flow operator, run in the middle of a segment. Its memory is in slots of its own: one
/// for the arena and one for each of its N results.
template <int N>
class Branch final : public Run {
 public:
  Branch(Run& outer, int first_slot, const Tensor* captured) : Run(outer.ctx), first_slot_(first_slot) {
    inputs_ = captured;
    weights_ = outer.weights_;
  }

  template <class T>
  const T* result(int i) const {
    return static_cast<const T*>(results_[i]);
  }
  int64_t result_extent(int i, int axis) const { return extents_[i][axis]; }

  uint8_t* arena(size_t bytes) override { return static_cast<uint8_t*>(late_memory(first_slot_, bytes)); }

  bool expect(int i, int axis, int64_t expected) override {
    if (inputs_[i].shape[axis] == expected) return true;
    ctx.fail("a value that a branch reads has another shape than it was compiled for");
    return false;
  }

 private:
  void* output_memory(int i, const int64_t* shape, int rank) override {
    size_t bytes = 16;  // The widest element.
    for (int axis = 0; axis < rank; axis++) {
      extents_[i][axis] = shape[axis];
      bytes *= static_cast<size_t>(shape[axis] < 0 ? 0 : shape[axis]);
    }
    results_[i] = late_memory(first_slot_ + 1 + i, bytes);
    return results_[i];
  }

  int first_slot_;
  void* results_[N] = {};
  int64_t extents_[N][kMaxBranchRank] = {};
};

/// A step's place in the arena.
template <class T>
inline T* at(uint8_t* arena, int64_t offset) {
  return reinterpret_cast<T*>(arena + offset);
}

// Integer functions of extents, as shape expressions spell them.
inline int64_t dim_floordiv(int64_t a, int64_t b) {
  if (b == 0) return 0;
  const int64_t q = a / b;
  return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}
inline int64_t dim_mod(int64_t a, int64_t b) { return b == 0 ? 0 : a - b * dim_floordiv(a, b); }
inline int64_t dim_min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t dim_max(int64_t a, int64_t b) { return a < b ? b : a; }
inline int64_t dim_lt(int64_t a, int64_t b) { return a < b ? 1 : 0; }
inline int64_t dim_eq(int64_t a, int64_t b) { return a == b ? 1 : 0; }
inline int64_t dim_select(int64_t c, int64_t a, int64_t b) { return c != 0 ? a : b; }

}  // namespace ait
