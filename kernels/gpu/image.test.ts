import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const of = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -1, high: 1 });
const vector = (dtype: DType, ...values: readonly number[]): Operand => ({
  dtype,
  shape: [values.length],
  values,
});
const fixed = (x: Operand): Operand => ({ ...x, constant: true });

const make = (
  name: string,
  opType: string,
  inputs: readonly (Operand | undefined)[],
  attributes: readonly Attribute[] = [],
  results: readonly DType[] = [inputs[0]!.dtype],
): OperatorCase => ({ name: `${opType}_${name}`, opType, inputs, attributes, results, accumulation: 64 });

test('pooling', async () => {
  const window = (kernel: readonly number[], ...more: readonly Attribute[]): readonly Attribute[] => [
    intsAttribute('kernel_shape', kernel),
    ...more,
  ];
  const [ceil, count] = [intAttribute('ceil_mode', 1), intAttribute('count_include_pad', 1)];
  const strides = intsAttribute('strides', [2, 2]);
  const pads = intsAttribute('pads', [1, 1, 1, 1]);
  const images = [of('f32', 2, 3, 11, 10), of('f32', 1, 16, 9, 9), of('f16', 1, 16, 9, 9)];
  const cases = images.flatMap((x, i) => [
    make(`${i}`, 'MaxPool', [x], window([3, 3], strides, pads)),
    make(`${i}_dilated`, 'MaxPool', [x], window([2, 3], intsAttribute('dilations', [2, 2]), ceil)),
    make(`${i}`, 'AveragePool', [x], window([3, 3], strides, pads, ceil)),
    make(`${i}_padding`, 'AveragePool', [x], window([3, 2], strides, pads, count)),
    make(`${i}`, 'GlobalAveragePool', [x]),
    make(`${i}`, 'GlobalMaxPool', [x]),
  ]);
  const others = [
    make('row', 'MaxPool', [of('f32', 2, 3, 21)], window([4], intsAttribute('strides', [3]))),
    make('volume', 'AveragePool', [of('f32', 1, 2, 7, 6, 5)], window([2, 3, 2])),
    make('indices', 'MaxPool', [images[0]!], window([3, 3], pads), ['f32', 'i64']),
    make('3', 'LpPool', [images[0]!], window([3, 3], intAttribute('p', 3))),
    make('2', 'LpPool', [images[0]!], window([3, 3], intAttribute('p', 2))),
    make('bytes', 'MaxPool', [{ dtype: 'u8', shape: [1, 2, 7, 7] }], window([2, 2])),
  ];
  expect(problemsOf(await outcomesOf([...cases, ...others], 21, emulated))).toEqual([]);
}, 600_000);

test('resizing', async () => {
  const mode = (m: string): Attribute => stringAttribute('mode', m);
  const coordinates = (c: string): Attribute => stringAttribute('coordinate_transformation_mode', c);
  const image = of('f32', 1, 2, 5, 6);
  const sizes = fixed(vector('i64', 1, 2, 9, 4));
  const scales = fixed(vector('f32', 1, 1, 2.5, 1.5));
  const transformations = [
    'half_pixel',
    'pytorch_half_pixel',
    'align_corners',
    'asymmetric',
    'half_pixel_symmetric',
  ];
  // Where corners are aligned and a scale asks for a fraction of a place, onnxruntime differs from ONNX.
  const extents = (c: string): readonly (Operand | undefined)[] =>
    c === 'align_corners' ? [undefined, undefined, sizes] : [undefined, scales];
  const cases = [
    ...transformations.flatMap((c) => [
      make(`linear_${c}`, 'Resize', [image, undefined, undefined, sizes], [mode('linear'), coordinates(c)]),
      make(`cubic_${c}`, 'Resize', [image, ...extents(c)], [mode('cubic'), coordinates(c)]),
      make(`nearest_${c}`, 'Resize', [image, ...extents(c)], [mode('nearest'), coordinates(c)]),
    ]),
    ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].map((nearest) =>
      make(
        nearest,
        'Resize',
        [image, undefined, scales],
        [mode('nearest'), stringAttribute('nearest_mode', nearest)],
      ),
    ),
    make(
      'cropped',
      'Resize',
      [image, fixed(vector('f32', 0, 0, 0.2, -0.1, 1, 1, 0.8, 1.2)), undefined, sizes],
      [mode('linear'), coordinates('tf_crop_and_resize'), floatAttribute('extrapolation_value', 7)],
    ),
    make('open_scales', 'Resize', [image, undefined, vector('f32', 1, 1, 2.5, 1.5)], [mode('linear')]),
    make('open_sizes', 'Resize', [image, undefined, undefined, vector('i64', 1, 2, 9, 4)], [mode('cubic')]),
    make(
      'smoothed',
      'Resize',
      [of('f32', 1, 3, 17, 19), undefined, undefined, fixed(vector('i64', 6, 7))],
      [mode('linear'), intAttribute('antialias', 1), intsAttribute('axes', [2, 3])],
    ),
    make(
      'smoothed_cubic',
      'Resize',
      [of('f32', 1, 3, 17, 19), undefined, undefined, fixed(vector('i64', 6, 7))],
      [mode('cubic'), intAttribute('antialias', 1), intsAttribute('axes', [2, 3])],
    ),
    make(
      'outside',
      'Resize',
      [image, undefined, scales],
      [mode('cubic'), intAttribute('exclude_outside', 1), floatAttribute('cubic_coeff_a', -0.5)],
    ),
    make('bytes', 'Resize', [{ dtype: 'u8', shape: [1, 2, 5, 6] }, undefined, scales], [mode('nearest')]),
  ];
  expect(problemsOf(await outcomesOf(cases, 19, emulated))).toEqual([]);
}, 600_000);
