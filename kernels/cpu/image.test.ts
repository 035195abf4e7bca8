import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const open = (dtype: DType, name: string, ...shape: readonly number[]): Operand => ({
  dtype,
  shape,
  declared: shape.map((_, i) => `${name}${i}`),
  low: -1,
  high: 1,
});
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

const mode = (m: string): Attribute => stringAttribute('mode', m);
const coordinates = (c: string): Attribute => stringAttribute('coordinate_transformation_mode', c);

test('resizing', async () => {
  const image = (name: string): Operand => open('f32', name, 1, 2, 5, 6);
  const scales = vector('f32', 1, 1, 2.5, 1.5);
  const sizes = vector('i64', 1, 2, 9, 4);
  const cases = [
    make('open_scales', 'Resize', [image('a'), undefined, scales], [mode('linear')]),
    make('open_sizes', 'Resize', [image('b'), undefined, undefined, sizes], [mode('cubic')]),
    make(
      'doubled',
      'Resize',
      [image('c'), undefined, fixed(vector('f32', 1, 1, 2, 2))],
      [mode('nearest'), coordinates('asymmetric'), stringAttribute('nearest_mode', 'floor')],
    ),
    make(
      'halved',
      'Resize',
      [image('d'), undefined, fixed(vector('f32', 1, 1, 0.5, 0.5))],
      [mode('linear'), coordinates('pytorch_half_pixel')],
    ),
    make(
      'smoothed',
      'Resize',
      [open('f32', 'e', 1, 3, 17, 19), undefined, undefined, fixed(vector('i64', 6, 7))],
      [mode('linear'), intAttribute('antialias', 1), intsAttribute('axes', [2, 3])],
    ),
    make(
      'corners',
      'Resize',
      [image('f'), undefined, undefined, sizes],
      [mode('linear'), coordinates('align_corners')],
    ),
    make(
      'no_larger',
      'Resize',
      [image('g'), undefined, undefined, vector('i64', 9, 4)],
      [
        mode('linear'),
        stringAttribute('keep_aspect_ratio_policy', 'not_larger'),
        intsAttribute('axes', [2, 3]),
      ],
    ),
  ];
  expect(problemsOf(await outcomesOf(cases, 19))).toEqual([]);
}, 300_000);

test('sampling', async () => {
  const grid = (name: string): Operand => ({
    ...open('f32', name, 2, 4, 5, 2),
    declared: [`${name}0`, `${name}1`, `${name}2`, 2],
    low: -1.2,
    high: 1.2,
  });
  const how = (m: string, padding: string, corners: number): readonly Attribute[] => [
    mode(m),
    stringAttribute('padding_mode', padding),
    intAttribute('align_corners', corners),
  ];
  const theta: Operand = { dtype: 'f32', shape: [2, 2, 3], low: -1, high: 1 };
  const cases = [
    make('border', 'GridSample', [open('f32', 'a', 2, 3, 7, 9), grid('p')], how('linear', 'border', 0)),
    make('reflect', 'GridSample', [open('f32', 'b', 2, 3, 7, 9), grid('q')], how('cubic', 'reflection', 1)),
    make('zeros', 'GridSample', [open('f32', 'c', 2, 3, 7, 9), grid('r')], how('nearest', 'zeros', 0)),
    make('beyond', 'GridSample', [open('f32', 'd', 2, 3, 7, 9), grid('s')], how('cubic', 'border', 0)),
    make('edge', 'GridSample', [open('f32', 'e', 2, 3, 7, 9), grid('t')], how('cubic', 'border', 1)),
    make('plane', 'AffineGrid', [theta, vector('i64', 2, 3, 5, 6)]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('regions and boxes', async () => {
  const regions = (...values: readonly number[]): Operand => ({
    dtype: 'f32',
    shape: [3, values.length / 3],
    values,
  });
  const rois = regions(1, 2, 20, 18, 0, 0, 9, 9, 3, 3, 30, 30);
  const images = vector('i64', 0, 1, 1);
  const bins = [intAttribute('output_height', 3), intAttribute('output_width', 4)];
  // Pairs of boxes that overlap by more and by less than the threshold.
  const corner = (i: number): readonly number[] => [i, i, i + 4, i + 4 - (i % 3)];
  const boxes: Operand = {
    dtype: 'f32',
    shape: [1, 40, 4],
    values: Array.from({ length: 40 }, (_, i) => corner(i * 1.5)).flat(),
  };
  const limits = [vector('i64', 12), vector('f32', 0.3), vector('f32', 0.1)];
  const cases = [
    make(
      'sampled',
      'RoiAlign',
      [open('f32', 'a', 2, 3, 16, 16), rois, images],
      [...bins, intAttribute('sampling_ratio', 2), floatAttribute('spatial_scale', 0.5)],
    ),
    make('adaptive', 'RoiAlign', [open('f32', 'b', 2, 3, 16, 16), rois, images], bins),
    make(
      'plain',
      'MaxRoiPool',
      [open('f32', 'c', 2, 3, 16, 16), regions(0, 1, 2, 20, 18, 1, 0, 0, 9, 9, 1, 3, 3, 30, 30)],
      [intsAttribute('pooled_shape', [3, 4]), floatAttribute('spatial_scale', 0.5)],
    ),
    make('two_classes', 'NonMaxSuppression', [boxes, open('f32', 'd', 1, 2, 40), ...limits], [], ['i64']),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('contractions written as equations', async () => {
  const einsum = (name: string, equation: string, ...inputs: readonly Operand[]): OperatorCase =>
    make(name, 'Einsum', inputs, [stringAttribute('equation', equation)]);
  const cases = [
    einsum('scores', 'bhid,bhjd->bhij', open('f32', 'a', 2, 3, 4, 5), open('f32', 'b', 2, 3, 6, 5)),
    einsum('chain', 'ij,jk,kl->il', open('f32', 'c', 4, 5), open('f32', 'd', 5, 6), open('f32', 'e', 6, 7)),
    einsum('swap', '...ij->...ji', open('f32', 'f', 2, 4, 5)),
    einsum('heads', 'ibh,hnd->ibnd', open('f32', 'g', 4, 2, 6), open('f32', 'h', 6, 3, 5)),
    einsum('trace', 'ii', open('f32', 'i', 4, 4)),
    einsum('outer', 'i,j', open('f32', 'j', 4), open('f32', 'k', 3)),
    einsum('sums', 'ij->j', open('f64', 'l', 4, 3)),
    make('of_five', 'Det', [open('f32', 'm', 3, 5, 5)]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);
