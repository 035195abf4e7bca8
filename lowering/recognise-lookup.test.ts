import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, cast } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, iota, konst, of, text } from './graphs.fixtures.js';
import { recogniseLookup } from './recognise-lookup.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const drawn = inputValue('drawn', tensor('i32', [B, 6, 3]));
/** Indices on both sides of the table and inside. */
const ids = b(reduce, [b(pointwise, [drawn, konst([3], [-2, 1, 5], 'i32')], callOf('mul', 2))], {
  kind: 'sum',
  axes: [2],
  keepdims: true,
});
const hot = (...counted: readonly number[]): Value => {
  const equal = b(pointwise, [ids, konst([counted.length], counted, 'i32')], callOf('eq', 2));
  return b(pointwise, [equal], { expr: cast('f32', arg(0)) });
};
const product = (rows: Value): Value => b(matmul, [rows, iota(4, 3)], { transA: false, transB: false });

test('comparing with 0, 1, 2, … and multiplying looks up rows', async () => {
  const g = of([drawn], product(hot(0, 1, 2, 3)));
  const after = recogniseLookup.run(g);
  expect(text(after)).toMatchInlineSnapshot(`
    "%1 = constant(value=i32[3] {-2, 1, 5}) : i32[3]
    %2 = pointwise(%0, %1, expr={mul($0, $1)}) : i32[B,6,3]
    %3 = reduce(%2, kind="sum", axes=[2], keepdims=true) : i32[B,6,1]
    %4 = constant(value=f32[4,3] #a33b90ba70847689) : f32[4,3]
    %5 = reshape(%3, shape=[B, 6]) : i32[B,6]
    %6 = pointwise(%5, expr={min(max($0, 0:i32), 3:i32)}) : i32[B,6]
    %7 = gather(%4, %6, axis=0) : f32[B,6,3]
    %8 = pointwise(%3, %7, expr={select(eq($0, min(max($0, 0:i32), 3:i32)), $1, 0:f32)}) : f32[B,6,3]
    return %8"
  `);
  expect(await sameMeaning(g, after, 5, reference)).toEqual([]);
});

test('other comparisons, and rows that somebody else reads, stay', () => {
  const doubled = b(pointwise, [ids], callOf('neg', 1));
  const other = b(pointwise, [doubled, konst([4], [0, 1, 2, 3], 'i32')], callOf('eq', 2));
  const moved = of([drawn], product(b(pointwise, [other], { expr: cast('f32', arg(0)) })));
  expect(text(recogniseLookup.run(moved))).toContain('neg($0)');
  const odd = of([drawn], product(hot(0, 1, 3, 2)));
  expect(recogniseLookup.run(odd)).toBe(odd);
  const rows = hot(0, 1, 2, 3);
  const shared = of([drawn], product(rows), rows);
  expect(recogniseLookup.run(shared)).toBe(shared);
});
