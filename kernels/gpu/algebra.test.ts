import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatsAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const of = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -1, high: 1 });

const make = (
  name: string,
  opType: string,
  inputs: readonly (Operand | undefined)[],
  attributes: readonly Attribute[] = [],
  results: readonly DType[] = [inputs[0]!.dtype],
): OperatorCase => ({ name: `${opType}_${name}`, opType, inputs, attributes, results, accumulation: 300 });

test('losses', async () => {
  const classes = (n: number, ...shape: readonly number[]): Operand => {
    const count = shape.reduce((a, b) => a * b, 1);
    return { dtype: 'i64', shape, values: Array.from({ length: count }, (_, i) => (i * 7 + 3) % n) };
  };
  const reduction = (how: string, ...more: readonly Attribute[]): readonly Attribute[] => [
    stringAttribute('reduction', how),
    ...more,
  ];
  const [scores, weights] = [of('f32', 3, 5, 6, 7), { ...of('f32', 5), low: 0.2 }];
  const target = classes(5, 3, 6, 7);
  const cases = [
    ...['none', 'sum', 'mean'].flatMap((how) => [
      make(how, 'NegativeLogLikelihoodLoss', [scores, target], reduction(how)),
      make(
        `${how}_weighted`,
        'NegativeLogLikelihoodLoss',
        [scores, target, weights],
        reduction(how, intAttribute('ignore_index', 2)),
      ),
    ]),
    make('f64', 'NegativeLogLikelihoodLoss', [of('f64', 4, 3), classes(3, 4)], reduction('mean')),
    // More places than a block takes.
    make(
      'long',
      'NegativeLogLikelihoodLoss',
      [of('f32', 1, 3, 20_000), classes(3, 1, 20_000)],
      reduction('mean'),
    ),
    make('scores', 'SoftmaxCrossEntropyLoss', [scores, target], reduction('mean'), ['f32', 'f32']),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('sums of products that are no products of matrices, determinants', async () => {
  const einsum = (name: string, equation: string, ...inputs: readonly Operand[]): OperatorCase =>
    make(name, 'Einsum', inputs, [stringAttribute('equation', equation)]);
  const cases = [
    einsum('trace', 'ii', of('f32', 40, 40)),
    einsum('diagonals', '...ii->...i', of('f32', 3, 5, 5)),
    einsum('sums', 'ij->j', of('f64', 40, 3)),
    einsum('all', 'ijk->', of('f32', 30, 20, 50)),
    einsum('alone', 'ij,jk->i', of('f32', 6, 5), of('f32', 5, 7)),
    einsum('outer', 'i,j->ji', of('f32', 4), of('f32', 3)),
    einsum('whole', 'bij,bjk->bik', { dtype: 'i32', shape: [2, 3, 4] }, { dtype: 'i32', shape: [2, 4, 5] }),
    einsum('spread', 'ij,ij->i', of('f32', 4, 6), of('f32', 4, 1)),
    einsum('f64', 'bij,bjk->bik', of('f64', 2, 3, 4), of('f64', 2, 4, 5)),
    make('small', 'Det', [of('f32', 3, 5, 5)]),
    make('large', 'Det', [of('f32', 2, 20, 20)]),
    make('alone', 'Det', [of('f32', 1, 1)]),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('counts of n-grams', async () => {
  const words: Operand = {
    dtype: 'i32',
    shape: [3, 40],
    values: Array.from({ length: 120 }, (_, i) => (i * i + 3 * i) % 7),
  };
  const grams = (mode: string, skips: number, weights: readonly number[] = []): readonly Attribute[] => [
    stringAttribute('mode', mode),
    intAttribute('min_gram_length', 1),
    intAttribute('max_gram_length', 2),
    intAttribute('max_skip_count', skips),
    intsAttribute('ngram_counts', [0, 4]),
    intsAttribute('ngram_indexes', [0, 1, 2, 3, 4, 5, 6]),
    intsAttribute('pool_int64s', [2, 3, 5, 4, 5, 6, 4, 0, 0, 4]),
    ...(weights.length > 0 ? [floatsAttribute('weights', weights)] : []),
  ];
  const weights = [0.5, 2, 1, 3, 0.25, 7, 1.5];
  const cases = [
    make('counts', 'TfIdfVectorizer', [words], grams('TF', 0), ['f32']),
    make('skipping', 'TfIdfVectorizer', [words], grams('TFIDF', 5, weights), ['f32']),
    make('weights', 'TfIdfVectorizer', [words], grams('IDF', 2, weights), ['f32']),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);
