import { join } from 'node:path';
import { precisions } from '../src/cli/command.js';
import { convert } from '../src/compile.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import type { TargetOptions } from '../src/target.js';
import type { ReferenceRun } from '../src/verify.js';
import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { readRuns, referenceRunOf, removeWhatDoesNotRun, writeData } from './reference-runs.js';
import { type SoakResult, soak } from './soak/soak.js';
import { grows } from './soak/trend.js';
import { type ZooInputs, zoo } from './zoo-fetch.js';
import { zooFeeds } from './zoo-inputs.js';

/**
 * Runs engines for long, from several callers at once and with shapes that change, and tells wrong results and
 * memory that grows. --runs N: of the fully compiled model (default 10,000); the hybrid one gets a tenth of them.
 * --target T [--precision P] [--arch A]: of engines for other targets. --build DIR only converts, and keeps
 * onnxruntime's results beside; --run DIR runs what is there, on a machine that needs no compiler.
 */

const count = 12;
/** MiB that the second half of the runs may add. */
const allowed = 8;

type Shapes = Readonly<Record<string, readonly number[]>>;

const batches: readonly Shapes[] = Array.from({ length: count }, (_, i) => ({
  input: [1 + i, 576],
  state: [2, 1 + i, 128],
}));

const lengths: readonly Shapes[] = Array.from({ length: count }, (_, i) => ({ input: [1 + 3 * i, 576] }));

/** The model's own inputs in other shapes. */
const reshaped = (inputs: ZooInputs, changes: Shapes): ZooInputs =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, spec]) => [name, { ...spec, shape: changes[name] ?? spec.shape }]),
  );

const subjects = [
  {
    title: 'compiled, batch of 1 to 12',
    model: 'silero-vad/silero_vad_op18_ifless',
    shapes: batches,
    fallbackOps: [],
    share: 1,
    folder: 'compiled',
  },
  {
    title: 'hybrid, sequence of 1 to 34',
    model: 'silero-vad/silero_vad_16k_sequence',
    shapes: lengths,
    fallbackOps: ['LSTM'],
    share: 0.1,
    folder: 'hybrid',
  },
];

type Subject = (typeof subjects)[number];

const runsFile = 'runs.bin';

/** The engine, and what onnxruntime computes of all inputs. */
async function build({ model: name, shapes, fallbackOps }: Subject, folder: string, target: TargetOptions) {
  const { file: model, inputs: own } = (await zoo()).find((m) => m.name === name)!;
  const output = join(folder, 'engine');
  await convert(model, { ...target, output, verify: false, fallbackOps, force: true });
  await removeWhatDoesNotRun(output);
  const reference = new OnnxruntimeProcess();
  try {
    const runs: ReferenceRun[] = [];
    for (const [i, changes] of shapes.entries())
      runs.push(await referenceRunOf(model, zooFeeds(reshaped(own, changes), i), reference));
    await writeData(join(folder, runsFile), runs);
  } finally {
    reference.dispose();
  }
}

await runProgram(async () => {
  const { options } = scriptArguments([
    ...(['runs', 'callers', 'threads', 'seed', 'target', 'precision', 'arch', 'build', 'run'] as const),
  ]);
  const total = Number(options.runs ?? 10_000);
  const callers = Number(options.callers ?? 8);
  const threads = Number(options.threads ?? 1);
  const seed = Number(options.seed ?? 1);
  const target: TargetOptions = {
    target: options.target as TargetOptions['target'],
    arch: options.arch,
    precision: precisions[options.precision ?? ''],
  };
  if (options.build !== undefined) {
    for (const s of subjects) await build(s, join(options.build, s.folder), target);
    return;
  }
  const rows: string[] = [];
  const run = async ({ title, share }: Subject, folder: string): Promise<void> => {
    let told = performance.now();
    const result = await soak({
      directory: join(folder, 'engine'),
      references: await readRuns(join(folder, runsFile)),
      ...{ callers, threads, seed },
      runs: Math.ceil(total * share),
      progress: (done) => {
        if (performance.now() - told < 15_000) return;
        told = performance.now();
        say(`${title}: ${done} runs`);
      },
    });
    rows.push(rowOf(title, result));
    if (result.wrong > 0 || grows(result.trend, allowed)) process.exitCode = 1;
  };
  for (const s of subjects)
    if (options.run !== undefined) await run(s, join(options.run, s.folder));
    else
      await withTemporaryDirectory('ait-soak', async (folder) => {
        await build(s, folder, target);
        await run(s, folder);
      });
  console.log(
    [
      '| engine | runs | wrong | runs/s | MiB at the middle | at the end | trend of the second half |',
      '|---|---|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
  );
});

function rowOf(title: string, { runs, wrong, seconds, memory, trend }: SoakResult): string {
  const at = (i: number): string => (memory.at(i) ?? Number.NaN).toFixed(0);
  const rise = `${trend.rise.toFixed(1)} ± ${(3 * trend.error).toFixed(1)} MiB${grows(trend, allowed) ? ', GROWS' : ''}`;
  return `| ${title} | ${runs} | ${wrong} | ${(runs / seconds).toFixed(0)} | ${at(memory.length >> 1)} | ${at(-1)} | ${rise} |`;
}
