#pragma once
#include "device_sm90.h"

// Products of a warpgroup whose left operand lies in registers, as the sums of another product do once they
// are packed, and whose right operand lies in shared memory across the depth. Only for sm_90a.
#if defined(AIT_SM90)
namespace ait::gpu {

/// Arrives at a named barrier without waiting for it.
AIT_DEVICE void arrive_named(int id, int count) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(count) : "memory");
}

/// Copies the box at (x, y, z, w) of four axes, x along the lines; what lies outside becomes zeros.
AIT_DEVICE void copy_head_box(void* to, const TensorMap& map, uint64_t* barrier, int x, int y, int z, int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, "
      "%5, %6}], [%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}

/// Describes lines of 128 bytes in shared memory that are steps of the depth, swizzled in groups of eight;
/// columns behind the first 64 lie `panel` bytes further.
AIT_DEVICE uint64_t swizzled_steps(const void* p, int panel) {
  const uint64_t address = shared_address(p);
  return (address & 0x3ffff) >> 4 | static_cast<uint64_t>(panel >> 4) << 16 | uint64_t{64} << 32 |
         uint64_t{1} << 62;
}

/// d += a b, of 64 x N sums as Wgmma has them and 16 steps of the depth. Lane l of warp w has of a, two
/// neighbours each, row 16 w + l / 4 and 8 further at 2 (l % 4), then the same at 8 further.
template <int N>
struct WgmmaRows;
/// d = a b, or d += a b where `add`, as Wgmma does, for further N.
template <int N>
struct WgmmaLines;

// clang-format off
#define AIT_NAMES_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define AIT_NAMES_20 AIT_NAMES_16 ", %16, %17, %18, %19"
#define AIT_NAMES_32 AIT_NAMES_20 ", %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define AIT_NAMES_40 AIT_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define AIT_NAMES_48 AIT_NAMES_40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define AIT_NAMES_64 AIT_NAMES_48 ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define AIT_NAMES_80 AIT_NAMES_64 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define AIT_SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define AIT_SUMS_16(i) AIT_SUMS_4(i), AIT_SUMS_4(i + 4), AIT_SUMS_4(i + 8), AIT_SUMS_4(i + 12)
#define AIT_SUMS_20 AIT_SUMS_16(0), AIT_SUMS_4(16)
#define AIT_SUMS_32 AIT_SUMS_16(0), AIT_SUMS_16(16)
#define AIT_SUMS_40 AIT_SUMS_32, AIT_SUMS_4(32), AIT_SUMS_4(36)
#define AIT_SUMS_48 AIT_SUMS_32, AIT_SUMS_16(32)
#define AIT_SUMS_64 AIT_SUMS_48, AIT_SUMS_16(48)
#define AIT_SUMS_80 AIT_SUMS_64, AIT_SUMS_16(64)
#define AIT_WGMMA_ROWS(columns, kind, names, left, right, sums)                                            \
  asm volatile("{.reg .pred p; setp.eq.b32 p, 0, 0;\n"                                                     \
               "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." kind "." kind " {" names "}, {" left "}, " \
               right ", p, 1, 1, 1;}"                                                                      \
               : sums : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
#define AIT_WGMMA_ROWS_OF(N, columns, half, left, right)                               \
  template <>                                                                          \
  struct WgmmaRows<N> {                                                                \
    template <class T>                                                                 \
    static AIT_DEVICE void multiply(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b) { \
      if constexpr (kIsBf16<T>)                                                        \
        AIT_WGMMA_ROWS(columns, "bf16", AIT_NAMES_##half, left, right, AIT_SUMS_##half); \
      else                                                                             \
        AIT_WGMMA_ROWS(columns, "f16", AIT_NAMES_##half, left, right, AIT_SUMS_##half);  \
    }                                                                                  \
  }
AIT_WGMMA_ROWS_OF(40, "40", 20, "%20, %21, %22, %23", "%24");
AIT_WGMMA_ROWS_OF(64, "64", 32, "%32, %33, %34, %35", "%36");
AIT_WGMMA_ROWS_OF(80, "80", 40, "%40, %41, %42, %43", "%44");
AIT_WGMMA_ROWS_OF(96, "96", 48, "%48, %49, %50, %51", "%52");
AIT_WGMMA_ROWS_OF(128, "128", 64, "%64, %65, %66, %67", "%68");
AIT_WGMMA_ROWS_OF(160, "160", 80, "%80, %81, %82, %83", "%84");
#define AIT_WGMMA_LINES(columns, kind, names, left, right, add_, sums)                                \
  asm volatile("{.reg .pred p; setp.ne.b32 p, " add_ ", 0;\n"                                         \
               "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." kind "." kind " {" names "}, " left ", " \
               right ", p, 1, 1, 0, 0;}"                                                              \
               : sums : "l"(a), "l"(b), "r"(static_cast<int>(add)))
#define AIT_WGMMA_LINES_OF(N, columns, half, left, right, add_)                           \
  template <>                                                                             \
  struct WgmmaLines<N> {                                                                  \
    template <class T>                                                                    \
    static AIT_DEVICE void multiply(float (&d)[N / 2], uint64_t a, uint64_t b, bool add) { \
      if constexpr (kIsBf16<T>)                                                           \
        AIT_WGMMA_LINES(columns, "bf16", AIT_NAMES_##half, left, right, add_, AIT_SUMS_##half); \
      else                                                                                \
        AIT_WGMMA_LINES(columns, "f16", AIT_NAMES_##half, left, right, add_, AIT_SUMS_##half);  \
    }                                                                                     \
  }
AIT_WGMMA_LINES_OF(64, "64", 32, "%32", "%33", "%34");
AIT_WGMMA_LINES_OF(80, "80", 40, "%40", "%41", "%42");
// clang-format on
#undef AIT_NAMES_16
#undef AIT_NAMES_20
#undef AIT_NAMES_32
#undef AIT_NAMES_40
#undef AIT_NAMES_48
#undef AIT_NAMES_64
#undef AIT_NAMES_80
#undef AIT_SUMS_4
#undef AIT_SUMS_16
#undef AIT_SUMS_20
#undef AIT_SUMS_32
#undef AIT_SUMS_40
#undef AIT_SUMS_48
#undef AIT_SUMS_64
#undef AIT_SUMS_80
#undef AIT_WGMMA_ROWS
#undef AIT_WGMMA_ROWS_OF
#undef AIT_WGMMA_LINES
#undef AIT_WGMMA_LINES_OF

}  // namespace ait::gpu
#endif
