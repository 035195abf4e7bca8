import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { execaNode } from 'execa';
import { precisions } from '../../src/cli/command.js';
import { childModule } from '../../src/support/child-module.js';
import type { TargetOptions } from '../../src/target.js';
import { scriptArguments } from '../arguments.js';
import { repository, runProgram, say } from '../cache.js';
import { sentence } from '../conformance/case-result.js';
import { runCases } from '../conformance/run-cases.js';
import { type SuiteCase, suite } from '../suite-fetch.js';

/**
 * Usage: tsx scripts/gpu/suite.ts [--target cuda] [--arch A] [--only REGEX] [--precision P,P] [--jobs N] [--seconds S]
 * [--out DIR]: the suites' cases on a GPU in fp16, bf16 and fp32, against their recorded outputs. Cases that onnxruntime has a
 * part in are only counted. Writes gpu-suite.md; no case is begun more than S seconds after its precision was.
 * The cases are shared among N processes: starting compilers keeps one busy.
 */

interface Row {
  readonly name: string;
  readonly compiled: boolean;
  readonly failure?: string;
}

interface Outcome {
  readonly precision: string;
  readonly rows: readonly Row[];
  readonly all: number;
  readonly seconds: number;
}

const names = ['target', 'arch', 'only', 'precision', 'jobs', 'seconds', 'out', 'share'] as const;
const { options } = scriptArguments(names);
const limit = Number(options.seconds ?? Number.POSITIVE_INFINITY);

const chosen = async (): Promise<readonly SuiteCase[]> =>
  (await suite()).filter((c) => new RegExp(options.only ?? '.').test(c.name));

/** The results of every n-th batch of cases, on standard output. */
async function share(index: number, of: number): Promise<void> {
  const start = performance.now();
  const cases = (await chosen()).filter((_, i) => Math.floor(i / batch) % of === index);
  const results = await runCases(cases, {
    ...{ fallback: false, jobs: 1, batch },
    until: () => performance.now() - start > 1000 * limit,
    target: {
      target: (options.target ?? 'cuda') as TargetOptions['target'],
      arch: options.arch,
      precision: precisions[options.precision!],
    },
  });
  const rows = [...results].map(
    ([{ name }, { placement, failure }]): Row => ({
      ...{ name, compiled: placement === 'compiled' },
      ...(failure === undefined ? {} : { failure: `${failure.stage}: ${sentence(failure.reason, 300)}` }),
    }),
  );
  console.log(JSON.stringify(rows));
}

const batch = 24;

async function inPrecision(precision: string, jobs: number): Promise<Outcome> {
  const start = performance.now();
  const { path, execArgv } = childModule('suite', import.meta.url);
  const children = Array.from({ length: jobs }, async (_, i) => {
    const own = ['--precision', precision, '--share', `${i}/${jobs}`];
    const { stdout } = await execaNode(path, [...process.argv.slice(2), ...own], { nodeOptions: execArgv });
    return JSON.parse(stdout.split('\n').at(-1)!) as readonly Row[];
  });
  const rows = (await Promise.all(children)).flat();
  return {
    ...{ precision, rows, all: (await chosen()).length },
    seconds: (performance.now() - start) / 1000,
  };
}

function summary({ precision, rows, all, seconds }: Outcome): string {
  const compiled = rows.filter((r) => r.compiled);
  const right = compiled.filter((r) => r.failure === undefined);
  const cells = [precision, all, rows.length, compiled.length, right.length, seconds.toFixed(0)];
  return `| ${cells.join(' | ')} |`;
}

await runProgram(async () => {
  if (options.share !== undefined) {
    const [index, of] = options.share.split('/').map(Number);
    await share(index!, of!);
    return;
  }
  const outcomes: Outcome[] = [];
  for (const precision of (options.precision ?? 'fp16,bf16,fp32').split(',')) {
    outcomes.push(await inPrecision(precision, Number(options.jobs ?? availableParallelism())));
    say(summary(outcomes.at(-1)!));
  }
  const wrong = outcomes.flatMap(({ precision, rows }) =>
    rows.flatMap((r) => (r.compiled && r.failure ? [`* ${precision} ${r.name}: ${r.failure}`] : [])),
  );
  const text = [
    '| precision | cases | run | fully compiled | of them right | seconds |',
    '|---|---|---|---|---|---|',
    ...outcomes.map(summary),
    '',
    ...(wrong.length === 0 ? [] : ['Not right:', '', ...wrong, '']),
  ].join('\n');
  await writeFile(join(options.out ?? join(repository, 'fixtures', 'tables'), 'gpu-suite.md'), text);
  console.log(text);
  if (wrong.length > 0) process.exitCode = 1;
});
