import { expect, test } from 'vitest';
import { builder } from '../ops/op.js';
import { callOf, fn, pointwise } from '../ops/pointwise.js';
import { symbol } from './dim.js';
import { graph, inputValue } from './graph.js';
import { print } from './print.js';
import { any, commutes, rewrite, rule } from './rewrite.js';
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
