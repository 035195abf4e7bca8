#include <ait/ait.h>
#include <stdio.h>

static int failed(ait_status status) {
  if (status != AIT_OK) fprintf(stderr, "%s\n", ait_last_error());
  return status != AIT_OK;
}

int main(void) {
  ait_engine* engine;
  ait_context* context;
  static float data[2 * 76 * 32];
  int64_t shape[] = {2, 76, 32, 1};
  ait_tensor x = {.data = data, .device = {AIT_DEVICE_CPU, 0}, .ndim = 4, .shape = shape};
  ait_tensor y = {0}; /* No data: the result lies in the context's memory until its next run. */
  x.dtype = (ait_dtype){AIT_TYPE_FLOAT, 32, 1};
  for (int i = 0; i < 2 * 76 * 32; i++) data[i] = 0.5f;

  if (failed(ait_engine_open("engine", NULL, NULL, &engine))) return 1;
  if (failed(ait_context_create(engine, NULL, &context))) return 1;
  if (failed(ait_run(context, &x, 1, &y, 1))) return 1;
  for (int i = 0; i < y.ndim; i++) printf("%d ", (int)y.shape[i]);
  printf(": %g\n", ((float*)y.data)[0]);

  ait_context_destroy(context);
  ait_engine_close(engine);
  return 0;
}
