#pragma once
// What Hopper has beyond sm_80: barriers in shared memory, the copy engine, products by whole warpgroups.
// Only for sm_90a.
#include "device.h"

namespace ait::gpu {

/// A descriptor of a matrix in global memory for the copy engine (CUtensorMap).
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

}  // namespace ait::gpu

#if defined(AIT_SM90)
namespace ait::gpu {

// ---- Barriers in shared memory --------------------------------------------------------------------------

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

// ---- The copy engine ------------------------------------------------------------------------------------

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

// ---- Registers of a warpgroup -----------------------------------------------------------------------------

template <int N>
AIT_DEVICE void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
AIT_DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}

// ---- Products of a warpgroup ------------------------------------------------------------------------------

/// Describes lines of 128 bytes in shared memory, swizzled in groups of eight lines that are aligned to 1024
/// bytes.
AIT_DEVICE uint64_t swizzled_lines(const void* p) {
  const uint64_t address = shared_address(p);
  return (address & 0x3ffff) >> 4 | uint64_t{1} << 16 | uint64_t{64} << 32 | uint64_t{1} << 62;
}
/// The same from 16-byte chunk `n` of the lines on.
AIT_DEVICE uint64_t chunks_on(uint64_t lines, int n) { return lines + static_cast<uint64_t>(n); }

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

template <class T>
constexpr bool kIsBf16 = false;
template <>
constexpr bool kIsBf16<bf16> = true;

/// d = a b, or d += a b where `add` is not 0, of 64 x N sums: lane l of warp w has rows 16 w + l / 4 and 8
/// further, of every 8 columns two from 2 (l % 4) on. Of each operand 16 elements along the lines are read.
template <int N>
struct Wgmma;

// clang-format off
#define AIT_WGMMA_32(kind)                                                                                        \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %18, 0;\n"                                                          \
               "wgmma.mma_async.sync.aligned.m64n32k16.f32." kind "." kind " {"                                   \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, %16, %17, p, 1, 1, 0, 0;}" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]),                                                  \
                 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),                                                  \
                 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),                                                \
                 "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])                                               \
               : "l"(a), "l"(b), "r"(add))

#define AIT_WGMMA_64(kind)                                                                                                  \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %34, 0;\n"                                                                    \
               "wgmma.mma_async.sync.aligned.m64n64k16.f32." kind "." kind " {"                                             \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                     \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, p, 1, 1, 0, 0;}" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]),                                                            \
                 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),                                                            \
                 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),                                                          \
                 "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),                                                        \
                 "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),                                                        \
                 "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),                                                        \
                 "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),                                                        \
                 "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])                                                         \
               : "l"(a), "l"(b), "r"(add))

#define AIT_WGMMA_96(kind)                                                                                                  \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %50, 0;\n"                                                                    \
               "wgmma.mma_async.sync.aligned.m64n96k16.f32." kind "." kind " {"                                             \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                     \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "                           \
               "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47}, %48, %49, p, 1, 1, 0, 0;}" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]),                                                            \
                 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),                                                            \
                 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),                                                          \
                 "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),                                                        \
                 "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),                                                        \
                 "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),                                                        \
                 "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),                                                        \
                 "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),                                                        \
                 "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]),                                                        \
                 "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),                                                        \
                 "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),                                                        \
                 "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])                                                         \
               : "l"(a), "l"(b), "r"(add))

#define AIT_WGMMA_128(kind)                                                                                                 \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %66, 0;\n"                                                                    \
               "wgmma.mma_async.sync.aligned.m64n128k16.f32." kind "." kind " {"                                            \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                     \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "                           \
               "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "                           \
               "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, %64, %65, p, 1, 1, 0, 0;}" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]),                                                            \
                 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),                                                            \
                 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),                                                          \
                 "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),                                                        \
                 "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),                                                        \
                 "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),                                                        \
                 "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),                                                        \
                 "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),                                                        \
                 "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]),                                                        \
                 "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),                                                        \
                 "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),                                                        \
                 "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),                                                        \
                 "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]),                                                        \
                 "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),                                                        \
                 "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]),                                                        \
                 "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])                                                         \
               : "l"(a), "l"(b), "r"(add))

