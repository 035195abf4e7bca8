import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import type { Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { attentionHeads } from './attention-heads.js';
import { attentionParts } from './attention-parts.js';
import { b, f32, iota, of, text } from './graphs.fixtures.js';
import { settle } from './steps.js';

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
  const done = settle(g, attentionHeads);
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
  expect(settle(different, attentionHeads)).toBe(different);
  const read = of([], back(product), product);
  expect(settle(read, attentionHeads)).toBe(read);
});

test('queries, keys and values are parts of the product of rows as they lie', async () => {
  const [x, w] = [f32('x', 3, 5, 8), f32('w', 8, 24)];
  const packed = b(matmul, [b(transpose, [x], { perm: [1, 0, 2] }), w], plain);
  const part = (i: number): Value => {
    const columns = b(slice, [packed], { starts: [0, 0, 8 * i], steps: [1, 1, 1], shape: [5, 3, 8] });
    return b(transpose, [b(reshape, [columns], { shape: [5, 3, 2, 4] })], { perm: [1, 2, 0, 3] });
  };
  const g = of([x, w], b(attention, [part(0), part(1), part(2)], attrs));
  const done = attentionParts(() => true).run(g);
  expect(text(done).split('\n')[0]).toMatchInlineSnapshot(
    `"%2 = matmul(%0, %1, transA=false, transB=false) : f32[3,5,24]"`,
  );
  expect(await sameMeaning(g, done, 1, reference)).toEqual([]);
}, 60_000);
