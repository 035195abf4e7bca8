import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import type { DType } from '../../src/ir/type.js';
import { floatAttribute, intAttribute } from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;

const cases = (t: DType): readonly OperatorCase[] => {
  const real = (...shape: readonly number[]): Operand => ({ dtype: t, shape, low: -1, high: 1 });
  const attention = (
    name: string,
    inputs: readonly (Operand | undefined)[],
    ...attributes: readonly Attribute[]
  ): OperatorCase => ({
    name: `attention_${name}_${t}`,
    opType: 'Attention',
    inputs,
    attributes,
    results: [t],
    accumulation: 200,
  });
  const open = (x: Operand, ...declared: readonly (string | number)[]): Operand => ({ ...x, declared });
  const [q, k, v] = [real(2, 6, 40, 24), real(2, 6, 75, 24), real(2, 6, 75, 33)];
  const [gk, gv] = [real(2, 2, 75, 24), real(2, 2, 75, 33)];
  const causal = intAttribute('is_causal', 1);
  const mask: Operand = {
    dtype: 'bool',
    shape: [40, 75],
    values: Array.from({ length: 3000 }, (_, i) => Number((i * 7) % 5 !== 0)),
  };
  const flat = [intAttribute('q_num_heads', 6), intAttribute('kv_num_heads', 2)];
  return [
    attention('plain', [q, k, v]),
    attention('groups', [q, gk, gv], floatAttribute('scale', 0.3)),
    attention('causal', [q, k, v], causal),
    attention('mask', [q, gk, gv, mask]),
    attention('bias', [q, k, v, real(2, 1, 40, 75)], floatAttribute('softcap', 2)),
    attention('deep', [real(2, 2, 21, 264), real(2, 2, 48, 264), real(2, 2, 48, 288)]),
    attention('one_query', [real(2, 6, 1, 24), gk, gv]),
    attention('one_query_of_many_keys', [real(1, 6, 1, 32), real(1, 2, 700, 32), real(1, 2, 700, 32)]),
    attention('rows', [real(2, 40, 144), real(2, 75, 48), real(2, 75, 66), real(40, 75)], ...flat),
    attention('rows_causal', [real(2, 75, 144), real(2, 75, 48), real(2, 75, 66)], causal, ...flat),
    attention(
      'open',
      [
        open(real(2, 3, 21, 32), 'batch', 3, 'rows', 32),
        open(real(2, 3, 50, 32), 'batch', 3, 'keys', 32),
        open(real(2, 3, 50, 40), 'batch', 3, 'keys', 40),
      ],
      causal,
    ),
  ];
};

test('attention in f32', async () => {
  expect(problemsOf(await outcomesOf(cases('f32'), 23, emulated))).toEqual([]);
}, 600_000);

test('attention on matrix units', async () => {
  expect(problemsOf(await outcomesOf(cases('f16'), 23, emulated))).toEqual([]);
}, 600_000);
