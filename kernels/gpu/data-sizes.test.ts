import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute } from '../../src/onnx/make.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;

/** Numbers 0 to n - 1 in no order, n times over. */
const mixed = (count: number, n: number): number[] =>
  Array.from({ length: count }, (_, i) => (i * 7919 + ((i * i) % 31)) % n);

const nonzero = (dtype: DType, shape: readonly number[], n: number): OperatorCase => ({
  name: `NonZero_${dtype}_${shape.join('x')}_${n}`,
  opType: 'NonZero',
  inputs: [
    {
      dtype,
      shape,
      values: mixed(
        shape.reduce((a, b) => a * b, 1),
        n,
      ),
    },
  ],
  results: ['i64'],
});

test('what is not 0 is found in order, by one block and by many', async () => {
  const cases = [
    nonzero('f32', [5], 2),
    nonzero('f32', [3, 70, 4], 3),
    nonzero('i64', [300, 2], 5),
    nonzero('u8', [1, 9], 2),
    nonzero('bool', [40, 500], 2),
    nonzero('f32', [20_000], 3),
    nonzero('f16', [3, 7000], 2),
    nonzero('f32', [0, 4], 2),
    nonzero('f32', [30, 3], 1),
  ];
  expect(problemsOf(await outcomesOf(cases, 17, emulated))).toEqual([]);
}, 300_000);

const compress = (
  dtype: DType,
  shape: readonly number[],
  conditions: number,
  axis: number | undefined,
): OperatorCase => ({
  name: `Compress_${dtype}_${shape.join('x')}_${conditions}_${axis}`,
  opType: 'Compress',
  inputs: [
    { dtype, shape },
    { dtype: 'bool', shape: [conditions], values: mixed(conditions, 2) },
  ],
  attributes: axis === undefined ? [] : [intAttribute('axis', axis)],
  results: [dtype],
});

test('slices that a condition takes stay in order', async () => {
  const cases = [
    compress('f32', [4, 9, 3], 9, 1),
    compress('f32', [4, 9, 8], 5, 1),
    compress('i64', [7, 33], 7, 0),
    compress('f32', [6, 50], 300, undefined),
    compress('u8', [18_000, 4], 18_000, 0),
    compress('f16', [3, 16], 16, -1),
  ];
  expect(problemsOf(await outcomesOf(cases, 17, emulated))).toEqual([]);
}, 300_000);

const unique = (
  dtype: DType,
  shape: readonly number[],
  n: number,
  axis?: number,
  sorted = 1,
): OperatorCase => ({
  name: `Unique_${dtype}_${shape.join('x')}_${n}_${axis}_${sorted}`,
  opType: 'Unique',
  inputs: [
    {
      dtype,
      shape,
      values: mixed(
        shape.reduce((a, b) => a * b, 1),
        n,
      ),
    },
  ],
  attributes: [intAttribute('sorted', sorted), ...(axis === undefined ? [] : [intAttribute('axis', axis)])],
  results: [dtype, 'i64', 'i64', 'i64'],
});

test('distinct elements and slices, sorted or as they were first seen', async () => {
  const cases = [
    unique('f32', [1], 2),
    unique('f32', [37], 5),
    unique('f32', [37], 5, undefined, 0),
    unique('i64', [9, 130], 40),
    unique('i64', [9, 130], 600, undefined, 0),
    unique('f32', [70, 2], 3, 0),
    unique('f32', [2, 60, 3], 2, 1, 0),
    unique('i8', [3, 17], 2, 1),
    unique('f32', [0], 2),
  ];
  expect(problemsOf(await outcomesOf(cases, 17, emulated))).toEqual([]);
}, 300_000);

const range = (dtype: DType, start: number, limit: number, delta: number): OperatorCase => ({
  name: `Range_${dtype}_${start}_${limit}_${delta}`,
  opType: 'Range',
  inputs: [start, limit, delta].map((x): Operand => ({ dtype, shape: [], values: [x] })),
  results: [dtype],
});

test('a range of as many floats as the running model says', async () => {
  const cases = [
    range('f32', 0, 3, 0.25),
    range('f32', 5, -5, -0.75),
    range('f64', 1, 1, 2),
    range('f32', 0, -1, 1),
  ];
  expect(problemsOf(await outcomesOf(cases, 17, emulated))).toEqual([]);
}, 300_000);

/** Boxes of which many overlap, and scores of which some are equal. */
function suppression(
  [batch, classes, n]: readonly [number, number, number],
  limit: number,
  overlap: number,
  score: number | undefined,
  centre: number,
): OperatorCase {
  const boxes = Array.from({ length: batch * n }, (_, i) => {
    const [y, x, h, w] = [(i * 37) % 23, (i * 53) % 19, 3 + ((i * 7) % 5), 2 + ((i * 11) % 7)];
    return centre === 1 ? [x, y, w, h] : i % 3 === 0 ? [y + h, x + w, y, x] : [y, x, y + h, x + w];
  });
  const scalar = (dtype: DType, x: number): Operand => ({ dtype, shape: [1], values: [x], constant: true });
  return {
    name: `NonMaxSuppression_${batch}x${classes}x${n}_${limit}_${overlap}_${score}_${centre}`,
    opType: 'NonMaxSuppression',
    inputs: [
      { dtype: 'f32', shape: [batch, n, 4], values: boxes.flat() },
      {
        dtype: 'f32',
        shape: [batch, classes, n],
        values: mixed(batch * classes * n, 101).map((x) => x / 101),
      },
      scalar('i64', limit),
      scalar('f32', overlap),
      ...(score === undefined ? [] : [scalar('f32', score)]),
    ],
    attributes: [intAttribute('center_point_box', centre)],
    results: ['i64'],
  };
}

test('boxes that overlap better ones are left out', async () => {
  const cases = [
    suppression([1, 1, 6], 3, 0.5, 0.1, 0),
    suppression([2, 3, 300], 400, 0.3, undefined, 0),
    suppression([2, 3, 300], 7, 0.2, 0.4, 1),
    suppression([1, 5, 90], 100, 0, 0.5, 0),
    suppression([1, 2, 40], 40, 0.5, 2, 0),
    suppression([1, 2, 40], 0, 0.5, 0.1, 0),
  ];
  expect(problemsOf(await outcomesOf(cases, 17, emulated))).toEqual([]);
}, 300_000);
