import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import type { Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { b, f32, iota, of, text } from './graphs.fixtures.js';
import { rowProducts } from './row-products.js';
import { simplify } from './simplify.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const attrs = {
  scale: 0.5,
  softcap: 0,
  mask: false,
  lengths: false,
  rowsFirst: [false, false, false, false],
} as const;
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
  const attended = b(attention, heads, { ...attrs, scale: 0.01 });
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

const [q, k, v] = ['q', 'k', 'v'].map((name) => f32(name, 3, 2, 5, 4)) as [Value, Value, Value];
const heads = b(attention, [q, k, v], attrs);
const bias = iota(6);
const w = f32('w', 8, 6);

/** Three samples of five rows, the rows in front, as a product with weights of eight rows takes them. */
const rowsFirst = b(reshape, [b(transpose, [heads], { perm: [2, 0, 1, 3] })], { shape: [15, 8] });
const back = (x: Value): Value => b(transpose, [b(reshape, [x], { shape: [5, 3, 6] })], { perm: [1, 0, 2] });

test('a product of rows in front of samples is one of samples in front of rows', async () => {
  const product = b(matmul, [rowsFirst, w], plain);
  const g = of([q, k, v, w], back(b(pointwise, [product, bias], callOf('add', 2))));
  const done = simplify.run(rowProducts.run(g));
  expect(text(done)).toMatchInlineSnapshot(`
    "%4 = attention(%0, %1, %2, scale=0.5, softcap=0, mask=false, lengths=false, rowsFirst=[false, false, false, true]) : f32[3,5,2,4]
    %5 = reshape(%4, shape=[3, 5, 8]) : f32[3,5,8]
    %6 = matmul(%5, %3, transA=false, transB=false) : f32[3,5,6]
    %7 = constant(value=f32[6] {0, 1, 2, 3, 4, 5}) : f32[6]
    %8 = pointwise(%6, %7, expr={add($0, $1)}) : f32[3,5,6]
    return %8"
  `);
  expect(await sameMeaning(g, done, 1, reference)).toEqual([]);
}, 60_000);

test('rows that differ in what is added, or are read elsewhere, stay as they are', () => {
  const product = b(matmul, [rowsFirst, w], plain);
  const different = of([], back(b(pointwise, [product, f32('more', 15, 6)], callOf('add', 2))));
  expect(rowProducts.run(different)).toBe(different);
  const read = of([], back(product), product);
  expect(rowProducts.run(read)).toBe(read);
});

test('transposes meet across all that works on rows', async () => {
  const x = f32('x', 3, 5, 8);
  const hidden = b(pointwise, [b(matmul, [turn(x), iota(8, 6)], plain)], callOf('tanh', 1));
  const g = of([x], turn(b(pointwise, [b(matmul, [hidden, iota(6, 4)], plain), iota(4)], callOf('add', 2))));
  const done = simplify.run(rowProducts.run(g));
  expect(text(done)).not.toContain('transpose(');
  expect(await sameMeaning(g, done, 1, reference)).toEqual([]);
});
