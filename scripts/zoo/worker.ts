import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { convert } from '../../src/compile.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { InferenceSession } from '../../src/runtime/session.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import type { TargetOptions } from '../../src/target.js';
import { compareOutputs, type ReferenceRun } from '../../src/verify.js';
import { sentence } from '../conformance/case-result.js';
import { reasonsOf } from '../conformance/prepare.js';
import { readRuns, referenceRunOf, removeWhatDoesNotRun, writeData } from '../reference-runs.js';
import { inputSets, type ZooInputs, type ZooModel } from '../zoo-fetch.js';
import { shapesText, zooFeeds } from '../zoo-inputs.js';
import { arenaBytes } from './arena.js';
import { leastWork } from './least-work.js';

/** The child process that converts one model and runs it, which may crash it. */

export interface ZooResult {
  readonly nodes: { readonly compiled: number; readonly all: number };
  /** Share of the floating-point operations that is compiled. */
  readonly work: number;
  /** Why nodes are left. */
  readonly left?: string;
  /** Of the conversion, without verification. */
  readonly seconds: number;
  readonly arena?: number;
  readonly runs: readonly ZooRun[];
}

export interface ZooRun {
  readonly shapes: string;
  readonly error?: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly maxAbs: number;
    readonly atol: number;
    readonly rtol: number;
    readonly pass: boolean;
    readonly problem?: string;
  }[];
}

/** Converts a model, runs it, or both; the parts meet in a folder. */
export type ZooJob =
  | { readonly kind: 'both'; readonly model: ZooModel; readonly target: TargetOptions }
  | {
      readonly kind: 'build';
      readonly model: ZooModel;
      readonly target: TargetOptions;
      readonly folder: string;
    }
  | { readonly kind: 'run'; readonly folder: string };

/** What a folder of a built model holds, beside `engine/`. */
const files = { result: 'result.json', runs: 'runs.bin' } as const;

type StoredRun =
  | ({ readonly shapes: string; readonly error?: undefined } & ReferenceRun)
  | {
      readonly shapes: string;
      readonly error: string;
      readonly feeds?: undefined;
      readonly outputs?: undefined;
    };

async function work(job: ZooJob): Promise<ZooResult> {
  switch (job.kind) {
    case 'build':
      return buildModel(job.model, job.target, job.folder);
    case 'run':
      return runBuilt(job.folder);
    default:
      return withTemporaryDirectory('ait-zoo', async (folder) => {
        await buildModel(job.model, job.target, folder);
        return runBuilt(folder);
      });
  }
}

/** The engine, and onnxruntime's results on all of the model's inputs. The result has no runs yet. */
async function buildModel(model: ZooModel, target: TargetOptions, folder: string): Promise<ZooResult> {
  const reference = new OnnxruntimeProcess();
  try {
    const output = join(folder, 'engine');
    const start = performance.now();
    const settings = { output, verify: false, force: true };
    const { engine, backend } = await convert(model.file, { ...target, ...settings });
    const seconds = (performance.now() - start) / 1000;
    await removeWhatDoesNotRun(output);
    const { decisions } = engine.partition;
    const compiled = decisions.filter((d) => d.kind === 'engine');
    const workOf = (d: (typeof decisions)[number]): number =>
      d.kind === 'engine' ? d.work : Math.max(d.work, leastWork(d.node));
    const sum = (of: typeof decisions): number => of.reduce((t, d) => t + workOf(d), 0);
    const arena = await arenaBytes(model, model.inputs, backend, reference).catch(() => undefined);
    const left = reasonsOf(engine.partition);
    const result: ZooResult = {
      nodes: { compiled: compiled.length, all: decisions.length },
      work: decisions.length === 0 ? 1 : sum(compiled) / Math.max(1, sum(decisions)),
      ...(left === '' ? {} : { left }),
      seconds,
      ...(arena === undefined ? {} : { arena }),
      runs: [],
    };
    const runs: StoredRun[] = [];
    for (const inputs of inputSets(model)) runs.push(await referenceOn(model, inputs, reference));
    await writeData(join(folder, files.runs), runs);
    await writeFile(join(folder, files.result), JSON.stringify(result));
    return result;
  } finally {
    reference.dispose();
  }
}

async function referenceOn(
  model: ZooModel,
  inputs: ZooInputs,
  reference: OnnxruntimeProcess,
): Promise<StoredRun> {
  const shapes = shapesText(inputs);
  try {
    return { shapes, ...(await referenceRunOf(model.file, zooFeeds(inputs), reference)) };
  } catch (e) {
    return { shapes, error: sentence(e) };
  }
}

/** Needs nothing but the folder. */
async function runBuilt(folder: string): Promise<ZooResult> {
  const result: ZooResult = JSON.parse(await readFile(join(folder, files.result), 'utf8'));
  const session = await InferenceSession.create(join(folder, 'engine'), { threads: 2 });
  const runs: ZooRun[] = [];
  for (const run of await readRuns<StoredRun>(join(folder, files.runs))) runs.push(await runOn(session, run));
  await session.dispose();
  return { ...result, runs };
}

async function runOn(session: InferenceSession, run: StoredRun): Promise<ZooRun> {
  const { shapes } = run;
  if (run.error !== undefined) return { shapes, error: run.error, outputs: [] };
  try {
    const compared = await compareOutputs(session, run, session.manifest.scale!);
    return {
      shapes,
      outputs: compared.map(({ output, comparison: c, tolerance: { atol, rtol } }) => ({
        ...{ name: output, maxAbs: c.maxAbs, atol, rtol, pass: c.pass },
        ...(c.problem === undefined ? {} : { problem: c.problem }),
      })),
    };
  } catch (e) {
    return { shapes, error: sentence(e), outputs: [] };
  }
}

process.on('message', (job: ZooJob) => {
  work(job).then(
    (result) => process.send!({ result }),
    (e: unknown) => process.send!({ error: sentence(e) }),
  );
});
process.on('disconnect', () => process.exit());
