import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import type { Graph, Value } from '../src/ir/graph.js';
import { concat } from '../src/ops/concat.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { slice, slicedAxis } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { gatherRows } from './gather-rows.js';
import { b, f32, of, text } from './graphs.fixtures.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());
const pass = gatherRows(() => true);

const x = f32('x', 2, 4, 6, 8);
const used = (v: Value): Value => b(pointwise, [v], callOf('neg', 1));
const rolled = (v: Value, axis: number, by: number, size: number): Value =>
  b(concat, [slicedAxis(b, v, axis, by, size - by), slicedAxis(b, v, axis, 0, by)], { axis });

async function check(g: Graph): Promise<string> {
  const after = pass.run(g);
  expect(await sameMeaning(g, after, 1, reference)).toEqual([]);
  return text(after);
}

test('windows that are shifted and told apart are one lookup, the same for each sample', async () => {
  const windows = b(reshape, [rolled(rolled(x, 1, 1, 4), 2, 2, 6)], { shape: [2, 2, 2, 2, 3, 8] });
  const apart = b(reshape, [b(transpose, [windows], { perm: [0, 1, 3, 2, 4, 5] })], { shape: [8, 6, 8] });
  const after = await check(of([x], used(apart)));
  expect(after.match(/= \w+/g)).toEqual(['= reshape', '= constant', '= gather', '= reshape', '= pointwise']);
  expect(after).toContain('f32[2,24,8]');
});

test('merged patches are one lookup', async () => {
  const corner = (i: number, j: number): Value =>
    b(slice, [x], { starts: [0, i, j, 0], steps: [1, 2, 2, 1], shape: [2, 2, 3, 8] });
  const merged = b(concat, [corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)], { axis: 3 });
  expect((await check(of([x], used(merged)))).match(/= slice|= concat/g)).toBeNull();
});

test('few moves, and moves inside of rows, stay', () => {
  const turned = b(transpose, [x], { perm: [0, 3, 1, 2] });
  for (const v of [rolled(x, 3, 2, 8), turned, b(transpose, [x], { perm: [1, 0, 2, 3] })]) {
    const g = of([x], used(v));
    expect(pass.run(g)).toBe(g);
  }
});

test('rows of two values are left alone', () => {
  const y = f32('y', 2, 4, 6, 8);
  const g = of([x, y], used(b(concat, [rolled(x, 1, 1, 4), rolled(y, 1, 1, 4)], { axis: 1 })));
  expect(text(pass.run(g))).toContain('concat');
});
