import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const x: Operand = { dtype: 'f32', shape: [3, 32, 5], low: -4, high: 4 };
const scales = (...shape: readonly number[]): Operand => ({ dtype: 'f32', shape, low: 0.01, high: 0.1 });
const zeros = (dtype: DType, ...shape: readonly number[]): Operand => ({
  dtype,
  shape,
  low: dtype.startsWith('u') ? 0 : -5,
  high: 5,
});

const targets = [{ target: 'cpu' }, { target: 'emulated', precision: 'f32' }] as const;

/** Where the scales lie, and the attributes that say so. */
const layouts: readonly (readonly [string, readonly number[], readonly Attribute[]])[] = [
  ['tensor', [], []],
  ['axis', [32], [intAttribute('axis', 1)]],
  ['last', [5], [intAttribute('axis', -1)]],
  ['blocks', [3, 4, 5], [intAttribute('axis', 1), intAttribute('block_size', 8)]],
];

test.each(targets)(
  'to integers and back, $target',
  async (target) => {
    const cases = (['u8', 'i8', 'u16', 'i16'] as const).flatMap((t) =>
      layouts.flatMap(([layout, shape, attributes]): readonly OperatorCase[] => [
        {
          name: `quantize_${t}_${layout}`,
          opType: 'QuantizeLinear',
          inputs: [x, scales(...shape), zeros(t, ...shape)],
          attributes,
          results: [t],
        },
        {
          name: `dequantize_${t}_${layout}`,
          opType: 'DequantizeLinear',
          inputs: [{ dtype: t, shape: x.shape, low: 0, high: 100 }, scales(...shape), zeros(t, ...shape)],
          attributes,
          results: ['f32'],
        },
      ]),
    );
    expect(problemsOf(await outcomesOf(cases, 21, target))).toEqual([]);
  },
  300_000,
);

test.each(targets)(
  'without zero points, from 32-bit sums, and with a range of its own, $target',
  async (target) => {
    const cases: readonly OperatorCase[] = [
      { name: 'plain', opType: 'QuantizeLinear', inputs: [x, scales()], results: ['u8'] },
      {
        name: 'sums',
        opType: 'DequantizeLinear',
        inputs: [{ dtype: 'i32', shape: [3, 32], low: -100000, high: 100000 }, scales()],
        results: ['f32'],
      },
      {
        name: 'microsoft',
        opType: 'QuantizeLinear',
        domain: 'com.microsoft',
        inputs: [x, scales(), zeros('u16')],
        results: ['u16'],
      },
      { name: 'dynamic', opType: 'DynamicQuantizeLinear', inputs: [x], results: ['u8', 'f32', 'u8'] },
    ];
    expect(problemsOf(await outcomesOf(cases, 21, target))).toEqual([]);
  },
  300_000,
);
