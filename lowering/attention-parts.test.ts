import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import type { Shape } from '../src/ir/dim.js';
import type { Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { type AttentionPart, partLayout } from '../src/ops/attention-parts.js';
import { matmul } from '../src/ops/matmul.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { attentionParts } from './attention-parts.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = f32('x', B, 9, 24);
/** Eight columns of a row, as two heads of four elements. */
const heads = (start: number): Value =>
  b(reshape, [b(slice, [x], { starts: [0, 0, start], steps: [1, 1, 1], shape: [B, 9, 8] })], {
    shape: [B, 9, 2, 4],
  });
const attrs = {
  scale: 0.5,
  softcap: 0,
  mask: false,
  lengths: false,
  rowsFirst: [true, true, true, true],
} as const;
const attended = b(attention, [heads(0), heads(8), heads(16)], attrs);

test('queries, keys and values are read where they lie', async () => {
  const g = of([x], attended);
  const done = attentionParts(() => true).run(g);
  expect(text(done)).toMatchInlineSnapshot(`
    "%1 = attention(%0, %0, %0, scale=0.5, softcap=0, mask=false, lengths=false, rowsFirst=[true, true, true, true], parts=[{moves: [{kind: "slice", starts: [0, 0, 0], sizes: [B, 9, 8]}, {kind: "reshape", shape: [B, 9, 2, 4]}], shape: [B, 9, 2, 4]}, {moves: [{kind: "slice", starts: [0, 0, 8], sizes: [B, 9, 8]}, {kind: "reshape", shape: [B, 9, 2, 4]}], shape: [B, 9, 2, 4]}, {moves: [{kind: "slice", starts: [0, 0, 16], sizes: [B, 9, 8]}, {kind: "reshape", shape: [B, 9, 2, 4]}], shape: [B, 9, 2, 4]}]) : f32[B,9,2,4]
    return %1"
  `);
  expect(await sameMeaning(g, done, 1, reference)).toEqual([]);
}, 60_000);

test('they are sliced where the target cannot', () => {
  const g = of([x], attended);
  expect(attentionParts(() => false).run(g)).toBe(g);
});

/** The moves for a batch of two. */
const moved = (moves: AttentionPart['moves']): AttentionPart['moves'] =>
  moves.map((m) => {
    const at = (dims: Shape): Shape => dims.map((d) => (d === B ? 2 : d));
    if (m.kind === 'slice') return { ...m, sizes: at(m.sizes) };
    return m.kind === 'reshape' ? { ...m, shape: at(m.shape) } : m;
  });

test("heads and rows in any order, by steps that are the elements' own", async () => {
  // [B, 9, 3, 2, 4] to [3, B, 2, 9, 4], of which each operand is one; and rows of heads of samples turned.
  const packed = b(transpose, [b(reshape, [x], { shape: [B, 9, 3, 2, 4] })], { perm: [2, 0, 3, 1, 4] });
  const one = (i: number): Value =>
    b(
      reshape,
      [b(slice, [packed], { starts: [i, 0, 0, 0, 0], steps: [1, 1, 1, 1, 1], shape: [1, B, 2, 9, 4] })],
      {
        shape: [B, 2, 9, 4],
      },
    );
  const first = { ...attrs, rowsFirst: [false, false, false, false] } as const;
  const g = of([x], b(attention, [one(0), one(1), one(2)], first));
  const done = attentionParts(() => true).run(g);
  expect(done.outputs[0]!.node.inputs.every((v) => v === x)).toBe(true);
  const { parts } = done.outputs[0]!.node.attrs as unknown as { parts: readonly AttentionPart[] };
  expect(parts.map((p) => partLayout([2, 9, 24], { ...p, moves: moved(p.moves) }))).toEqual([
    { offset: 0, strides: [216, 4, 24, 1] },
    { offset: 8, strides: [216, 4, 24, 1] },
    { offset: 16, strides: [216, 4, 24, 1] },
  ]);
  expect(await sameMeaning(g, done, 1, reference)).toEqual([]);
}, 60_000);

test('queries, keys and values are parts of the product of rows as they lie', async () => {
  const [x, w] = [f32('x', 3, 5, 8), f32('w', 8, 24)];
  const turned = b(transpose, [x], { perm: [1, 0, 2] });
  const packed = b(matmul, [turned, w], { transA: false, transB: false });
  const part = (i: number): Value => {
    const columns = b(slice, [packed], { starts: [0, 0, 8 * i], steps: [1, 1, 1], shape: [5, 3, 8] });
    return b(transpose, [b(reshape, [columns], { shape: [5, 3, 2, 4] })], { perm: [1, 2, 0, 3] });
  };
  const headsFirst = [false, false, false, false] as const;
  const g = of([x, w], b(attention, [part(0), part(1), part(2)], { ...attrs, rowsFirst: headsFirst }));
  const done = attentionParts(() => true).run(g);
  expect(text(done).split('\n')[0]).toMatchInlineSnapshot(
    `"%2 = matmul(%0, %1, transA=false, transB=false) : f32[3,5,24]"`,
  );
  expect(await sameMeaning(g, done, 1, reference)).toEqual([]);
}, 60_000);
