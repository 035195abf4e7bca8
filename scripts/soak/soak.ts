import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Xoshiro128 } from '../../src/accuracy/random.js';
import { InferenceSession } from '../../src/runtime/session.js';
import type { TensorData } from '../../src/support/tensor-data.js';
import { compareOutputs, type ReferenceRun } from '../../src/verify.js';
import { type Trend, trendOf } from './trend.js';

export interface SoakOptions {
  readonly directory: string;
  /** What the callers feed in turn: inputs of different shapes, with onnxruntime's results. */
  readonly references: readonly ReferenceRun[];
  readonly runs: number;
  readonly callers: number;
  /** Of the session. */
  readonly threads: number;
  readonly seed: number;
  readonly progress: (done: number) => void;
}

export interface SoakResult {
  readonly runs: number;
  readonly wrong: number;
  readonly seconds: number;
  /** MiB in use, at equal distances over the runs. */
  readonly memory: readonly number[];
  /** Over the second half. */
  readonly trend: Trend;
}

const measurements = 200;

interface Work {
  readonly feeds: Map<string, TensorData>;
  readonly expected: ReadonlyMap<string, TensorData>;
}

/** Many callers on one session, each with a shape of its own at any time; every result is compared. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const session = await InferenceSession.create(options.directory, { threads: options.threads });
  try {
    const work = await expectations(session, options);
    const collect = collector();
    const memory: number[] = [];
    let [begun, done, wrong] = [0, 0, 0];
    const every = Math.max(50, Math.floor(options.runs / measurements));
    const start = performance.now();
    const caller = async (name: number): Promise<void> => {
      const random = Xoshiro128.seeded(options.seed, `caller ${name}`);
      while (begun < options.runs) {
        begun++;
        const { feeds, expected } = work[random.integer(0, work.length - 1)]!;
        const outputs = await session.runData(feeds);
        for (const [output, tensor] of expected) if (!same(outputs.get(output), tensor)) wrong++;
        if (++done % every > 0) continue;
        collect();
        memory.push(process.memoryUsage.rss() / 2 ** 20);
        options.progress(done);
      }
    };
    await Promise.all(Array.from({ length: options.callers }, (_, i) => caller(i)));
    const seconds = (performance.now() - start) / 1000;
    return { runs: done, wrong, seconds, memory, trend: trendOf(memory.slice(memory.length >> 1)) };
  } finally {
    await session.dispose();
  }
}

/** What the session computes of each set of inputs when nobody else calls, found right by onnxruntime. */
async function expectations(
  session: InferenceSession,
  { references }: SoakOptions,
): Promise<readonly Work[]> {
  const work: Work[] = [];
  for (const run of references) {
    for (const { output, comparison } of await compareOutputs(session, run, session.manifest.scale!))
      if (!comparison.pass)
        throw new Error(`${output} differs from onnxruntime by ${comparison.problem ?? comparison.maxAbs}`);
    work.push({ feeds: run.feeds, expected: await session.runData(run.feeds) });
  }
  return work;
}

/** A run's sums are made in the same order however many others run: its results are the same bits. */
const same = (a: TensorData | undefined, b: TensorData): boolean =>
  a !== undefined && a.shape.join() === b.shape.join() && Buffer.compare(a.bytes, b.bytes) === 0;

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
