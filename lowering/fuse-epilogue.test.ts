import { expect, test } from 'vitest';
import { arg, call, constant, type ScalarFunction } from '../src/ir/expr.js';
import type { Value } from '../src/ir/graph.js';
import { conv } from '../src/ops/conv.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { fuseEpilogue } from './fuse-epilogue.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';

const pass = fuseEpilogue(() => true);
const x = f32('x', B, 12, 10, 8);
const w = f32('w', 16, 8, 1, 1);
const bias = f32('bias', 16);
const full = f32('full', B, 12, 10, 16);
const one = { kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
const conved = (input = x): Value => b(conv, [input, w], { ...one, layout: 'NXC' });
const do1 = (fn: ScalarFunction, a: Value): Value => b(pointwise, [a], callOf(fn, 1));
const do2 = (fn: ScalarFunction, p: Value, q: Value): Value => b(pointwise, [p, q], callOf(fn, 2));
const relu = (a: Value): Value => b(pointwise, [a], { expr: call('max', arg(0), constant(0, 'f32')) });

test('bias, residual and activation join', () => {
  const g = of([x, w, bias, full], relu(do2('add', full, do2('add', conved(), bias))));
  expect(text(pass.run(g))).toMatchInlineSnapshot(`
    "%4 = conv(%0, %1, %2, %3, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC", epilogue={max(add($2, add($0, $1)), 0:f32)}) : f32[B,12,10,16]
    return %4"
  `);
});

test('an epilogue grows at its end, and reads an operand once', () => {
  const mm = b(matmul, [f32('a', B, 5, 8), f32('m', 8, 16), bias], {
    transA: false,
    transB: false,
    epilogue: call('add', arg(0), arg(1)),
  });
  const silu = do2('mul', mm, do1('sigmoid', mm));
  expect(text(pass.run(of([], do2('mul', silu, bias))))).toMatchInlineSnapshot(`
    "%3 = matmul(%0, %1, %2, transA=false, transB=false, epilogue={mul(mul(add($0, $1), sigmoid(add($0, $1))), $1)}) : f32[B,5,16]
    return %3"
  `);
});

test('longer ways that meet again join together', () => {
  const y = conved();
  const half = b(pointwise, [do1('erf', do1('neg', y))], { expr: call('add', arg(0), constant(1, 'f32')) });
  expect(text(pass.run(of([x, w], do2('mul', y, half))))).toContain(
    'epilogue={mul($0, add(erf(neg($0)), 1:f32))}',
  );
});

test('of two products that are added the later takes the sum', () => {
  const g = of([x, w, full], relu(do2('add', conved(), conved(b(pointwise, [x], callOf('exp', 1))))));
  expect(text(pass.run(g))).toMatchInlineSnapshot(`
    "%3 = pointwise(%0, expr={exp($0)}) : f32[B,12,10,8]
    %4 = conv(%0, %1, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC") : f32[B,12,10,16]
    %5 = conv(%3, %1, %4, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC", epilogue={max(add($1, $0), 0:f32)}) : f32[B,12,10,16]
    return %5"
  `);
});

test('a node stays whose operand no kernel reads, and what comes before it joins', () => {
  const perImage = f32('scale', B, 1, 1, 16);
  const g = of([x, w, perImage], do2('mul', relu(conved()), perImage));
  expect(text(pass.run(g))).toMatchInlineSnapshot(`
    "%3 = conv(%0, %1, kernel=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], groups=1, layout="NXC", epilogue={max($0, 0:f32)}) : f32[B,12,10,16]
    %4 = pointwise(%3, %2, expr={mul($0, $1)}) : f32[B,12,10,16]
    return %4"
  `);
});

test('nothing joins where others read the result, the shape grows or the target does not compile it', () => {
  const y = conved();
  const mean = b(reduce, [y], { kind: 'mean', axes: [1, 2], keepdims: true });
  const shared = of([x, w], do2('mul', y, mean));
  expect(pass.run(shared)).toBe(shared);
  const output = of([x, w], y, relu(y));
  expect(pass.run(output)).toBe(output);
  const wider = of([x, w], do2('add', conved(), f32('five', 5, 1, 12, 10, 16)));
  expect(pass.run(wider)).toBe(wider);
  const alone = of([x, w], relu(conved()));
  expect(fuseEpilogue((n) => n.attrs.epilogue === undefined).run(alone)).toBe(alone);
});

test('a residual of one sample joins though the product lost its batch axis', () => {
  const mm = b(matmul, [f32('a', 5, 8), f32('m', 8, 16)], { transA: false, transB: false });
  const sum = do2('add', mm, f32('residual', 1, 5, 16));
  expect(text(pass.run(of([], sum)))).toMatchInlineSnapshot(`
    "%3 = reshape(%2, shape=[5, 16]) : f32[5,16]
    %4 = matmul(%0, %1, %3, transA=false, transB=false, epilogue={add($0, $1)}) : f32[5,16]
    %5 = reshape(%4, shape=[1, 5, 16]) : f32[1,5,16]
    return %5"
  `);
});
