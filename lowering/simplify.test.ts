import { expect, test } from 'vitest';
import { mul } from '../src/ir/dim.js';
import { arg, call, cast } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { concat } from '../src/ops/concat.js';
import { conv } from '../src/ops/conv.js';
import { expand } from '../src/ops/expand.js';
import { gather } from '../src/ops/gather.js';
import { matmul } from '../src/ops/matmul.js';
import { pad } from '../src/ops/pad.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { B, b, f32, iota, konst, of, text } from './graphs.fixtures.js';
import { simplify } from './simplify.js';

const x = f32('x', 4, 6, 8);

test('movements that cancel', () => {
  const back = b(transpose, [b(transpose, [x], { perm: [2, 0, 1] })], { perm: [1, 2, 0] });
  const flat = b(reshape, [b(reshape, [back], { shape: [24, 8] })], { shape: [4, 6, 8] });
  const padded = b(pad, [flat], { before: [0, 0, 0], after: [0, 0, 0], mode: 'constant' });
  const same = b(expand, [padded], { shape: [4, 6, 8] });
  expect(text(simplify.run(of([x], same)))).toBe('return %0');
});

test('movements that combine', () => {
  const twice = b(transpose, [b(transpose, [x], { perm: [1, 0, 2] })], { perm: [0, 2, 1] });
  const narrow = slicedAxis(b, slicedAxis(b, x, 1, 1, 4), 1, 1, 2);
  expect(text(simplify.run(of([x], twice, narrow)))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[1, 2, 0]) : f32[6,8,4]
    %2 = slice(%0, starts=[0, 2, 0], steps=[1, 1, 1], shape=[4, 2, 8]) : f32[4,2,8]
    return %1, %2"
  `);
});

test('a transpose of axes of extent 1 is a reshape', () => {
  const y = f32('y', B, 1, 8, 1);
  expect(text(simplify.run(of([y], b(transpose, [y], { perm: [0, 2, 3, 1] }))))).toMatchInlineSnapshot(`
    "%1 = reshape(%0, shape=[B, 8, 1, 1]) : f32[B,8,1,1]
    return %1"
  `);
});

test('constants are moved at once', () => {
  const w = b(transpose, [b(reshape, [iota(6)], { shape: [2, 3] })], { perm: [1, 0] });
  expect(text(simplify.run(of([], w, slicedAxis(b, w, 0, 1, 2))))).toMatchInlineSnapshot(`
    "%0 = constant(value=f32[3,2] {0, 3, 1, 4, 2, 5}) : f32[3,2]
    %1 = constant(value=f32[2,2] {1, 4, 2, 5}) : f32[2,2]
    return %0, %1"
  `);
});

test('slices see through concatenations, and those join what was split', () => {
  const y = f32('y', 4, 2, 8);
  const joined = b(concat, [x, y], { axis: 1 });
  const second = slicedAxis(b, joined, 1, 6, 2);
  const again = b(concat, [slicedAxis(b, x, 2, 0, 3), slicedAxis(b, x, 2, 3, 5)], { axis: 2 });
  expect(text(simplify.run(of([x, y], second, again)))).toBe('return %1, %0');
});

test('indices in a row are a slice', () => {
  const some = b(gather, [x, konst([3], [1, 3, 5], 'i64')], { axis: 1 });
  const mixed = b(gather, [x, konst([3], [1, 0, 5], 'i64')], { axis: 1 });
  expect(text(simplify.run(of([x], some, mixed)))).toMatchInlineSnapshot(`
    "%1 = slice(%0, starts=[0, 1, 0], steps=[1, 2, 1], shape=[4, 3, 8]) : f32[4,3,8]
    %2 = constant(value=i64[3] {1, 0, 5}) : i64[3]
    %3 = gather(%0, %2, axis=1) : f32[4,3,8]
    return %1, %3"
  `);
});

test('constants of one value move into expressions, whatever made them', () => {
  const two = b(expand, [konst([], [2])], { shape: [4, 6, 8] });
  const doubled = b(pointwise, [two, x], callOf('mul', 2));
  const shifted = b(pointwise, [doubled, konst([1, 1, 8], [3, 3, 3, 3, 3, 3, 3, 3])], callOf('add', 2));
  expect(text(simplify.run(of([x], shifted)))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={mul($0, 2:f32)}) : f32[4,6,8]
    %2 = pointwise(%1, expr={add($0, 3:f32)}) : f32[4,6,8]
    return %2"
  `);
});

