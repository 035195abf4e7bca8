import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const open = (dtype: DType, name: string, ...shape: readonly number[]): Operand => ({
  dtype,
  shape,
  declared: shape.map((_, i) => `${name}${i}`),
  low: -9,
  high: 9,
});

/** Integers that look random, from low up to but without high. */
function integers(dtype: 'i64' | 'i32', low: number, high: number, ...shape: readonly number[]): Operand {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: size }, (_, i) => low + (((i * 7919 + 104729) % 1009) % (high - low)));
  return { dtype, shape, values };
}

const make = (
  name: string,
  opType: string,
  inputs: readonly Operand[],
  attributes: readonly Attribute[] = [],
  results: readonly DType[] = [inputs[0]!.dtype],
): OperatorCase => ({ name: `${opType}_${name}`, opType, inputs, attributes, results });

const axis = (a: number): Attribute => intAttribute('axis', a);

test('gathering', async () => {
  const cases = [
    make('rows', 'Gather', [open('f32', 'a', 9, 5), integers('i64', -9, 9, 3, 4)]),
    make('middle', 'Gather', [open('i64', 'b', 4, 9, 5), integers('i32', -9, 9, 6)], [axis(1)]),
    make(
      'one',
      'Gather',
      [open('f16', 'c', 4, 9, 5), { ...integers('i64', -1, 0), constant: true }],
      [axis(1)],
    ),
    make(
      'elements',
      'GatherElements',
      [open('f32', 'd', 4, 9, 5), integers('i64', -9, 9, 3, 6, 5)],
      [axis(1)],
    ),
    make(
      'batches',
      'GatherND',
      [open('f32', 'e', 4, 9, 5), integers('i64', -9, 9, 4, 6, 1)],
      [intAttribute('batch_dims', 1)],
    ),
    make('pairs', 'GatherND', [open('f32', 'f', 4, 9, 5), integers('i64', -4, 4, 7, 2)]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('scattering', async () => {
  const reductions = ['none', 'add', 'mul', 'max', 'min'];
  const cases = reductions.flatMap((reduction) => {
    const how = stringAttribute('reduction', reduction);
    const x = (name: string, ...shape: readonly number[]): Operand =>
      open('f32', `${reduction}${name}`, ...shape);
    // Each place once, so that the order of the updates does not matter.
    const rows: Operand = {
      dtype: 'i64',
      shape: [6, 40],
      values: Array.from({ length: 240 }, (_, i) => (i * 7) % 6),
    };
    const distinct = { ...rows, values: rows.values!.map((_, i) => (Math.floor(i / 40) + i) % 6) };
    return [
      make(`rows_${reduction}`, 'ScatterElements', [x('a', 6, 40), distinct, x('u', 6, 40)], [axis(0), how]),
      make(
        `part_${reduction}`,
        'ScatterElements',
        [
          x('b', 9, 8, 7),
          { dtype: 'i64', shape: [2, 1, 4], values: [-1, 2, 3, 7, -8, 1, 0, 4] },
          x('v', 2, 1, 4),
        ],
        [axis(1), how],
      ),
      make(
        `slices_${reduction}`,
        'ScatterND',
        [x('c', 6, 8, 70), { dtype: 'i64', shape: [4, 1], values: [1, 3, 0, -2] }, x('w', 4, 8, 70)],
        [how],
      ),
    ];
  });
  cases.push(
    make(
      'repeated',
      'ScatterElements',
      [open('i64', 'x', 6, 4), integers('i64', 0, 6, 9, 4), open('i64', 'y', 9, 4)],
      [axis(0), stringAttribute('reduction', 'add')],
    ),
  );
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('selecting by value', async () => {
  const flags = (n: number): Operand => ({
    dtype: 'bool',
    shape: [n],
    values: Array.from({ length: n }, (_, i) => ((i * 5) % 3) % 2),
  });
  const scalar = (value: number): Operand => ({ dtype: 'i64', shape: [], values: [value] });
  const four = ['f32', 'i64', 'i64', 'i64'] as const;
  const few = (...shape: readonly number[]): Operand => ({ ...integers('i32', 0, 4, ...shape) });
  const cases = [
    make('of_a_matrix', 'NonZero', [few(4, 6)], [], ['i64']),
    make('columns', 'Compress', [open('f32', 'a', 4, 6, 3), flags(5)], [axis(1)]),
    make('flat', 'Compress', [open('f32', 'b', 4, 6), flags(20)]),
    make('sorted', 'Unique', [{ dtype: 'f32', shape: [40], values: few(40).values! }], [], four),
    make(
      'columns',
      'Unique',
      [{ dtype: 'f32', shape: [3, 20], values: few(3, 20).values! }],
      [axis(1), intAttribute('sorted', 0)],
      four,
    ),
    make(
      'open',
      'OneHot',
      [integers('i64', -4, 6, 3, 4), scalar(5), { dtype: 'f32', shape: [2] }],
      [axis(1)],
      ['f32'],
    ),
    make(
      'columns',
      'TopK',
      [open('f32', 'c', 4, 30, 3), { dtype: 'i64', shape: [1], values: [7] }],
      [axis(1)],
      ['f32', 'i64'],
    ),
    make(
      'smallest',
      'TopK',
      [open('f32', 'd', 4, 30), { dtype: 'i64', shape: [1], values: [5], constant: true }],
      [intAttribute('largest', 0)],
      ['f32', 'i64'],
    ),
    make(
      'backwards',
      'ReverseSequence',
      [open('f32', 'e', 5, 4, 3), { dtype: 'i64', shape: [4], values: [1, 5, 0, 3] }],
      [intAttribute('time_axis', 0), intAttribute('batch_axis', 1)],
    ),
    ...[0, 1, 2, 3].map((i) =>
      make(
        `sums_${i}`,
        'CumSum',
        [open('f32', `f${i}`, 4, 30, 3), scalar(1)],
        [intAttribute('exclusive', i % 2), intAttribute('reverse', i >> 1)],
      ),
    ),
    make('upwards', 'Range', [scalar(3), scalar(20), scalar(4)]),
    make('downwards', 'Range', [scalar(20), scalar(3), scalar(-4)]),
    make('lower', 'Trilu', [open('f32', 'g', 2, 5, 7), scalar(1)], [intAttribute('upper', 0)]),
  ];
  const wide = cases.map((c) => ({ ...c, accumulation: 30 }));
  expect(problemsOf(await outcomesOf(wide, 20))).toEqual([]);
}, 300_000);
