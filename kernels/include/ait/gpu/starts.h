#pragma once
#include "../engine.h"
#include "launch.h"

// What launch.h declares, for the one unit that has the library in it.
namespace ait::gpu {

void start(Context& ctx, const Function& function, Grid grid, int threads, int64_t shared_bytes,
           void** args) {
  if (ctx.error != nullptr || grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
  if (grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) {
    return ctx.fail("a tensor is too large for the GPU");
  }
  const auto& state = static_cast<ait_context&>(ctx).state;
  if (!driver::launch(function, grid, threads, shared_bytes, args, state.stream)) ctx.fail(last_error.data);
}

uint8_t* scratch(Context& ctx, int64_t* sizes, int count) {
  int64_t total = 0;
  for (int i = 0; i < count; i++) {
    const int64_t size = (sizes[i] + 255) / 256 * 256;
    sizes[i] = total;
    total += size;
  }
  auto& context = static_cast<ait_context&>(ctx);
  uint8_t* data = context.state.scratch.reserve(total);
  if (data == nullptr) context.exhausted("there is no memory on the GPU for intermediate values");
  return data;
}

uint64_t* status(Context& ctx) { return static_cast<ait_context&>(ctx).state.status; }

int multiprocessors(Context&) { return driver::properties.multiprocessors; }

bool is_hopper(Context&) { return driver::properties.capability == 90; }

TensorMap matrix_map(Context& ctx, const void* data, bool bf16, int64_t rows, int64_t columns, int64_t pitch,
                     int box_rows, int box_columns) {
  TensorMap map{};
  // Where there is nothing, nothing is started either.
  if (rows <= 0) return map;
  if (!driver::matrix_map(map, data, bf16, rows, columns, pitch, box_rows, box_columns)) {
    ctx.fail(last_error.data);
  }
  return map;
}

TensorMap heads_map(Context& ctx, const void* data, bool bf16, const HeadBoxes& boxes, int box_rows) {
  TensorMap map{};
  if (boxes.batch <= 0 || boxes.heads <= 0 || boxes.rows <= 0) return map;
  if (!driver::heads_map(map, data, bf16, boxes, box_rows)) ctx.fail(last_error.data);
  return map;
}

TensorMap windows_map(Context& ctx, const void* data, bool bf16, const WindowBoxes& boxes, int box_rows) {
  TensorMap map{};
  if (boxes.batch <= 0 || boxes.oh <= 0 || boxes.ow <= 0) return map;
  if (!driver::windows_map(map, data, bf16, boxes, box_rows)) ctx.fail(last_error.data);
  return map;
}

TensorMap taps_map(Context& ctx, const void* data, bool bf16, int64_t rows, int64_t taps, int64_t channels,
                   int64_t pitch, int box_rows) {
  TensorMap map{};
  if (!driver::taps_map(map, data, bf16, rows, taps, channels, pitch, box_rows)) ctx.fail(last_error.data);
  return map;
}

}  // namespace ait::gpu
