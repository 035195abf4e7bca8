import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute, intsAttribute } from '../../src/onnx/make.js';

const of = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -3, high: 3 });
const positive = (...shape: readonly number[]): Operand => ({ dtype: 'f32', shape, low: 0.2, high: 3 });

test('softmax, its logarithm and hardmax along every axis', async () => {
  const cases = ['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((opType) =>
    (['f32', 'f64', 'f16'] as const).flatMap((t) =>
      opType === 'Hardmax' && t !== 'f32'
        ? []
        : [0, 1, -1].map((axis): OperatorCase => {
            const attributes = [intAttribute('axis', axis)];
            const x = of(t, 3, 37, 21);
            return {
              name: `${opType}_${t}_${axis}`,
              opType,
              inputs: [x],
              attributes,
              results: [t],
              accumulation: 37,
            };
          }),
    ),
  );
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('softmax of opset 12 and before takes all axes from one on', async () => {
  const cases = ['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((opType) =>
    [0, 1, 2].map((axis): OperatorCase => {
      const attributes = [intAttribute('axis', axis)];
      return {
        name: `${opType}_${axis}`,
        opType,
        inputs: [of('f32', 3, 7, 5)],
        attributes,
        results: ['f32'],
        accumulation: 105,
      };
    }),
  );
  expect(problemsOf(await outcomesOf(cases, 12))).toEqual([]);
}, 300_000);

test('layer normalization', async () => {
  const cases = (['f32', 'f64', 'f16'] as const).flatMap((t): readonly OperatorCase[] => [
    {
      name: `last_${t}`,
      opType: 'LayerNormalization',
      inputs: [of(t, 3, 5, 77), of(t, 77), of(t, 77)],
      results: [t],
      accumulation: 77,
    },
    {
      name: `two_${t}`,
      opType: 'LayerNormalization',
      inputs: [of(t, 3, 5, 17), of(t, 5, 17)],
      attributes: [intAttribute('axis', 1), floatAttribute('epsilon', 0.01)],
      results: t === 'f32' ? [t, 'f32', 'f32'] : [t],
      accumulation: 85,
    },
  ]);
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('normalizations over batches, groups and instances', async () => {
  const channel = of('f32', 6);
  const cases: readonly OperatorCase[] = [
    {
      name: 'batch',
      opType: 'BatchNormalization',
      inputs: [of('f32', 2, 6, 5, 7), channel, channel, channel, positive(6)],
      results: ['f32'],
    },
    {
      name: 'batch_flat',
      opType: 'BatchNormalization',
      inputs: [of('f32', 9, 6), channel, channel, channel, positive(6)],
      attributes: [floatAttribute('epsilon', 0.1)],
      results: ['f32'],
    },
    {
      name: 'instance',
      opType: 'InstanceNormalization',
      inputs: [of('f32', 2, 6, 5, 7), channel, channel],
      results: ['f32'],
      accumulation: 35,
    },
    {
      name: 'group',
      opType: 'GroupNormalization',
      inputs: [of('f32', 2, 6, 5, 7), channel, channel],
      attributes: [intAttribute('num_groups', 3)],
      results: ['f32'],
      accumulation: 70,
    },
    {
      name: 'mean_variance',
      opType: 'MeanVarianceNormalization',
      inputs: [of('f32', 2, 6, 5, 7)],
      attributes: [intsAttribute('axes', [0, 2])],
      results: ['f32'],
      accumulation: 10,
    },
    {
      name: 'local',
      opType: 'LRN',
      inputs: [of('f32', 2, 6, 5, 7)],
      attributes: [intAttribute('size', 5), floatAttribute('alpha', 0.3)],
      results: ['f32'],
    },
    ...[1, 2].flatMap((p) =>
      [1, -1].map((axis): OperatorCase => {
        return {
          name: `lp_${p}_${axis}`,
          opType: 'LpNormalization',
          inputs: [of('f32', 3, 37, 5)],
          attributes: [intAttribute('p', p), intAttribute('axis', axis)],
          results: ['f32'],
          accumulation: 37,
        };
      }),
    ),
    ...['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization'].map((opType): OperatorCase => {
      const inputs = [of('f32', 2, 5, 16), of('f32', 2, 5, 16), of('f32', 16)];
      return { name: opType, opType, domain: 'com.microsoft', inputs, results: ['f32'], accumulation: 16 };
    }),
  ];
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);

test('losses', async () => {
  const target: Operand = { dtype: 'i64', shape: [2, 7], low: 0, high: 4 };
  const cases = ['NegativeLogLikelihoodLoss', 'SoftmaxCrossEntropyLoss'].map((opType): OperatorCase => {
    const inputs = [of('f32', 2, 5, 7), target, positive(5)];
    const attributes = [intAttribute('ignore_index', 2)];
    return { name: opType, opType, inputs, attributes, results: ['f32'], accumulation: 14 };
  });
  expect(problemsOf(await outcomesOf(cases, 21))).toEqual([]);
}, 300_000);
