import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import { convert } from '../../src/compile.js';
import type { DType } from '../../src/ir/type.js';
import { encodeModel } from '../../src/onnx/encode.js';
import {
  intAttribute,
  makeGraph,
  makeModel,
  makeNode,
  makeOpset,
  makeTensor,
  tensorValue,
} from '../../src/onnx/make.js';
import { InferenceSession } from '../../src/runtime/session.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const whole = (n: number): Operand => ({ dtype: 'i64', shape: [1], values: [n], constant: true });

const top = (name: string, x: Operand, k: number, axis = -1, largest = 1, constant = true): OperatorCase => ({
  name: `TopK_${name}_${largest}`,
  opType: 'TopK',
  inputs: [x, { ...whole(k), constant }],
  attributes: [intAttribute('axis', axis), intAttribute('largest', largest)],
  results: [x.dtype, 'i64'],
});

/** Few different values, so that most of the order is that of their places. */
const ties = (dtype: DType, ...shape: readonly number[]): Operand => {
  const size = shape.reduce((a, b) => a * b, 1);
  return { dtype, shape, values: Array.from({ length: size }, (_, i) => ((i * 7919) % 13) - 6) };
};
const special: Operand = {
  dtype: 'f32',
  shape: [2, 8],
  values: [
    1,
    4,
    0,
    -0,
    -1,
    Number.POSITIVE_INFINITY,
    4,
    1,
    -0,
    0,
    -0,
    2,
    Number.NEGATIVE_INFINITY,
    2,
    -3,
    -3,
  ],
};

test('the best elements of a row', async () => {
  const types = (['f32', 'f64', 'i32', 'i64', 'u8', 'f16'] as const).map((t) =>
    top(`type_${t}`, { dtype: t, shape: [3, 70], low: t === 'u8' ? 0 : -9, high: 9 }, 11),
  );
  const cases = [0, 1].flatMap((largest) => [
    top('one', { dtype: 'f32', shape: [4, 5, 33] }, 1, -1, largest),
    top('axis', { dtype: 'f32', shape: [4, 37, 5] }, 9, 1, largest),
    top('ties', ties('f32', 2, 300), 150, -1, largest),
    top('all', ties('i32', 3, 65), 65, -1, largest),
    top('run', ties('f32', 2, 300), 40, -1, largest, false),
    top('special', special, 5, -1, largest),
  ]);
  expect(problemsOf(await outcomesOf([...cases, ...types], 20, emulated))).toEqual([]);
}, 600_000);

test('the best elements of a long row', async () => {
  const cases = [0, 1].flatMap((largest) => [
    // Chosen by digits and sorted at once, by parts, and in several rounds.
    top('long', { dtype: 'f32', shape: [1, 3001] }, 70, -1, largest),
    top('long_ties', ties('f32', 5000), 1500, -1, largest),
    top('parts', { dtype: 'f32', shape: [1, 20_011] }, 100, -1, largest),
    top('parts_ties', ties('i64', 9001, 2), 5, 0, largest),
    top('rounds', ties('f32', 9001), 9001, -1, largest),
    top('rounds_wide', { dtype: 'i64', shape: [5001] }, 4500, -1, largest),
  ]);
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('running sums', async () => {
  const sum = (t: DType, shape: readonly number[], axis: number, exclusive: number, reverse: number) => ({
    name: `CumSum_${t}_${shape.join('x')}_${axis}_${exclusive}_${reverse}`,
    opType: 'CumSum',
    inputs: [{ dtype: t, shape, low: -2, high: 2 }, whole(axis)],
    attributes: [intAttribute('exclusive', exclusive), intAttribute('reverse', reverse)],
    results: [t],
    accumulation: shape[axis]!,
  });
  const forms: readonly (readonly [readonly number[], number])[] = [
    [[3, 20], 1],
    [[3, 1203], 1],
    [[2, 9001], 1],
    [[2, 65, 5], 1],
    [[70, 40], 0],
  ];
  const cases = forms.flatMap(([shape, axis]) =>
    [0, 1].flatMap((exclusive) => [0, 1].map((reverse) => sum('f32', shape, axis, exclusive, reverse))),
  );
  const types = (['f64', 'i32', 'i64'] as const).flatMap((t) => [
    sum(t, [2, 9001], 1, 1, 1),
    sum(t, [2, 65, 5], 1, 0, 1),
  ]);
  expect(problemsOf(await outcomesOf([...cases, ...types], 20, emulated))).toEqual([]);
}, 600_000);

test('NaN counts as larger than any number', async () => {
  const values = [1, Number.NaN, Number.POSITIVE_INFINITY, 2, Number.NaN, Number.NEGATIVE_INFINITY];
  const node = (largest: number) =>
    makeNode({
      opType: 'TopK',
      input: ['x', 'k'],
      output: [`v${largest}`, `i${largest}`],
      attribute: [intAttribute('largest', largest)],
    });
  const model = makeModel({
    irVersion: 10,
    opsetImport: [makeOpset('', 20)],
    graph: makeGraph({
      name: 'order',
      input: [tensorValue('x', 'f32', [values.length])],
      initializer: [
        makeTensor('k', 'i64', [1], new Uint8Array(BigInt64Array.of(BigInt(values.length)).buffer)),
      ],
      node: [node(0), node(1)],
      output: [tensorValue('i0', 'i64'), tensorValue('i1', 'i64')],
    }),
  });
  await withTemporaryDirectory('ait-order', async (dir) => {
    await writeFile(join(dir, 'model.onnx'), encodeModel(model));
    const output = join(dir, 'engine');
    await convert(join(dir, 'model.onnx'), { output, verify: false, ...emulated });
    const session = await InferenceSession.create(output);
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    const results = await session.runData(new Map([['x', { dtype: 'f32', shape: [values.length], bytes }]]));
    await session.dispose();
    const places = (name: string) =>
      Array.from(new BigInt64Array(results.get(name)!.bytes.slice().buffer), Number);
    expect(places('i1')).toEqual([1, 4, 2, 3, 0, 5]);
    expect(places('i0')).toEqual([5, 0, 3, 2, 1, 4]);
  });
}, 600_000);
