import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, intsAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;

const real = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -1, high: 1 });
const fixed = (dtype: DType, ...shape: readonly number[]): Operand => ({
  ...real(dtype, ...shape),
  constant: true,
});
const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const product = (
  name: string,
  inputs: readonly Operand[],
  opType = 'MatMul',
  attributes: readonly Attribute[] = [],
): OperatorCase => ({
  name: `${opType}_${name}`,
  opType,
  inputs,
  attributes,
  results: [inputs[0]!.dtype],
  accumulation: Math.max(...inputs[0]!.shape.slice(-2)),
});

test('products of matrices', async () => {
  const t = 'f16';
  const trans = [intAttribute('transA', 1), intAttribute('transB', 1)];
  const scaled = [floatAttribute('alpha', 0.25), floatAttribute('beta', -2)];
  const cases = [
    product('rows', [real(t, 3, 20, 64), fixed(t, 64, 72)]),
    product('rows_odd', [real(t, 3, 21, 35), fixed(t, 35, 37)]),
    product('long', [real(t, 20, 1040), fixed(t, 1040, 40)]),
    product('few_rows', [real(t, 1, 520), fixed(t, 520, 33)]),
    product('eight_rows', [real(t, 8, 77), fixed(t, 77, 24)]),
    product('constant_over_batch', [real(t, 2, 1, 20, 40), fixed(t, 3, 40, 24)]),
    product('activations', [real(t, 2, 3, 15, 64), real(t, 2, 3, 64, 40)]),
    product('activations_odd', [real(t, 2, 3, 15, 33), real(t, 2, 3, 33, 15)]),
    product('broadcast', [real(t, 2, 1, 3, 7, 16), real(t, 4, 1, 16, 9)]),
    product('both_turned', [real(t, 64, 40), real(t, 24, 64), real(t, 24)], 'Gemm', [...trans, ...scaled]),
    product('left_turned', [real(t, 33, 21), fixed(t, 33, 40), real(t, 21, 1)], 'Gemm', [trans[0]!]),
    product('all_added', [real(t, 20, 40), fixed(t, 40, 48), real(t, 20, 48)], 'Gemm'),
    product('empty', [real(t, 0, 32), fixed(t, 32, 4)]),
    product('nothing', [real(t, 4, 0), real(t, 0, 8)]),
    product('f32', [real('f32', 2, 37, 60), fixed('f32', 60, 70)]),
    product('f32_odd', [real('f32', 2, 37, 33), real('f32', 33, 35)]),
    product('f64', [real('f64', 2, 5, 33), real('f64', 33, 70)]),
    product('i32', [
      { ...real('i32', 2, 5, 33), low: -9, high: 9 },
      { ...real('i32', 33, 70), low: -9, high: 9 },
    ]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

interface Window {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
}

const conv = (name: string, x: Operand, w: Operand, window: Window, opType = 'Conv'): OperatorCase => ({
  name: `${opType}_${name}`,
  opType,
  inputs: [x, w, fixed(x.dtype, opType === 'Conv' ? w.shape[0]! : w.shape[1]! * (window.group ?? 1))],
  attributes: [
    ...(window.strides ? [intsAttribute('strides', window.strides)] : []),
    ...(window.pads ? [intsAttribute('pads', window.pads)] : []),
    ...(window.dilations ? [intsAttribute('dilations', window.dilations)] : []),
    ...(window.group ? [intAttribute('group', window.group)] : []),
  ],
  results: [x.dtype],
  accumulation: (opType === 'Conv' ? volume(w.shape.slice(1)) : x.shape[1]! * 9) + 1,
});

test('convolutions', async () => {
  const t = 'f16';
  const image = (c: number, h = 9, w = 11): Operand => real(t, 2, c, h, w);
  const same = [1, 1, 1, 1];
  const cases = [
    conv('3x3', image(16), fixed(t, 40, 16, 3, 3), { pads: same }),
    conv('3x3_stride', image(72), fixed(t, 24, 72, 3, 3), { pads: same, strides: [2, 2] }),
    conv('1x1', image(24), fixed(t, 40, 24, 1, 1), {}),
    conv('1x1_stride', image(24), fixed(t, 40, 24, 1, 1), { strides: [2, 2] }),
    conv('stem', image(3, 20, 21), fixed(t, 16, 3, 7, 7), { pads: [3, 3, 3, 3], strides: [2, 2] }),
    conv('stem_small', image(3, 20, 21), fixed(t, 24, 3, 3, 3), { pads: same, strides: [2, 2] }),
    conv('odd_channels', image(13), fixed(t, 9, 13, 3, 3), { pads: same }),
    conv('groups', image(24), fixed(t, 36, 8, 3, 3), { group: 3, pads: same }),
    conv('small_groups', image(32), fixed(t, 32, 4, 3, 3), { group: 8, pads: same }),
    conv('odd_groups', image(15), fixed(t, 10, 3, 3, 3), { group: 5, pads: same }),
    conv('dilated', image(8), fixed(t, 12, 8, 3, 3), { dilations: [2, 3], pads: [2, 3, 2, 3] }),
    conv('depthwise3', image(24), fixed(t, 24, 1, 3, 3), { group: 24, pads: same }),
    conv('depthwise5', image(37), fixed(t, 37, 1, 5, 5), { group: 37, pads: [2, 2, 2, 2], strides: [2, 2] }),
    conv('depthwise_dilated', image(8), fixed(t, 8, 1, 3, 3), { group: 8, dilations: [2, 2] }),
    conv('multiplier', image(8), fixed(t, 16, 1, 3, 3), { group: 8, pads: same }),
    conv('one_axis', real(t, 2, 16, 50), fixed(t, 20, 16, 5), { pads: [2, 2], strides: [2] }),
    conv('three_axes', real(t, 1, 8, 6, 7, 8), fixed(t, 9, 8, 3, 2, 3), { pads: [1, 0, 1, 1, 0, 1] }),
    conv('weights', real(t, 2, 24, 9, 8), real(t, 16, 24, 3, 3), { pads: same }),
    conv('f32', real('f32', 2, 9, 11, 12), fixed('f32', 14, 9, 3, 3), { pads: same }),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('transposed convolutions', async () => {
  const t = 'f16';
  const x = real(t, 2, 16, 7, 9);
  const of = (name: string, from: Operand, w: Operand, window: Window): OperatorCase =>
    conv(name, from, w, window, 'ConvTranspose');
  const cases = [
    of('2x2', x, fixed(t, 16, 20, 2, 2), { strides: [2, 2] }),
    of('4x4', x, fixed(t, 16, 24, 4, 4), { strides: [2, 2], pads: [1, 1, 1, 1] }),
    of('odd_channels', real(t, 1, 5, 6, 7), fixed(t, 5, 7, 3, 3), { strides: [2, 3] }),
    of('groups', x, fixed(t, 16, 5, 3, 3), { group: 2, strides: [2, 2] }),
    of('gaps', x, fixed(t, 16, 5, 1, 2), { strides: [3, 3] }),
    of('weights', real('f32', 2, 6, 7, 5), real('f32', 6, 5, 3, 3), { strides: [2, 2] }),
    of('one_axis', real(t, 2, 8, 15), fixed(t, 8, 6, 4), { strides: [2], pads: [1, 1] }),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);
