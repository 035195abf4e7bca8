#pragma once
// What Hopper has beyond sm_80: barriers in shared memory, the copy engine, products by whole warpgroups.
// Only for sm_90a.
#include "device.h"
#include "tensor_map.h"
#include "wgmma.h"

#if defined(AIT_SM90)
namespace ait::gpu {

// ---- Barriers -----------------------------------------------------------------------------------------

/// Arrives at a named barrier without waiting for it.
AIT_DEVICE void arrive_named(int id, int count) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(count) : "memory");
}

// In shared memory.
AIT_DEVICE void mbarrier_init(uint64_t* b, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(arrivals) : "memory");
}
/// Makes initialised barriers visible to the copy engine.
AIT_DEVICE void mbarrier_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
AIT_DEVICE void mbarrier_arrive(uint64_t* b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}
/// Arrives, and has the phase wait for as many bytes of the copy engine.
AIT_DEVICE void mbarrier_expect(uint64_t* b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)), "r"(bytes)
               : "memory");
}
AIT_DEVICE void mbarrier_wait(uint64_t* b, int parity) {
  asm volatile(
      "{.reg .pred p;\n"
      "AGAIN: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
      "@p bra DONE;\n"
      "bra AGAIN;\n"
      "DONE:}" ::"r"(shared_address(b)),
      "r"(parity)
      : "memory");
}

// ---- The copy engine ----------------------------------------------------------------------------------

/// Copies the box at (x, y), x along the lines; what lies outside of the matrix becomes zeros.
AIT_DEVICE void copy_box(void* to, const TensorMap& map, uint64_t* barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, "
      "%4}], [%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y)
      : "memory");
}
/// The same of three axes.
AIT_DEVICE void copy_box(void* to, const TensorMap& map, uint64_t* barrier, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, "
      "%5}], [%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z)
      : "memory");
}
/// The same of four axes.
AIT_DEVICE void copy_box(void* to, const TensorMap& map, uint64_t* barrier, int x, int y, int z, int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, "
      "%5, %6}], [%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}

/// Copies one tap of as many windows as the map says: channels from `channel` on, the first window at (x, y)
/// of an image, each pixel (tap_x, tap_y) further.
AIT_DEVICE void copy_windows(void* to, const TensorMap& map, uint64_t* barrier, int channel, int x, int y,
                             int image, int tap_x, int tap_y) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, "
      "%4, %5, %6}], "
      "[%2], {%7, %8};" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(channel), "r"(x), "r"(y), "r"(image),
      "h"(static_cast<uint16_t>(tap_x)), "h"(static_cast<uint16_t>(tap_y))
      : "memory");
}
AIT_DEVICE void prefetch_map(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// ---- Registers of a warpgroup -------------------------------------------------------------------------

template <int N>
AIT_DEVICE void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
AIT_DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}

// ---- Products of a warpgroup --------------------------------------------------------------------------

/// Describes lines of 128 bytes in shared memory, swizzled in groups of eight lines that are aligned to 1024
/// bytes.
AIT_DEVICE uint64_t swizzled_lines(const void* p) {
  const uint64_t address = shared_address(p);
  return (address & 0x3ffff) >> 4 | uint64_t{1} << 16 | uint64_t{64} << 32 | uint64_t{1} << 62;
}
/// The same from 16-byte chunk `n` of the lines on.
AIT_DEVICE uint64_t chunks_on(uint64_t lines, int n) { return lines + static_cast<uint64_t>(n); }

/// Describes lines of 128 bytes in shared memory that are steps of the depth, swizzled in groups of eight;
/// columns behind the first 64 lie `panel` bytes further.
AIT_DEVICE uint64_t swizzled_steps(const void* p, int panel) {
  const uint64_t address = shared_address(p);
  return (address & 0x3ffff) >> 4 | static_cast<uint64_t>(panel >> 4) << 16 | uint64_t{64} << 32 |
         uint64_t{1} << 62;
}

AIT_DEVICE void wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
AIT_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N>
AIT_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
/// Keeps the compiler from moving accesses to sums across.
template <int N>
AIT_DEVICE void wgmma_hold(float (&d)[N]) {
  AIT_UNROLL
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i])::"memory");
}

}  // namespace ait::gpu
#endif
