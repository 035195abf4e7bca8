import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { conv } from '../src/ops/conv.js';
import { matmul } from '../src/ops/matmul.js';
import { dequantize, quantize } from '../src/ops/quantize.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, f32, konst, of, text } from './graphs.fixtures.js';
import { expandQuantised, recogniseQuantised } from './recognise-quantised.js';
import { simplify } from './simplify.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());
const pass = recogniseQuantised(() => true);

const x = inputValue('x', tensor('u8', [B, 5, 8]));
const bytes = (...shape: readonly number[]): Value =>
  konst(
    shape,
    Array.from({ length: shape.reduce((p, q) => p * q, 1) }, (_, i) => ((i * 37) % 255) - 127),
    'i8',
  );
const scales = konst([6], [0.1, 0.02, 0.3, 0.04, 0.05, 0.06]);
const real = (v: Value, scale: Value, zero: Value | undefined, axis: number): Value =>
  b(dequantize, [v, scale, ...(zero ? [zero] : [])], { axis, block: 0, to: 'f32' });
const image = real(x, konst([], [0.25]), konst([], [128], 'u8'), 1);

test('a product of dequantised bytes, with a bias', async () => {
  const y = b(matmul, [image, real(bytes(8, 6), scales, undefined, 1), konst([6], [1, 2, 3, 4, 5, 6])], {
    transA: false,
    transB: false,
    epilogue: call('add', arg(0), arg(1)),
  });
  const g = of([x], y);
  expect(text(pass.run(g))).toMatchInlineSnapshot(`
    "%1 = constant(value=i8[8,6] #c98ed5b5453b7d9e) : i8[8,6]
    %2 = constant(value=u8[] {128}) : u8[]
    %3 = constant(value=i8[] {0}) : i8[]
    %4 = constant(value=f32[6] {1, 2, 3, 4, 5, 6}) : f32[6]
    %5 = constant(value=f32[6] {0.02500000037252903, 0.004999999888241291, 0.07500000298023224, 0.009999999776482582, 0.012500000186264515, 0.014999999664723873}) : f32[6]
    %6 = matmul_integer(%0, %1, %2, %3, %4, %5, transB=false, epilogue={add(mul(f32($0), $2), $1)}) : f32[B,5,6]
    return %6"
  `);
  expect(await sameMeaning(g, pass.run(g), 1, reference)).toEqual([]);
});

test('a convolution, whose padding holds the zero point', async () => {
  const w = real(bytes(6, 5, 3), scales, konst([6], [2, 2, 2, 2, 2, 2], 'i8'), 0);
  const y = b(conv, [image, w], {
    kernel: [3],
    strides: [1],
    pads: [1, 1],
    dilations: [1],
    groups: 1,
    layout: 'NCX',
  });
  const g = of([x], y);
  expect(text(pass.run(g))).toMatchInlineSnapshot(`
    "%1 = constant(value=i8[6,5,3] #de671cb5c13b4bbe) : i8[6,5,3]
    %2 = constant(value=u8[] {128}) : u8[]
    %3 = constant(value=i8[] {2}) : i8[]
    %4 = constant(value=f32[6,1] {0.02500000037252903, 0.004999999888241291, 0.07500000298023224, 0.009999999776482582, 0.012500000186264515, 0.014999999664723873}) : f32[6,1]
    %5 = conv_integer(%0, %1, %2, %3, %4, kernel=[3], strides=[1], pads=[1, 1], dilations=[1], groups=1, layout="NCX", epilogue={mul(f32($0), $1)}) : f32[B,6,8]
    return %5"
  `);
  expect(await sameMeaning(g, pass.run(g), 2, reference)).toEqual([]);
});

test('quantisation as expressions, that fuse', async () => {
  const y = f32('y', B, 3, 6);
  const q = b(quantize, [y, scales, konst([6], [0, 1, 2, 3, 4, 5], 'u8')], {
    axis: 2,
    block: 0,
    to: 'u8',
    saturate: true,
    precision: undefined,
  });
  const g = of([y], real(q, konst([], [0.1]), konst([], [3], 'u8'), 1));
  const after = simplify.run(expandQuantised.run(g));
  expect(text(after)).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[6] {0.10000000149011612, 0.019999999552965164, 0.30000001192092896, 0.03999999910593033, 0.05000000074505806, 0.05999999865889549}) : f32[6]
    %2 = constant(value=u8[6] {0, 1, 2, 3, 4, 5}) : u8[6]
    %3 = pointwise(%0, %1, %2, expr={u8(min(max(add(round(div($0, $1)), f32($2)), 0:f32), 255:f32))}) : u8[B,3,6]
    %4 = pointwise(%3, expr={mul(sub(f32($0), 3:f32), 0.10000000149011612:f32)}) : f32[B,3,6]
    return %4"
  `);
  expect(await sameMeaning(g, after, 3, reference)).toEqual([]);
});

test('floats, scales of another axis, and what the target does not compile stay', () => {
  const w = real(bytes(8, 6), konst([8], [1, 2, 3, 4, 5, 6, 7, 8]), undefined, 0);
  const apart = of([x], b(matmul, [image, w], { transA: false, transB: false }));
  expect(pass.run(apart)).toBe(apart);
  const y = f32('y', B, 8);
  const right = real(bytes(8, 6), scales, undefined, 1);
  const mixed = of([y], b(matmul, [y, right], { transA: false, transB: false }));
  expect(pass.run(mixed)).toBe(mixed);
  const refused = of([x], b(matmul, [image, right], { transA: false, transB: false }));
  expect(recogniseQuantised(() => false).run(refused)).toBe(refused);
});
