import { join } from 'node:path';
import { convert } from '../../src/compile.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { InferenceSession } from '../../src/runtime/session.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import type { TargetOptions } from '../../src/target.js';
import { compareOutputs, noiseOf } from '../../src/verify.js';
import { sentence } from '../conformance/case-result.js';
import { reasonsOf } from '../conformance/prepare.js';
import { inputSets, type ZooInputs, type ZooModel } from '../zoo-fetch.js';
import { shapesText, zooFeeds } from '../zoo-inputs.js';
import { arenaBytes } from './arena.js';
import { leastWork } from './least-work.js';

/** The child process that converts and runs one model, which may crash it. */

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

export interface ZooJob {
  readonly model: ZooModel;
  readonly target: TargetOptions;
}

async function work({ model, target }: ZooJob): Promise<ZooResult> {
  const reference = new OnnxruntimeProcess();
  try {
    return await withTemporaryDirectory('ait-zoo', async (dir) => {
      const output = join(dir, 'engine');
      const start = performance.now();
      const { engine, backend, manifest } = await convert(model.file, { ...target, output, verify: false });
      const seconds = (performance.now() - start) / 1000;
      const { decisions } = engine.partition;
      const compiled = decisions.filter((d) => d.kind === 'engine');
      const workOf = (d: (typeof decisions)[number]): number =>
        d.kind === 'engine' ? d.work : Math.max(d.work, leastWork(d.node));
      const sum = (of: typeof decisions): number => of.reduce((t, d) => t + workOf(d), 0);
      const arena = await arenaBytes(model, model.inputs, backend, reference).catch(() => undefined);
      const left = reasonsOf(engine.partition);
      const session = await InferenceSession.create(output, { threads: 2 });
      const runs: ZooRun[] = [];
      for (const inputs of inputSets(model))
        runs.push(await runOn(session, model, inputs, manifest!.scale!, reference));
      await session.dispose();
      return {
        nodes: { compiled: compiled.length, all: decisions.length },
        work: decisions.length === 0 ? 1 : sum(compiled) / Math.max(1, sum(decisions)),
        ...(left === '' ? {} : { left }),
        seconds,
        ...(arena === undefined ? {} : { arena }),
        runs,
      };
    });
  } finally {
    reference.dispose();
  }
}

async function runOn(
  session: InferenceSession,
  model: ZooModel,
  inputs: ZooInputs,
  scale: Parameters<typeof compareOutputs>[2],
  reference: OnnxruntimeProcess,
): Promise<ZooRun> {
  const shapes = shapesText(inputs);
  try {
    const feeds = zooFeeds(inputs);
    const outputs = await reference.run(model.file, feeds);
    const noise = await noiseOf(model.file, feeds, outputs, reference);
    const compared = await compareOutputs(session, { feeds, outputs, noise }, scale);
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
