import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call, constant, type Expr } from '../src/ir/expr.js';
import { conv } from '../src/ops/conv.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import { matmul } from '../src/ops/matmul.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { foldAffine } from './fold-affine.js';
import { B, b, f32, konst, of, text } from './graphs.fixtures.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = f32('x', B, 5, 6, 4);
const wave = (...shape: readonly number[]) =>
  konst(
    shape,
    Array.from({ length: shape.reduce((p, q) => p * q, 1) }, (_, i) => Math.sin(i + shape.length)),
  );
const window = { kernel: [2, 3], strides: [1, 1], pads: [0, 1, 1, 0], dilations: [1, 1] };
const c = (v: number): Expr => constant(v, 'f32');
/** relu(((sums + $1) * $2 - 0.5) / 4) */
const epilogue = call(
  'max',
  call('div', call('sub', call('mul', call('add', arg(0), arg(1)), arg(2)), c(0.5)), c(4)),
  c(0),
);

test('batch norm behind a convolution, in both layouts', async () => {
  for (const [layout, rest, input] of [
    ['NXC', [], x],
    ['NCX', [1, 1], f32('x', B, 4, 5, 6)],
  ] as const) {
    const extras = [wave(6, ...rest), wave(6, ...rest)];
    const g = of(
      [input],
      b(conv, [input, wave(6, 2, 2, 3), ...extras], { ...window, groups: 2, layout, epilogue }),
    );
    const folded = foldAffine.run(g);
    expect(text(folded)).toContain('epilogue={max(add($0, $1), 0:f32)}');
    expect(await sameMeaning(g, folded, 1, reference)).toEqual([]);
  }
});

test('transposed convolutions in groups, and products with either operand', async () => {
  const up = b(convTranspose, [x, wave(4, 3, 2, 3), wave(6), wave(6)], {
    ...window,
    out: [5, 7],
    groups: 2,
    layout: 'NXC',
    epilogue,
  });
  const by = (transB: boolean) =>
    b(matmul, [x, transB ? wave(6, 4) : wave(4, 6), wave(6), wave(6)], { transA: false, transB, epilogue });
  const g = of([x], up, by(true), by(false));
  const folded = foldAffine.run(g);
  expect(text(folded).match(/epilogue=\{max\(add\(\$0, \$1\), 0:f32\)\}/g)).toHaveLength(3);
  expect(await sameMeaning(g, folded, 2, reference)).toEqual([]);
});

test('a subexpression that is read twice is peeled once', () => {
  const scaled = call('mul', call('add', arg(0), c(1)), c(2));
  const g = of(
    [x],
    b(matmul, [x, wave(4, 6)], {
      transA: false,
      transB: false,
      epilogue: call('mul', scaled, call('sigmoid', scaled)),
    }),
  );
  expect(text(foldAffine.run(g))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[4,6] #882d1753195aa614) : f32[4,6]
    %2 = matmul(%0, %1, transA=false, transB=false, epilogue={mul(add($0, 2:f32), sigmoid(add($0, 2:f32)))}) : f32[B,5,6,6]
    return %2"
  `);
});

test('one bias, a factor that is not constant, and shared weights stay', () => {
  const w = wave(200, 100);
  const y = f32('y', B, 200);
  const mm = (e: Expr, ...more: readonly ReturnType<typeof wave>[]) =>
    b(matmul, [y, w, ...more], { transA: false, transB: false, epilogue: e });
  const g = of(
    [y],
    mm(call('add', arg(0), arg(1)), wave(100)),
    mm(call('mul', arg(0), c(3))),
    mm(call('mul', arg(0), arg(1)), f32('s', 100)),
    mm(call('add', arg(0), call('exp', arg(0)))),
  );
  expect(foldAffine.run(g)).toBe(g);
});
