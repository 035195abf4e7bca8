import { rm } from 'node:fs/promises';
import type { Manifest, Port } from '../../src/artifact/manifest.js';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { convert } from '../../src/compile.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { InferenceSession } from '../../src/runtime/session.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { decoderOf, elementCount, type TensorData } from '../../src/support/tensor-data.js';
import {
  compareOutputs,
  inputsFor,
  type OutputComparison,
  type ReferenceRun,
  referenceRun,
} from '../../src/verify.js';
import { scaleOf } from '../../src/verify-engine.js';
import { reasonOf } from './attempt.js';
import type { RunReply } from './run-result.js';

/** The child process that converts mutants and runs them; what they do to it is their outcome. */

export interface RunJob {
  readonly model: string;
  readonly output: string;
}

const mostElements = 2 ** 24;
/** onnxruntime itself can hang, which is not what is looked for here. */
const reference = new OnnxruntimeProcess({ timeoutMs: 20_000 });

/** Sums near the end of the range become infinite or not by the order in which they are made. */
function overflows(expected: TensorData, { comparison }: OutputComparison): boolean {
  const decode = decoderOf(expected.dtype, expected.bytes);
  if (!decode || !/^(f|bf)/.test(expected.dtype) || comparison.problem !== undefined) return false;
  const values = new Float64Array(elementCount(expected.shape));
  decode(0, values.length, values);
  const limit = expected.dtype === 'f16' ? 2 ** 14 : 2 ** 100;
  return comparison.nonFiniteMismatches > 0 && values.some((x) => !(Math.abs(x) < limit));
}

const mostExtent = 64;

/** Open extents are tried small only: what they are multiplied with is anything. */
const narrowed = (manifest: Manifest): Manifest => ({
  ...manifest,
  inputs: manifest.inputs.map((port): Port => {
    const shape = port.shape?.map((d) =>
      typeof d === 'number' ? d : { ...d, max: Math.max(d.min, Math.min(d.max ?? mostExtent, mostExtent)) },
    );
    return shape === undefined ? port : { ...port, shape };
  }),
});

/** An element that stands between values near 1 is rounded as they are, however small it is. */
const smallest = 2 ** -22;

const codeOf = (e: unknown): string => (e instanceof CompileError ? e.code : '');

/** A refusal the user can act on, or a bug. */
const refused = (kind: 'conversion refused' | 'run refused', e: unknown): RunReply =>
  e instanceof CompileError && exitCodeOf(e) !== 4
    ? { kind, detail: e.code }
    : { kind: 'EXCEPTION', detail: reasonOf(e) };

async function run({ model, output }: RunJob): Promise<RunReply> {
  let conversion: Awaited<ReturnType<typeof convert>>;
  try {
    conversion = await convert(model, { output, verify: false, threads: 1 });
  } catch (e) {
    return refused('conversion refused', e);
  }
  const { graph, backend } = conversion;
  const manifest = narrowed(conversion.manifest!);
  const ports = [...manifest.inputs, ...manifest.outputs];
  const sizes = ports.map((p) =>
    elementCount((p.shape ?? []).map((d) => (typeof d === 'number' ? d : d.min))),
  );
  if (sizes.some((n) => n > mostElements)) return { kind: 'too large to run', detail: '' };
  let expected: ReferenceRun | undefined;
  let why = '';
  try {
    expected = await referenceRun(manifest, model, reference, 1);
  } catch (e) {
    if (['needs-inputs', 'bad-tensor'].includes(codeOf(e)))
      return { kind: 'needs inputs', detail: codeOf(e) };
    why = codeOf(e);
  }
  const endless = why === 'reference-timeout';
  if (endless && manifest.steps.some((s) => s.kind === 'fallback'))
    return { kind: 'onnxruntime does not end', detail: 'and runs part of the engine' };
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(output, { threads: 1, offload: false });
    if (expected === undefined) {
      await session.runData(inputsFor(manifest, 1));
      return { kind: endless ? 'onnxruntime does not end' : 'onnxruntime refuses the model', detail: why };
    }
    const wrong = (await compareOutputs(session, expected, scaleOf(graph, backend))).filter(
      ({ comparison: c }) =>
        !c.pass && (c.problem !== undefined || c.nonFiniteMismatches > 0 || c.maxAbs > smallest),
    );
    if (wrong.length === 0) return { kind: 'agrees', detail: '' };
    if (wrong.every((c) => overflows(expected.outputs.get(c.output)!, c)))
      return { kind: 'agrees up to overflow', detail: '' };
    const texts = wrong.map(
      ({ output: name, comparison: c }) =>
        `${name.slice(0, 40)}: ${c.problem ?? `${c.outside} of ${c.elements} by ${c.maxAbs}, ${c.nonFiniteMismatches} not finite, ${JSON.stringify(c.worst)}`}`,
    );
    return { kind: 'WRONG', detail: texts.join('; ') };
  } catch (e) {
    return expected === undefined && refused('run refused', e).kind === 'run refused'
      ? { kind: 'onnxruntime refuses the model', detail: `${why}, and so do we: ${codeOf(e)}` }
      : refused('run refused', e);
  } finally {
    await session?.dispose();
    await rm(output, { recursive: true, force: true });
  }
}

process.on('message', (job: RunJob) => {
  run(job).then(
    (reply) => process.send!(reply),
    (e: unknown) => process.send!({ kind: 'EXCEPTION', detail: reasonOf(e) } satisfies RunReply),
  );
});
process.on('disconnect', () => process.exit());
