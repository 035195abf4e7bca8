import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, stringAttribute } from '../../src/onnx/make.js';

/** Longer than any vector, of no whole number of them. */
const odd = [3, 37];
const of = (dtype: DType, shape: readonly number[] = odd, low?: number, high?: number): Operand => ({
  dtype,
  shape,
  ...(low === undefined ? {} : { low }),
  ...(high === undefined ? {} : { high }),
});

const unary: readonly (readonly [string, number, number])[] = [
  ['Abs', -3, 3],
  ['Neg', -3, 3],
  ['Exp', -20, 20],
  ['Log', 0, 100],
  ['Sqrt', 0, 100],
  ['Reciprocal', 0.1, 5],
  ['Sin', -50, 50],
  ['Cos', -50, 50],
  ['Tan', -1.5, 1.5],
  ['Asin', -1, 1],
  ['Acos', -1, 1],
  ['Atan', -10, 10],
  ['Sinh', -5, 5],
  ['Cosh', -5, 5],
  ['Tanh', -5, 5],
  ['Asinh', -10, 10],
  ['Acosh', 1, 10],
  ['Atanh', -0.9, 0.9],
  ['Erf', -3, 3],
  ['Sigmoid', -20, 20],
  ['Softplus', -20, 20],
  ['Softsign', -20, 20],
  ['Ceil', -5, 5],
  ['Floor', -5, 5],
  ['Round', -5, 5],
  ['Relu', -5, 5],
  ['LeakyRelu', -5, 5],
  ['Elu', -5, 5],
  ['Selu', -5, 5],
  ['Celu', -5, 5],
  ['HardSigmoid', -5, 5],
  ['HardSwish', -5, 5],
  ['ThresholdedRelu', -5, 5],
  ['Shrink', -5, 5],
  ['Mish', -5, 5],
  ['Gelu', -5, 5],
  ['Sign', -5, 5],
];

