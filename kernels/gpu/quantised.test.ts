import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute, intsAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

/** Warps of 32 lanes as NVIDIA's, and of 64 as AMD's, whose matrix units know signed bytes only. */
const devices = ['emulated', 'emulated64'] as const;
const on = (arch: string) => ({ target: 'emulated', arch, precision: 'f32' }) as const;

type Byte = 'u8' | 'i8';
const ranges = { u8: { low: 0, high: 255 }, i8: { low: -128, high: 127 } } as const;
const bytes = (dtype: Byte, ...shape: readonly number[]): Operand => ({ dtype, shape, ...ranges[dtype] });
const fixed = (x: Operand): Operand => ({ ...x, constant: true });
const named = (x: Operand, ...declared: readonly (number | string)[]): Operand => ({ ...x, declared });
const scalar = (dtype: DType, value: number): Operand => ({
  dtype,
  shape: [],
  values: [value],
  constant: true,
});
const given = (dtype: DType, value: number): Operand => ({ dtype, shape: [], values: [value] });

const sums = (name: string, ...inputs: readonly (Operand | undefined)[]): OperatorCase => ({
  name: `product_${name}`,
  opType: 'MatMulInteger',
  inputs,
  results: ['i32'],
});
const requantised = (
  name: string,
  [x, xPoint]: readonly [Operand, Operand],
  [w, wScale, wPoint]: readonly [Operand, Operand, Operand],
  to: Byte,
): OperatorCase => ({
  name: `requantised_${name}`,
  opType: 'QLinearMatMul',
  inputs: [
    ...[x, scalar('f32', 0.021), xPoint],
    ...[w, wScale, wPoint],
    ...[scalar('f32', 3.7), scalar(to, to === 'u8' ? 121 : -7)],
  ],
  results: [to],
});

test.each(devices)(
  'products of bytes on %s',
  async (arch) => {
    const u = (...shape: readonly number[]): Operand => bytes('u8', ...shape);
    const i = (...shape: readonly number[]): Operand => bytes('i8', ...shape);
    const cases = [
      sums('plain', u(21, 64), fixed(i(64, 40))),
      sums('odd', u(21, 35), fixed(u(35, 37)), scalar('u8', 113), scalar('u8', 141)),
      sums('one_odd_row', u(1, 77), fixed(i(77, 24)), given('u8', 3), scalar('i8', 0)),
      sums('pairs', u(19, 70), fixed(u(70, 33)), given('u8', 255), given('u8', 0)),
      sums('long', u(20, 2080), fixed(u(2080, 40)), given('u8', 128), scalar('u8', 119)),
      sums('centred', i(33, 128), fixed(u(128, 72)), scalar('i8', 0), scalar('u8', 128)),
      sums('signed', i(33, 128), fixed(i(128, 72)), scalar('i8', -128), scalar('i8', 127)),
      sums('columns', u(2, 9, 48), fixed(u(48, 20)), given('u8', 7), fixed(u(20))),
      sums('columns_read', u(17, 48), fixed(i(48, 24)), given('u8', 7), i(24)),
      sums('activations', u(2, 3, 15, 64), u(2, 3, 64, 40), given('u8', 120), given('u8', 130)),
      sums('activations_odd', u(2, 3, 15, 33), i(2, 3, 33, 15), given('u8', 99), given('i8', 3)),
      sums('broadcast', u(2, 1, 3, 7, 16), u(4, 1, 16, 9), given('u8', 100), given('u8', 31)),
      sums('constant_batch', u(3, 20, 40), fixed(u(3, 40, 24)), given('u8', 9), scalar('u8', 77)),
      sums('empty', u(0, 32), fixed(i(32, 4))),
      sums('any_rows', named(u(23, 50), 'rows', 50), fixed(u(50, 24)), given('u8', 9), scalar('u8', 77)),
      sums('any_size', named(u(3, 9, 35), 'n', 'm', 'k'), named(u(35, 21), 'k', 'columns'), given('u8', 9)),
      requantised(
        'bytes',
        [u(21, 64), scalar('u8', 17)],
        [fixed(u(64, 40)), scalar('f32', 0.013), scalar('u8', 99)],
        'u8',
      ),
      requantised(
        'signed',
        [i(9, 72), scalar('i8', 0)],
        [fixed(i(72, 33)), scalar('f32', 0.013), scalar('i8', 0)],
        'i8',
      ),
      requantised(
        'columns',
        [u(21, 64), given('u8', 60)],
        [
          fixed(i(64, 40)),
          fixed({ dtype: 'f32', shape: [40], low: 0.005, high: 0.02 }),
          fixed({ ...i(40), low: 0, high: 1 }),
        ],
        'u8',
      ),
    ];
    expect(problemsOf(await outcomesOf(cases, 20, on(arch)))).toEqual([]);
  },
  600_000,
);

interface Window {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
}

