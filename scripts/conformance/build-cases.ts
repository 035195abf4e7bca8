import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeightsWriter } from '../../src/artifact/weights.js';
import type { Backend } from '../../src/backend.js';
import type { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import type { SuiteCase, SuiteValue } from '../suite-fetch.js';
import { buildBatch, weightsIn } from './batch.js';
import { type CaseResult, type Placement, sentence } from './case-result.js';
import { type Prepared, type PreparedCase, prepare } from './prepare.js';
import type { CaseJob } from './worker.js';

/** What is left to do of a case once its batch is built. */
export type BuiltCase = { readonly test: SuiteCase } & (
  | { readonly kind: 'job'; readonly job: CaseJob }
  /** It has to be converted by itself. */
  | { readonly kind: 'alone'; readonly placement: Placement; readonly left: string }
  | { readonly kind: 'failed'; readonly result: CaseResult }
);

/** Builds what compiles fully of the cases as one library with its weights in `directory`. */
export async function buildCases(
  batch: readonly SuiteCase[],
  directory: string,
  backend: Backend,
  reference: OnnxruntimeProcess,
): Promise<readonly BuiltCase[]> {
  const writer = new WeightsWriter(join(directory, 'weights.bin'));
  const prepared: Prepared[] = [];
  const weights = weightsIn(writer);
  for (const [i, test] of batch.entries()) {
    prepared.push(await prepare(test, `segment_${i}`, backend, reference, weights));
    await sleep(0);
  }
  const { bytes } = await writer.finish();
  const segments = prepared.filter((p): p is PreparedCase => p.kind === 'segment');
  const bad = await buildBatch(segments, backend, directory, bytes);
  return prepared.map((p): BuiltCase => {
    if (p.kind !== 'segment') return p;
    const { test, steps, outputs, scale } = p;
    const message = bad.get(p);
    if (message !== undefined)
      return { kind: 'alone', test, placement: 'onnxruntime', left: sentence(message) };
    const job = { ...jobOf(test), directory, steps, outputs, ...(scale ? { scale } : {}) };
    return { kind: 'job', test, job };
  });
}

export const portOf = ({ name, kind }: SuiteValue): CaseJob['inputs'][number] => ({
  name,
  kind: kind === 'sequence' || kind === 'optional' ? kind : 'tensor',
});

export const jobOf = (test: SuiteCase): Omit<CaseJob, 'directory' | 'outputs'> => ({
  inputs: test.inputs.map(portOf),
  dataSets: Array.from({ length: test.dataSets }, (_, i) => join(test.directory, `test_data_set_${i}`)),
  rtol: test.rtol,
  atol: test.atol,
});

/** Whole networks by themselves, everything else together. */
export function batchesOf(cases: readonly SuiteCase[], size: number): (readonly SuiteCase[])[] {
  const batches: (readonly SuiteCase[])[] = cases.filter((c) => c.suite === 'light').map((c) => [c]);
  const small = cases.filter((c) => c.suite !== 'light');
  for (let i = 0; i < small.length; i += size) batches.push(small.slice(i, i + size));
  return batches;
}
