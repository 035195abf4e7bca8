#pragma once
#include "../context.h"
#include "../extents.h"
#include "../numeric.h"
#include "function.h"
#include "tensor_map.h"

// What the generated functions of the host call to start functions of the device.
namespace ait::gpu {

/// Blocks of `each` items for `count` of them.
inline int64_t blocks(int64_t count, int64_t each) { return (count + each - 1) / each; }
inline int64_t at_most(int64_t count, int64_t most) { return count < most ? count : most; }

/// Starts a function with the addresses of its arguments, in the order of the run's other work. A grid
/// without blocks is no work. Problems are left in ctx.error.
void start(Context& ctx, const Function& function, Grid grid, int threads, int64_t shared_bytes, void** args);

/// The arguments have exactly the types of the function's parameters.
template <class... Args>
inline void launch(Context& ctx, const Function& function, Grid grid, int threads, int64_t shared_bytes,
                   Args... args) {
  void* addresses[] = {static_cast<void*>(&args)..., nullptr};
  start(ctx, function, grid, threads, shared_bytes, addresses);
}

/// Device memory for the launches that follow, until the next call. Takes the sizes in bytes and gives back
/// where each part begins; 256-byte aligned.
uint8_t* scratch(Context& ctx, int64_t* sizes, int count);

/// Where device code reports a problem: the address of a sentence, or 0.
uint64_t* status(Context& ctx);

/// Multiprocessors of the device, for grids that fill it.
int multiprocessors(Context& ctx);

/// Whether the device is of sm_90a.
bool is_hopper(Context& ctx);

/// Rows of `columns` elements of 2 bytes, `pitch` elements apart, copied in boxes of `box_rows` ×
/// `box_columns` that lie in shared memory with the 128-byte swizzle (box_columns is 64). `bf16` names the
/// element type.
TensorMap matrix_map(Context& ctx, const void* data, bool bf16, int64_t rows, int64_t columns, int64_t pitch,
                     int box_rows, int box_columns);

/// Rows of some heads of some samples, and the elements from one to the next.
struct HeadBoxes {
  int64_t batch, heads, rows, depth;
  int64_t batch_step, head_step, row_step;
};
/// 64 elements of `box_rows` rows of one head of one sample, with the 128-byte swizzle.
TensorMap heads_map(Context& ctx, const void* data, bool bf16, const HeadBoxes& boxes, int box_rows);

/// An image, channels last, and the windows over it.
struct WindowBoxes {
  int64_t batch, h, w, channels;
  int64_t oh, ow;
  int64_t stride_h, stride_w, pad_top, pad_left;
};
/// One tap of `box_rows` windows that follow one another, 64 channels of it, with the 128-byte swizzle.
TensorMap windows_map(Context& ctx, const void* data, bool bf16, const WindowBoxes& boxes, int box_rows);

/// Weights [rows][taps][channels], rows `pitch` elements apart: 64 channels of one tap of `box_rows` rows.
TensorMap taps_map(Context& ctx, const void* data, bool bf16, int64_t rows, int64_t taps, int64_t channels,
                   int64_t pitch, int box_rows);

}  // namespace ait::gpu
