#ifndef AIT_DLPACK_H
#define AIT_DLPACK_H
#include <stdint.h>

/*
 * The tensor struct of DLPack, the ecosystem's exchange format, under names of our own: a program that
 * includes DLPack's header as well meets no second definition. The layouts are the same, so a `DLTensor *`
 * from NumPy, PyTorch, JAX or CuPy may be cast to an `ait_tensor *`.
 */

/* DLDataTypeCode */
enum {
  AIT_TYPE_INT = 0,
  AIT_TYPE_UINT = 1,
  AIT_TYPE_FLOAT = 2,
  AIT_TYPE_BFLOAT = 4,
  AIT_TYPE_COMPLEX = 5,
  AIT_TYPE_BOOL = 6,
  AIT_TYPE_FLOAT8_E4M3FN = 10,
  AIT_TYPE_FLOAT8_E4M3FNUZ = 11,
  AIT_TYPE_FLOAT8_E5M2 = 12,
  AIT_TYPE_FLOAT8_E5M2FNUZ = 13,
  AIT_TYPE_FLOAT8_E8M0 = 14,
  AIT_TYPE_FLOAT4_E2M1 = 17
};

/* DLDeviceType: what engines can read. Page-locked memory of a GPU's host counts as the CPU's. */
enum {
  AIT_DEVICE_CPU = 1,
  AIT_DEVICE_CUDA = 2,
  AIT_DEVICE_CUDA_HOST = 3,
  AIT_DEVICE_ROCM = 10,
  AIT_DEVICE_ROCM_HOST = 11
};

/* DLDevice */
typedef struct ait_device {
  int32_t type;
  int32_t id;
} ait_device;

/* DLDataType. Elements of 2 and 4 bits lie packed, the first in the lowest bits. */
typedef struct ait_dtype {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} ait_dtype;

/* DLTensor */
typedef struct ait_tensor {
  void* data;
  ait_device device;
  int32_t ndim;
  ait_dtype dtype;
  int64_t* shape;
  int64_t* strides; /* In elements; NULL for a dense tensor in row-major order, the only one taken. */
  uint64_t byte_offset;
} ait_tensor;

#endif
