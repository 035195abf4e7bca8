import { expect, test } from 'vitest';
import { builder } from '../ops/op.js';
import { callOf, fn, pointwise } from '../ops/pointwise.js';
import { symbol } from './dim.js';
import { graph, inputValue } from './graph.js';
import { print } from './print.js';
import { any, as, commutes, made, match, nodesOf, rewrite, rule, shared, when } from './rewrite.js';
import { tensor } from './type.js';

const b = builder({ format: 'pass', name: 'test' });
const x = inputValue('x', tensor('f32', [symbol('B', 1, 64), 8]));
const y = inputValue('y', tensor('f32', [8]));
const square = rule('square', fn('mul', any('a'), any('a')), ({ a }) => b(pointwise, [a], callOf('abs', 1)));

test('a rule fires where its captures agree', () => {
  const g = graph([x, y], [b(pointwise, [x, x], callOf('mul', 2))]);
  expect(print(rewrite(g, [square]))).toMatchInlineSnapshot(`
    "  dim B in 1..64
      %0 = input("x") : f32[B,8]
      %1 = input("y") : f32[8]
      %2 = pointwise(%0, expr={abs($0)}) : f32[B,8]
      return %2"
  `);
});

test('a rule that does not match leaves the same graph object', () => {
  const g = graph([x, y], [b(pointwise, [x, y], callOf('mul', 2))]);
  expect(rewrite(g, [square])).toBe(g);
});

test('an inner value with a second reader is left alone', () => {
  const sum = b(pointwise, [x, y], callOf('add', 2));
  const root = b(pointwise, [sum], callOf('exp', 1));
  const inner = rule('exp-of-sum', fn('exp', commutes(fn('add', any('p'), any('q')))), ({ p }) => p);
  const alone = graph([x, y], [root]);
  const shared = graph([x, y], [root, sum]);
  expect(rewrite(alone, [inner])).not.toBe(alone);
  expect(rewrite(shared, [inner])).toBe(shared);
});

test('readers are counted through values rebuilt in the same sweep', () => {
  const doubled = b(pointwise, [x, x], callOf('mul', 2));
  const sum = b(pointwise, [doubled, y], callOf('add', 2));
  const g = graph([x, y], [b(pointwise, [sum], callOf('exp', 1)), sum]);
  const inner = rule('exp-of-sum', fn('exp', fn('add', any('p'), any('q'))), ({ p }) => p);
  expect(print(rewrite(g, [square, inner]))).toContain('exp($0)');
});

test('rules that never settle are an error that names them', () => {
  const flip = rule('flip', fn('add', any('p'), any('q')), ({ p, q }) =>
    b(pointwise, [q, p], callOf('add', 2)),
  );
  const g = graph([x, y], [b(pointwise, [x, y], callOf('add', 2))]);
  expect(() => rewrite(g, [flip])).toThrow(/flip/);
});

const once = (): number => 1;
const mul = (p: typeof x, q: typeof x): typeof x => b(pointwise, [p, q], callOf('mul', 2));

test('a name used twice matches one value twice', () => {
  const squared = fn('mul', any('a'), any('a'));
  expect(match(squared, mul(x, x), once)).toEqual({ a: x });
  expect(match(squared, mul(x, y), once)).toBeUndefined();
});

test('operands are exchanged only where the pattern says so', () => {
  const e = b(pointwise, [x], callOf('exp', 1));
  const pattern = fn('mul', fn('exp', any('a')), any('b'));
  expect(match(pattern, mul(e, y), once)).toEqual({ a: x, b: y });
  expect(match(pattern, mul(y, e), once)).toBeUndefined();
  expect(match(commutes(pattern), mul(y, e), once)).toEqual({ a: x, b: y });
});

test('conditions add up, and the matched value is captured', () => {
  const product = mul(x, y);
  const by = (n: number) => (node: { readonly inputs: readonly unknown[] }) => node.inputs.length === n;
  const pattern = as('all', when(when(made(pointwise, any('p'), any('q')), by(2)), by(2)));
  expect(match(pattern, product, once)).toEqual({ all: product, p: x, q: y });
  expect(match(when(pattern, by(3)), product, once)).toBeUndefined();
});

test('a shared pattern matches what others read as well', () => {
  const inner = mul(x, y);
  const outer = b(pointwise, [inner], callOf('exp', 1));
  const pattern = fn('mul', any('p'), any('q'));
  expect(match(fn('exp', pattern), outer, () => 2)).toBeUndefined();
  expect(match(fn('exp', shared(pattern)), outer, () => 2)).toEqual({ p: x, q: y });
});

test('the first rule that does not decline fires, and is named', () => {
  const names: string[] = [];
  const declines = rule('declines', fn('mul', any('p'), any('q')), () => undefined);
  const g = graph([x, y], [mul(x, x), mul(x, y)]);
  const next = rewrite(g, [declines, square], (name) => names.push(name));
  expect(names).toEqual(['square']);
  expect(nodesOf(next, pointwise)).toHaveLength(2);
  expect(next.outputs[1]).toBe(g.outputs[1]);
});

test('a rule for every value is refused', () => {
  const all = rule('all', any('a'), ({ a }) => a);
  expect(() => rewrite(graph([x], [x]), [all])).toThrow('rule all would match every value');
});
