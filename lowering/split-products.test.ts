import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call } from '../src/ir/expr.js';
import type { Value } from '../src/ir/graph.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, f32, iota, of, text } from './graphs.fixtures.js';
import { splitProducts } from './split-products.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = f32('x', B, 3, 4);
const epilogue = call('add', arg(0), arg(1));
const product = (transB: boolean): Value =>
  b(matmul, [x, transB ? iota(6, 4) : iota(4, 6), iota(6)], { transA: false, transB, epilogue });
const gated = (v: Value, f: 'sigmoid' | 'erf'): Value =>
  b(pointwise, [slicedAxis(b, v, 2, 0, 3), slicedAxis(b, v, 2, 3, 3)], {
    expr: call('mul', arg(0), call(f, arg(1))),
  });

test('gates become products of their own', async () => {
  for (const transB of [false, true]) {
    const g = of([x], gated(product(transB), 'sigmoid'));
    const done = splitProducts.run(g);
    expect(text(done).match(/= \w+/g)).not.toContain('= slice');
    expect(text(done).match(/= matmul/g)).toHaveLength(2);
    expect(await sameMeaning(g, done, 2, reference)).toEqual([]);
  }
});

test('what is read as a whole, or goes anywhere else, stays one product', () => {
  const v = product(false);
  const whole = of([x], gated(v, 'erf'), b(pointwise, [v], callOf('exp', 1)));
  const moved = slicedAxis(b, v, 2, 0, 3);
  const turned = of([x], gated(v, 'erf'), b(reshape, [moved], { shape: [B, 9] }));
  for (const g of [whole, turned, of([x], gated(v, 'erf'), v)]) expect(splitProducts.run(g)).toBe(g);
});
