#pragma once
// The kernels that units compiled with AIT_SHARED_KERNELS leave out. Exactly one translation unit of a
// library includes this file (the one that includes pool.h, say), itself compiled with AIT_SHARED_KERNELS
// too.
#include "gemm.h"
#include "qgemm.h"

#if defined(AIT_SHARED_KERNELS)
namespace ait {
namespace detail {

MicroKernel micro_kernel_for(int rows, bool narrow) { return choose_micro_kernel<kMR>(rows, narrow); }
QMicroKernel q_micro_kernel_for(int rows) { return choose_q_micro_kernel(rows); }

}  // namespace detail
}  // namespace ait
#endif
