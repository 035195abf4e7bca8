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
  if (data == nullptr) context.exhausted("intermediate values");
  return data;
}

uint64_t* status(Context& ctx) { return static_cast<ait_context&>(ctx).state.status; }

int multiprocessors(Context&) { return driver::properties.multiprocessors; }

bool is_hopper(Context&) { return driver::properties.capability == 90; }

namespace {

inline uint64_t whole(int64_t n) { return static_cast<uint64_t>(n); }

/// Where there is nothing, nothing is started either.
template <class F>
TensorMap map_of(Context& ctx, bool any, F describe) {
  TensorMap map{};
  if (any && !describe(map)) ctx.fail(last_error.data);
  return map;
}
TensorMap map_of(Context& ctx, bool any, const void* data, bool bf16, const driver::Boxes& boxes) {
  return map_of(ctx, any, [&](TensorMap& map) { return driver::box_map(map, data, bf16, boxes); });
}

}  // namespace

TensorMap matrix_map(Context& ctx, const void* data, bool bf16, int64_t rows, int64_t columns, int64_t pitch,
                     int box_rows, int box_columns) {
  const driver::Boxes boxes = {2,
                               {whole(columns), whole(rows)},
                               {whole(pitch) * 2},
                               {static_cast<uint32_t>(box_columns), static_cast<uint32_t>(box_rows)}};
  return map_of(ctx, rows > 0, data, bf16, boxes);
}

TensorMap heads_map(Context& ctx, const void* data, bool bf16, const HeadBoxes& b, int box_rows) {
  // An axis of one may have any step, but the copy engine takes no 0.
  const auto step = [](int64_t n) { return whole(n < 8 ? 8 : n) * 2; };
  const driver::Boxes boxes = {4,
                               {whole(b.depth), whole(b.rows), whole(b.heads), whole(b.batch)},
                               {step(b.row_step), step(b.head_step), step(b.batch_step)},
                               {64, static_cast<uint32_t>(box_rows), 1, 1}};
  return map_of(ctx, b.batch > 0 && b.heads > 0 && b.rows > 0, data, bf16, boxes);
}

TensorMap taps_map(Context& ctx, const void* data, bool bf16, int64_t rows, int64_t taps, int64_t channels,
                   int64_t pitch, int box_rows) {
  const driver::Boxes boxes = {3,
                               {whole(channels), whole(taps), whole(rows)},
                               {whole(channels) * 2, whole(pitch) * 2},
                               {64, 1, static_cast<uint32_t>(box_rows)}};
  return map_of(ctx, rows > 0, data, bf16, boxes);
}

TensorMap windows_map(Context& ctx, const void* data, bool bf16, const WindowBoxes& b, int box_rows) {
  return map_of(ctx, b.batch > 0 && b.oh > 0 && b.ow > 0,
                [&](TensorMap& map) { return driver::windows_map(map, data, bf16, b, box_rows); });
}

}  // namespace ait::gpu