test('expressions become shorter, down to their operand', () => {
  const one = b(pointwise, [x, konst([], [1])], callOf('mul', 2));
  const wide = b(pointwise, [one], { expr: cast('f32', cast('f64', arg(0))) });
  expect(text(simplify.run(of([x], wide)))).toBe('return %0');
});

test('a value read twice is one operand, and one that is not read is none', () => {
  const square = b(pointwise, [x, x], callOf('mul', 2));
  const y = f32('y', 8);
  const first = b(pointwise, [x, y, y], { expr: call('add', arg(0), call('mul', arg(1), arg(2))) });
  const unread = b(pointwise, [x, y], { expr: call('exp', arg(0)) });
  expect(text(simplify.run(of([x, y], square, first, unread)))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, expr={mul($0, $0)}) : f32[4,6,8]
    %3 = pointwise(%0, %1, expr={add($0, mul($1, $1))}) : f32[4,6,8]
    %4 = pointwise(%0, expr={exp($0)}) : f32[4,6,8]
    return %2, %3, %4"
  `);
});

test('where nothing is to be gained the graph stays', () => {
  const y = f32('y', B, 1, 8);
  const g = of(
    [x, y],
    b(transpose, [x], { perm: [0, 2, 1] }),
    // The constant gives the result its rank, and the unread operand its extent.
    b(pointwise, [f32('s'), konst([1], [2])], callOf('mul', 2)),
    b(pointwise, [y, f32('z', 1, 6, 8)], { expr: call('exp', arg(0)) }),
    b(expand, [y], { shape: [B, 6, 8] }),
    b(pad, [x, konst([], [1])], { before: [1, 0, 0], after: [0, 0, 0], mode: 'constant' }),
  );
  expect(simplify.run(g)).toBe(g);
});

test('transposes on both sides of a reshape are one', () => {
  const k = f32('k', B, 10, 12, 32);
  const heads = b(reshape, [b(transpose, [k], { perm: [0, 2, 1, 3] })], { shape: [mul(12, B), 10, 32] });
  const back = b(reshape, [b(transpose, [heads], { perm: [0, 2, 1] })], { shape: [B, 12, 32, 10] });
  const image = f32('image', B, 6, 20, 8);
  const pixels = b(reshape, [b(transpose, [image], { perm: [0, 3, 1, 2] })], { shape: [B, 8, 3, 2, 4, 5] });
  const blocks = b(transpose, [pixels], { perm: [0, 2, 4, 3, 5, 1] });
  expect(text(simplify.run(of([k, image], back, blocks)))).toMatchInlineSnapshot(`
    "%2 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,12,32,10]
    %3 = reshape(%1, shape=[B, 3, 2, 4, 5, 8]) : f32[B,3,2,4,5,8]
    %4 = transpose(%3, perm=[0, 1, 3, 2, 4, 5]) : f32[B,3,4,2,5,8]
    return %2, %4"
  `);
});

test('products, convolutions and reductions take in what surrounds them', () => {
  const q = f32('q', B, 10, 32);
  const scores = b(matmul, [q, b(transpose, [f32('k', B, 12, 32)], { perm: [0, 2, 1] })], {
    transA: false,
    transB: false,
  });
  const image = b(pad, [f32('i', B, 3, 9, 9)], {
    before: [0, 0, 1, 2],
    after: [0, 0, 1, 0],
    mode: 'constant',
  });
  const conved = b(conv, [image, f32('w', 4, 3, 3, 3)], {
    kernel: [3, 3],
    strides: [1, 1],
    pads: [0, 0, 0, 1],
    dilations: [1, 1],
    groups: 1,
    layout: 'NCX',
  });
  const max = b(reduce, [f32('r', B, 1, 4)], { kind: 'max', axes: [1], keepdims: false });
  expect(text(simplify.run(of([q], scores, conved, max)))).toMatchInlineSnapshot(`
    "%2 = matmul(%0, %1, transA=false, transB=true) : f32[B,10,12]
    %5 = conv(%3, %4, kernel=[3, 3], strides=[1, 1], pads=[1, 2, 1, 1], dilations=[1, 1], groups=1, layout="NCX") : f32[B,4,9,10]
    %7 = reshape(%6, shape=[B, 4]) : f32[B,4]
    return %2, %5, %7"
  `);
});

test('a product exchanges axes itself, so that a transpose moves rows', () => {
  const k = b(transpose, [f32('k', B, 10, 6, 8)], { perm: [0, 2, 3, 1] });
  const scores = b(matmul, [f32('q', B, 6, 5, 8), k], { transA: false, transB: false });
  expect(text(simplify.run(of([], scores)))).toMatchInlineSnapshot(`
    "%2 = transpose(%1, perm=[0, 2, 1, 3]) : f32[B,6,10,8]
    %3 = matmul(%0, %2, transA=false, transB=true) : f32[B,6,5,10]
    return %3"
  `);
});

test('a table computed from constants is computed where it is read', () => {
  const table = b(pointwise, [iota(3000, 32), iota(3000, 1)], callOf('mul', 2));
  const ids = inputValue('ids', tensor('i64', [B, 7]));
  expect(text(simplify.run(of([ids], b(gather, [table, ids], { axis: 0 }))))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[3000,32] #bc28f19afb956638) : f32[3000,32]
    %2 = gather(%1, %0, axis=0) : f32[B,7,32]
    %3 = constant(value=f32[3000,1] #6427fa48d77730a5) : f32[3000,1]
    %4 = gather(%3, %0, axis=0) : f32[B,7,1]
    %5 = pointwise(%2, %4, expr={mul($0, $1)}) : f32[B,7,32]
    return %5"
  `);
});

