import { setTimeout } from 'node:timers/promises';
import { type InputOptions, tensorsOnly } from './inputs.js';
import { referenceModel } from './load-export.js';
import type { ConvertOptions } from './options.js';
import { inModelTypes } from './port-types.js';
import { runOn } from './run.js';
import { InferenceSession } from './runtime/session.js';
import { defaultThreads } from './runtime/threads.js';
import { TimedOnnxruntime } from './runtime/timed-onnxruntime.js';
import { sourceModel } from './source-model.js';

export interface BenchOptions
  extends InputOptions,
    Pick<ConvertOptions, 'program' | 'stateOutputs' | 'decompositions'> {
  readonly against?: 'onnxruntime' | undefined;
  /** The model the engine was made from, where it is not found by itself. */
  readonly model?: string | undefined;
  /** Of each side; default: the physical cores. */
  readonly threads?: number | undefined;
  /** Seconds each side is measured for; default 3. */
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told the share that is done. */
  readonly progress?: ((share: number) => void) | undefined;
}

/** Milliseconds. */
export interface Timing {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  readonly runs: number;
}

export interface Bench {
  readonly threads: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
  readonly engine: Timing;
  readonly onnxruntime: Timing | undefined;
  /** How many times as long onnxruntime takes, by the medians. */
  readonly ratio: number | undefined;
}

/** A block is long enough to see a side at its own pace, and short enough to alternate often. */
const BLOCK_MS = 60;
const LEAST_ROUNDS = 5;

/** onnxruntime's threads spin for a while after a run; they shall not run on the other side's time. */
const PAUSE_MS = 30;

type Side = (runs: number) => Promise<readonly number[]>;

/**
 * Times an engine directory, and onnxruntime on the model it was made from: blocks of runs alternate between
 * the two, each block after a run that does not count. Throws a CompileError when either cannot run.
 */
export async function bench(directory: string, options: BenchOptions = {}): Promise<Bench> {
  const threads = options.threads ?? defaultThreads();
  const session = await InferenceSession.create(directory, { threads });
  let other: TimedOnnxruntime | undefined;
  try {
    const { feeds: given, manifest } = await runOn(session, options);
    const feeds = tensorsOnly(given);
    if (options.against !== undefined)
      other = await TimedOnnxruntime.open(
        await referenceModel(await sourceModel(directory, manifest, options.model), options),
        inModelTypes(manifest.inputs, feeds),
        threads,
      );
    const engine: Side = async (runs) => {
      const times: number[] = [];
      for (let i = 0; i < runs; i++) {
        const start = performance.now();
        await session.runData(feeds);
        times.push(performance.now() - start);
      }
      return times;
    };
    const rival = other;
    const sides = rival === undefined ? [engine] : [engine, (runs: number) => rival.block(runs)];
    const [mine, theirs] = await alternate(sides, options);
    return {
      threads,
      inputs: [...feeds].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
      engine: mine!,
      onnxruntime: theirs,
      ratio: theirs === undefined ? undefined : theirs.median / mine!.median,
    };
  } finally {
    other?.dispose();
    await session.dispose();
  }
}

async function alternate(sides: readonly Side[], options: BenchOptions): Promise<readonly Timing[]> {
  const budget = (options.seconds ?? 3) * 1000;
  const taken = sides.map((): number[] => []);
  const sizes: number[] = [];
  for (const side of sides) {
    // The first runs touch memory for the first time.
    await side(1);
    const pace = Math.min(...(await side(2)));
    sizes.push(Math.max(1, Math.min(1000, Math.round(BLOCK_MS / Math.max(pace, 1e-3)))));
  }
  const spent = sides.map(() => 0);
  for (let round = 0; round < LEAST_ROUNDS || Math.min(...spent) < budget; round++) {
    for (const [i, side] of sides.entries()) {
      options.signal?.throwIfAborted();
      if (sides.length > 1) await setTimeout(PAUSE_MS);
      const [, ...times] = await side(sizes[i]! + 1);
      taken[i]!.push(...times);
      spent[i]! += times.reduce((a, b) => a + b, 0);
    }
    options.progress?.(Math.min(1, Math.max((round + 1) / LEAST_ROUNDS / 2, Math.min(...spent) / budget)));
  }
  return taken.map(timingOf);
}

function timingOf(times: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { median: at(0.5), p10: at(0.1), p90: at(0.9), runs: sorted.length };
}
