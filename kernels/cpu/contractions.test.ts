import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const real = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -1, high: 1 });
const fixed = (dtype: DType, ...shape: readonly number[]): Operand => ({
  ...real(dtype, ...shape),
  constant: true,
});
const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const matmul = (name: string, a: Operand, b: Operand): OperatorCase => ({
  name: `matmul_${name}`,
  opType: 'MatMul',
  inputs: [a, b],
  results: [a.dtype],
  accumulation: a.shape.at(-1)!,
});

test('products of matrices', async () => {
  const t = 'f32';
  const cases = [
    matmul('constant', real(t, 2, 5, 33), fixed(t, 33, 70)),
    matmul('constant_row', real(t, 1, 300), fixed(t, 300, 17)),
    matmul('constant_batch', real(t, 3, 5, 33), fixed(t, 3, 33, 40)),
    matmul('constant_over_batch', real(t, 2, 1, 20, 33), fixed(t, 3, 33, 40)),
    matmul('activations', real(t, 2, 3, 15, 64), real(t, 2, 3, 64, 15)),
    matmul('broadcast', real(t, 2, 1, 3, 7, 33), real(t, 4, 1, 33, 9)),
    matmul('vector_left', real(t, 33), real(t, 2, 33, 5)),
    matmul('vector_right', real(t, 2, 5, 33), fixed(t, 33)),
    matmul('vectors', real(t, 33), real(t, 33)),
    matmul('empty', real(t, 0, 33), fixed(t, 33, 4)),
    matmul('f64', real('f64', 2, 5, 33), real('f64', 33, 70)),
    matmul('f16', real('f16', 2, 5, 33), fixed('f16', 33, 7)),
    matmul('f16_broadcast', real('f16', 2, 1, 5, 33), real('f16', 3, 33, 7)),
    matmul(
      'i32',
      { ...real('i32', 2, 5, 33), low: -9, high: 9 },
      { ...real('i32', 33, 70), low: -9, high: 9 },
    ),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('Gemm', async () => {
  const gemm = (
    name: string,
    inputs: readonly Operand[],
    ...attributes: readonly Attribute[]
  ): OperatorCase => ({
    name: `gemm_${name}`,
    opType: 'Gemm',
    inputs,
    attributes,
    results: [inputs[0]!.dtype],
    accumulation: 33,
  });
  const [a, b] = [real('f32', 20, 33), real('f32', 33, 40)];
  const [at, bt] = [real('f32', 33, 20), fixed('f32', 40, 33)];
  const trans = [intAttribute('transA', 1), intAttribute('transB', 1)];
  const scaled = [floatAttribute('alpha', 0.25), floatAttribute('beta', -2)];
  const cases = [
    gemm('plain', [a, b]),
    gemm('bias', [a, fixed('f32', 33, 40), fixed('f32', 40)]),
    gemm('transposed', [at, bt, fixed('f32', 1, 40)], ...trans),
    gemm('transposed_activations', [at, real('f32', 40, 33), real('f32', 20, 40)], ...trans, ...scaled),
    gemm('column', [a, b, real('f32', 20, 1)], ...scaled),
    gemm('scalar', [a, b, real('f32')], ...scaled),
    gemm('f64', [real('f64', 33, 20), real('f64', 33, 40), real('f64', 40)], trans[0]!, ...scaled),
    gemm('f16', [real('f16', 33, 20), fixed('f16', 33, 40), real('f16', 40)], trans[0]!),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

interface Window {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
  readonly autoPad?: string;
}
const windowAttributes = (w: Window): readonly Attribute[] => [
  ...(w.strides ? [intsAttribute('strides', w.strides)] : []),
  ...(w.pads ? [intsAttribute('pads', w.pads)] : []),
  ...(w.dilations ? [intsAttribute('dilations', w.dilations)] : []),
  ...(w.group ? [intAttribute('group', w.group)] : []),
  ...(w.autoPad ? [stringAttribute('auto_pad', w.autoPad)] : []),
];

const conv = (
  name: string,
  x: Operand,
  weights: Operand,
  window: Window,
  bias = true,
  opType = 'Conv',
): OperatorCase => ({
  name: `${opType}_${name}`,
  opType,
  inputs: [
    x,
    weights,
    bias
      ? fixed(x.dtype, opType === 'Conv' ? weights.shape[0]! : weights.shape[1]! * (window.group ?? 1))
      : undefined,
  ],
  attributes: windowAttributes(window),
  results: [x.dtype],
  accumulation: volume(weights.shape.slice(1)) + 1,
});

test('convolutions with constant weights', async () => {
  const t = 'f32';
  const image = (c: number, h = 13, w = 17): Operand => real(t, 2, c, h, w);
  const same = [1, 1, 1, 1];
  const cases = [
    conv('3x3', image(24), fixed(t, 40, 24, 3, 3), { pads: same }),
    conv('3x3_wide', image(64, 20, 23), fixed(t, 70, 64, 3, 3), { pads: same }),
    conv('3x3_stride', image(24), fixed(t, 40, 24, 3, 3), { pads: same, strides: [2, 2] }),
    conv('1x1', image(24), fixed(t, 40, 24, 1, 1), {}, false),
    conv('1x1_stride', image(24), fixed(t, 40, 24, 1, 1), { strides: [2, 2] }),
    conv('few_channels', image(3), fixed(t, 16, 3, 7, 7), { pads: [3, 3, 3, 3], strides: [2, 2] }),
    conv('one_channel', image(1), fixed(t, 5, 1, 3, 5), { pads: [0, 2, 1, 1] }),
    conv('groups', image(24), fixed(t, 36, 8, 3, 3), { group: 3, pads: same }),
    conv('lines', image(12, 20, 67), fixed(t, 10, 12, 7, 3), { dilations: [2, 1], pads: [6, 1, 6, 1] }),
    conv('lines_few', image(9, 20, 40), fixed(t, 5, 9, 5, 3), { strides: [2, 1] }),
    conv('planes', image(8, 9, 70), fixed(t, 8, 8, 3, 19), { pads: [1, 9, 1, 9] }),
    conv('plane', image(8, 9, 41), fixed(t, 1, 8, 5, 5), { pads: [2, 2, 2, 2], dilations: [1, 1] }),
    conv('dilated', image(8), fixed(t, 12, 8, 3, 3), { dilations: [2, 3], pads: [2, 3, 2, 3] }),
    conv('depthwise3', image(37), fixed(t, 37, 1, 3, 3), { group: 37, pads: same }),
    conv('depthwise3_stride', image(37), fixed(t, 37, 1, 3, 3), { group: 37, pads: same, strides: [2, 2] }),
    conv('depthwise5', image(20), fixed(t, 20, 1, 5, 5), { group: 20, pads: [2, 2, 2, 2] }),
    conv('depthwise7', image(20), fixed(t, 20, 1, 7, 7), { group: 20, pads: [3, 3, 3, 3] }),
    conv('depthwise_uneven', image(20), fixed(t, 20, 1, 3, 3), { group: 20, pads: same, strides: [2, 1] }),
    conv('multiplier', image(10), fixed(t, 20, 1, 3, 3), { group: 10, pads: same }),
    conv('same_upper', image(8, 12, 15), fixed(t, 9, 8, 3, 2), { autoPad: 'SAME_UPPER', strides: [2, 3] }),
    conv('same_lower', image(8, 12, 15), fixed(t, 9, 8, 2, 4), { autoPad: 'SAME_LOWER', strides: [1, 2] }),
    conv('valid', image(8), fixed(t, 9, 8, 3, 3), { autoPad: 'VALID' }),
    conv('one_axis', real(t, 2, 12, 50), fixed(t, 20, 12, 5), { pads: [2, 2], strides: [2] }),
    conv('one_axis_depthwise', real(t, 2, 12, 50), fixed(t, 12, 1, 5), { group: 12, pads: [2, 2] }),
    conv('three_axes', real(t, 1, 5, 6, 7, 8), fixed(t, 9, 5, 3, 2, 3), { pads: [1, 0, 1, 1, 0, 1] }),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('convolutions of other types and with weights from the model', async () => {
  const cases = [
    conv('weights', real('f32', 2, 9, 11, 12), real('f32', 15, 3, 3, 3), { group: 3, pads: [1, 1, 1, 1] }),
    conv('weights_1d', real('f32', 2, 9, 30), real('f32', 14, 9, 4), { strides: [2] }),
    conv('weights_3d', real('f32', 1, 4, 5, 6, 7), real('f32', 6, 4, 2, 2, 2), {}),
    conv('f16', real('f16', 2, 8, 9, 9), fixed('f16', 12, 8, 3, 3), { pads: [1, 1, 1, 1] }),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('transposed convolutions', async () => {
  const t = 'f32';
  const x = real(t, 2, 12, 7, 9);
  const of = (
    name: string,
    from: Operand,
    w: Operand,
    window: Window,
    ...more: readonly Attribute[]
  ): OperatorCase => {
    const base = conv(name, from, w, window, true, 'ConvTranspose');
    return { ...base, attributes: [...base.attributes!, ...more], accumulation: from.shape[1]! * 9 };
  };
  const cases = [
    of('2x2', x, fixed(t, 12, 20, 2, 2), { strides: [2, 2] }),
    of(
      '3x3',
      x,
      fixed(t, 12, 20, 3, 3),
      { strides: [2, 2], pads: [1, 1, 1, 1] },
      intsAttribute('output_padding', [1, 1]),
    ),
    of('groups', x, fixed(t, 12, 5, 3, 3), { group: 3, strides: [2, 3] }),
    of('dilated', x, fixed(t, 12, 5, 3, 3), { dilations: [2, 2], pads: [1, 2, 0, 1] }),
    of('blocks', real(t, 2, 24, 5, 37), fixed(t, 24, 1, 2, 2), { strides: [2, 2] }),
    of('uneven_blocks', real(t, 1, 35, 4, 16), fixed(t, 35, 1, 3, 2), { strides: [3, 2] }),
    of('blocks_of_a_line', real(t, 2, 7, 21), fixed(t, 7, 1, 5), { strides: [5] }),
    of('gaps', x, fixed(t, 12, 5, 1, 2), { strides: [3, 3] }),
    of('same', x, fixed(t, 12, 5, 3, 3), { autoPad: 'SAME_UPPER', strides: [2, 2] }),
    of('weights', x, real(t, 12, 5, 3, 3), { strides: [2, 2] }),
    of('one_axis', real(t, 2, 6, 15), fixed(t, 6, 7, 4), { strides: [2], pads: [1, 1] }),
    of('three_axes', real(t, 1, 6, 3, 4, 5), fixed(t, 6, 4, 2, 3, 2), { strides: [2, 1, 2], group: 1 }),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('pools', async () => {
  const pool = (
    name: string,
    opType: string,
    x: Operand,
    kernel: readonly number[],
    window: Window,
    ...more: readonly Attribute[]
  ): OperatorCase => ({
    name: `${opType}_${name}`,
    opType,
    inputs: [x],
    attributes: [intsAttribute('kernel_shape', kernel), ...windowAttributes(window), ...more],
    results: opType === 'MaxPool' && name.includes('indices') ? [x.dtype, 'i64'] : [x.dtype],
    accumulation: volume(kernel),
  });
  const x = real('f32', 2, 21, 11, 14);
  const ceil = intAttribute('ceil_mode', 1);
  const counted = intAttribute('count_include_pad', 1);
  const cases = [
    pool('plain', 'MaxPool', x, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
    pool('ceil', 'MaxPool', x, [2, 3], { strides: [2, 2] }, ceil),
    pool('dilated', 'MaxPool', x, [3, 2], { dilations: [2, 3] }),
    pool('indices', 'MaxPool', x, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
    pool('bytes', 'MaxPool', { dtype: 'u8', shape: [1, 5, 9, 9], low: 0, high: 255 }, [3, 3], {}),
    pool('one_axis', 'MaxPool', real('f32', 2, 5, 19), [4], { strides: [3] }),
    pool('three_axes', 'MaxPool', real('f32', 1, 5, 6, 7, 8), [2, 3, 2], { strides: [2, 2, 1] }),
    pool('plain', 'AveragePool', x, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
    pool('counted', 'AveragePool', x, [3, 3], { strides: [2, 2], pads: [1, 0, 1, 2] }, counted),
    pool('same', 'AveragePool', x, [3, 2], { strides: [2, 3], autoPad: 'SAME_LOWER' }),
    pool('ceil', 'AveragePool', x, [3, 2], { strides: [2, 2] }, ceil),
    pool('plain', 'LpPool', x, [2, 2], { strides: [1, 2] }, intAttribute('p', 2)),
    pool('cubic', 'LpPool', x, [2, 2], {}, intAttribute('p', 3)),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);
