import { expect, test } from 'vitest';
import { type Operand, type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  stringAttribute,
  stringsAttribute,
} from '../../src/onnx/make.js';
import type { Attribute } from '../../src/onnx/types.js';

const gates = { RNN: 1, GRU: 3, LSTM: 4 } as const;
const [steps, batch, input, hidden] = [7, 3, 10, 21];

interface Has {
  readonly bias?: boolean;
  readonly lengths?: readonly number[];
  readonly states?: boolean;
  readonly peepholes?: boolean;
  readonly constant?: boolean;
}

function recurrent(
  name: string,
  opType: keyof typeof gates,
  direction: string,
  has: Has,
  ...attributes: readonly Attribute[]
): OperatorCase {
  const directions = direction === 'bidirectional' ? 2 : 1;
  const rows = gates[opType] * hidden;
  const constant = has.constant ?? true;
  const of = (...shape: readonly number[]): Operand => ({ dtype: 'f32', shape, low: -0.5, high: 0.5 });
  const weights = (...shape: readonly number[]): Operand => ({ ...of(...shape), constant });
  const state = has.states ? of(directions, batch, hidden) : undefined;
  return {
    name: `${opType}_${name}`,
    opType,
    inputs: [
      of(steps, batch, input),
      weights(directions, rows, input),
      weights(directions, rows, hidden),
      has.bias ? weights(directions, 2 * rows) : undefined,
      has.lengths ? { dtype: 'i32', shape: [batch], values: has.lengths } : undefined,
      state,
      ...(opType === 'LSTM' ? [state, has.peepholes ? weights(directions, 3 * hidden) : undefined] : []),
    ],
    attributes: [intAttribute('hidden_size', hidden), stringAttribute('direction', direction), ...attributes],
    results: opType === 'LSTM' ? ['f32', 'f32', 'f32'] : ['f32', 'f32'],
    accumulation: (input + hidden) * steps,
  };
}

test('recurrent operators', async () => {
  const all = { bias: true, states: true } as const;
  const cases = [
    recurrent('plain', 'LSTM', 'forward', all),
    recurrent('bare', 'LSTM', 'reverse', {}),
    recurrent('lengths', 'LSTM', 'bidirectional', { ...all, lengths: [7, 2, 5] }),
    recurrent('empty', 'LSTM', 'bidirectional', { ...all, lengths: [0, 2, 7] }),
    recurrent('empty', 'GRU', 'reverse', { ...all, lengths: [3, 0, 0] }),
    recurrent('peepholes', 'LSTM', 'forward', { ...all, peepholes: true }, floatAttribute('clip', 0.4)),
    recurrent('weights', 'LSTM', 'bidirectional', { ...all, constant: false }),
    recurrent('plain', 'GRU', 'forward', all),
    recurrent('before', 'GRU', 'bidirectional', all, intAttribute('linear_before_reset', 1)),
    recurrent('weights', 'GRU', 'reverse', { ...all, constant: false, lengths: [1, 7, 4] }),
    recurrent('plain', 'RNN', 'bidirectional', all),
    recurrent(
      'activations',
      'GRU',
      'forward',
      all,
      stringsAttribute('activations', ['HardSigmoid', 'LeakyRelu']),
      floatsAttribute('activation_alpha', [0.3, 0.05]),
      floatsAttribute('activation_beta', [0.4]),
    ),
    recurrent('relu', 'RNN', 'forward', all, stringsAttribute('activations', ['Relu'])),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);

test('an LSTM whose weights are bytes', async () => {
  const quantised = (name: string, dtype: 'i8' | 'u8', perColumn: boolean): OperatorCase => {
    const columns = 4 * hidden;
    const constant = true;
    const [low, high] = dtype === 'i8' ? [-128, 127] : [0, 255];
    const bytes = (...shape: readonly number[]): Operand => ({ dtype, shape, low, high, constant });
    const real = (low: number, high: number, ...shape: readonly number[]): Operand => ({
      dtype: 'f32',
      shape,
      low,
      high,
    });
    const points = perColumn ? [2, columns] : [2];
    const scale = { ...real(0.002, 0.004, ...points), constant };
    // onnxruntime takes zero points a column only if they are all zero.
    const zero: Operand = perColumn
      ? { dtype, shape: points, values: Array.from({ length: 2 * columns }, () => 0), constant }
      : { dtype, shape: points, low: low + 120, high: high - 120, constant };
    const state = real(-1, 1, 2, batch, hidden);
    return {
      name: `quantised_${name}`,
      opType: 'DynamicQuantizeLSTM',
      domain: 'com.microsoft',
      inputs: [
        real(-1, 2, steps, batch, input),
        bytes(2, input, columns),
        bytes(2, hidden, columns),
        { ...real(-0.5, 0.5, 2, 2 * columns), constant },
        undefined,
        state,
        state,
        undefined,
        scale,
        zero,
        scale,
        zero,
      ],
      attributes: [intAttribute('hidden_size', hidden), stringAttribute('direction', 'bidirectional')],
      results: ['f32', 'f32', 'f32'],
      accumulation: (input + hidden) * steps,
    };
  };
  const cases = [
    quantised('i8', 'i8', false),
    quantised('u8', 'u8', false),
    quantised('columns', 'i8', true),
  ];
  expect(problemsOf(await outcomesOf(cases, 20))).toEqual([]);
}, 300_000);
