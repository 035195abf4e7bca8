#pragma once
#include <stdarg.h>
#include <stdio.h>

#include <cstring>

#include "ait.h"
#include "memory.h"
#include "run.h"

// Types and shapes at the border of a segment: their text, their sizes, and whether tensors fit.
namespace ait {

/// A sentence under construction; what does not fit is cut off.
struct Text {
  char data[512];

  void clear() { data[0] = 0; }
  __attribute__((format(printf, 2, 3))) void add(const char* format, ...) {
    const size_t used = std::strlen(data);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(data + used, sizeof data - used, format, arguments);
    va_end(arguments);
  }
};

static thread_local Text last_error;
static thread_local ait_status last_status;

__attribute__((format(printf, 2, 3))) inline ait_status report(ait_status status, const char* format, ...) {
  // The arguments may be the last error's own text.
  Text text;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text.data, sizeof text.data, format, arguments);
  va_end(arguments);
  last_error = text;
  last_status = status;
  return status;
}

struct TypeRow {
  DType dtype;
  const char* name;
  ait_dtype dl;
};

constexpr TypeRow kTypes[] = {{DType::f32, "f32", {AIT_TYPE_FLOAT, 32, 1}},
                              {DType::u8, "u8", {AIT_TYPE_UINT, 8, 1}},
                              {DType::i8, "i8", {AIT_TYPE_INT, 8, 1}},
                              {DType::u16, "u16", {AIT_TYPE_UINT, 16, 1}},
                              {DType::i16, "i16", {AIT_TYPE_INT, 16, 1}},
                              {DType::i32, "i32", {AIT_TYPE_INT, 32, 1}},
                              {DType::i64, "i64", {AIT_TYPE_INT, 64, 1}},
                              {DType::boolean, "bool", {AIT_TYPE_BOOL, 8, 1}},
                              {DType::f16, "f16", {AIT_TYPE_FLOAT, 16, 1}},
                              {DType::f64, "f64", {AIT_TYPE_FLOAT, 64, 1}},
                              {DType::u32, "u32", {AIT_TYPE_UINT, 32, 1}},
                              {DType::u64, "u64", {AIT_TYPE_UINT, 64, 1}},
                              {DType::c64, "c64", {AIT_TYPE_COMPLEX, 64, 1}},
                              {DType::c128, "c128", {AIT_TYPE_COMPLEX, 128, 1}},
                              {DType::bf16, "bf16", {AIT_TYPE_BFLOAT, 16, 1}},
                              {DType::f8e4m3fn, "f8e4m3fn", {AIT_TYPE_FLOAT8_E4M3FN, 8, 1}},
                              {DType::f8e4m3fnuz, "f8e4m3fnuz", {AIT_TYPE_FLOAT8_E4M3FNUZ, 8, 1}},
                              {DType::f8e5m2, "f8e5m2", {AIT_TYPE_FLOAT8_E5M2, 8, 1}},
                              {DType::f8e5m2fnuz, "f8e5m2fnuz", {AIT_TYPE_FLOAT8_E5M2FNUZ, 8, 1}},
                              {DType::u4, "u4", {AIT_TYPE_UINT, 4, 1}},
                              {DType::i4, "i4", {AIT_TYPE_INT, 4, 1}},
                              {DType::f4e2m1, "f4e2m1", {AIT_TYPE_FLOAT4_E2M1, 4, 1}},
                              {DType::f8e8m0, "f8e8m0", {AIT_TYPE_FLOAT8_E8M0, 8, 1}},
                              {DType::u2, "u2", {AIT_TYPE_UINT, 2, 1}},
                              {DType::i2, "i2", {AIT_TYPE_INT, 2, 1}}};

inline const TypeRow& row_of(DType dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.dtype == dtype) return row;
  }
  return kTypes[0];
}

/// Bytes of a dense tensor; -1 where an extent is negative or the product is beyond any memory.
inline int64_t bytes_of(DType dtype, const int64_t* shape, int rank) {
  int64_t count = 1;
  bool empty = false;
  for (int axis = 0; axis < rank; axis++) {
    if (shape[axis] < 0) return -1;
    if (shape[axis] == 0) empty = true;
  }
  for (int axis = 0; axis < rank && !empty; axis++) {
    if (__builtin_mul_overflow(count, shape[axis], &count) || count > kLargestBytes) return -1;
  }
  return empty ? 0 : (count * row_of(dtype).dl.bits + 7) / 8;
}

