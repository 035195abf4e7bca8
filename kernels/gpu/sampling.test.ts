import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const of = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -1, high: 1 });
const values = (dtype: DType, shape: readonly number[], ...given: readonly number[]): Operand => ({
  dtype,
  shape,
  values: given,
});
/** The same with extents that only the run knows. */
const open = (x: Operand, name: string): Operand => ({
  ...x,
  declared: x.shape.map((_, d) => `${name}${d}`),
});

const make = (
  name: string,
  opType: string,
  inputs: readonly (Operand | undefined)[],
  attributes: readonly Attribute[] = [],
): OperatorCase => ({
  name: `${opType}_${name}`,
  opType,
  inputs,
  attributes,
  results: [inputs[0]!.dtype],
  accumulation: 64,
});

test('elements at the places of a grid', async () => {
  const how = (m: string, padding: string, corners: number): readonly Attribute[] => [
    stringAttribute('mode', m),
    stringAttribute('padding_mode', padding),
    intAttribute('align_corners', corners),
  ];
  // Grids reach beyond the images.
  const grid = (...shape: readonly number[]): Operand => ({ ...of('f32', ...shape), low: -1.4, high: 1.4 });
  const image = of('f32', 2, 19, 7, 9);
  const cases = ['linear', 'cubic', 'nearest'].flatMap((m, i) =>
    ['zeros', 'border', 'reflection'].map((padding, j) =>
      make(`${m}_${padding}`, 'GridSample', [image, grid(2, 5, 6, 2)], how(m, padding, (i + j) % 2)),
    ),
  );
  const others = [
    make('volume', 'GridSample', [of('f32', 1, 3, 4, 5, 6), grid(1, 3, 4, 5, 3)], how('linear', 'border', 1)),
    make(
      'f64',
      'GridSample',
      [of('f64', 1, 2, 7, 9), { ...grid(1, 4, 5, 2), dtype: 'f64' }],
      how('linear', 'zeros', 0),
    ),
    make(
      'open',
      'GridSample',
      [open(image, 'x'), { ...grid(2, 5, 6, 2), declared: ['g0', 'g1', 'g2', 2] }],
      how('linear', 'zeros', 0),
    ),
    make('plane', 'AffineGrid', [of('f32', 2, 2, 3), values('i64', [4], 2, 3, 5, 6)]),
    make(
      'volume',
      'AffineGrid',
      [of('f32', 2, 3, 4), values('i64', [5], 2, 3, 4, 5, 6)],
      [intAttribute('align_corners', 1)],
    ),
  ];
  expect(problemsOf(await outcomesOf([...cases, ...others], 20, emulated))).toEqual([]);
}, 600_000);

test('regions of images', async () => {
  const rois = values('f32', [4, 4], 1, 2, 20, 18, 0, 0, 9, 9, 3, 3, 30, 30, -4, -2, 1, 40);
  const images = values('i64', [4], 0, 1, 1, 0);
  const bins = [intAttribute('output_height', 3), intAttribute('output_width', 5)];
  const sampled = [...bins, intAttribute('sampling_ratio', 2), floatAttribute('spatial_scale', 0.5)];
  // As many results as make a thread compute several channels.
  const tall = [
    intAttribute('output_height', 10),
    intAttribute('output_width', 14),
    intAttribute('sampling_ratio', 1),
  ];
  const image = of('f32', 2, 5, 16, 17);
  const plain = values('f32', [3, 5], 0, 1, 2, 20, 18, 1, 0, 0, 9, 9, 1, 3, 3, 30, 30);
  const cases = [
    make('sampled', 'RoiAlign', [image, rois, images], sampled),
    make('adaptive', 'RoiAlign', [image, rois, images], bins),
    make(
      'whole_pixels',
      'RoiAlign',
      [image, rois, images],
      [...sampled, stringAttribute('coordinate_transformation_mode', 'output_half_pixel')],
    ),
    make('channels', 'RoiAlign', [of('f32', 2, 256, 16, 17), rois, images], tall),
    make(
      'largest',
      'RoiAlign',
      [of('f32', 2, 256, 16, 17), rois, images],
      [...tall, stringAttribute('mode', 'max')],
    ),
    make(
      'open',
      'RoiAlign',
      [open(image, 'x'), { ...rois, declared: ['n', 4] }, { ...images, declared: ['n'] }],
      sampled,
    ),
    make(
      'plain',
      'MaxRoiPool',
      [image, plain],
      [intsAttribute('pooled_shape', [3, 4]), floatAttribute('spatial_scale', 0.5)],
    ),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('windows that the data moves, blocks of columns', async () => {
  const [x, w] = [of('f32', 2, 6, 7, 8), of('f32', 20, 3, 3, 2)];
  const attributes = [
    intAttribute('group', 2),
    intAttribute('offset_group', 3),
    intsAttribute('pads', [1, 0, 1, 1]),
    intsAttribute('strides', [2, 1]),
    intsAttribute('dilations', [1, 2]),
  ];
  const [offset, mask] = [{ ...of('f32', 2, 36, 4, 7), low: -2, high: 2 }, of('f32', 2, 18, 4, 7)];
  const columns = [
    intsAttribute('strides', [2, 1]),
    intsAttribute('dilations', [1, 2]),
    intsAttribute('pads', [1, 0, 1, 2]),
  ];
  const cases = [
    make('moved', 'DeformConv', [x, w, offset], attributes),
    make('weighted', 'DeformConv', [x, w, offset, of('f32', 20), mask], attributes),
    make(
      'blocks',
      'Col2Im',
      [of('f32', 2, 18, 18), values('i64', [2], 6, 6), values('i64', [2], 3, 2)],
      columns,
    ),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);
