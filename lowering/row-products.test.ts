import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import type { Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { matmul } from '../src/ops/matmul.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { b, f32, iota, of, text } from './graphs.fixtures.js';
import { rowProducts } from './row-products.js';
import { simplify } from './simplify.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const plain = { transA: false, transB: false };
const turn = (v: Value): Value => b(transpose, [v], { perm: [1, 0, 2] });

/** Five rows of two samples, four features, two heads. */
function layer(): { readonly x: Value; readonly y: Value } {
  const x = f32('x', 2, 5, 4);
  const all = b(matmul, [turn(x), iota(4, 12)], plain);
  const heads = [0, 1, 2].map((i) => {
    const own = b(reshape, [slicedAxis(b, all, 2, i * 4, 4)], { shape: [5, 2, 2, 2] });
    return b(transpose, [own], { perm: [1, 2, 0, 3] });
  });
  const attended = b(attention, heads, {
    scale: 0.01,
    softcap: 0,
    mask: false,
    lengths: false,
    rowsFirst: [false, false, false, false],
  });
  const rows = b(reshape, [b(transpose, [attended], { perm: [2, 0, 1, 3] })], { shape: [10, 4] });
  const projected = b(reshape, [b(matmul, [rows, iota(4, 6)], plain)], { shape: [5, 2, 6] });
  return { x, y: turn(projected) };
}

test('rows that were turned on their way to a product are not turned back behind it', async () => {
  const { x, y } = layer();
  const g = of([x], y);
  const made = simplify.run(rowProducts.run(g)) as typeof g;
  expect(text(made).replace(/ #\w+/g, '')).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[1, 0, 2]) : f32[5,2,4]
    %2 = constant(value=f32[4,12]) : f32[4,12]
    %3 = matmul(%1, %2, transA=false, transB=false) : f32[5,2,12]
    %4 = slice(%3, starts=[0, 0, 0], steps=[1, 1, 1], shape=[5, 2, 4]) : f32[5,2,4]
    %5 = reshape(%4, shape=[5, 2, 2, 2]) : f32[5,2,2,2]
    %6 = transpose(%5, perm=[1, 2, 0, 3]) : f32[2,2,5,2]
    %7 = slice(%3, starts=[0, 0, 4], steps=[1, 1, 1], shape=[5, 2, 4]) : f32[5,2,4]
    %8 = reshape(%7, shape=[5, 2, 2, 2]) : f32[5,2,2,2]
    %9 = transpose(%8, perm=[1, 2, 0, 3]) : f32[2,2,5,2]
    %10 = slice(%3, starts=[0, 0, 8], steps=[1, 1, 1], shape=[5, 2, 4]) : f32[5,2,4]
    %11 = reshape(%10, shape=[5, 2, 2, 2]) : f32[5,2,2,2]
    %12 = transpose(%11, perm=[1, 2, 0, 3]) : f32[2,2,5,2]
    %13 = attention(%6, %9, %12, scale=0.01, softcap=0, mask=false, lengths=false, rowsFirst=[false, false, false, true]) : f32[2,5,2,2]
    %14 = reshape(%13, shape=[2, 5, 4]) : f32[2,5,4]
    %15 = constant(value=f32[4,6]) : f32[4,6]
    %16 = matmul(%14, %15, transA=false, transB=false) : f32[2,5,6]
    return %16"
  `);
  expect(await sameMeaning(g, made, 1, reference)).toEqual([]);
});

test('rows that are not turned back stay turned', () => {
  const x = f32('x', 2, 5, 4);
  const g = of([x], b(matmul, [turn(x), iota(4, 3)], plain));
  expect(rowProducts.run(g)).toBe(g);
});
