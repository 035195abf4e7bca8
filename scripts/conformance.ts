import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { runCases } from './conformance/run-cases.js';
import { sample } from './conformance/sample.js';
import { isBeyondBoth, tableOf, writeTable } from './conformance/table.js';
import { compilerFingerprint } from './fingerprint.js';
import { suite } from './suite-fetch.js';
import { onnxruntimeReference } from './suite-reference.js';

/**
 * Runs the ONNX backend suites through the product and writes fixtures/tables/conformance.{md,json}.
 * --sample N --seed S: only N cases, drawn by the seed, and no table. --jobs N: batches worked on at a time.
 */
await runProgram(async () => {
  const { options } = scriptArguments(['sample', 'seed', 'jobs']);
  const reference = await onnxruntimeReference();
  const fingerprint = await compilerFingerprint();
  const all = await suite();
  const seed = Number(options.seed ?? 0);
  const cases = options.sample === undefined ? all : sample(all, Number(options.sample), seed);
  const start = performance.now();
  let told = start;
  const results = await runCases(cases, {
    jobs: Number(options.jobs ?? 2),
    progress: (done, total) => {
      if (performance.now() - told < 15_000 && done < total) return;
      told = performance.now();
      say(`${done} of ${total} cases after ${((told - start) / 1000).toFixed(0)} s`);
    },
  });
  const table = tableOf(results, reference, fingerprint);
  for (const entry of Object.entries(table.cases)) {
    const [key, { failure, left }] = entry;
    if (failure && !isBeyondBoth(entry, reference))
      console.log(`${key}: ${failure.stage}: ${failure.reason}${left === undefined ? '' : ` (${left})`}`);
  }
  const { totals: t } = table;
  console.log(
    `${t.cases} cases: ${t.correct} correct (${t.compiled} compiled fully, ${t.partly} in part, ${t.onnxruntime} on onnxruntime), ${t.neither} beyond both runtimes, ${t.failed} failed`,
  );
  if (options.sample === undefined) await writeTable(table, reference);
  if (t.failed > 0) process.exitCode = 1;
});
