#pragma once
#include "device.h"

// Products of a warpgroup, 64 x N sums over 16 steps of the depth, in f32. Only for sm_90a.
#if defined(AIT_SM90)
namespace ait::gpu {

/// d = a b, or d += a b where `add` is not 0: lane l of warp w has rows 16 w + l / 4 and 8 further, of every
/// 8 columns two from 2 (l % 4) on. Of each operand in shared memory 16 elements along the lines are read.
template <int N>
struct Wgmma;
/// d += a b with a in registers and b in shared memory across the depth. Lane l of warp w has of a, two
/// neighbours each, row 16 w + l / 4 and 8 further at 2 (l % 4), then the same at 8 further.
template <int N>
struct WgmmaRows;

// clang-format off
#define AIT_NAMES_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define AIT_NAMES_20 AIT_NAMES_16 ", %16, %17, %18, %19"
#define AIT_NAMES_32 AIT_NAMES_20 ", %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define AIT_NAMES_40 AIT_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define AIT_NAMES_48 AIT_NAMES_40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define AIT_NAMES_64 AIT_NAMES_48 ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define AIT_NAMES_80 AIT_NAMES_64 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define AIT_NAMES_96 AIT_NAMES_80 ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define AIT_NAMES_128 AIT_NAMES_96 \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define AIT_SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define AIT_SUMS_16(i) AIT_SUMS_4(i), AIT_SUMS_4(i + 4), AIT_SUMS_4(i + 8), AIT_SUMS_4(i + 12)
#define AIT_SUMS_OF_16 AIT_SUMS_16(0)
#define AIT_SUMS_OF_20 AIT_SUMS_OF_16, AIT_SUMS_4(16)
#define AIT_SUMS_OF_32 AIT_SUMS_OF_20, AIT_SUMS_4(20), AIT_SUMS_4(24), AIT_SUMS_4(28)
#define AIT_SUMS_OF_40 AIT_SUMS_OF_32, AIT_SUMS_4(32), AIT_SUMS_4(36)
#define AIT_SUMS_OF_48 AIT_SUMS_OF_40, AIT_SUMS_4(40), AIT_SUMS_4(44)
#define AIT_SUMS_OF_64 AIT_SUMS_OF_48, AIT_SUMS_16(48)
#define AIT_SUMS_OF_80 AIT_SUMS_OF_64, AIT_SUMS_16(64)
#define AIT_SUMS_OF_96 AIT_SUMS_OF_80, AIT_SUMS_16(80)
#define AIT_SUMS_OF_128 AIT_SUMS_OF_96, AIT_SUMS_16(96), AIT_SUMS_16(112)
#define AIT_WGMMA(kind, columns, half, a_, b_, add_)                                                          \
  asm volatile("{.reg .pred p; setp.ne.b32 p, " add_ ", 0;\n"                                                 \
               "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." kind "." kind " {" AIT_NAMES_##half "}, " \
               a_ ", " b_ ", p, 1, 1, 0, 0;}"                                                                 \
               : AIT_SUMS_OF_##half : "l"(a), "l"(b), "r"(add))
#define AIT_WGMMA_OF(N, columns, half, a_, b_, add_)                                      \
  template <>                                                                             \
  struct Wgmma<N> {                                                                       \
    template <class T>                                                                    \
    static AIT_DEVICE void multiply(float (&d)[half], uint64_t a, uint64_t b, int add) {   \
      if constexpr (kSame<T, bf16>)                                                       \
        AIT_WGMMA("bf16", columns, half, a_, b_, add_);                                   \
      else                                                                                \
        AIT_WGMMA("f16", columns, half, a_, b_, add_);                                    \
    }                                                                                     \
  }
AIT_WGMMA_OF(32, "32", 16, "%16", "%17", "%18");
AIT_WGMMA_OF(64, "64", 32, "%32", "%33", "%34");
AIT_WGMMA_OF(80, "80", 40, "%40", "%41", "%42");
AIT_WGMMA_OF(96, "96", 48, "%48", "%49", "%50");
AIT_WGMMA_OF(128, "128", 64, "%64", "%65", "%66");
AIT_WGMMA_OF(192, "192", 96, "%96", "%97", "%98");
AIT_WGMMA_OF(256, "256", 128, "%128", "%129", "%130");
#define AIT_WGMMA_ROWS(kind, columns, half, a_, b_)                                                           \
  asm volatile("{.reg .pred p; setp.eq.b32 p, 0, 0;\n"                                                        \
               "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." kind "." kind " {" AIT_NAMES_##half "}, {" \
               a_ "}, " b_ ", p, 1, 1, 1;}"                                                                   \
               : AIT_SUMS_OF_##half : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
#define AIT_WGMMA_ROWS_OF(N, columns, half, a_, b_)                                          \
  template <>                                                                                \
  struct WgmmaRows<N> {                                                                      \
    template <class T>                                                                       \
    static AIT_DEVICE void multiply(float (&d)[half], const uint32_t (&a)[4], uint64_t b) {   \
      if constexpr (kSame<T, bf16>)                                                          \
        AIT_WGMMA_ROWS("bf16", columns, half, a_, b_);                                       \
      else                                                                                   \
        AIT_WGMMA_ROWS("f16", columns, half, a_, b_);                                        \
    }                                                                                        \
  }
AIT_WGMMA_ROWS_OF(40, "40", 20, "%20, %21, %22, %23", "%24");
AIT_WGMMA_ROWS_OF(64, "64", 32, "%32, %33, %34, %35", "%36");
AIT_WGMMA_ROWS_OF(80, "80", 40, "%40, %41, %42, %43", "%44");
AIT_WGMMA_ROWS_OF(96, "96", 48, "%48, %49, %50, %51", "%52");
AIT_WGMMA_ROWS_OF(128, "128", 64, "%64, %65, %66, %67", "%68");
AIT_WGMMA_ROWS_OF(160, "160", 80, "%80, %81, %82, %83", "%84");
// clang-format on
#undef AIT_NAMES_16
#undef AIT_NAMES_20
#undef AIT_NAMES_32
#undef AIT_NAMES_40
#undef AIT_NAMES_48
#undef AIT_NAMES_64
#undef AIT_NAMES_80
#undef AIT_NAMES_96
#undef AIT_NAMES_128
#undef AIT_SUMS_4
#undef AIT_SUMS_16
#undef AIT_SUMS_OF_16
#undef AIT_SUMS_OF_20
#undef AIT_SUMS_OF_32
#undef AIT_SUMS_OF_40
#undef AIT_SUMS_OF_48
#undef AIT_SUMS_OF_64
#undef AIT_SUMS_OF_80
#undef AIT_SUMS_OF_96
#undef AIT_SUMS_OF_128
#undef AIT_WGMMA
#undef AIT_WGMMA_OF
#undef AIT_WGMMA_ROWS
#undef AIT_WGMMA_ROWS_OF

}  // namespace ait::gpu
#endif
