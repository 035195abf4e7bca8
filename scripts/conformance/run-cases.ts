import { join } from 'node:path';
import type { Backend } from '../../src/backend.js';
import { convert } from '../../src/compile.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { backendFor, type TargetOptions } from '../../src/target.js';
import { unicodeLocale } from '../locale.js';
import type { SuiteCase } from '../suite-fetch.js';
import { batchesOf, buildCases, jobOf, portOf } from './build-cases.js';
import { type CaseResult, type Placement, sentence } from './case-result.js';
import { CaseRunner } from './case-runner.js';
import { placementOf, reasonsOf } from './prepare.js';
import type { CaseReply } from './worker.js';

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
  for (const built of await buildCases(batch, dir, backend, reference)) {
    const { test } = built;
    if (built.kind === 'failed') note(test, built.result);
    else if (built.kind === 'alone') {
      const { placement, left } = built;
      note(test, await runAlone(test, { placement, left }, lane));
    } else note(test, { placement: 'compiled', ...failureOf(await runner.run(built.job)) });
  }
}

/** What a reply adds to a case's result. */
export const failureOf = (reply: CaseReply): Pick<CaseResult, 'failure'> =>
  reply === 'ok' ? {} : { failure: reply };

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
      ...failureOf(reply),
    };
  } catch (e) {
    return { ...expected, failure: { stage: 'convert', reason: sentence(e) } };
  }
}
