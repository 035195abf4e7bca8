import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { writeReadme } from './docs/readme.js';
import { compilerFingerprint } from './fingerprint.js';
import { isRight, runModel, type ZooOutcome } from './zoo/run-model.js';
import { writeZooTable, zooTable } from './zoo/table.js';
import { zoo } from './zoo-fetch.js';

/**
 * Converts every model of the zoo, runs it on all its inputs and writes fixtures/tables/zoo.{md,json} and its part of
 * README.md. Names given as arguments select models, and --minutes M takes as many as that time holds; no table is written then.
 */
await runProgram(async () => {
  const { rest, options } = scriptArguments(['minutes']);
  const end = performance.now() + 60_000 * Number(options.minutes ?? Number.POSITIVE_INFINITY);
  const whole = rest.length === 0 && options.minutes === undefined;
  const fingerprint = await compilerFingerprint();
  const outcomes = new Map<string, ZooOutcome>();
  for (const model of await zoo()) {
    if (rest.length > 0 && !rest.some((name) => model.name.includes(name))) continue;
    if (performance.now() > end) break;
    const outcome = await runModel(model);
    outcomes.set(model.name, outcome);
    say(`${model.name}: ${described(outcome)}`);
    if (!isRight(outcome)) process.exitCode = 1;
  }
  const table = zooTable(outcomes, fingerprint);
  const { models, right, fully, mostly } = table.totals;
  console.log(
    `${models} models: ${right} right, ${fully} compiled fully, ${mostly} with 95 % of their work compiled`,
  );
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
