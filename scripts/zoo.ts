import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { precisions } from '../src/cli/command.js';
import type { TargetOptions } from '../src/target.js';
import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { writeReadme } from './docs/readme.js';
import { compilerFingerprint } from './fingerprint.js';
import { isRight, runModel, type ZooOutcome } from './zoo/run-model.js';
import { markdown, writeZooTable, zooTable } from './zoo/table.js';
import { zoo } from './zoo-fetch.js';

/**
 * Converts every model of the zoo, runs it on all its inputs and writes fixtures/tables/zoo.{md,json} and its part of
 * README.md. Names given as arguments select models, and --minutes M takes as many as that time holds; no table is written then.
 * --target T [--precision P] [--arch A] --out DIR: for another target, with the table in DIR. --jobs N: models at a time.
 */
await runProgram(async () => {
  const { rest, options } = scriptArguments(['minutes', 'target', 'precision', 'arch', 'out', 'jobs']);
  const end = performance.now() + 60_000 * Number(options.minutes ?? Number.POSITIVE_INFINITY);
  const whole = rest.length === 0 && options.minutes === undefined && options.target === undefined;
  const target: TargetOptions = {
    target: options.target as TargetOptions['target'],
    arch: options.arch,
    precision: precisions[options.precision ?? ''],
  };
  const fingerprint = await compilerFingerprint();
  const outcomes = new Map<string, ZooOutcome>();
  const models = (await zoo()).filter((m) => rest.length === 0 || rest.some((name) => m.name.includes(name)));
  const waiting = [...models];
  const lane = async (): Promise<void> => {
    for (let m = waiting.shift(); m && performance.now() < end; m = waiting.shift()) {
      const outcome = await runModel(m, target);
      outcomes.set(m.name, outcome);
      say(`${m.name}: ${described(outcome)}`);
      if (!isRight(outcome)) process.exitCode = 1;
    }
  };
  await Promise.all(Array.from({ length: Number(options.jobs ?? 1) }, lane));
  const ran = models.flatMap(({ name }) =>
    outcomes.has(name) ? [[name, outcomes.get(name)!] as const] : [],
  );
  const table = zooTable(new Map(ran), fingerprint);
  const { right, fully, mostly } = table.totals;
  console.log(
    `${ran.length} models: ${right} right, ${fully} compiled fully, ${mostly} with 95 % of their work compiled`,
  );
  if (options.out !== undefined)
    await writeFile(join(options.out, `${options.target ?? 'cpu'}-zoo.md`), markdown(table));
  if (whole) {
    await writeZooTable(table);
    await writeReadme();
  }
});

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
