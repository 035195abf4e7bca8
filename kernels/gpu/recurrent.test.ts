import { expect, test } from 'vitest';
import { outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import { quantisedCases, recurrentCase, recurrentCases } from '../../fixtures/kernels/recurrent.js';
import { intAttribute } from '../../src/onnx/make.js';

const emulated = { target: 'emulated', precision: 'f32' } as const;

test('recurrent operators', async () => {
  expect(problemsOf(await outcomesOf(recurrentCases(), 20, emulated))).toEqual([]);
}, 600_000);

test('states that one block cannot hold', async () => {
  const all = { bias: true, states: true, size: [3, 2, 5, 1030] } as const;
  const gru = { bias: true, states: true, size: [4, 5, 6, 402] } as const;
  const cases = [
    recurrentCase('large', 'RNN', 'bidirectional', { ...all, lengths: [3, 1] }),
    recurrentCase('large', 'GRU', 'reverse', { ...gru, lengths: [4, 0, 2, 3, 1] }),
    recurrentCase('late', 'GRU', 'bidirectional', gru, intAttribute('linear_before_reset', 1)),
    recurrentCase('large', 'LSTM', 'bidirectional', { ...gru, peepholes: true, lengths: [4, 0, 2, 3, 1] }),
    recurrentCase('weights', 'LSTM', 'forward', { ...gru, constant: false }),
    // So many sequences that their products are a product of matrices.
    recurrentCase('wide', 'LSTM', 'bidirectional', { ...all, size: [2, 37, 6, 260] }),
    recurrentCase('wide', 'GRU', 'bidirectional', { ...all, size: [2, 33, 6, 344] }),
    recurrentCase('wide', 'RNN', 'reverse', { ...all, size: [2, 40, 6, 1025] }),
  ];
  expect(problemsOf(await outcomesOf(cases, 20, emulated))).toEqual([]);
}, 600_000);

test('an LSTM whose weights are bytes', async () => {
  expect(problemsOf(await outcomesOf(quantisedCases(), 20, emulated))).toEqual([]);
}, 600_000);
