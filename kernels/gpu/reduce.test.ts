import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute } from '../../src/onnx/make.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const kinds = ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'SumSquare', 'LogSum', 'LogSumExp'] as const;

const reduction = (
  kind: string,
  dtype: DType,
  shape: readonly number[],
  axes: readonly number[],
  constant = true,
  keepdims = false,
): OperatorCase => {
  const length = axes.reduce((n, a) => n * shape[a]!, 1);
  const x: Operand = { dtype, shape, low: kind === 'LogSum' ? 0.1 : -2, high: 2 };
  return {
    name: `${kind}_${dtype}_${shape.join('x')}_${axes.join('_')}_${constant}_${keepdims}`,
    opType: `Reduce${kind}`,
    inputs: [x, { dtype: 'i64', shape: [axes.length], values: axes, constant }],
    attributes: [intAttribute('keepdims', Number(keepdims))],
    results: [dtype],
    accumulation: length,
  };
};

/** Rows, columns and axes that are not side by side, with whole vectors and without. */
const forms: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[3, 37], [1]],
  [[37, 3], [0]],
  [[2, 19, 35], [1]],
  [[2, 19, 64], [1]],
  [[5, 64], [1]],
  [
    [2, 3, 4, 5],
    [0, 2],
  ],
  [
    [2, 3, 4, 5],
    [1, 3],
  ],
  [
    [4, 9],
    [0, 1],
  ],
];

test('all reductions over every arrangement of axes', async () => {
  const cases = kinds.flatMap((kind) =>
    (['Mean', 'LogSumExp'].includes(kind) ? forms : forms.slice(0, 2)).map(([shape, axes]) =>
      reduction(kind, 'f32', shape, axes),
    ),
  );
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('reductions of other types', async () => {
  const cases = [
    ...(['Sum', 'Max', 'Min', 'Mean', 'Prod'] as const).flatMap((kind) =>
      (['i32', 'i64', 'f64'] as const).flatMap((t) =>
        t === 'i64' && kind === 'Mean' ? [] : [reduction(kind, t, [2, 19, 35], [1])],
      ),
    ),
    ...(['Max', 'Min'] as const).flatMap((kind) => [
      reduction(kind, 'f16', [3, 72], [1]),
      reduction(kind, 'i8', [3, 70], [1]),
    ]),
    reduction('Mean', 'f16', [3, 520], [1]),
    reduction('LogSumExp', 'f64', [3, 52], [1]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('axes that only the running model knows', async () => {
  const cases = (['Sum', 'LogSumExp', 'Max'] as const).flatMap((kind) =>
    forms.flatMap(([shape, axes]) => [
      reduction(kind, 'f32', shape, axes, false, true),
      reduction(kind, 'f32', shape, axes, false, false),
    ]),
  );
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('long sums are cut into parts', async () => {
  const cases = [
    reduction('Sum', 'f32', [300_001], [0]),
    reduction('LogSumExp', 'f32', [3, 20_000], [1]),
    reduction('Mean', 'f32', [2, 2000, 130], [1]),
    reduction('Max', 'f32', [2, 2000, 16], [1]),
    reduction('L2', 'f32', [2, 100, 1300], [0, 2]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('where the extreme element lies', async () => {
  const ties: Operand = { dtype: 'f32', shape: [3, 4], values: [1, 5, 5, 2, 0, 0, 0, 0, -3, -1, -3, -1] };
  const cases = ['ArgMax', 'ArgMin'].flatMap((opType) =>
    [0, 1].flatMap((axis) =>
      [0, 1].map((last): OperatorCase => {
        const attributes = [intAttribute('axis', axis), intAttribute('select_last_index', last)];
        return { name: `${opType}_${axis}_${last}`, opType, inputs: [ties], attributes, results: ['i64'] };
      }),
    ),
  );
  const wide = (['f32', 'i32', 'u8'] as const).flatMap((t) =>
    ['ArgMax', 'ArgMin'].flatMap((opType) =>
      [0, 1, 2].map((axis): OperatorCase => {
        const attributes = [intAttribute('axis', axis), intAttribute('keepdims', 0)];
        const inputs = [{ dtype: t, shape: [3, 37, 72] }];
        return { name: `${opType}_${t}_${axis}`, opType, inputs, attributes, results: ['i64'] };
      }),
    ),
  );
  const long: OperatorCase = {
    name: 'ArgMax_long',
    opType: 'ArgMax',
    inputs: [{ dtype: 'f32', shape: [2, 50_000], low: -1, high: 1 }],
    attributes: [intAttribute('axis', 1)],
    results: ['i64'],
  };
  expect(problemsOf(await outcomesOf([...cases, ...wide, long], 20, emulated))).toEqual([]);
}, 600_000);