#define AIT_WGMMA_192(kind)                                                                                                 \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %98, 0;\n"                                                                    \
               "wgmma.mma_async.sync.aligned.m64n192k16.f32." kind "." kind " {"                                            \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                     \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "                           \
               "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "                           \
               "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "                           \
               "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "                           \
               "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95}, %96, %97, p, 1, 1, 0, 0;}" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]),                                                            \
                 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),                                                            \
                 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),                                                          \
                 "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),                                                        \
                 "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),                                                        \
                 "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),                                                        \
                 "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),                                                        \
                 "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),                                                        \
                 "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]),                                                        \
                 "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),                                                        \
                 "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),                                                        \
                 "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),                                                        \
                 "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]),                                                        \
                 "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),                                                        \
                 "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]),                                                        \
                 "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63]),                                                        \
                 "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]),                                                        \
                 "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]),                                                        \
                 "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]),                                                        \
                 "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]),                                                        \
                 "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]),                                                        \
                 "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]),                                                        \
                 "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]),                                                        \
                 "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])                                                         \
               : "l"(a), "l"(b), "r"(add))

#define AIT_WGMMA_256(kind)                                                                                                                   \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %130, 0;\n"                                                                                     \
               "wgmma.mma_async.sync.aligned.m64n256k16.f32." kind "." kind " {"                                                              \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                                       \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "                                             \
               "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "                                             \
               "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "                                             \
               "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "                                             \
               "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "                                             \
               "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "                                 \
               "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, %128, %129, p, 1, 1, 0, 0;}" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]),                                                                              \
                 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),                                                                              \
                 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),                                                                            \
                 "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),                                                                          \
                 "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),                                                                          \
                 "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),                                                                          \
                 "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),                                                                          \
                 "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),                                                                          \
                 "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]),                                                                          \
                 "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),                                                                          \
                 "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),                                                                          \
                 "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),                                                                          \
                 "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]),                                                                          \
                 "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),                                                                          \
                 "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]),                                                                          \
                 "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63]),                                                                          \
                 "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]),                                                                          \
                 "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]),                                                                          \
                 "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]),                                                                          \
                 "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]),                                                                          \
                 "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]),                                                                          \
                 "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]),                                                                          \
                 "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]),                                                                          \
                 "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95]),                                                                          \
                 "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]),                                                                          \
                 "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103]),                                                                      \
                 "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]),                                                                      \
                 "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111]),                                                                      \
                 "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]),                                                                      \
                 "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119]),                                                                      \
                 "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]),                                                                      \
                 "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])                                                                       \
               : "l"(a), "l"(b), "r"(add))

// clang-format on

template <>
struct Wgmma<32> {
  template <class T>
  static AIT_DEVICE void multiply(float (&d)[16], uint64_t a, uint64_t b, int add) {
    if constexpr (kIsBf16<T>)
      AIT_WGMMA_32("bf16");
    else
      AIT_WGMMA_32("f16");
  }
};
template <>
struct Wgmma<64> {
  template <class T>
  static AIT_DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, int add) {
    if constexpr (kIsBf16<T>)
      AIT_WGMMA_64("bf16");
    else
      AIT_WGMMA_64("f16");
  }
};
template <>
struct Wgmma<96> {
  template <class T>
  static AIT_DEVICE void multiply(float (&d)[48], uint64_t a, uint64_t b, int add) {
    if constexpr (kIsBf16<T>)
      AIT_WGMMA_96("bf16");
    else
      AIT_WGMMA_96("f16");
  }
};
template <>
struct Wgmma<128> {
  template <class T>
  static AIT_DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, int add) {
    if constexpr (kIsBf16<T>)
      AIT_WGMMA_128("bf16");
    else
      AIT_WGMMA_128("f16");
  }
};
template <>
struct Wgmma<192> {
  template <class T>
  static AIT_DEVICE void multiply(float (&d)[96], uint64_t a, uint64_t b, int add) {
    if constexpr (kIsBf16<T>)
      AIT_WGMMA_192("bf16");
    else
      AIT_WGMMA_192("f16");
  }
};
template <>
struct Wgmma<256> {
  template <class T>
  static AIT_DEVICE void multiply(float (&d)[128], uint64_t a, uint64_t b, int add) {
    if constexpr (kIsBf16<T>)
      AIT_WGMMA_256("bf16");
    else
      AIT_WGMMA_256("f16");
  }
};
#undef AIT_WGMMA_32
#undef AIT_WGMMA_64
#undef AIT_WGMMA_96
#undef AIT_WGMMA_128
#undef AIT_WGMMA_192
#undef AIT_WGMMA_256

}  // namespace ait::gpu
#endif
