import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call, cast } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { conv } from '../src/ops/conv.js';
import { pointwise } from '../src/ops/pointwise.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, konst, of, text } from './graphs.fixtures.js';
import { patches } from './patches.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = inputValue('x', tensor('f32', [B, 3, 8, 12]));
const half = b(pointwise, [x], { expr: cast('f16', arg(0)) });
const values = Array.from({ length: 5 * 3 * 16 }, (_, i) => ((i * 7) % 11) / 16 - 0.25);
const weights = konst([5, 3, 4, 4], values, 'f16');
const bias = konst([5, 1, 1], [1, -2, 0.5, 4, 0], 'f16');
const window = {
  kernel: [4, 4],
  strides: [4, 4],
  pads: [0, 0, 0, 0],
  dilations: [1, 1],
  groups: 1,
  layout: 'NCX',
  epilogue: call('add', arg(0), arg(1)),
} as const;
const convolved = (attrs: object = {}): Value => b(conv, [half, weights, bias], { ...window, ...attrs });

test('windows side by side are patches of a product', async () => {
  const g = of([x], convolved());
  const made = patches.run(g);
  expect(text(made).replace(/ #\w+/g, '')).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={f16($0)}) : f16[B,3,8,12]
    %2 = reshape(%1, shape=[B, 3, 2, 4, 3, 4]) : f16[B,3,2,4,3,4]
    %3 = transpose(%2, perm=[0, 2, 4, 1, 3, 5]) : f16[B,2,3,3,4,4]
    %4 = reshape(%3, shape=[B, 2, 3, 48]) : f16[B,2,3,48]
    %5 = constant(value=f16[5,48]) : f16[5,48]
    %6 = constant(value=f16[5,1,1] {1, -2, 0.5, 4, 0}) : f16[5,1,1]
    %7 = reshape(%6, shape=[5]) : f16[5]
    %8 = matmul(%4, %5, %7, transA=false, transB=true, epilogue={add($0, $1)}) : f16[B,2,3,5]
    %9 = transpose(%8, perm=[0, 3, 1, 2]) : f16[B,5,2,3]
    return %9"
  `);
  expect(await sameMeaning(g, made, 1, reference)).toEqual([]);
});

test.each([
  ['windows overlap', { strides: [2, 4] }],
  ['an edge is filled up', { pads: [0, 2, 0, 2] }],
])('%s: it stays', (_, attrs) => {
  const g = of([x], convolved(attrs));
  expect(patches.run(g)).toBe(g);
});
