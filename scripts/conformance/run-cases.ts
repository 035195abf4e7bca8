import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeightsWriter } from '../../src/artifact/weights.js';
import type { Backend } from '../../src/backend.js';
import { convert } from '../../src/compile.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { backendFor, type TargetOptions } from '../../src/target.js';
import { unicodeLocale } from '../locale.js';
import type { SuiteCase, SuiteValue } from '../suite-fetch.js';
import { buildBatch, weightsIn } from './batch.js';
import { type CaseResult, type Placement, sentence } from './case-result.js';
import { CaseRunner } from './case-runner.js';
import { type Prepared, type PreparedCase, placementOf, prepare, reasonsOf } from './prepare.js';
import type { CaseJob } from './worker.js';

const conversionMs = 120_000;

export interface RunCasesOptions {
  /** Batches worked on at a time. */
  readonly jobs?: number;
  /** Cases that share a library. */
  readonly batch?: number;
  /** False: cases that need onnxruntime are not run. */
  readonly fallback?: boolean;
  readonly progress?: (done: number, total: number) => void;
  /** What the cases are compiled for; default the CPU. */
  readonly target?: TargetOptions;
  /** No batch is begun once this holds. */
  readonly until?: () => boolean;
}

export type CaseResults = ReadonlyMap<SuiteCase, CaseResult>;

/** Runs suite cases through the product: every data set against its recorded outputs. */
export async function runCases(
  cases: readonly SuiteCase[],
  { jobs = 2, batch = 40, fallback = true, target = {}, progress, until = () => false }: RunCasesOptions = {},
): Promise<CaseResults> {
  const backend = await backendFor(target);
  const env = await unicodeLocale();
  const results = new Map<SuiteCase, CaseResult>();
  const batches = batchesOf(cases, batch);
  const note = (test: SuiteCase, result: CaseResult): void => {
    results.set(test, result);
    progress?.(results.size, cases.length);
  };
  const lane = async (): Promise<void> => {
    const runner = new CaseRunner(env);
    const reference = new OnnxruntimeProcess();
    try {
      for (let next = batches.shift(); next && !until(); next = batches.shift()) {
        const current = next;
        await withTemporaryDirectory('ait-conformance', (dir) =>
          runBatch(current, { backend, reference, runner, dir, fallback, note }),
        );
      }
    } finally {
      runner.dispose();
      reference.dispose();
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  return results;
}

/** Whole networks by themselves, everything else together. */
function batchesOf(cases: readonly SuiteCase[], size: number): (readonly SuiteCase[])[] {
  const batches: (readonly SuiteCase[])[] = cases.filter((c) => c.suite === 'light').map((c) => [c]);
  const small = cases.filter((c) => c.suite !== 'light');
  for (let i = 0; i < small.length; i += size) batches.push(small.slice(i, i + size));
  return batches;
}

interface Lane {
  readonly backend: Backend;
  readonly reference: OnnxruntimeProcess;
  readonly runner: CaseRunner;
  readonly dir: string;
  readonly fallback: boolean;
  note(test: SuiteCase, result: CaseResult): void;
}

async function runBatch(batch: readonly SuiteCase[], lane: Lane): Promise<void> {
  const { backend, reference, runner, dir, note } = lane;
  const writer = new WeightsWriter(join(dir, 'weights.bin'));
  const prepared: Prepared[] = [];
  const weights = weightsIn(writer);
  for (const [i, test] of batch.entries()) {
    prepared.push(await prepare(test, `segment_${i}`, backend, reference, weights));
    await sleep(0);
  }
  const { bytes } = await writer.finish();
  const segments = prepared.filter((p): p is PreparedCase => p.kind === 'segment');
  const bad = await buildBatch(segments, backend, dir, bytes);
  for (const p of prepared) {
    const { test } = p;
    if (p.kind === 'failed') note(test, p.result);
    else if (p.kind === 'alone') note(test, await runAlone(test, p, lane));
    else {
      const message = bad.get(p);
      if (message !== undefined)
        note(test, await runAlone(test, { placement: 'onnxruntime', left: sentence(message) }, lane));
      else {
        const reply = await runner.run({
          ...jobOf(test),
          directory: dir,
          steps: p.steps,
          outputs: p.outputs,
          ...(p.scale ? { scale: p.scale } : {}),
        });
        note(test, { placement: 'compiled', ...(reply === 'ok' ? {} : { failure: reply }) });
      }
    }
  }
}

const portOf = ({ name, kind }: SuiteValue): CaseJob['inputs'][number] => ({
  name,
  kind: kind === 'sequence' || kind === 'optional' ? kind : 'tensor',
});

const jobOf = (test: SuiteCase): Omit<CaseJob, 'directory' | 'outputs'> => ({
  inputs: test.inputs.map(portOf),
  dataSets: Array.from({ length: test.dataSets }, (_, i) => join(test.directory, `test_data_set_${i}`)),
  rtol: test.rtol,
  atol: test.atol,
});

/** A conversion as users make it. */
async function runAlone(
  test: SuiteCase,
  expected: { readonly placement: Placement; readonly left: string },
  { runner, dir, fallback }: Lane,
): Promise<CaseResult> {
  if (!fallback) return expected;
  const output = join(dir, `${test.suite}-${test.name}`);
  try {
    const { engine } = await convert(test.model, {
      output,
      verify: false,
      threads: 1,
      signal: AbortSignal.timeout(conversionMs),
    });
    const left = reasonsOf(engine.partition);
    const outputs = test.outputs.map((v) => ({ ...portOf(v), value: v.name }));
    const reply = await runner.run({ ...jobOf(test), directory: output, outputs });
    return {
      placement: placementOf(engine.partition),
      ...(left === '' ? {} : { left }),
      ...(reply === 'ok' ? {} : { failure: reply }),
    };
  } catch (e) {
    return { ...expected, failure: { stage: 'convert', reason: sentence(e) } };
  }
}
