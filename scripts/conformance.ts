import { scriptArguments } from './arguments.js';
import { runProgram, say } from './cache.js';
import { runCases } from './conformance/run-cases.js';
import { shuffled } from './conformance/sample.js';
import { isBeyondBoth, tableOf, writeTable } from './conformance/table.js';
import { writeReadme } from './docs/readme.js';
import { compilerFingerprint } from './fingerprint.js';
import { suite } from './suite-fetch.js';
import { onnxruntimeReference } from './suite-reference.js';

/**
 * Runs the ONNX backend suites through the product and writes fixtures/tables/conformance.{md,json} and its parts
 * of README.md. --sample N: only so many cases, and --minutes M: only as many as that time holds, both drawn by --seed S; no
 * table is written then. --jobs N: batches worked on at a time.
 */
await runProgram(async () => {
  const { options } = scriptArguments(['sample', 'minutes', 'seed', 'jobs']);
  const number = (name: keyof typeof options): number | undefined =>
    options[name] === undefined ? undefined : Number(options[name]);
  const reference = await onnxruntimeReference();
  const fingerprint = await compilerFingerprint();
  const all = await suite();
  const count = number('sample');
  const minutes = number('minutes');
  const whole = count === undefined && minutes === undefined;
  const cases = whole ? all : shuffled(all, number('seed') ?? 0).slice(0, count);
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  let told = 0;
  const results = await runCases(cases, {
    jobs: number('jobs') ?? 2,
    until: () => minutes !== undefined && seconds() > 60 * minutes,
    progress: (done, total) => {
      if (seconds() - told < 15 && done < total) return;
      told = seconds();
      say(`${done} of ${total} cases after ${told.toFixed(0)} s`);
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
  if (whole) {
    await writeTable(table, reference);
    await writeReadme();
  }
  if (t.failed > 0) process.exitCode = 1;
});