test('unary operators of f32', async () => {
  const cases = unary.map(([opType, low, high]): OperatorCase => {
    return { name: opType, opType, inputs: [of('f32', odd, low, high)], results: ['f32'] };
  });
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('unary operators of f64 and f16 where onnxruntime has them', async () => {
  const cases = ['Abs', 'Exp', 'Sqrt', 'Sin', 'Tanh', 'Log', 'Ceil'].flatMap((opType) =>
    (['f64', 'f16'] as const)
      .filter((t) => t === 'f64' || !['Sin', 'Exp', 'Log', 'Ceil'].includes(opType))
      .map((t): OperatorCase => {
        return { name: `${opType}_${t}`, opType, inputs: [of(t, odd, 0.1, 3)], results: [t] };
      }),
  );
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

const types: readonly DType[] = ['f32', 'f64', 'i32', 'i64'];
const shapes: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ['same', odd, odd],
  ['row', odd, [37]],
  ['column', odd, [3, 1]],
  ['scalar', [], odd],
  ['outer', [5, 1, 19], [3, 1]],
  ['middle', [2, 3, 4, 5], [3, 1, 5]],
  ['none', [0, 4], [4]],
];

test('binary operators broadcast in every way', async () => {
  const cases = types.flatMap((t) =>
    shapes.flatMap(([form, a, b]) =>
      ['Add', 'Div', 'Less'].map((opType): OperatorCase => {
        const name = `${opType}_${t}_${form}`;
        const results: readonly DType[] = [opType === 'Less' ? 'bool' : t];
        return { name, opType, inputs: [of(t, a, 1, 9), of(t, b, 1, 9)], results };
      }),
    ),
  );
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('operators of integers, truth values and mixed types', async () => {
  const cases: readonly OperatorCase[] = [
    ...(['i32', 'i64', 'u8', 'i8'] as const).flatMap((t): OperatorCase[] => [
      {
        name: `Mod_${t}`,
        opType: 'Mod',
        inputs: [of(t, odd, t === 'u8' ? 0 : -50, 50), of(t, [37], 1, 7)],
        results: [t],
      },
      {
        name: `Fmod_${t}`,
        opType: 'Mod',
        inputs: [of(t, odd, t === 'u8' ? 0 : -50, 50), of(t, [37], 1, 7)],
        attributes: [intAttribute('fmod', 1)],
        results: [t],
      },
      { name: `BitwiseXor_${t}`, opType: 'BitwiseXor', inputs: [of(t), of(t)], results: [t] },
      { name: `BitwiseNot_${t}`, opType: 'BitwiseNot', inputs: [of(t)], results: [t] },
    ]),
    {
      name: 'Pow_f32_i64',
      opType: 'Pow',
      inputs: [of('f32', odd, -3, 3), of('i64', [37], 0, 4)],
      results: ['f32'],
    },
    {
      name: 'Pow_i64',
      opType: 'Pow',
      inputs: [of('i64', odd, -3, 3), of('i64', [37], 0, 4)],
      results: ['i64'],
    },
    {
      name: 'Pow_f32',
      opType: 'Pow',
      inputs: [of('f32', odd, 0, 3), of('f32', [37], -3, 3)],
      results: ['f32'],
    },
    {
      name: 'Where',
      opType: 'Where',
      inputs: [of('bool', [37]), of('f32'), of('f32', [3, 1])],
      results: ['f32'],
    },
    {
      name: 'Where_i64',
      opType: 'Where',
      inputs: [of('bool', [3, 1]), of('i64'), of('i64', [])],
      results: ['i64'],
    },
    { name: 'Xor', opType: 'Xor', inputs: [of('bool'), of('bool', [37])], results: ['bool'] },
    { name: 'Not', opType: 'Not', inputs: [of('bool')], results: ['bool'] },
    { name: 'PRelu', opType: 'PRelu', inputs: [of('f32'), of('f32', [3, 1])], results: ['f32'] },
    {
      name: 'Clip',
      opType: 'Clip',
      inputs: [of('f32'), of('f32', [], 0, 0.1), of('f32', [], 0.2, 1)],
      results: ['f32'],
    },
    {
      name: 'ClipHigh',
      opType: 'Clip',
      inputs: [of('i64', odd, -9, 9), undefined, of('i64', [], 3, 3)],
      results: ['i64'],
    },
    {
      name: 'Mean',
      opType: 'Mean',
      inputs: [of('f32'), of('f32', [37]), of('f32', [3, 1])],
      results: ['f32'],
    },
    { name: 'Max', opType: 'Max', inputs: [of('f32'), of('f32', [37]), of('f32', [3, 1])], results: ['f32'] },
    {
      name: 'BitShift',
      opType: 'BitShift',
      inputs: [of('u32', odd, 0, 1000), of('u32', odd, 0, 31)],
      attributes: [stringAttribute('direction', 'LEFT')],
      results: ['u32'],
    },
    {
      name: 'QuickGelu',
      opType: 'QuickGelu',
      domain: 'com.microsoft',
      inputs: [of('f32')],
      attributes: [floatAttribute('alpha', 1.3)],
      results: ['f32'],
    },
    {
      name: 'FastGelu',
      opType: 'FastGelu',
      domain: 'com.microsoft',
      inputs: [of('f32'), of('f32', [37])],
      results: ['f32'],
    },
    {
      name: 'BiasGelu',
      opType: 'BiasGelu',
      domain: 'com.microsoft',
      inputs: [of('f32'), of('f32', [37])],
      results: ['f32'],
    },
  ];
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('special values', async () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  const x: Operand = { dtype: 'f32', shape: [8], values: [nan, inf, -inf, 0, -0, 1e-40, 3.4e38, -1] };
  const y: Operand = { dtype: 'f32', shape: [8], values: [1, -inf, nan, -0, 0, 1e30, 3.4e38, nan] };
  const cases: OperatorCase[] = [
    ...['Exp', 'Sqrt', 'Tanh', 'Sigmoid', 'Relu', 'Sign', 'Floor', 'Abs', 'Erf', 'Softplus'].map(
      (opType): OperatorCase => ({ name: opType, opType, inputs: [x], results: ['f32'] }),
    ),
    ...['Add', 'Mul', 'Div', 'Max', 'Min'].map(
      (opType): OperatorCase => ({ name: opType, opType, inputs: [x, y], results: ['f32'] }),
    ),
    ...['Less', 'Equal', 'GreaterOrEqual'].map(
      (opType): OperatorCase => ({ name: opType, opType, inputs: [x, y], results: ['bool'] }),
    ),
    { name: 'IsNaN', opType: 'IsNaN', inputs: [x], results: ['bool'] },
    { name: 'IsInf', opType: 'IsInf', inputs: [x], results: ['bool'] },
    {
      name: 'IsInfNegative',
      opType: 'IsInf',
      inputs: [x],
      attributes: [intAttribute('detect_positive', 0)],
      results: ['bool'],
    },
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);
