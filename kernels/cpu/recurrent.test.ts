import { expect, test } from 'vitest';
import { outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';
import { quantisedCases, recurrentCases } from '../../fixtures/kernels/recurrent.js';

test('recurrent operators', async () => {
  expect(problemsOf(await outcomesOf(recurrentCases(), 20))).toEqual([]);
}, 300_000);

test('an LSTM whose weights are bytes', async () => {
  expect(problemsOf(await outcomesOf(quantisedCases(), 20))).toEqual([]);
}, 300_000);
