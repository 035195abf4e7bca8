import { expect, test } from 'vitest';
import { arg, cast } from '../src/ir/expr.js';
import { inputValue, is, topological, type Value } from '../src/ir/graph.js';
import { type DType, tensor } from '../src/ir/type.js';
import { conv } from '../src/ops/conv.js';
import { matmul } from '../src/ops/matmul.js';
import { pointwise } from '../src/ops/pointwise.js';
import { b, konst, of } from './graphs.fixtures.js';
import { roundOperands } from './tf32.js';

const plain = { transA: false, transB: false };
const whole = (name: string, dtype: DType, ...shape: readonly number[]): Value =>
  inputValue(name, tensor(dtype, shape));
const window = { kernel: [1], strides: [1], dilations: [1], pads: [0, 0], groups: 1, layout: 'NCX' as const };

/** By product in order, whether its operands may be rounded. */
async function rounded(inputs: readonly Value[], y: Value, keeps = false): Promise<readonly boolean[]> {
  const g = await roundOperands({ keeps: () => keeps }).run(of(inputs, y));
  return topological(g).flatMap((n) => (is(n, matmul) || is(n, conv) ? [n.attrs.tf32 === true] : []));
}

test('products and convolutions of f32 may be rounded, unless they are to be kept', async () => {
  const x = whole('x', 'f32', 1, 4, 8);
  const w = konst([4, 4, 1], Array(16).fill(0.5));
  const y = b(matmul, [b(conv, [x, w], window), konst([8, 2], Array(16).fill(1))], plain);
  expect(await rounded([x], y)).toEqual([true, true]);
  expect(await rounded([x], y, true)).toEqual([false, false]);
});

test('other types are as they were', async () => {
  const [x, w] = [whole('x', 'f64', 4, 8), whole('w', 'f64', 8, 2)];
  expect(await rounded([x, w], b(matmul, [x, w], plain))).toEqual([false]);
});

test('frequencies times positions stay exact, which have more digits than ten bits hold', async () => {
  const ids = whole('ids', 'i64', 1, 600);
  const positions = b(pointwise, [ids], { expr: cast('f32', arg(0)) });
  const y = b(matmul, [konst([4, 1], [1, 0.1, 0.01, 0.001]), positions], plain);
  expect(await rounded([ids], y)).toEqual([false]);
});
