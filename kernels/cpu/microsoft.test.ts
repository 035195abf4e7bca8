import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const real = (...shape: readonly number[]): Operand => ({ dtype: 'f32', shape, low: -1, high: 1 });
const bytes = (dtype: 'u8' | 'i8', ...shape: readonly number[]): Operand => ({
  dtype,
  shape,
  low: dtype === 'u8' ? 0 : -128,
  high: dtype === 'u8' ? 255 : 127,
});
const scale = (x: number, ...shape: readonly number[]): Operand => ({
  dtype: 'f32',
  shape,
  values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => x * (1 + i / 50)),
  constant: true,
});
const zero = (dtype: 'u8' | 'i8', x: number): Operand => ({ dtype, shape: [], values: [x], constant: true });
const fixed = (x: Operand): Operand => ({ ...x, constant: true });

const of = (
  opType: string,
  name: string,
  inputs: readonly (Operand | undefined)[],
  result: DType = 'f32',
  ...attributes: readonly Attribute[]
): OperatorCase => ({
  name: `${opType}_${name}`,
  opType,
  domain: 'com.microsoft',
  inputs,
  attributes,
  results: [result],
  accumulation: 200,
});

test('products and convolutions with what follows them', async () => {
  const relu = stringAttribute('activation', 'Relu');
  const leaky = [stringAttribute('activation', 'LeakyRelu'), floatAttribute('activation_alpha', 0.2)];
  const clip = [stringAttribute('activation', 'Clip'), floatsAttribute('activation_params', [-0.5, 0.75])];
  const [image, kernel] = [real(2, 6, 9, 8), fixed(real(10, 6, 3, 3))];
  const pads = intsAttribute('pads', [1, 1, 1, 1]);
  const cases = [
    of('FusedMatMul', 'plain', [real(2, 5, 30), fixed(real(30, 20))], 'f32', floatAttribute('alpha', 0.5)),
    of(
      'FusedMatMul',
      'exchanged',
      [real(3, 30, 5), real(3, 20, 30)],
      'f32',
      intAttribute('transA', 1),
      intAttribute('transB', 1),
    ),
    of('FusedGemm', 'leaky', [real(7, 30), fixed(real(30, 20)), real(20)], 'f32', ...leaky),
    of('FusedConv', 'relu', [image, kernel, fixed(real(10))], 'f32', relu, pads),
    of('FusedConv', 'added', [image, kernel, fixed(real(10)), real(2, 10, 9, 8)], 'f32', relu, pads),
    of('FusedConv', 'clipped', [image, kernel], 'f32', ...clip),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('products of bytes', async () => {
  const [a, w] = [bytes('u8', 2, 9, 40), fixed(bytes('i8', 40, 33))];
  const cases = [
    of('MatMulIntegerToFloat', 'scalar', [a, w, scale(0.02), scale(0.01), zero('u8', 120), zero('i8', 3)]),
    of('MatMulIntegerToFloat', 'columns', [
      a,
      w,
      scale(0.02),
      scale(0.01, 33),
      zero('u8', 120),
      undefined,
      real(33),
    ]),
    of('DynamicQuantizeMatMul', 'plain', [real(2, 9, 40), w, scale(0.01), zero('i8', -7), real(33)]),
    of(
      'QGemm',
      'bytes',
      [
        bytes('u8', 9, 40),
        scale(0.02),
        zero('u8', 111),
        fixed(bytes('i8', 33, 40)),
        scale(0.01, 33),
        fixed({ dtype: 'i8', shape: [33], values: Array.from({ length: 33 }, () => 0) }),
        { dtype: 'i32', shape: [33], low: -900, high: 900, constant: true },
        scale(0.4),
        zero('u8', 130),
      ],
      'u8',
      intAttribute('transB', 1),
    ),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('operators around which bytes become numbers', async () => {
  const x = bytes('u8', 2, 6, 8, 9);
  const from = [scale(0.03171), zero('u8', 140)];
  const to = [scale(0.04739), zero('u8', 99)];
  const signed = [bytes('i8', 2, 6, 8, 9), scale(0.03171), zero('i8', 4)];
  const cases = [
    of(
      'QLinearAdd',
      'bytes',
      [x, ...from, bytes('u8', 6, 1, 9), ...to, scale(0.08213), zero('u8', 120)],
      'u8',
    ),
    of('QLinearMul', 'signed', [...signed, ...signed, scale(0.10377), zero('i8', -3)], 'i8'),
    of('QLinearSigmoid', 'bytes', [x, ...from, scale(1 / 256), zero('u8', 0)], 'u8'),
    of(
      'QLinearLeakyRelu',
      'signed',
      [...signed, scale(0.02), zero('i8', 9)],
      'i8',
      floatAttribute('alpha', 0.1),
    ),
    of('QLinearGlobalAveragePool', 'bytes', [x, ...from, ...to], 'u8'),
    of('QLinearAveragePool', 'bytes', [x, ...from, ...to], 'u8', intsAttribute('kernel_shape', [3, 2])),
    of(
      'QLinearConcat',
      'bytes',
      [...to, x, ...from, bytes('u8', 2, 3, 8, 9), ...to],
      'u8',
      intAttribute('axis', 1),
    ),
  ];
  const problems = problemsOf(await outcomesOf(cases, 20));
  expect(problems).toEqual([]);
}, 300_000);

test('attention', async () => {
  const heads = intAttribute('num_heads', 4);
  const rows = (n: number, width = 32): Operand => real(2, n, width);
  const cache = (n: number): Operand => real(2, 4, n, 8);
  const mha = 'MultiHeadAttention';
  const cases = [
    of(mha, 'plain', [rows(5), rows(9), rows(9, 24)], 'f32', heads),
    of(mha, 'bias', [rows(5), rows(9), rows(9), real(96), undefined, real(1, 4, 5, 9)], 'f32', heads),
    of(mha, 'causal', [rows(9), rows(9), rows(9)], 'f32', heads, intAttribute('unidirectional', 1)),
    of(mha, 'heads', [rows(5), cache(9), cache(9)], 'f32', heads, floatAttribute('scale', 0.2)),
    of('Attention', 'packed', [rows(7), fixed(real(32, 96)), real(96)], 'f32', heads),
    {
      ...of(
        mha,
        'cache',
        [rows(2), rows(2), rows(2), undefined, undefined, undefined, cache(6), cache(6)],
        'f32',
        heads,
      ),
      results: ['f32', 'f32', 'f32'] as const,
    },
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);
