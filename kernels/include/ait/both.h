#pragma once
// Functions that the CPU's kernels and device code share begin with AIT_BOTH; device code includes
// gpu/device.h first, which also names its types.
#if defined(AIT_DEVICE)
#define AIT_BOTH AIT_DEVICE
#else
#include <cmath>
#include <cstdint>
#define AIT_BOTH inline
#endif
