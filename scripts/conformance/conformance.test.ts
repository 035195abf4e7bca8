import { expect, test } from 'vitest';
import { compilerFingerprint } from '../fingerprint.js';
import { suite } from '../suite-fetch.js';
import { onnxruntimeReference } from '../suite-reference.js';
import { runCases } from './run-cases.js';
import { shuffled } from './sample.js';
import { isBeyondBoth, readTable, tableOf } from './table.js';

const seed = 1;
const count = 80;

test(`a sample of the ONNX suites (seed ${seed}) runs as the table says`, async () => {
  const recorded = await readTable();
  const cases = shuffled(
    (await suite()).filter((c) => c.suite !== 'light'),
    seed,
  ).slice(0, count);
  const { cases: found } = tableOf(await runCases(cases), await onnxruntimeReference(), '');
  const placed = (of: typeof found) =>
    Object.keys(found).map((key) => `${key}: ${of[key]?.placement}, ${of[key]?.failure ? 'failed' : 'ok'}`);
  expect(placed(found)).toEqual(placed(recorded.cases));
});

test('the table describes the sources as they are', async () => {
  const { fingerprint } = await readTable();
  expect(fingerprint, 'run `npm run conformance`').toBe(await compilerFingerprint());
});

test('the table lists every case, and what it claims of them', async () => {
  const { cases, totals } = await readTable();
  const reference = await onnxruntimeReference();
  const names = (await suite()).map((c) => `${c.suite}/${c.name}`);
  expect(Object.keys(cases)).toEqual(names.toSorted());
  const wrong = Object.entries(cases).filter((c) => c[1].failure && !isBeyondBoth(c, reference));
  expect(wrong.map(([key]) => key)).toEqual([]);
  expect(totals.neither).toBeLessThanOrEqual(60);
  expect(totals.compiled / totals.cases).toBeGreaterThanOrEqual(0.75);
});
