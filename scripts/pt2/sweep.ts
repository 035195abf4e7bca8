import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { scriptArguments } from '../arguments.js';
import { cacheRoot, runProgram, say } from '../cache.js';
import { type CaseResult, sentence } from '../conformance/case-result.js';
import { runCases } from '../conformance/run-cases.js';
import type { SuiteCase } from '../suite-fetch.js';
import { runnable, type SweepCase, sweep } from './sweep-cases.js';
import { sweepTable, writeSweepTable } from './sweep-table.js';

type Results = Readonly<Record<string, CaseResult>>;

const kept = join(cacheRoot, 'pt2-sweep-results.json');
const portion = 400;

/**
 * Runs every exported form of the ATen operators through the product and writes fixtures/tables/aten.{md,json}.
 * Operators given as arguments select cases; no table is written then. --jobs N: batches worked on at a time.
 * --resume: results of a run that was cut short, with sources like these, count.
 */
await runProgram(async () => {
  const { rest, options, flags } = scriptArguments(['jobs'], ['resume']);
  const { root, listing } = await sweep();
  const chosen = listing.cases.filter((c) => rest.length === 0 || rest.includes(c.operator));
  let results: Results = flags.has('resume')
    ? JSON.parse(await readFile(kept, 'utf8').catch(() => '{}'))
    : {};
  const open = chosen.filter((c) => results[c.name] === undefined);
  for (let i = 0; i < open.length; i += portion) {
    const found = await resultsOf(root, open.slice(i, i + portion), Number(options.jobs ?? 2));
    results = { ...results, ...found };
    if (rest.length === 0) await writeFile(kept, JSON.stringify(results));
    say(`${Math.min(open.length, i + portion)} of ${open.length} cases`);
  }
  const table = sweepTable(listing, new Map(chosen.map((c) => [c, results[c.name]!])));
  for (const { name, form, result } of table.failures)
    console.log(
      `${name} (${form}): ${result.placement}: ${result.failure!.stage}: ${result.failure!.reason}${result.left === undefined ? '' : ` [${result.left}]`}`,
    );
  const { cases, right, compiled } = table.totals;
  console.log(`${cases} cases: ${right} right, ${compiled} compiled fully`);
  if (rest.length === 0) await writeSweepTable(table);
  if (right < cases) process.exitCode = 1;
});

async function resultsOf(root: string, cases: readonly SweepCase[], jobs: number): Promise<Results> {
  const results: Record<string, CaseResult> = {};
  const runnables = new Map<SuiteCase, SweepCase>();
  for (const test of cases) {
    try {
      runnables.set(await runnable(root, test), test);
    } catch (e) {
      results[test.name] = {
        placement: 'onnxruntime',
        failure: { stage: 'import', reason: sentence(reasonIn(e)) },
      };
    }
    await sleep(0);
  }
  for (const [test, result] of await runCases([...runnables.keys()], { jobs }))
    results[runnables.get(test)!.name] = result;
  return results;
}

/** The importer lists what it lacks in lines of their own. */
function reasonIn(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [first = '', ...lines] = text.split('\n');
  return lines.length > 0 ? lines.map((l) => l.trim()).join('; ') : first;
}
