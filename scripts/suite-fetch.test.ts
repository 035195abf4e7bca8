import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { suite } from './suite-fetch.js';
import { onnxruntimeReference, passesSomehow } from './suite-reference.js';

test('the suites are complete, and every case has a file for each input and output', async () => {
  const cases = await suite();
  const counts = new Map<string, number>();
  for (const { suite } of cases) counts.set(suite, (counts.get(suite) ?? 0) + 1);
  expect(Object.fromEntries(counts)).toEqual({
    light: 9,
    node: 1884,
    'pytorch-converted': 82,
    'pytorch-operator': 35,
    simple: 23,
  });
  for (const { name, directory, dataSets, inputs, outputs } of cases) {
    const sets = Array.from({ length: dataSets }, (_, index) => `test_data_set_${index}`);
    expect((await readdir(directory)).toSorted(), name).toEqual(['model.onnx', ...sets]);
    const expected = [...inputs.map((_, i) => `input_${i}.pb`), ...outputs.map((_, i) => `output_${i}.pb`)];
    for (const set of sets)
      expect((await readdir(join(directory, set))).toSorted(), name).toEqual(expected.toSorted());
  }
});

test('onnxruntime alone reaches what was measured for this version', async () => {
  const { onnxruntime, cases } = await onnxruntimeReference();
  const node = Object.entries(cases).filter(([name]) => name.startsWith('node/'));
  const generated = node.filter(([, result]) => result.generated.passes).length;
  const lowered = node.filter(([, result]) => result.generated.passes || result.lowered?.passes).length;
  expect({ onnxruntime, generated }).toEqual({ onnxruntime: '1.30.0', generated: 1492 });
  expect(lowered).toBeGreaterThanOrEqual(1695);
  const never = node.filter(([, result]) => !passesSomehow(result)).map(([name]) => name);
  expect(never).toContain('node/test_swiglu');
  expect(never).not.toContain('node/test_roialign_aligned_true');
});
