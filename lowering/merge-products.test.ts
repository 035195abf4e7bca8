import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call } from '../src/ir/expr.js';
import { is, type Node, topological, type Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { matmul } from '../src/ops/matmul.js';
import { reshape } from '../src/ops/reshape.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { attentionParts } from './attention-parts.js';
import { B, b, f32, iota, of } from './graphs.fixtures.js';
import { mergeProducts } from './merge-products.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = f32('x', B, 5, 4);
const text = f32('text', B, 7, 4);
const epilogue = call('add', arg(0), arg(1));
const attrs = { scale: 0.01, softcap: 0, mask: false, lengths: false } as const;
const rowsFirst = [true, true, true, true] as const;

/** Two heads of eight elements. */
function heads(rows: Value, { bias = false, transB = false } = {}): Value {
  const weights = transB ? iota(16, 4) : iota(4, 16);
  const product = bias
    ? b(matmul, [rows, weights, iota(16)], { transA: false, transB, epilogue })
    : b(matmul, [rows, weights], { transA: false, transB });
  return b(reshape, [product], { shape: [B, rows === x ? 5 : 7, 2, 8] });
}

const attended = (q: Value, k: Value, v: Value): Value => b(attention, [q, k, v], { ...attrs, rowsFirst });
const products = (g: { outputs: readonly Value[] }): readonly Node[] =>
  topological(of([x, text], ...g.outputs)).filter((n) => is(n, matmul));

test('products of the same rows that attention reads are one', async () => {
  const own = [
    heads(x, { transB: true, bias: true }),
    heads(x, { transB: true }),
    heads(x, { transB: true }),
  ];
  const layers = [
    attended(own[0]!, own[1]!, own[2]!),
    attended(heads(x), heads(text), heads(text, { bias: true })),
  ];
  const g = of([x, text], ...layers);
  const merged = mergeProducts(() => true).run(g);
  expect(await sameMeaning(g, merged, 1, reference)).toEqual([]);
  // One for all rows of x with transposed weights, one alone, and one for both operands from the text.
  expect(products(merged)).toHaveLength(3);
  const done = attentionParts(() => true).run(merged);
  expect(topological(done).map((n) => n.op.name)).not.toContain('slice');
});

test('where the target cannot read parts of a product nothing is merged', () => {
  const g = of([x], attended(heads(x), heads(x), heads(x)));
  expect(mergeProducts(() => false).run(g)).toBe(g);
});

test('a product that somebody else reads as well stays alone', () => {
  const q = heads(x);
  const g = of([x], attended(q, heads(x), heads(x)), q);
  const merged = mergeProducts(() => true).run(g);
  expect(products(merged)).toHaveLength(2);
});
