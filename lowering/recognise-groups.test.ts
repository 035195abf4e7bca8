import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call } from '../src/ir/expr.js';
import type { Value } from '../src/ir/graph.js';
import { groupNorm } from '../src/ops/norm.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, f32, iota, konst, of, text } from './graphs.fixtures.js';
import { recogniseGroups } from './recognise-groups.js';
import { simplify } from './simplify.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = f32('x', B, 6, 5, 4);

/** Three groups as exporters write them. */
function spelt(...parameters: readonly [Value, Value]): Value {
  const parts = b(reshape, [x], { shape: [B, 3, 40] });
  const normal = b(groupNorm, [parts, konst([3], [1, 1, 1]), konst([3], [0, 0, 0])], {
    groups: 3,
    epsilon: 1e-5,
  });
  const back = b(reshape, [normal], { shape: [B, 6, 5, 4] });
  const scaled = b(pointwise, [back, parameters[0]], callOf('mul', 2));
  return b(pointwise, [parameters[1], scaled], callOf('add', 2));
}

test('an instance normalisation of groups with a scale and a bias for each channel', () => {
  const g = of([x], spelt(iota(6, 1, 1), iota(1, 6, 1, 1)));
  expect(text(simplify.run(recogniseGroups.run(g)))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[6] {0, 1, 2, 3, 4, 5}) : f32[6]
    %2 = constant(value=f32[6] {0, 1, 2, 3, 4, 5}) : f32[6]
    %3 = group_norm(%0, %1, %2, groups=3, epsilon=0.00001) : f32[B,6,5,4]
    return %3"
  `);
});

test('parameters of another shape stay', () => {
  const g = of([x], spelt(iota(6, 5, 1), iota(1, 1, 4)));
  expect(text(simplify.run(recogniseGroups.run(g)))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[1,1,4] {0, 1, 2, 3}) : f32[1,1,4]
    %2 = constant(value=f32[6] {1, 1, 1, 1, 1, 1}) : f32[6]
    %3 = constant(value=f32[6] {0, 0, 0, 0, 0, 0}) : f32[6]
    %4 = group_norm(%0, %2, %3, groups=3, epsilon=0.00001) : f32[B,6,5,4]
    %5 = constant(value=f32[6,5,1] #9bedf43ebc23e4ce) : f32[6,5,1]
    %6 = pointwise(%4, %5, expr={mul($0, $1)}) : f32[B,6,5,4]
    %7 = pointwise(%1, %6, expr={add($0, $1)}) : f32[B,6,5,4]
    return %7"
  `);
});

test('it means the same, and so do other layouts and an epilogue', async () => {
  const g = of([x], spelt(iota(6, 1, 1), iota(1, 6, 1, 1)));
  expect(await sameMeaning(g, recogniseGroups.run(g), 1, reference)).toEqual([]);
  const [scale, bias] = [iota(6), iota(6)];
  const normal = { groups: 3, epsilon: 1e-5 };
  const last = b(transpose, [x], { perm: [0, 2, 3, 1] });
  const epilogue = call('mul', arg(0), arg(1));
  const c = f32('c', 6, 1, 1);
  const before = of([x, c], b(pointwise, [b(groupNorm, [x, scale, bias], normal), c], callOf('mul', 2)));
  const flat = b(reshape, [c], { shape: [6] });
  const after = b(groupNorm, [last, scale, bias, flat], { ...normal, layout: 'NXC', epilogue });
  const back = of([x, c], b(transpose, [after], { perm: [0, 3, 1, 2] }));
  expect(await sameMeaning(before, back, 1, reference)).toEqual([]);
}, 60_000);
