#ifndef AIT_H
#define AIT_H
#include "dlpack.h"

/*
 * The C interface of a compiled model (libmodel.so). C99, plain data only.
 *
 * Functions that return ait_status leave a sentence in ait_last_error() when they fail; the text belongs to
 * the calling thread and lasts until its next failing call. An engine may be used by many threads at once, a
 * context by one at a time: a program makes one context for each run it wants in flight.
 */

#ifdef __cplusplus
extern "C" {
#endif

#define AIT_ABI_VERSION 1

#if defined(__GNUC__)
#define AIT_API __attribute__((visibility("default")))
#else
#define AIT_API
#endif

typedef int32_t ait_status;
enum {
  AIT_OK = 0,
  AIT_INVALID_ARGUMENT = 1, /* A tensor, name or option that the model does not take. */
  AIT_SHAPE_UNKNOWN = 2,    /* The shape depends on the data; run with outputs of the context's memory. */
  AIT_UNSUPPORTED_CPU = 3,
  AIT_FILE_ERROR = 4,
  AIT_OUT_OF_MEMORY = 5,
  AIT_RUN_FAILED = 6,   /* The model met data it cannot compute with, such as an index out of range. */
  AIT_NO_DEVICE = 7,    /* The GPU that the model was compiled for, or its driver, is not there. */
  AIT_DEVICE_FAILED = 8 /* The GPU or its driver failed; it may do again once all engines are closed. */
};

typedef struct ait_engine ait_engine;
typedef struct ait_context ait_context;

/* Options are optional: NULL, or `size` set to sizeof and everything else to 0, gives the defaults. */
typedef struct ait_engine_options {
  uint32_t size;
  uint32_t flags; /* None yet. */
} ait_engine_options;

typedef struct ait_context_options {
  uint32_t size;
  int32_t threads; /* 0: the environment's AIT_THREADS, else the physical cores this process may use. */
  void* stream;    /* GPU engines: the CUstream or hipStream_t that runs are ordered on; NULL: their own. */
} ait_context_options;

/* One extent: a size, or -1 with its expression in the symbols of the inputs and its range. */
typedef struct ait_extent {
  int64_t size;
  const char* symbol;
  int64_t min;
  int64_t max; /* -1: unbounded. */
} ait_extent;

typedef struct ait_port {
  const char* name;
  ait_dtype dtype;
  int32_t onnx_type; /* TensorProto.DataType */
  int32_t rank;
  const ait_extent* extents;
} ait_port;

AIT_API uint32_t ait_abi_version(void);
AIT_API const char* ait_last_error(void);

/* What the code needs of the processor, such as "x86-64-v4+avx512vnni"; "generic" runs everywhere. */
AIT_API const char* ait_required_isa(void);

AIT_API int32_t ait_segment_count(void);
/* NULL when there is no such segment. */
AIT_API const char* ait_segment_name(int32_t index);

/*
 * Opens a segment of the model whose directory (with weights.bin) is `directory`. `segment` may be NULL when
 * there is exactly one. Checks that the processor can run the code.
 */
AIT_API ait_status ait_engine_open(const char* directory, const char* segment,
                                   const ait_engine_options* options, ait_engine** engine);
/* Contexts that are still there keep what they need. */
AIT_API void ait_engine_close(ait_engine* engine);

AIT_API int32_t ait_input_count(const ait_engine* engine);
AIT_API int32_t ait_output_count(const ait_engine* engine);
AIT_API ait_status ait_input_info(const ait_engine* engine, int32_t index, ait_port* port);
AIT_API ait_status ait_output_info(const ait_engine* engine, int32_t index, ait_port* port);

AIT_API ait_status ait_context_create(ait_engine* engine, const ait_context_options* options,
                                      ait_context** context);
AIT_API void ait_context_destroy(ait_context* context);
AIT_API int32_t ait_context_threads(const ait_context* context);

/*
 * The types and shapes of the outputs for inputs of these types and shapes; data pointers are not looked at.
 * Each outputs[i].shape must have room for the rank of that output.
 */
AIT_API ait_status ait_output_shapes(const ait_engine* engine, const ait_tensor* inputs, int32_t input_count,
                                     ait_tensor* outputs, int32_t output_count);

/*
 * Computes the outputs. An output whose `data` is NULL is filled in: its memory and shape belong to the
 * context and last until its next run. Otherwise the tensor is the caller's, and must have exactly the type
 * and shape of the result.
 */
AIT_API ait_status ait_run(ait_context* context, const ait_tensor* inputs, int32_t input_count,
                           ait_tensor* outputs, int32_t output_count);

/*
 * What the last run of the context failed with, for callers that run on one thread and ask on another; lasts
 * until its next run.
 */
AIT_API const char* ait_context_error(const ait_context* context);

#ifdef __cplusplus
}
#endif
#endif