const attributesOf = (window: Window): readonly Attribute[] => [
  ...(window.strides ? [intsAttribute('strides', window.strides)] : []),
  ...(window.pads ? [intsAttribute('pads', window.pads)] : []),
  ...(window.dilations ? [intsAttribute('dilations', window.dilations)] : []),
  ...(window.group ? [intAttribute('group', window.group)] : []),
];

const conv = (
  name: string,
  [x, w, xPoint, wPoint]: readonly [Operand, Operand, Operand, Operand],
  window: Window,
): OperatorCase => ({
  name: `conv_${name}`,
  opType: 'ConvInteger',
  inputs: [x, w, xPoint, wPoint],
  attributes: attributesOf(window),
  results: ['i32'],
});

const requantisedConv = (
  name: string,
  [x, xPoint]: readonly [Operand, Operand],
  [w, wScale, wPoint]: readonly [Operand, Operand, Operand],
  window: Window,
): OperatorCase => ({
  name: `requantised_${name}`,
  opType: 'QLinearConv',
  inputs: [
    ...[x, scalar('f32', 0.021), xPoint],
    ...[w, wScale, wPoint],
    ...[scalar('f32', 0.9), scalar(x.dtype, x.dtype === 'u8' ? 121 : -7)],
    fixed({ dtype: 'i32', shape: [w.shape[0]!], low: -1000, high: 1000 }),
  ],
  attributes: attributesOf(window),
  results: [x.dtype],
});

test.each(devices)(
  'convolutions of bytes on %s',
  async (arch) => {
    const same = [1, 1, 1, 1];
    const image = (c: number, h = 9, w = 11): Operand => bytes('u8', 2, c, h, w);
    const weights = (...shape: readonly number[]): Operand => fixed(bytes('u8', ...shape));
    const [read, some] = [given('u8', 117), scalar('u8', 131)];
    const signed = (m: number, ...rest: readonly number[]): readonly [Operand, Operand, Operand] => [
      fixed(bytes('i8', m, ...rest)),
      fixed({ dtype: 'f32', shape: [m], low: 0.005, high: 0.02 }),
      fixed({ ...bytes('i8', m), low: 0, high: 1 }),
    ];
    const cases = [
      conv('3x3', [image(16), weights(40, 16, 3, 3), read, some], { pads: same }),
      conv('stride', [image(72), weights(24, 72, 3, 3), scalar('u8', 5), some], {
        pads: same,
        strides: [2, 2],
      }),
      conv('1x1', [image(24), weights(40, 24, 1, 1), read, some], {}),
      conv('stem', [image(3, 20, 21), weights(16, 3, 7, 7), read, some], {
        pads: [3, 3, 3, 3],
        strides: [2, 2],
      }),
      conv('odd', [image(13), weights(9, 13, 3, 3), read, given('u8', 77)], { pads: [0, 1, 2, 1] }),
      conv('centred', [image(8), weights(12, 8, 3, 3), read, scalar('u8', 128)], { pads: same }),
      conv('groups', [image(24), weights(36, 8, 3, 3), read, some], { group: 3, pads: same }),
      conv('small_groups', [image(32), weights(32, 4, 3, 3), read, scalar('u8', 128)], {
        group: 8,
        pads: same,
      }),
      conv('depthwise', [image(24), weights(24, 1, 3, 3), read, some], { group: 24, pads: same }),
      conv('dilated', [image(8), weights(12, 8, 3, 3), read, some], {
        dilations: [2, 3],
        pads: [2, 3, 2, 3],
      }),
      conv('weights', [image(12), bytes('u8', 10, 12, 3, 3), read, given('u8', 99)], { pads: same }),
      conv('any_size', [named(image(16), 'n', 16, 'h', 'w'), weights(20, 16, 3, 3), read, some], {
        pads: same,
      }),
      conv('any_filters', [image(6), named(bytes('u8', 10, 6, 3, 3), 'm', 6, 3, 3), read, given('u8', 99)], {
        pads: same,
      }),
      conv('one_axis', [bytes('u8', 2, 16, 50), weights(20, 16, 5), read, some], {
        pads: [2, 2],
        strides: [2],
      }),
      requantisedConv(
        '3x3',
        [image(16), scalar('u8', 100)],
        [weights(40, 16, 3, 3), scalar('f32', 0.01), some],
        { pads: same },
      ),
      requantisedConv('channels', [image(16), scalar('u8', 100)], signed(20, 16, 3, 3), { pads: same }),
      requantisedConv('signed', [bytes('i8', 2, 16, 9, 8), scalar('i8', -3)], signed(20, 16, 3, 3), {
        pads: same,
      }),
      requantisedConv('depthwise', [image(24), scalar('u8', 100)], signed(24, 1, 3, 3), {
        group: 24,
        pads: same,
      }),
      requantisedConv('zero', [bytes('i8', 1, 32, 9, 8), scalar('i8', 0)], signed(24, 32, 3, 3), {
        pads: same,
      }),
    ];
    expect(problemsOf(await outcomesOf(cases, 20, on(arch)))).toEqual([]);
  },
  600_000,
);
