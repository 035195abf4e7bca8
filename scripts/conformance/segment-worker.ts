import koffi from 'koffi';
import type { TensorData } from '../../src/support/tensor-data.js';

/** Runs segments of a built library directly, in a child process that may crash. */
koffi.struct('ait_device', { type: 'int32_t', id: 'int32_t' });
koffi.struct('ait_dtype', { code: 'uint8_t', bits: 'uint8_t', lanes: 'uint16_t' });
const tensorType = koffi.struct('ait_tensor', {
  data: 'void *',
  device: 'ait_device',
  ndim: 'int32_t',
  dtype: 'ait_dtype',
  shape: 'int64_t *',
  strides: 'int64_t *',
  byte_offset: 'uint64_t',
});
const codes: Readonly<Record<string, readonly [number, number]>> = {
  f32: [2, 32],
  u8: [1, 8],
  i8: [0, 8],
  u16: [1, 16],
  i16: [0, 16],
  i32: [0, 32],
  i64: [0, 64],
  bool: [6, 8],
  f16: [2, 16],
  f64: [2, 64],
  u32: [1, 32],
  u64: [1, 64],
  c64: [5, 64],
  c128: [5, 128],
  bf16: [4, 16],
  f8e4m3fn: [10, 8],
  f8e4m3fnuz: [11, 8],
  f8e5m2: [12, 8],
  f8e5m2fnuz: [13, 8],
  f8e8m0: [14, 8],
  f4e2m1: [17, 4],
  u4: [1, 4],
  i4: [0, 4],
  u2: [1, 2],
  i2: [0, 2],
};

interface Job {
  readonly directory: string;
  readonly library: string;
  readonly segment: string;
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly string[];
}

function run(job: Job): readonly TensorData[] {
  const lib = koffi.load(job.library);
  const lastError = lib.func('const char* ait_last_error()');
  const open = lib.func('int ait_engine_open(const char*, const char*, void*, _Out_ void**)');
  const create = lib.func('int ait_context_create(void*, void*, _Out_ void**)');
  const execute = lib.func('int ait_run(void*, const ait_tensor*, int, _Inout_ ait_tensor*, int)');
  const check = (status: number): void => {
    if (status !== 0) throw new Error(String(lastError()));
  };
  const engine = [null];
  check(open(job.directory, job.segment, null, engine));
  const context = [null];
  check(create(engine[0], null, context));
  const describe = (dtype: string, shape: readonly number[] | null, data: Uint8Array | null) => ({
    data,
    device: { type: 1, id: 0 },
    ndim: shape?.length ?? 0,
    dtype: { code: codes[dtype]?.[0] ?? 0, bits: codes[dtype]?.[1] ?? 0, lanes: 1 },
    shape: shape && BigInt64Array.from(shape.length ? shape : [0], BigInt),
    strides: null,
    byte_offset: 0,
  });
  const ins = job.inputs.map((t) => describe(t.dtype, t.shape, Buffer.concat([t.bytes, Buffer.alloc(64)])));
  const outs = job.outputs.map((dtype) => describe(dtype, null, null));
  check(execute(context[0], ins, ins.length, outs, outs.length));
  return outs.map((o, i) => {
    const dtype = job.outputs[i]!;
    const extents =
      o.ndim === 0 ? [] : (koffi.decode(o.shape, 'int64_t', o.ndim) as unknown as Iterable<bigint>);
    const shape = Array.from(extents, Number);
    const count = shape.reduce((a, b) => a * b, 1);
    const bytes = Math.ceil((count * codes[dtype]![1]) / 8);
    return {
      dtype,
      shape,
      bytes: bytes
        ? Uint8Array.from(koffi.decode(o.data, 'uint8_t', bytes) as unknown as number[])
        : new Uint8Array(),
    };
  });
}
void tensorType;

process.on('message', (job: Job) => {
  try {
    process.send!({ outputs: run(job) });
  } catch (e) {
    process.send!({ error: e instanceof Error ? e.message : String(e) });
  }
});
