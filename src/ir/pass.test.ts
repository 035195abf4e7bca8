import { expect, test } from 'vitest';
import { builder } from '../ops/op.js';
import { callOf, fn, pointwise } from '../ops/pointwise.js';
import { CompileError } from '../support/diagnostic.js';
import { type Graph, graph, inputValue } from './graph.js';
import { dumper, type Pass, rewrites, runPasses } from './pass.js';
import { any, rule } from './rewrite.js';
import { tensor } from './type.js';

const b = builder({ format: 'pass', name: 'test' });
const x = inputValue('x', tensor('f32', [2]));
const start = graph([x], [b(pointwise, [x], callOf('exp', 1))]);
const other = graph([x], [b(pointwise, [x], callOf('abs', 1))]);
const pass = (name: string, run: Pass['run']): Pass => ({ name, run });
const fails = (): never => {
  throw new CompileError('broken-graph', 'it broke');
};

async function notesOf(run: Promise<unknown>): Promise<readonly string[]> {
  const e = await run.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(e).toBeInstanceOf(CompileError);
  return (e as CompileError).notes;
}

test('passes run in order; what they made is verified when it is another graph', async () => {
  const seen: string[] = [];
  const verified: Graph[] = [];
  const result = await runPasses(
    start,
    [pass('same', (g) => g), pass('later', async () => other), pass('last', (g) => g)],
    (g) => verified.push(g),
    { pass: (name, before, after) => seen.push(`${name} ${before === after}`) },
  );
  expect(result).toBe(other);
  expect(verified).toEqual([start, other]);
  expect(seen).toEqual(['same true', 'later false', 'last true']);
});

test('an error names the pass that failed, or that broke the graph', async () => {
  expect(await notesOf(runPasses(start, [pass('one', (g) => g), pass('two', fails)], () => {}))).toEqual([
    'in pass two',
  ]);
  expect(await notesOf(runPasses(start, [pass('late', async () => fails())], () => {}))).toEqual([
    'in pass late',
  ]);
  const verify = (g: Graph): void => {
    if (g === other) fails();
  };
  expect(await notesOf(runPasses(start, [pass('bad', () => other)], verify))).toEqual(['after pass bad']);
});

test('an error that is no CompileError is handed on as it is', async () => {
  const bug = new TypeError('undefined is not a function');
  const run = runPasses(
    start,
    [
      pass('one', () => {
        throw bug;
      }),
    ],
    () => {},
  );
  await expect(run).rejects.toBe(bug);
});

test('rules make a pass', () => {
  const toAbs = rule('to-abs', fn('exp', any('p')), ({ p }) => b(pointwise, [p], callOf('abs', 1)));
  const named = rewrites('to-abs', [toAbs]);
  expect(named.name).toBe('to-abs');
  expect(named.run(start)).not.toBe(start);
  expect(named.run(other)).toBe(other);
});

test('the dumper prints graphs that changed, of passes whose name matches', () => {
  const out: string[] = [];
  const { pass: trace } = dumper(/^fuse/, (s) => out.push(s));
  trace('fuse-a', start, start, 1);
  trace('simplify', start, other, 1);
  trace('fuse-b', start, other, 1.25);
  expect(out).toHaveLength(1);
  expect(out[0]).toMatch(/^\/\/ after fuse-b \(1\.3 ms\)\n {2}%0 = input\("x"\)/);
});
