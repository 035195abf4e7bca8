import { setTimeout as sleep } from 'node:timers/promises';
import { scriptArguments } from '../arguments.js';
import { runProgram, say } from '../cache.js';
import { type CaseResult, sentence } from '../conformance/case-result.js';
import { runCases } from '../conformance/run-cases.js';
import type { SuiteCase } from '../suite-fetch.js';
import { runnable, type SweepCase, sweep } from './sweep-cases.js';
import { sweepTable, writeSweepTable } from './sweep-table.js';

/**
 * Runs every exported form of the ATen operators through the product and writes fixtures/tables/aten.{md,json}.
 * Operators given as arguments select cases; no table is written then. --jobs N: batches worked on at a time.
 */
await runProgram(async () => {
  const { rest, options } = scriptArguments(['jobs']);
  const { root, listing } = await sweep();
  const chosen = listing.cases.filter((c) => rest.length === 0 || rest.includes(c.operator));
  const results = new Map<SweepCase, CaseResult>();
  const runnables = new Map<SuiteCase, SweepCase>();
  for (const test of chosen) {
    try {
      runnables.set(await runnable(root, test), test);
    } catch (e) {
      results.set(test, {
        placement: 'onnxruntime',
        failure: { stage: 'import', reason: sentence(reasonIn(e)) },
      });
    }
    await sleep(0);
  }
  say(`${runnables.size} of ${chosen.length} cases are imported`);
  let told = 0;
  const ran = await runCases([...runnables.keys()], {
    jobs: Number(options.jobs ?? 2),
    progress: (done, total) => {
      if (done - told < 200 && done < total) return;
      told = done;
      say(`${done} of ${total} cases`);
    },
  });
  for (const [test, result] of ran) results.set(runnables.get(test)!, result);
  const table = sweepTable(listing, results);
  for (const { name, form, result } of table.failures)
    console.log(
      `${name} (${form}): ${result.placement}: ${result.failure!.stage}: ${result.failure!.reason}${result.left === undefined ? '' : ` [${result.left}]`}`,
    );
  const { cases, right, compiled } = table.totals;
  console.log(`${cases} cases: ${right} right, ${compiled} compiled fully`);
  if (rest.length === 0) await writeSweepTable(table);
  if (right < cases) process.exitCode = 1;
});

/** The importer lists what it lacks in lines of their own. */
function reasonIn(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [first = '', ...lines] = text.split('\n');
  return lines.length > 0 ? lines.map((l) => l.trim()).join('; ') : first;
}
