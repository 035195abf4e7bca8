import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;
const of = (dtype: DType, ...shape: readonly number[]): Operand => ({ dtype, shape, low: -3, high: 3 });

const make = (
  name: string,
  opType: string,
  inputs: readonly Operand[],
  attributes: readonly Attribute[],
  accumulation: number,
  results: readonly DType[] = [inputs[0]!.dtype],
): OperatorCase => ({ name: `${opType}_${name}`, opType, inputs, attributes, results, accumulation });

test('softmax along every axis', async () => {
  const cases = ['Softmax', 'LogSoftmax'].flatMap((opType) => [
    ...(['f32', 'f16'] as const).flatMap((t) =>
      [0, 1, -1].map((axis) =>
        make(`${t}_${axis}`, opType, [of(t, 3, 37, 24)], [intAttribute('axis', axis)], 37),
      ),
    ),
    // Held by a few lanes, a warp, a block; too long to be held.
    ...[5, 197, 1000, 4096, 33_001].map((n) => make(`row_${n}`, opType, [of('f32', 2, n)], [], n)),
  ]);
  const hard = [0, 1, -1].map((axis) =>
    make(`${axis}`, 'Hardmax', [of('f32', 3, 37, 21)], [intAttribute('axis', axis)], 1),
  );
  expect(problemsOf(await outcomesOf([...cases, ...hard], 21, emulated))).toEqual([]);
}, 600_000);

test('rows are normalised', async () => {
  const cases = (['f32', 'f16'] as const).flatMap((t) => [
    ...[77, 768, 5000, 40_000].map((n) =>
      make(`${t}_${n}`, 'LayerNormalization', [of(t, 3, n), of(t, n), of(t, n)], [], n),
    ),
    make(
      `two_${t}`,
      'LayerNormalization',
      [of(t, 3, 5, 17), of(t, 5, 17)],
      [intAttribute('axis', 1), floatAttribute('epsilon', 0.01)],
      85,
      t === 'f32' ? [t, 'f32', 'f32'] : [t],
    ),
  ]);
  const rms = [77, 40_000].map((n) =>
    make(`${n}`, 'RMSNormalization', [of('f32', 3, n), of('f32', n)], [], n),
  );
  const far = make(
    'far',
    'LayerNormalization',
    [{ ...of('f32', 2, 320), low: 99, high: 101 }, of('f32', 320)],
    [],
    3e4,
  );
  expect(problemsOf(await outcomesOf([...cases, ...rms, far], 23, emulated))).toEqual([]);
}, 600_000);

test('groups and instances', async () => {
  const group = (name: string, groups: number, ...shape: readonly number[]): OperatorCase => {
    const channel = of('f32', shape[1]!);
    const attributes = [intAttribute('num_groups', groups)];
    const sum = shape.slice(1).reduce((a, b) => a * b, 1) / groups;
    return make(name, 'GroupNormalization', [of('f32', ...shape), channel, channel], attributes, sum);
  };
  const cases = [
    group('small', 3, 2, 6, 5, 7),
    group('one', 1, 3, 4, 11),
    group('large', 2, 1, 4, 130, 130),
    group('large_odd', 2, 1, 6, 101, 99),
    make('small', 'InstanceNormalization', [of('f32', 2, 6, 5, 7), of('f32', 6), of('f32', 6)], [], 35),
  ];
  expect(problemsOf(await outcomesOf(cases, 21, emulated))).toEqual([]);
}, 600_000);

test('norms of vectors and of neighbouring channels', async () => {
  const lp = [1, 2].flatMap((p) =>
    [0, 1, -1].map((axis) =>
      make(
        `${p}_${axis}`,
        'LpNormalization',
        [of('f32', 3, 17, 20)],
        [intAttribute('p', p), intAttribute('axis', axis)],
        20,
      ),
    ),
  );
  const local = [3, 5].map((size) =>
    make(
      `${size}`,
      'LRN',
      [of('f32', 2, 7, 5, 3)],
      [intAttribute('size', size), floatAttribute('alpha', 0.02)],
      size,
    ),
  );
  expect(problemsOf(await outcomesOf([...lp, ...local], 21, emulated))).toEqual([]);
}, 600_000);
