import { expect, test } from 'vitest';
import { arg, call, cast, constant as num } from '../src/ir/expr.js';
import { inputValue } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { matmulInteger } from '../src/ops/matmul-integer.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';
import { narrowFloats } from './precision.js';

const pass = narrowFloats({ precision: 'f16', compiles: () => true, keeps: () => false });

test('sums of products of bytes stay in f32 until they are scaled, and so do the scales', () => {
  const u8 = (name: string, ...shape: readonly (number | typeof B)[]) =>
    inputValue(name, tensor('u8', shape));
  const [a, w, zero] = [u8('a', B, 64), u8('w', 64, 8), u8('zero')];
  const scale = f32('scale');
  const halved = b(pointwise, [scale], { expr: call('mul', arg(0), num(0.5, 'f32')) });
  const sums = b(matmulInteger, [a, w, zero, zero], { transB: false });
  const wide = b(pointwise, [sums], { expr: cast('f32', arg(0)) });
  const scaled = b(pointwise, [wide, halved], { expr: call('mul', arg(0), arg(1)) });
  const y = b(pointwise, [scaled], { expr: call('tanh', arg(0)) });
  const graph = pass.run(of([a, w, zero, scale], y));
  if (graph instanceof Promise) throw new TypeError('the pass needs no time');
  expect(text(graph)).toMatchInlineSnapshot(`
    "%4 = matmul_integer(%0, %1, %2, %2, transB=false) : i32[B,8]
    %5 = pointwise(%4, expr={f32($0)}) : f32[B,8]
    %6 = pointwise(%3, expr={mul($0, 0.5:f32)}) : f32[]
    %7 = pointwise(%5, %6, expr={mul($0, $1)}) : f32[B,8]
    %8 = pointwise(%7, expr={f16($0)}) : f16[B,8]
    %9 = pointwise(%8, expr={tanh($0)}) : f16[B,8]
    %10 = pointwise(%9, expr={f32($0)}) : f32[B,8]
    return %10"
  `);
});

test('rounding to bytes reads what is stored in 16 bits, by a scale in 32', () => {
  const x = f32('x', B, 64);
  const y = b(pointwise, [x], { expr: call('tanh', arg(0)) });
  const most = b(reduce, [y], { kind: 'max', axes: [0, 1], keepdims: false });
  const scale = b(pointwise, [most], { expr: call('div', arg(0), num(255, 'f32')) });
  const bytes = b(pointwise, [y, scale], { expr: cast('u8', call('round', call('div', arg(0), arg(1)))) });
  const graph = pass.run(of([x], bytes));
  if (graph instanceof Promise) throw new TypeError('the pass needs no time');
  expect(text(graph)).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={f16($0)}) : f16[B,64]
    %2 = pointwise(%1, expr={tanh($0)}) : f16[B,64]
    %3 = pointwise(%2, expr={f32($0)}) : f32[B,64]
    %4 = reduce(%2, kind="max", axes=[0, 1], keepdims=false) : f16[]
    %5 = pointwise(%4, expr={f32($0)}) : f32[]
    %6 = pointwise(%5, expr={div($0, 255:f32)}) : f32[]
    %7 = pointwise(%3, %6, expr={u8(round(div($0, $1)))}) : u8[B,64]
    return %7"
  `);
});
