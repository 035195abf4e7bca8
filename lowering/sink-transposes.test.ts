import { expect, test } from 'vitest';
import type { ScalarFunction } from '../src/ir/expr.js';
import type { Graph, Value } from '../src/ir/graph.js';
import { concat } from '../src/ops/concat.js';
import { conv } from '../src/ops/conv.js';
import { groupNorm } from '../src/ops/norm.js';
import { pad } from '../src/ops/pad.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { softmax } from '../src/ops/softmax.js';
import { transpose } from '../src/ops/transpose.js';
import { B, b, f32, iota, of, text } from './graphs.fixtures.js';
import { simplify } from './simplify.js';
import { sinkTransposes } from './sink-transposes.js';

const run = (g: Graph): string => text(simplify.run(sinkTransposes.run(g)));
const last = (v: Value): Value => b(transpose, [v], { perm: [0, 2, 3, 1] });
const front = (v: Value): Value => b(transpose, [v], { perm: [0, 3, 1, 2] });
const w = iota(8, 8, 1, 1);
const conved = (v: Value): Value =>
  front(
    b(conv, [last(v), w], {
      kernel: [1, 1],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
      groups: 1,
      layout: 'NXC',
    }),
  );
const do1 = (fn: ScalarFunction, a: Value): Value => b(pointwise, [a], callOf(fn, 1));
const do2 = (fn: ScalarFunction, p: Value, q: Value): Value => b(pointwise, [p, q], callOf(fn, 2));
const x = f32('x', B, 8, 16, 16);

