#pragma once
#include "device.h"

namespace ait::gpu {

/// A product that is rounded, whatever is added to it.
AIT_DEVICE float product(float a, float b) {
#if defined(__CUDACC_RTC__) || defined(__CUDACC__)
  return __fmul_rn(a, b);
#else
  const volatile float p = a * b;
  return p;
#endif
}

}  // namespace ait::gpu
