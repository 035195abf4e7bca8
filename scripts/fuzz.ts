import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { shuffled } from './conformance/sample.js';
import { isBug } from './fuzz/attempt.js';
import { material } from './fuzz/material.js';
import { type Result, tryMutants } from './fuzz/pool.js';
import { isRunBug } from './fuzz/run-result.js';
import { runSample } from './fuzz/run-sample.js';

await runProgram(async () => {
  const { options } = scriptArguments(['seed', 'mutants', 'jobs', 'first', 'sample', 'keep']);
  const seed = Number(options.seed ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed}`);
  const count = Number(options.mutants ?? 20_000);
  const first = Number(options.first ?? 0);
  const results: Result[] = [];
  const start = performance.now();
  let told = 0;
  await tryMutants(
    Array.from({ length: count }, (_, i) => first + i),
    {
      material: await material(),
      seed,
      jobs: Number(options.jobs ?? 2),
      timeoutMs: 10_000,
      result: (r) => {
        results.push(r);
        if (isBug(r.outcome)) console.log(`${r.index}: ${JSON.stringify(r.outcome)} ${r.what}`);
        const seconds = (performance.now() - start) / 1000;
        if (seconds > told + 15) {
          told = seconds;
          say(`${results.length} mutants, ${(results.length / seconds).toFixed(0)} a second`);
        }
      },
    },
  );
  const tally = new Map<string, number>();
  for (const { outcome: o } of results) {
    const key =
      o.kind === 'refused'
        ? `${o.kind} ${o.code}`
        : o.kind === 'partitioned'
          ? `${o.kind} ${o.compiled === o.nodes ? 'fully' : o.compiled > 0 ? 'partly' : 'not'}`
          : o.kind;
    tally.set(key, (tally.get(key) ?? 0) + 1);
  }
  console.log(Object.fromEntries([...tally].sort((a, b) => b[1] - a[1])));
  console.log(
    'slowest',
    results
      .sort((a, b) => b.ms - a.ms)
      .slice(0, 5)
      .map((r) => `${r.index} ${r.ms.toFixed(0)} ms ${r.what}`),
  );
  const able = results.flatMap((r) =>
    r.outcome.kind === 'partitioned' && r.outcome.compiled > 0 ? [r.index] : [],
  );
  const chosen = shuffled(
    able.sort((a, b) => a - b),
    seed,
  ).slice(0, Number(options.sample ?? 300));
  const replies = new Map<string, number>();
  let n = 0;
  const stray = await runSample(chosen, {
    material: await material(),
    seed,
    jobs: Number(options.jobs ?? 2),
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    result: (index, what, reply) => {
      const key = `${reply.kind} ${isRunBug(reply) ? '' : reply.detail}`;
      replies.set(key, (replies.get(key) ?? 0) + 1);
      if (isRunBug(reply)) console.log(`${index}: ${reply.kind} ${reply.detail} ${what}`);
      if (++n % 20 === 0) say(`${n} of ${chosen.length} run`);
    },
  });
  console.log(Object.fromEntries(replies), stray);
});