inline int64_t extent_count(const Port* ports, int count) {
  int64_t total = 0;
  for (int i = 0; i < count; i++) total += ports[i].rank;
  return total;
}

inline void add_shape(Text& text, const int64_t* shape, int rank) {
  for (int axis = 0; axis < rank; axis++) {
    text.add("%s%lld", axis == 0 ? "[" : ", ", static_cast<long long>(shape[axis]));
  }
  text.add(rank == 0 ? "[]" : "]");
}

inline void add_port(Text& text, const Port& port) {
  for (int axis = 0; axis < port.rank; axis++) {
    const Extent& extent = port.extents[axis];
    text.add(axis == 0 ? "[" : ", ");
    if (extent.symbol == nullptr) {
      text.add("%lld", static_cast<long long>(extent.size));
    } else {
      text.add("%s", extent.symbol);
    }
  }
  text.add(port.rank == 0 ? "[]" : "]");
}

inline bool in_range(const Extent& extent, int64_t size) {
  return extent.symbol == nullptr ? size == extent.size
                                  : size >= extent.min && (extent.max < 0 || size <= extent.max);
}

/// The extent of an input that has this very expression, before axis `end_axis` of input `end_input`; -1 if
/// none.
inline int64_t extent_named(const Segment& segment, const Tensor* inputs, const char* symbol, int end_input,
                            int end_axis, const char** where) {
  for (int i = 0; i <= end_input && i < segment.input_count; i++) {
    for (int axis = 0; axis < segment.inputs[i].rank; axis++) {
      if (i == end_input && axis == end_axis) return -1;
      const char* other = segment.inputs[i].extents[axis].symbol;
      if (other == nullptr || std::strcmp(other, symbol) != 0) continue;
      *where = segment.inputs[i].name;
      return inputs[i].shape[axis];
    }
  }
  return -1;
}

inline bool check_input(const Segment& segment, const Tensor* inputs, int i, Text& error) {
  const Port& port = segment.inputs[i];
  const Tensor& tensor = inputs[i];
  bool fits = tensor.rank == port.rank;
  for (int axis = 0; fits && axis < port.rank; axis++) {
    const Extent& extent = port.extents[axis];
    fits = in_range(extent, tensor.shape[axis]);
    const char* where = nullptr;
    if (!fits || extent.symbol == nullptr) continue;
    const int64_t same = extent_named(segment, inputs, extent.symbol, i, axis, &where);
    if (same < 0 || same == tensor.shape[axis]) continue;
    error.add("input \"%s\" has shape ", port.name);
    add_shape(error, tensor.shape, tensor.rank);
    error.add(", expected ");
    add_port(error, port);
    error.add(" with %s = %lld, as in \"%s\"", extent.symbol, static_cast<long long>(same), where);
    return false;
  }
  if (fits) return true;
  error.add("input \"%s\" has shape ", port.name);
  add_shape(error, tensor.shape, tensor.rank);
  error.add(", expected ");
  add_port(error, port);
  for (int axis = 0; tensor.rank == port.rank && axis < port.rank; axis++) {
    const Extent& extent = port.extents[axis];
    if (extent.symbol == nullptr || in_range(extent, tensor.shape[axis])) continue;
    error.add(" with %s at least %lld", extent.symbol, static_cast<long long>(extent.min));
    if (extent.max >= 0) error.add(" and at most %lld", static_cast<long long>(extent.max));
    break;
  }
  return false;
}

/// Whether the shapes are what the segment was compiled for; else the error says what is not.
inline bool check_inputs(const Segment& segment, const Tensor* inputs, Text& error) {
  for (int i = 0; i < segment.input_count; i++) {
    if (!check_input(segment, inputs, i, error)) return false;
  }
  return true;
}

/// All extents of the outputs, one after another; false where they depend on data.
inline bool shapes_of(const Segment& segment, const Tensor* inputs, int64_t* extents) {
  if (segment.shapes != nullptr) {
    segment.shapes(inputs, extents);
    return true;
  }
  for (int i = 0; i < segment.output_count; i++) {
    for (int axis = 0; axis < segment.outputs[i].rank; axis++) {
      const Extent& extent = segment.outputs[i].extents[axis];
      const char* where = nullptr;
      *extents = extent.symbol == nullptr
                     ? extent.size
                     : extent_named(segment, inputs, extent.symbol, segment.input_count, 0, &where);
      if (*extents++ < 0) return false;
    }
  }
  return true;
}

}  // namespace ait
