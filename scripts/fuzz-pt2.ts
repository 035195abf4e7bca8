import { type ChildProcess, fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportedModules, fxModules, fxPathOf, pathOf } from '../fixtures/pt2/material.js';
import { childModule } from '../src/support/child-module.js';
import { scriptArguments } from './arguments.js';
import { repository, runProgram, say } from './cache.js';
import { mutantOf } from './fuzz-pt2/mutant.js';
import type { Batch, Tried } from './fuzz-pt2/worker.js';
import { machine } from './machine.js';

/**
 * Mutates the PyTorch archives and torch.fx files of the fixtures and reads the mutants, in a child process with 10 s for each.
 * --seed S (printed first): the same mutants again; --first I: from that one on; --mutants N (default 20,000);
 * --keep FOLDER: where mutants that show a bug are written. A run of at least 20,000 writes fixtures/tables/fuzz-pt2.md.
 */
const whole = 20_000;
const timeoutMs = 10_000;
const startMs = 120_000;

await runProgram(async () => {
  const { options } = scriptArguments(['seed', 'mutants', 'first', 'keep']);
  const number = (name: keyof typeof options, otherwise: number): number =>
    Number(options[name] ?? otherwise);
  const seed = number('seed', Date.now() % 2 ** 31);
  console.log(`seed ${seed}`);
  const files = [...exportedModules.map(pathOf), ...fxModules.map(fxPathOf)];
  const first = number('first', 0);
  const end = first + number('mutants', whole);
  const tried: Tried[] = [];
  const start = performance.now();
  let told = start;
  for (let next = first; next < end; )
    next = await batch({ files, seed, from: next, to: end }, (t) => {
      tried.push(t);
      if (t.bug) console.log(`${t.index}, ${t.what}: ${t.outcome}`);
      if (performance.now() - told < 15_000) return;
      told = performance.now();
      say(`${tried.length} mutants`);
    });
  const seconds = (performance.now() - start) / 1000;
  const bugs = tried.filter((t) => t.bug);
  for (const { index } of options.keep === undefined ? [] : bugs)
    await writeFile(join(options.keep!, `${index}`), mutantOf(files, seed, index).bytes);
  for (const [what, n] of tally(tried.map((t) => (t.bug ? 'BUG' : t.outcome))))
    console.log(`${String(n).padStart(7)} ${what}`);
  console.log(`${tried.length} mutants: ${bugs.length} bugs`);
  if (tried.length >= whole)
    await writeFile(
      join(repository, 'fixtures', 'tables', 'fuzz-pt2.md'),
      table(tried, { seed, seconds, archives: files.length }),
    );
  if (bugs.length > 0) process.exitCode = 1;
});

/** Tries mutants in a new process, up to the one that ends it; gives the number of the next. */
function batch(range: Batch, result: (t: Tried) => void): Promise<number> {
  const { path, execArgv } = childModule('fuzz-pt2/worker', import.meta.url);
  const child: ChildProcess = fork(path, {
    execArgv: [...execArgv, '--max-old-space-size=1024'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return new Promise((resolve) => {
    let at = range.from;
    let late = false;
    const limit = (ms: number): NodeJS.Timeout =>
      setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, ms);
    let timer = limit(startMs);
    child.on('message', (said: Tried | { readonly index: number }) => {
      clearTimeout(timer);
      timer = limit(timeoutMs);
      at = said.index;
      if (!('outcome' in said)) return;
      result(said);
      at++;
      if (at === range.to) child.disconnect();
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (at < range.to) {
        const outcome = late
          ? `not finished after ${timeoutMs / 1000} s`
          : `the process ended (${signal ?? code})`;
        const { source, kinds } = mutantOf(range.files, range.seed, at);
        const what = `${source.replace(/^.*\//, '')}: ${kinds.join(', ')}`;
        result({ index: at, what, kinds, outcome, bug: true, ms: late ? timeoutMs : 0 });
        at++;
      }
      resolve(at);
    });
    child.send(range);
  });
}

function tally(texts: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function table(
  tried: readonly Tried[],
  { seed, seconds, archives }: { readonly seed: number; readonly seconds: number; readonly archives: number },
): string {
  const bugs = tried.filter((t) => t.bug);
  const times = tried.map((t) => t.ms).sort((a, b) => a - b);
  const at = (share: number): string => times[Math.floor(share * (times.length - 1))]!.toFixed(0);
  const kinds = [...new Set(tried.flatMap((t) => t.kinds))].sort();
  const byKind = kinds.map((kind) => {
    const own = tried.filter((t) => t.kinds.includes(kind));
    const taken = own.filter((t) => t.outcome === 'taken').length;
    const bad = own.filter((t) => t.bug).length;
    return `| ${kind} | ${own.length} | ${own.length - taken - bad} | ${taken} | ${bad} |`;
  });
  return [
    '# Mutated PyTorch archives',
    '',
    `${tried.length} mutants of ${archives} archives and torch.fx files (fixtures/pt2), seed ${seed}: read, turned into a graph and written as ONNX, in a`,
    `child process with ${timeoutMs / 1000} s for each; ${(tried.length / seconds).toFixed(0)} a second. Half of them took less than ${at(0.5)} ms, 99 % less than ${at(0.99)} ms,`,
    `the slowest ${at(1)} ms. ${machine()}.`,
    'Written by `npx tsx scripts/fuzz-pt2.ts`.',
    '',
    '| outcome | mutants |',
    '|---|---|',
    ...tally(tried.map((t) => (t.bug ? 'BUG' : t.outcome))).map(([what, n]) => `| ${what} | ${n} |`),
    '',
    ...(bugs.length === 0
      ? []
      : [
          '## Bugs',
          '',
          '| mutant | of | what |',
          '|---|---|---|',
          ...bugs.map((b) => `| ${b.index} | ${b.what} | ${b.outcome.replaceAll('|', '\\|')} |`),
          '',
        ]),
    '## By mutation',
    '',
    '| mutation | mutants | refused | taken | bugs |',
    '|---|---|---|---|---|',
    ...byKind,
    '',
  ].join('\n');
}
