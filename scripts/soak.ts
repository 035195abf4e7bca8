import { join } from 'node:path';
import { precisions } from '../src/cli/command.js';
import { convert } from '../src/compile.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import type { TargetOptions } from '../src/target.js';
import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { type SoakResult, soak } from './soak/soak.js';
import { grows } from './soak/trend.js';
import { type ZooInputs, zoo } from './zoo-fetch.js';

/**
 * Runs engines for long, from several callers at once and with shapes that change, and tells wrong results and
 * memory that grows. --runs N: of the fully compiled model (default 10,000); the hybrid one gets a tenth of them.
 * --target T [--precision P]: of engines for other targets.
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
  },
  {
    title: 'hybrid, sequence of 1 to 34',
    model: 'silero-vad/silero_vad_16k_sequence',
    shapes: lengths,
    fallbackOps: ['LSTM'],
    share: 0.1,
  },
];

await runProgram(async () => {
  const { options } = scriptArguments(['runs', 'callers', 'threads', 'seed', 'target', 'precision']);
  const total = Number(options.runs ?? 10_000);
  const callers = Number(options.callers ?? 8);
  const threads = Number(options.threads ?? 1);
  const seed = Number(options.seed ?? 1);
  const target: TargetOptions = {
    target: options.target as TargetOptions['target'],
    precision: precisions[options.precision ?? ''],
  };
  const models = await zoo();
  const rows: string[] = [];
  for (const { title, model: name, shapes, fallbackOps, share } of subjects) {
    const { file: model, inputs: own } = models.find((m) => m.name === name)!;
    const inputs = shapes.map((changes) => reshaped(own, changes));
    const result = await withTemporaryDirectory('ait-soak', async (dir) => {
      const directory = join(dir, 'engine');
      const { manifest } = await convert(model, { ...target, output: directory, verify: false, fallbackOps });
      let told = performance.now();
      return soak({
        ...{ directory, model, inputs, callers, threads, seed, scale: manifest!.scale! },
        runs: Math.ceil(total * share),
        progress: (done) => {
          if (performance.now() - told < 15_000) return;
          told = performance.now();
          say(`${title}: ${done} runs`);
        },
      });
    });
    rows.push(rowOf(title, result));
    if (result.wrong > 0 || grows(result.trend, allowed)) process.exitCode = 1;
  }
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
