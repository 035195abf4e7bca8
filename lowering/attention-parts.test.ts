import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import type { Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
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