test('pointwise work comes before a reshape of what a contraction yields', () => {
  const y = b(matmul, [f32('a', 30, 8), f32('m', 8, 4)], { transA: false, transB: false });
  const wide = b(reshape, [y], { shape: [3, 10, 4] });
  const biased = b(pointwise, [wide, iota(4)], callOf('add', 2));
  expect(
    text(simplify.run(of([], b(pointwise, [biased, f32('r', 3, 10, 4)], callOf('add', 2))))),
  ).toMatchInlineSnapshot(`
    "%2 = matmul(%0, %1, transA=false, transB=false) : f32[30,4]
    %3 = constant(value=f32[4] {0, 1, 2, 3}) : f32[4]
    %4 = pointwise(%2, %3, expr={add($0, $1)}) : f32[30,4]
    %6 = reshape(%5, shape=[30, 4]) : f32[30,4]
    %7 = pointwise(%4, %6, expr={add($0, $1)}) : f32[30,4]
    %8 = reshape(%7, shape=[3, 10, 4]) : f32[3,10,4]
    return %8"
  `);
  const apart = of([], b(pointwise, [wide, f32('s', 3, 1, 4)], callOf('add', 2)));
  expect(simplify.run(apart)).toBe(apart);
});

test('pointwise work between reshapes that undo one another needs neither', () => {
  const rows = f32('rows', 12, 5, 5);
  const mask = f32('mask', 12, 1, 5);
  const wide = b(reshape, [rows], { shape: [1, 12, 5, 5] });
  const masks = b(reshape, [mask], { shape: [1, 12, 1, 5] });
  const narrow = (v: Value): Value => b(reshape, [v], { shape: [12, 5, 5] });
  const both = narrow(b(pointwise, [wide, masks], callOf('add', 2)));
  const implied = narrow(b(pointwise, [rows, iota(1, 12, 1, 5)], callOf('mul', 2)));
  expect(text(simplify.run(of([rows, mask], both, implied)))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, %1, expr={add($0, $1)}) : f32[12,5,5]
    %3 = constant(value=f32[12,1,5] #b227379067d0e2df) : f32[12,1,5]
    %4 = pointwise(%0, %3, expr={mul($0, $1)}) : f32[12,5,5]
    return %2, %4"
  `);
});

test('what it yields is settled', () => {
  const k = b(transpose, [b(reshape, [x], { shape: [4, 2, 3, 8] })], { perm: [0, 2, 1, 3] });
  const once = simplify.run(of([x], b(reshape, [b(pointwise, [k], callOf('exp', 1))], { shape: [24, 8] })));
  expect(simplify.run(once)).toBe(once);
});
