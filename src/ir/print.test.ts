import { expect, test } from 'vitest';
import { konst } from '../../lowering/graphs.fixtures.js';
import { dims } from '../ops/constant.js';
import { builder } from '../ops/op.js';
import { callOf, pointwise } from '../ops/pointwise.js';
import { reshape } from '../ops/reshape.js';
import { add, mul, symbol } from './dim.js';
import { type Attrs, graph, inputValue, type Op } from './graph.js';
import { literalOf, scalarLiteral } from './literal.js';
import { print, showAttr, showShape } from './print.js';
import { tensor } from './type.js';

const b = builder({ format: 'pass', name: 'test' });
const B = symbol('B', 1, 64);
const n = symbol('n');

test('a graph reads from its inputs to its results, with ranges and run-time symbols', () => {
  const [x, sizes] = [inputValue('x', tensor('f32', [B, 8])), inputValue('sizes "2"', tensor('i64', [2]))];
  const y = b(reshape, [b(pointwise, [x, konst([8], [1, 2, 3, 4, 5, 6, 7, 8])], callOf('mul', 2))], {
    shape: [n, mul(2, B)],
  });
  const g = graph([x, sizes], [y, x], ['y', 'x'], new Map([['n', { value: sizes, element: 1 }]]));
  expect(print(g)).toMatchInlineSnapshot(`
    "  dim B in 1..64
      %0 = input("x") : f32[B,8]
      %1 = input("sizes \\"2\\"") : i64[2]
      %2 = constant(value=f32[8] {1, 2, 3, 4, 5, 6, 7, 8}) : f32[8]
      %3 = pointwise(%0, %2, expr={mul($0, $1)}) : f32[B,8]
      %4 = reshape(%3, shape=[n, 2*B]) : f32[n,2*B]
      bind n = %1[1]
      return %4, %0"
  `);
});

test('a symbol that is not used is not shown', () => {
  const x = inputValue('x', tensor('f32', [2]));
  const dead = b(dims, [], { dims: [B], dtype: 'i64', shape: [1] });
  const g = graph([x], [x], ['y'], new Map([['m', { value: dead, element: 0 }]]));
  expect(print(g)).toBe('  %0 = input("x") : f32[2]\n  return %0');
});

test('a body is shown inside its node', () => {
  const branch: Op<Attrs> = { name: 'branch', infer: ([x]) => [x!] };
  const x = inputValue('x', tensor('f32', []));
  const inner = inputValue('i', tensor('f32', []));
  const y = b(branch, [x], { body: graph([inner], [b(pointwise, [inner], callOf('exp', 1))]) });
  expect(print(graph([x], [y]))).toMatchInlineSnapshot(`
    "  %0 = input("x") : f32[]
      %1 = branch(%0, body={
          %0 = input("i") : f32[]
          %1 = pointwise(%0, expr={exp($0)}) : f32[]
          return %1
      }) : f32[]
      return %1"
  `);
});

test.each([
  [undefined, 'none'],
  [true, 'true'],
  [-0, '-0'],
  [2.5, '2.5'],
  [7n, '7n'],
  ['say "a"\n', '"say \\"a\\"\\n"'],
  [add(B, 1), 'B+1'],
  [[1, [B]], '[1, [B]]'],
  [{ a: 1, gone: undefined, deep: { s: 'x' } }, '{a: 1, deep: {s: "x"}}'],
  [tensor('u4', [B, 3]), 'u4[B,3]'],
  [{ kind: 'opaque', text: 'a sequence' }, 'opaque<a sequence>'],
  [scalarLiteral('f32', -0), 'f32[] {-0}'],
  [scalarLiteral('i64', 2n ** 62n), 'i64[] {4611686018427387904}'],
] as const)('attribute %#', (value, text) => {
  expect(showAttr(value as never)).toBe(text);
});

test('a large literal is shown by its content', () => {
  const [a, c] = [0, 1].map((last) => literalOf('i8', [9], [1, 2, 3, 4, 5, 6, 7, 8, last]));
  expect(showAttr(a)).toMatch(/^i8\[9\] #[0-9a-f]{16}$/);
  expect(showAttr(a)).not.toBe(showAttr(c));
  expect(showShape([B, 4])).toBe('[B, 4]');
});
