/**
 * The child process that runs a model on onnxruntime, so that an abort inside it cannot take the compiler along.
 * It answers one request at a time and ends with its parent.
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { env, InferenceSession } from 'onnxruntime-node';
import type { TensorData } from '../support/tensor-data.js';
import { dtypeOfOrt, fromOrt, ortTypeOf, toOrt } from './ort-tensor.js';

export type ReferenceRequest = {
  /** A path, or the model itself. */
  readonly model: string | Uint8Array;
  readonly feeds: readonly (readonly [name: string, tensor: TensorData])[];
  readonly fetches: readonly string[] | undefined;
  readonly optimization: 'disabled' | 'basic' | 'extended' | 'all';
  readonly threads: number;
  /** Outputs of so many bytes are written to the file that this process was given, from `at` on. */
  readonly spill?: { readonly at: number; readonly from: number };
};

/** The bytes of a `spilled` tensor are in the file. */
export type ReferenceOutput = TensorData & {
  readonly spilled?: { readonly at: number; readonly bytes: number };
};

export type ReferenceReply =
  | {
      readonly kind: 'outputs';
      readonly outputs: readonly (readonly [name: string, tensor: ReferenceOutput])[];
    }
  /** onnxruntime in Node cannot carry a value of this type; nothing is wrong with the model. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Element types by their number in ONNX, of those onnxruntime-node does not know. */
const UNKNOWN_TYPES: Readonly<Record<string, string>> = {
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  23: 'float4e2m1',
};

class Refusal extends Error {}

/** Behind standard streams and the channel to the parent. */
const SPILL_FILE = 4;

function spilling({ at, from }: { readonly at: number; readonly from: number }) {
  let end = at;
  return (tensor: TensorData): ReferenceOutput => {
    const { bytes } = tensor;
    if (bytes.byteLength < from) return tensor;
    const start = end;
    for (let done = 0; done < bytes.byteLength; )
      done += writeSync(SPILL_FILE, bytes, done, bytes.byteLength - done, start + done);
    end += bytes.byteLength;
    return { ...tensor, bytes: new Uint8Array(), spilled: { at: start, bytes: bytes.byteLength } };
  };
}

async function answer(request: ReferenceRequest): Promise<ReferenceReply> {
  try {
    const outputs = await run(request);
    if (!request.spill) return { kind: 'outputs', outputs };
    const spill = spilling(request.spill);
    return { kind: 'outputs', outputs: outputs.map(([name, t]) => [name, spill(t)] as const) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const code = /Unsupported data type: (\d+)/.exec(reason)?.[1];
    if (code !== undefined)
      return {
        kind: 'refused',
        reason: `an input or output of the model has the type ${UNKNOWN_TYPES[code] ?? `number ${code}`}`,
      };
    return { kind: error instanceof Refusal ? 'refused' : 'failed', reason };
  }
}

async function run({ model, feeds, fetches, optimization, threads }: ReferenceRequest) {
  for (const [name, { dtype }] of feeds)
    if (ortTypeOf(dtype) === undefined) throw new Refusal(`the input "${name}" has the type ${dtype}`);
  const options: InferenceSession.SessionOptions = {
    graphOptimizationLevel: optimization,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
  const session =
    typeof model === 'string'
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model, options);
  try {
    const wanted = fetches ?? session.outputNames;
    for (const output of session.outputMetadata) if (wanted.includes(output.name)) refuseOutput(output);
    const tensors = Object.fromEntries(feeds.map(([name, tensor]) => [name, toOrt(tensor)]));
    const results = await session.run(tensors, [...wanted]);
    return wanted.flatMap((name) => {
      const result = results[name];
      return result === undefined ? [] : [[name, fromOrt(result)] as const];
    });
  } finally {
    await session.release();
  }
}

/** Asked before the run: an int4 output would abort the process, a sequence would fail without a word why. */
function refuseOutput(output: InferenceSession.ValueMetadata): void {
  if (!output.isTensor) throw new Refusal(`the output "${output.name}" is a sequence, a map or an optional`);
  if (dtypeOfOrt(output.type) === undefined)
    throw new Refusal(`the output "${output.name}" has the type ${output.type}`);
}

/** While onnxruntime runs, this thread hears nothing; another one watches whether the parent is still there. */
function watchParent(parent: number): void {
  const watch = `setInterval(() => {
    if (process.ppid !== ${parent}) process.kill(process.pid, 'SIGKILL');
  }, 500);`;
  new Worker(watch, { eval: true, execArgv: [] }).unref();
}

watchParent(Number(process.argv[2]));
env.logLevel = 'error';
process.on('disconnect', () => process.exit());
process.on('message', (request: ReferenceRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});
