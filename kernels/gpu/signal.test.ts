import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { intAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const of = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -1, high: 1 });
const number = (dtype: DType, value: number): Operand => ({ dtype, shape: [], values: [value] });
const [inverse, oneSided] = [intAttribute('inverse', 1), intAttribute('onesided', 1)];

const make = (
  name: string,
  opType: string,
  inputs: readonly (Operand | undefined)[],
  attributes: readonly Attribute[] = [],
  results: readonly DType[] = ['f32'],
): OperatorCase => ({ name: `${opType}_${name}`, opType, inputs, attributes, results, accumulation: 512 });

test('Fourier transforms', async () => {
  const axis = (i: number): Operand => ({ ...number('i64', i), constant: true });
  const length = (n: number): Operand => ({ ...number('i64', n), constant: true });
  const transform = (
    name: string,
    x: Operand,
    n: Operand | undefined,
    at: number,
    ...attributes: readonly Attribute[]
  ): OperatorCase => make(name, 'DFT', [x, n, axis(at)], attributes, [x.dtype]);
  const cases = [
    transform('radix_4', of('f32', 2, 64, 3, 2), undefined, 1),
    transform('prime', of('f32', 2, 37, 2), undefined, 1),
    // Other lengths' inverses onnxruntime scales by a rounded factor.
    transform('back', of('f64', 2, 32, 2), undefined, 1, inverse),
    transform('half', of('f32', 2, 30, 1), undefined, 1, oneSided),
    transform('cut', of('f32', 2, 30, 1), length(12), 1),
    transform('filled', of('f64', 2, 10, 2), length(16), 1),
    // More than shared memory holds.
    transform('long', of('f32', 1, 2048, 1), undefined, 1),
  ];
  const frames = [
    make(
      'plain',
      'STFT',
      [of('f32', 2, 100, 1), number('i64', 10), undefined, number('i64', 24)],
      [intAttribute('onesided', 1)],
    ),
    make(
      'weighted',
      'STFT',
      [of('f32', 1, 90, 1), number('i64', 8), of('f32', 20), number('i64', 20)],
      [intAttribute('onesided', 0)],
    ),
  ];
  expect(problemsOf(await outcomesOf([...cases, ...frames], 20, emulated))).toEqual([]);
}, 600_000);

test('windows and filters', async () => {
  const size = number('i64', 23);
  const windows = ['HannWindow', 'HammingWindow', 'BlackmanWindow'].flatMap((window) =>
    [0, 1].map((periodic) => make(`${periodic}`, window, [size], [intAttribute('periodic', periodic)])),
  );
  const filters = make('filters', 'MelWeightMatrix', [
    number('i64', 9),
    number('i64', 64),
    number('i64', 8192),
    number('f32', 20),
    number('f32', 3800),
  ]);
  expect(problemsOf(await outcomesOf([...windows, filters], 20, emulated))).toEqual([]);
}, 600_000);
