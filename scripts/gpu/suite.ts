import { mkdir, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { execaNode } from 'execa';
import { precisions } from '../../src/cli/command.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { childModule } from '../../src/support/child-module.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { backendFor, type TargetOptions } from '../../src/target.js';
import { scriptArguments } from '../arguments.js';
import { repository, runProgram, say } from '../cache.js';
import { batchesOf } from '../conformance/build-cases.js';
import { suite } from '../suite-fetch.js';
import { type Row, replace, runFolder, storeBatch } from './suite-folder.js';

/**
 * Usage: tsx scripts/gpu/suite.ts [--build DIR | --run DIR] [--target cuda] [--arch A] [--only REGEX] [--precision P,P]
 * [--jobs N] [--batch N] [--seconds S] [--timeout S] [--out DIR] [--show]: the suites' cases on a GPU in fp16, bf16 and
 * fp32, against their recorded outputs. Cases that onnxruntime has a part in are only counted. Writes gpu-suite.md and
 * gpu-suite.json while it runs, so that what ends it early leaves what was done.
 * --build only compiles, into DIR, and needs no GPU; --run runs what is there, and needs no compiler. No batch is
 * built more than S seconds after its precision was begun; a case may run for --timeout seconds;
 * --show shows what the processes print that run them.
 */

interface Outcome {
  readonly precision: string;
  readonly rows: readonly Row[];
  readonly all: number;
  readonly seconds: number;
}

const { options, flags } = scriptArguments(
  [
    ...(['build', 'run', 'target', 'arch', 'only', 'precision', 'jobs', 'batch', 'seconds'] as const),
    ...(['timeout', 'out', 'share'] as const),
  ],
  ['show'],
);
const jobs = Number(options.jobs ?? availableParallelism());
const only = new RegExp(options.only ?? '.');
const asked = options.precision?.split(',');
const out = resolve(options.out ?? join(repository, 'fixtures', 'tables'));

/** Every n-th batch of a precision, into its folder. */
async function buildShare(folder: string, precision: string, index: number, of: number): Promise<void> {
  const end = performance.now() + 1000 * Number(options.seconds ?? Number.POSITIVE_INFINITY);
  const target = (options.target ?? 'cuda') as TargetOptions['target'];
  const backend = await backendFor({ target, arch: options.arch, precision: precisions[precision] });
  const cases = (await suite()).filter((c) => only.test(c.name));
  const reference = new OnnxruntimeProcess();
  try {
    for (const [i, batch] of batchesOf(cases, Number(options.batch ?? 24)).entries())
      if (i % of === index && performance.now() < end)
        await storeBatch(batch, join(folder, String(i).padStart(3, '0')), backend, reference);
  } finally {
    reference.dispose();
  }
}

/** By processes of their own: starting compilers keeps one busy. */
async function build(folder: string, precision: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { path, execArgv } = childModule('suite', import.meta.url);
  const children = Array.from({ length: jobs }, (_, i) => {
    const own = ['--build', folder, '--precision', precision, '--share', `${i}/${jobs}`];
    return execaNode(path, [...passedOn(), ...own], { nodeOptions: execArgv, stdout: 'ignore' });
  });
  await Promise.all(children);
}

const passedOn = (): readonly string[] =>
  (['target', 'arch', 'only', 'batch', 'seconds'] as const).flatMap((name) =>
    options[name] === undefined ? [] : [`--${name}`, options[name]],
  );

function summary({ precision, rows, all, seconds }: Outcome): string {
  const compiled = rows.filter((r) => r.compiled);
  const right = compiled.filter((r) => r.failure === undefined);
  const cells = [precision, all, rows.length, compiled.length, right.length, seconds.toFixed(0)];
  return `| ${cells.join(' | ')} |`;
}

const failuresOf = ({ rows }: Outcome): readonly Row[] => rows.filter((r) => r.failure !== undefined);

function write(outcomes: readonly Outcome[]): void {
  const wrong = outcomes.flatMap((o) => failuresOf(o).map((r) => `* ${o.precision} ${r.name}: ${r.failure}`));
  const text = [
    '| precision | cases | run | fully compiled | of them right | seconds |',
    '|---|---|---|---|---|---|',
    ...outcomes.map(summary),
    '',
    ...(wrong.length === 0 ? [] : ['Not right:', '', ...wrong, '']),
  ].join('\n');
  replace(join(out, 'gpu-suite.md'), text);
  const found = outcomes.map((o) => {
    const failures = Object.fromEntries(failuresOf(o).map((r) => [r.name, r.failure]));
    const compiled = o.rows.filter((r) => r.compiled).length;
    return [o.precision, { cases: o.all, run: o.rows.length, compiled, failures }] as const;
  });
  replace(join(out, 'gpu-suite.json'), `${JSON.stringify(Object.fromEntries(found), undefined, 1)}\n`);
}

async function run(folder: string, precision: string, before: readonly Outcome[]): Promise<Outcome> {
  const start = performance.now();
  let outcome: Outcome = { precision, rows: [], all: 0, seconds: 0 };
  let written = Number.NEGATIVE_INFINITY;
  await runFolder(folder, {
    ...{ jobs, only, timeoutMs: 1000 * Number(options.timeout ?? 60), show: flags.has('show') },
    progress: (rows, all) => {
      const now = performance.now();
      outcome = { precision, rows, all, seconds: (now - start) / 1000 };
      if (now - written < 1000) return;
      written = now;
      write([...before, outcome]);
    },
  });
  return outcome;
}

async function both(directory: string, precisions: readonly string[]): Promise<void> {
  const outcomes: Outcome[] = [];
  await mkdir(out, { recursive: true });
  for (const precision of precisions) {
    const folder = join(directory, precision);
    if (options.run === undefined) await build(folder, precision);
    outcomes.push(await run(folder, precision, outcomes));
    write(outcomes);
    console.log(summary(outcomes.at(-1)!));
  }
  if (outcomes.some((o) => failuresOf(o).length > 0)) process.exitCode = 1;
}

await runProgram(async () => {
  const all = ['fp16', 'bf16', 'fp32'];
  if (options.build !== undefined && options.share !== undefined) {
    const [index, of] = options.share.split('/').map(Number);
    await buildShare(options.build, options.precision!, index!, of!);
  } else if (options.build !== undefined) {
    for (const precision of asked ?? all) {
      const start = performance.now();
      await build(join(resolve(options.build), precision), precision);
      say(`${precision} built in ${((performance.now() - start) / 1000).toFixed(0)} s`);
    }
  } else if (options.run !== undefined) {
    const there = await readdir(options.run);
    await both(
      resolve(options.run),
      (asked ?? all).filter((p) => there.includes(p)),
    );
  } else await withTemporaryDirectory('ait-suite', (dir) => both(dir, asked ?? all));
});
