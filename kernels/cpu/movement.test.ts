import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

/** A tensor whose extents only the run knows, unless they are 1. */
const open = (dtype: DType, name: string, ...shape: readonly number[]): Operand => ({
  dtype,
  shape,
  declared: shape.map((_, i) => `${name}${i}`),
  low: -50,
  high: 50,
});
const longs = (...values: readonly number[]): Operand => ({ dtype: 'i64', shape: [values.length], values });
const fixed = (...values: readonly number[]): Operand => ({ ...longs(...values), constant: true });

const make = (
  name: string,
  opType: string,
  inputs: readonly (Operand | undefined)[],
  attributes: readonly Attribute[] = [],
  results: readonly DType[] = [inputs[0]!.dtype],
): OperatorCase => ({ name: `${opType}_${name}`, opType, inputs, attributes, results });

test('transposes', async () => {
  const types = ['f32', 'i64', 'u8', 'f16', 'f64', 'bool'] as const;
  const perms = [
    [1, 0, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 2, 0],
  ];
  const cases = types.flatMap((t) =>
    perms.map((perm) =>
      make(
        `${t}_${perm.join('')}`,
        'Transpose',
        [open(t, `${t}${perm.join('')}_`, 5, 37, 19)],
        [intsAttribute('perm', perm)],
      ),
    ),
  );
  cases.push(
    make('to_nhwc', 'Transpose', [open('f32', 'a', 2, 33, 17, 40)], [intsAttribute('perm', [0, 2, 3, 1])]),
    make('to_nchw', 'Transpose', [open('f32', 'b', 2, 33, 40, 3)], [intsAttribute('perm', [0, 3, 1, 2])]),
    make('of_nothing', 'Transpose', [open('f32', 'c', 2, 0, 3)], [intsAttribute('perm', [2, 1, 0])]),
  );
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

const far = Number.MAX_SAFE_INTEGER;

test('slices', async () => {
  const ranges = [
    [1, 4, 1],
    [-3, far, 1],
    [0, -1, 2],
    [-1, -far, -1],
    [5, 1, -2],
    [100, 200, 1],
    [2 ** 31 - 1, 0, -1],
    [-100, 3, 1],
  ] as const;
  const cases = ranges.flatMap(([start, end, step], i) =>
    [0, 1, -1].flatMap((axis) =>
      [longs, fixed].map((given) => {
        const name = `${i}_${axis}_${given === longs ? 'open' : 'fixed'}`;
        const range = [given(start), given(end), given(axis), given(step)];
        return make(name, 'Slice', [open('f32', `s${name}`, 6, 7, 8), ...range]);
      }),
    ),
  );
  cases.push(
    make('of_two_axes', 'Slice', [
      open('f32', 'two', 9, 10, 11),
      fixed(8, 1),
      fixed(-20, 9),
      fixed(-1, 0),
      fixed(-3, 2),
    ]),
  );
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('pads', async () => {
  const modes = ['constant', 'edge', 'reflect', 'wrap'];
  const cases = modes.flatMap((mode) => {
    const how = [stringAttribute('mode', mode)];
    const x = (name: string): Operand => open('f32', `${mode}${name}`, 4, 5, 6);
    return [
      make(`${mode}_fixed`, 'Pad', [x('f'), fixed(1, 0, 2, 0, 3, 2)], how),
      make(`${mode}_open`, 'Pad', [x('o'), longs(1, 0, 2, 0, 3, 2)], how),
      make(`${mode}_axis`, 'Pad', [x('a'), longs(2, 3), undefined, fixed(-2)], how),
    ];
  });
  cases.push(
    make('cuts', 'Pad', [open('f32', 'cut', 4, 5, 6), fixed(-1, 0, 2, 1, -2, -3)]),
    make('f16', 'Pad', [open('f16', 'half', 4, 5), fixed(1, 1, 0, 2)]),
  );
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('joining, splitting and repeating', async () => {
  const rows = (name: string, n: number): Operand => ({
    ...open('f32', name, 3, n, 5),
    declared: ['rows', name, 'columns'],
  });
  const cases = [
    make('of_three', 'Concat', [rows('p', 4), rows('q', 2), rows('r', 7)], [intAttribute('axis', 1)]),
    make('of_bools', 'Concat', [open('bool', 'u', 3, 4), open('bool', 'v', 2, 4)], [intAttribute('axis', 0)]),
    make(
      'uneven',
      'Split',
      [open('f32', 'e', 3, 8)],
      [intAttribute('axis', -1), intAttribute('num_outputs', 3)],
      ['f32', 'f32', 'f32'],
    ),
    make('open_sizes', 'Split', [open('f32', 'o', 9, 4), longs(2, 0, 7)], [], ['f32', 'f32', 'f32']),
    make('open', 'Expand', [open('f32', 'x', 3, 1), longs(2, 1, 6)]),
    make('by_ones', 'Expand', [open('f32', 'y', 3, 4), longs(2, 3, 1)]),
    make('open', 'Tile', [open('f32', 't', 3, 4), longs(2, 3)]),
    make('fixed', 'Tile', [open('f32', 'w', 3, 4), fixed(1, 3)]),
    make(
      'crd',
      'DepthToSpace',
      [{ ...open('f32', 'd', 2, 8, 3, 4) }],
      [intAttribute('blocksize', 2), stringAttribute('mode', 'CRD')],
    ),
    make('plain', 'SpaceToDepth', [open('f32', 's', 2, 3, 6, 4)], [intAttribute('blocksize', 2)]),
    make('both', 'CenterCropPad', [open('f32', 'c', 3, 7, 8), longs(4, 11)], [intsAttribute('axes', [1, 2])]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);
