import { expect, test } from 'vitest';
import { symbol } from '../src/ir/dim.js';
import { arg, call, cast, constant } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { type DType, tensor } from '../src/ir/type.js';
import { concat } from '../src/ops/concat.js';
import { gather, gatherElements } from '../src/ops/gather.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { b, iota, of } from './graphs.fixtures.js';
import { inputBounds } from './input-bounds.js';

const ids = (name: string, dtype: DType = 'i64'): Value => inputValue(name, tensor(dtype, [2, 3]));
const lookUp = (rows: number, at: Value): Value => b(gather, [iota(rows, 4), at], { axis: 0 });
const at = ids('at');

test('an input that indexes a table stays below its size', () => {
  expect([...inputBounds(of([at], lookUp(7, at)))]).toEqual([[at, 7]]);
  const wide = b(gather, [iota(2, 5), at], { axis: 1 });
  expect([...inputBounds(of([at], wide))]).toEqual([[at, 5]]);
  const elements = b(gatherElements, [iota(9, 3), at], { axis: 0 });
  expect([...inputBounds(of([at], elements))]).toEqual([[at, 9]]);
});

test('of several tables the smallest counts', () => {
  expect([...inputBounds(of([at], lookUp(7, at), lookUp(3, at), lookUp(5, at)))]).toEqual([[at, 3]]);
});

test('indices are followed through what only moves them, and casts between integers', () => {
  const narrow = ids('narrow', 'i32');
  const moved = b(transpose, [b(pointwise, [narrow], { expr: cast('i64', arg(0)) })], { perm: [1, 0] });
  const flat = b(concat, [b(reshape, [moved], { shape: [6] }), b(reshape, [at], { shape: [6] })], {
    axis: 0,
  });
  const bounds = inputBounds(of([at, narrow], lookUp(11, flat)));
  expect(bounds).toEqual(
    new Map([
      [at, 11],
      [narrow, 11],
    ]),
  );
});

test('not through arithmetic of two values, nor from floats', () => {
  const sum = b(pointwise, [at, ids('other')], { expr: call('add', arg(0), arg(1)) });
  expect(inputBounds(of([at], lookUp(7, sum))).size).toBe(0);
  const real = ids('real', 'f32');
  const cut = b(pointwise, [real], { expr: cast('i64', arg(0)) });
  expect(inputBounds(of([real], lookUp(7, cut))).size).toBe(0);
});

test('not through arithmetic that can leave the range', () => {
  const shifted = b(pointwise, [at], { expr: call('add', arg(0), constant(100n, 'i64')) });
  expect(inputBounds(of([at], lookUp(7, shifted))).size).toBe(0);
});

test('through arithmetic that counts from the end', () => {
  const zero = constant(0n, 'i64');
  const wrapped = call('select', call('lt', arg(0), zero), call('add', arg(0), constant(7n, 'i64')), arg(0));
  const fromEnd = call('sub', arg(0), constant(7n, 'i64'));
  for (const expr of [wrapped, fromEnd])
    expect([...inputBounds(of([at], lookUp(7, b(pointwise, [at], { expr }))))]).toEqual([[at, 7]]);
});

test('a table of unknown size tells nothing', () => {
  const table = inputValue('table', tensor('f32', [symbol('V'), 4]));
  expect(inputBounds(of([at, table], b(gather, [table, at], { axis: 0 }))).size).toBe(0);
});
