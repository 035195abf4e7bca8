import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { precisions } from '../src/cli/command.js';
import type { TargetOptions } from '../src/target.js';
import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { writeReadme } from './docs/readme.js';
import { compilerFingerprint } from './fingerprint.js';
import { isRight, runJob, type ZooOutcome } from './zoo/run-model.js';
import { markdown, writeZooTable, type ZooTable, zooTable } from './zoo/table.js';
import type { ZooJob } from './zoo/worker.js';
import { zoo } from './zoo-fetch.js';

/**
 * Converts every model of the zoo, runs it on all its inputs and writes fixtures/tables/zoo.{md,json} and its part of
 * README.md. Names given as arguments select models, and --minutes M takes as many as that time holds; no table is written then.
 * --target T [--precision P] [--arch A] --out DIR: for another target, with the table in DIR, written after each model.
 * --jobs N: models at a time. --build DIR converts them and keeps onnxruntime's results beside, --run DIR runs what is
 * there, on a machine that needs neither the models nor a compiler.
 */
await runProgram(async () => {
  const { rest, options } = scriptArguments([
    ...(['minutes', 'target', 'precision', 'arch', 'out', 'jobs', 'build', 'run'] as const),
  ]);
  const end = performance.now() + 60_000 * Number(options.minutes ?? Number.POSITIVE_INFINITY);
  const kind = options.run !== undefined ? 'run' : options.build !== undefined ? 'build' : 'both';
  const whole =
    kind === 'both' && rest.length === 0 && options.minutes === undefined && options.target === undefined;
  const target: TargetOptions = {
    target: options.target as TargetOptions['target'],
    arch: options.arch,
    precision: precisions[options.precision ?? ''],
  };
  const fingerprint = whole ? await compilerFingerprint() : '';
  const tasks = (kind === 'run' ? await built(options.run!) : await tasksOf(options.build, target)).filter(
    ({ name }) => rest.length === 0 || rest.some((part) => name.includes(part)),
  );
  const outcomes = new Map<string, ZooOutcome>();
  const tableNow = (): ZooTable => {
    const ran = tasks.flatMap(({ name }) =>
      outcomes.has(name) ? [[name, outcomes.get(name)!] as const] : [],
    );
    return zooTable(new Map(ran), fingerprint);
  };
  const waiting = [...tasks];
  const lane = async (): Promise<void> => {
    for (let t = waiting.shift(); t && performance.now() < end; t = waiting.shift()) {
      const outcome = await runJob(t.job);
      outcomes.set(t.name, outcome);
      say(`${t.name}: ${described(outcome)}`);
      if (!isRight(outcome)) process.exitCode = 1;
      if (options.out !== undefined && kind !== 'build')
        await writeFile(join(options.out, `${options.target ?? 'cpu'}-zoo.md`), markdown(tableNow()));
    }
  };
  await Promise.all(Array.from({ length: Number(options.jobs ?? 1) }, lane));
  const table = tableNow();
  const { models, right, fully, mostly } = table.totals;
  const said = kind === 'build' ? 'built' : `${right} right`;
  console.log(
    `${models} models: ${said}, ${fully} compiled fully, ${mostly} with 95 % of their work compiled`,
  );
  if (whole) {
    await writeZooTable(table);
    await writeReadme();
  }
});

interface Task {
  readonly name: string;
  readonly job: ZooJob;
}

/** A folder for each model to be built. */
async function tasksOf(build: string | undefined, target: TargetOptions): Promise<readonly Task[]> {
  return (await zoo()).map((model) => {
    const { name } = model;
    if (build === undefined) return { name, job: { kind: 'both', model, target } };
    const folder = join(build, name.replace('/', '__'));
    return { name, job: { kind: 'build', model, target, folder } };
  });
}

async function built(directory: string): Promise<readonly Task[]> {
  const names = (await readdir(directory)).sort();
  return names.map((n) => ({
    name: n.replace('__', '/'),
    job: { kind: 'run', folder: join(directory, n) },
  }));
}

function described(outcome: ZooOutcome): string {
  if ('error' in outcome) return `FAILED: ${outcome.error}`;
  const { nodes, work, seconds, runs, left } = outcome.result;
  const wrong = runs.flatMap((r) => {
    if (r.error !== undefined) return [`${r.shapes}: ${r.error}`];
    const bad = r.outputs.filter((o) => !o.pass);
    return bad.map((o) => `${r.shapes}: ${o.name}: ${o.problem ?? `${o.maxAbs} against ${o.atol}`}`);
  });
  const share = `${nodes.compiled} of ${nodes.all} nodes, ${(100 * work).toFixed(1)} % of the work`;
  return [`${share} compiled in ${seconds.toFixed(1)} s`, left, ...wrong.map((w) => `WRONG ${w}`)]
    .filter(Boolean)
    .join('; ');
}
