import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { shuffled } from './conformance/sample.js';
import { isBug } from './fuzz/attempt.js';
import { material } from './fuzz/material.js';
import { type Result, tryMutants } from './fuzz/pool.js';
import { isRunBug } from './fuzz/run-result.js';
import { runSample } from './fuzz/run-sample.js';
import { type FuzzTable, outcomes, replies, writeFuzzTable } from './fuzz/table.js';
import { machine } from './machine.js';

/**
 * Mutates the models of the ONNX suites and the zoo, takes the mutants through the compiler, and compiles and runs a
 * sample of them. --seed S (printed first): the same mutants again; --first I: from that one on; --mutants N (default
 * 20,000); --sample N (default 300); --jobs N: processes; --keep FOLDER: where mutants that show a bug are written.
 * A run of at least 20,000, or one with --table, writes fixtures/tables/fuzz.md.
 */
const whole = 20_000;
const patienceMs = 10_000;

await runProgram(async () => {
  const { options, flags } = scriptArguments(
    ['seed', 'mutants', 'first', 'sample', 'jobs', 'keep'],
    ['table'],
  );
  const number = (name: keyof typeof options, otherwise: number): number =>
    Number(options[name] ?? otherwise);
  const seed = number('seed', Date.now() % 2 ** 31);
  console.log(`seed ${seed}`);
  const jobs = number('jobs', 2);
  const models = await material();

  const all = new Map<number, Result>();
  const every = ticker();
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const attempt = (indices: readonly number[], jobs: number, timeoutMs: number): Promise<void> =>
    tryMutants(indices, {
      ...{ material: models, seed, jobs, timeoutMs },
      result: (r) => {
        all.set(r.index, r);
        const isLate = r.outcome.kind === 'hang' && timeoutMs === patienceMs;
        if (isBug(r.outcome) && !isLate) console.log(`${r.index}, ${r.what}: ${JSON.stringify(r.outcome)}`);
        every(() => say(`${all.size} mutants, ${(all.size / seconds()).toFixed(0)} a second`));
      },
    });
  const indices = Array.from({ length: number('mutants', whole) }, (_, i) => number('first', 0) + i);
  await attempt(indices, jobs, patienceMs);
  const taken = seconds();
  // A machine that does other things as well makes mutants late: only what is late alone hangs.
  const late = [...all.values()].filter((r) => r.outcome.kind === 'hang').map((r) => r.index);
  if (late.length > 0) await attempt(late, 1, 6 * patienceMs);
  const results = [...all.values()];
  print(outcomes(results));

  const able = results.flatMap(({ index, outcome: o }) =>
    o.kind === 'partitioned' && o.compiled > 0 ? [index] : [],
  );
  const sample = shuffled(
    able.sort((a, b) => a - b),
    seed,
  ).slice(0, number('sample', 300));
  const runs: FuzzTable['runs'][number][] = [];
  const stray = await runSample(sample, {
    ...{ material: models, seed, jobs },
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    result: (index, what, reply) => {
      runs.push({ index, what, reply });
      if (isRunBug(reply)) console.log(`${index}, ${what}: ${reply.kind} ${reply.detail}`);
      every(() => say(`${runs.length} of ${sample.length} run`));
    },
  });
  print(replies(runs));
  for (const file of stray) console.log(`left outside the outputs: ${file}`);

  const files = models.small.length + models.large.length;
  if (results.length >= whole || flags.has('table'))
    await writeFuzzTable({ seed, machine: machine(), models: files, seconds: taken, results, runs, stray });
  const bugs = results.filter((r) => isBug(r.outcome)).length + runs.filter((r) => isRunBug(r.reply)).length;
  console.log(
    `${results.length} mutants, ${runs.length} of them run: ${bugs} bugs, ${stray.length} stray files`,
  );
  if (bugs + stray.length > 0) process.exitCode = 1;
});

function print(rows: readonly (readonly [string, number])[]): void {
  for (const [what, n] of rows) console.log(`${String(n).padStart(7)} ${what}`);
}

/** Does something every 15 seconds at most. */
function ticker(): (action: () => void) => void {
  let last = performance.now();
  return (action) => {
    if (performance.now() - last < 15_000) return;
    last = performance.now();
    action();
  };
}