test('between two contractions nothing is left of them', () => {
  const h = do2('add', conved(x), iota(8, 1, 1));
  const wide = b(pad, [do1('exp', h)], { before: [0, 0, 1, 1], after: [0, 0, 1, 1], mode: 'constant' });
  expect(run(of([x], conved(wide)))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,16,16,8]
    %2 = constant(value=f32[8,8,1,1] #236b457ea2817b4e) : f32[8,8,1,1]
    %3 = conv(%1, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %4 = constant(value=f32[1,1,1,8] {0, 1, 2, 3, 4, 5, 6, 7}) : f32[1,1,1,8]
    %5 = pointwise(%3, %4, expr={add($0, $1)}) : f32[B,16,16,8]
    %6 = pointwise(%5, expr={exp($0)}) : f32[B,16,16,8]
    %7 = conv(%6, %2, kernel=[1, 1], strides=[1, 1], pads=[1, 1, 1, 1], dilations=[1, 1], groups=1, layout="NXC") : f32[B,18,18,8]
    %8 = transpose(%7, perm=[0, 3, 1, 2]) : f32[B,8,18,18]
    return %8"
  `);
});

test('a residual is carried along in the other order', () => {
  const first = conved(x);
  const second = do2('add', first, conved(do1('abs', first)));
  const joined = b(concat, [second, first], { axis: 1 });
  expect(run(of([x], conved(slicedAxis(b, joined, 1, 4, 8))))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,16,16,8]
    %2 = constant(value=f32[8,8,1,1] #236b457ea2817b4e) : f32[8,8,1,1]
    %3 = conv(%1, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %4 = pointwise(%3, expr={abs($0)}) : f32[B,16,16,8]
    %5 = conv(%4, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %6 = pointwise(%3, %5, expr={add($0, $1)}) : f32[B,16,16,8]
    %7 = concat(%6, %3, axis=3) : f32[B,16,16,16]
    %8 = slice(%7, starts=[0, 0, 0, 4], steps=[1, 1, 1, 1], shape=[B, 16, 16, 8]) : f32[B,16,16,8]
    %9 = conv(%8, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %10 = transpose(%9, perm=[0, 3, 1, 2]) : f32[B,8,16,16]
    return %10"
  `);
});

test('squeeze and excitation: what has no spatial extent is reshaped', () => {
  const h = conved(x);
  const s = do1('sigmoid', conved(b(reduce, [h], { kind: 'mean', axes: [2, 3], keepdims: true })));
  expect(run(of([x], conved(do2('mul', h, s))))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,16,16,8]
    %2 = constant(value=f32[8,8,1,1] #236b457ea2817b4e) : f32[8,8,1,1]
    %3 = conv(%1, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %4 = reduce(%3, kind="mean", axes=[1, 2], keepdims=true) : f32[B,1,1,8]
    %5 = conv(%4, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,1,1,8]
    %6 = pointwise(%5, expr={sigmoid($0)}) : f32[B,1,1,8]
    %7 = pointwise(%3, %6, expr={mul($0, $1)}) : f32[B,16,16,8]
    %8 = conv(%7, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %9 = transpose(%8, perm=[0, 3, 1, 2]) : f32[B,8,16,16]
    return %9"
  `);
});

test('attention heads: an own inverse goes past what is pointwise, and softmax keeps its axis', () => {
  const q = f32('q', B, 10, 4, 32);
  const heads = b(transpose, [q], { perm: [0, 2, 1, 3] });
  const soft = b(softmax, [do1('exp', heads)], { form: 'softmax', axis: 3 });
  expect(run(of([q], b(transpose, [soft], { perm: [0, 2, 1, 3] })))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={exp($0)}) : f32[B,10,4,32]
    %2 = softmax(%1, form="softmax", axis=3) : f32[B,10,4,32]
    return %2"
  `);
});

test('a reduction of spatial axes ends the transposition', () => {
  const g = of([x], b(reduce, [conved(x)], { kind: 'mean', axes: [2, 3], keepdims: false }));
  expect(run(g)).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,16,16,8]
    %2 = constant(value=f32[8,8,1,1] #236b457ea2817b4e) : f32[8,8,1,1]
    %3 = conv(%1, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %4 = reduce(%3, kind="mean", axes=[1, 2], keepdims=true) : f32[B,1,1,8]
    %5 = reshape(%4, shape=[B, 8]) : f32[B,8]
    return %5"
  `);
});

test('transposes come after what a contraction could take over', () => {
  expect(run(of([x], do1('exp', conved(x))))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,16,16,8]
    %2 = constant(value=f32[8,8,1,1] #236b457ea2817b4e) : f32[8,8,1,1]
    %3 = conv(%1, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %4 = pointwise(%3, expr={exp($0)}) : f32[B,16,16,8]
    %5 = transpose(%4, perm=[0, 3, 1, 2]) : f32[B,8,16,16]
    return %5"
  `);
});

test('where it would move more, nothing happens', () => {
  const y = f32('y', B, 8, 16, 16);
  const needed = of([x, y], do2('add', do1('exp', x), y), last(x));
  expect(sinkTransposes.run(needed)).toBe(needed);
  // The sum of one permuted operand and a larger one that is not.
  const small = f32('small', 1, 16, 16, 8);
  const grows = of([small, x], do2('add', x, front(small)));
  expect(sinkTransposes.run(grows)).toBe(grows);
  const flat = of([x], b(reshape, [last(x)], { shape: [B, 2048] }));
  expect(sinkTransposes.run(flat)).toBe(flat);
});

test('a group normalisation between convolutions takes channels last', () => {
  const normal = b(groupNorm, [conved(x), iota(8), iota(8)], { groups: 4, epsilon: 1e-5 });
  expect(run(of([x], conved(normal)))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,16,16,8]
    %2 = constant(value=f32[8,8,1,1] #236b457ea2817b4e) : f32[8,8,1,1]
    %3 = conv(%1, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %4 = constant(value=f32[8] {0, 1, 2, 3, 4, 5, 6, 7}) : f32[8]
    %5 = constant(value=f32[8] {0, 1, 2, 3, 4, 5, 6, 7}) : f32[8]
    %6 = group_norm(%3, %4, %5, groups=4, epsilon=0.00001, layout="NXC") : f32[B,16,16,8]
    %7 = conv(%6, %2, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,16,16,8]
    %8 = transpose(%7, perm=[0, 3, 1, 2]) : f32[B,8,16,16]
    return %8"
  `);
});
