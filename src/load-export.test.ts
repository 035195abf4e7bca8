import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { eagerRecord, pathOf } from '../fixtures/pt2/material.js';
import { pythonEnv } from '../scripts/python-env.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { convert } from './compile.js';
import { diff } from './diff.js';
import { exportModel } from './export-model.js';
import { inspect } from './inspect.js';
import { inputName } from './ir/graph.js';
import { runOnnxruntime } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { withTemporaryDirectory } from './support/temporary.js';
import type { TensorData } from './support/tensor-data.js';

const scale = { accumulation: 36, depth: 8, quantised: false };

function wrong(
  results: ReadonlyMap<string, TensorData>,
  names: readonly string[],
  expected: readonly TensorData[],
  of: typeof scale & { readonly storage?: string } = scale,
) {
  return names.flatMap((name, i) => {
    const { pass, problem, maxAbs } = compareTensors(
      results.get(name)!,
      expected[i]!,
      toleranceFor(expected[i]!, of),
    );
    return pass ? [] : [`${name}: ${problem ?? maxAbs}`];
  });
}

test('an exported module becomes an engine that computes what PyTorch computed', async () => {
  await withTemporaryDirectory('ait-pt2', async (scratch) => {
    const output = join(scratch, 'engine');
    const { graph, manifest, accuracy, about, engine } = await convert(pathOf('attention'), { output });
    expect(about.format).toBe('PT2 archive, schema 8.20');
    expect(engine.partition.decisions.filter((d) => d.kind === 'fallback')).toEqual([]);
    expect(accuracy!.map((a) => a.comparison.pass)).toEqual([true, true, true]);
    expect(manifest!.source.name).toBe('attention.pt2');
    const { inputs, outputs } = eagerRecord('attention', graph.inputs.length);
    const session = await InferenceSession.create(output);
    try {
      const results = await session.runData(new Map(graph.inputs.map((v, i) => [inputName(v), inputs[i]!])));
      expect(wrong(results, graph.outputNames, outputs)).toEqual([]);
    } finally {
      await session.dispose();
    }
    expect((await diff(output, { model: pathOf('attention') })).pass).toBe(true);
  });
}, 300_000);

test('a block of another precision, for which onnxruntime has no kernels', async () => {
  await withTemporaryDirectory('ait-pt2', async (scratch) => {
    const output = join(scratch, 'engine');
    const { graph, engine } = await convert(pathOf('autocast'), { output });
    expect(engine.partition.decisions.filter((d) => d.kind === 'fallback')).toEqual([]);
    const { inputs, outputs } = eagerRecord('autocast', 1);
    const session = await InferenceSession.create(output);
    try {
      const results = await session.runData(new Map([['x', inputs[0]!]]));
      // Both results were rounded to bfloat16 on the way: eight bits.
      const rounded = { ...scale, storage: 'bf16' };
      expect(wrong(results, graph.outputNames, outputs, rounded)).toEqual([]);
    } finally {
      await session.dispose();
    }
  });
}, 120_000);

test('an exported module is inspected', async () => {
  const found = await inspect(pathOf('dynamic'));
  expect(found).toMatchObject({
    kind: 'model',
    about: { format: 'PT2 archive, schema 8.20', producer: expect.stringMatching(/^PyTorch 2/) },
    inputs: [
      { name: 'x', type: 'f32[s17,s27]' },
      { name: 'y', type: 'f32[s17,s27]' },
    ],
  });
}, 120_000);

test.each([undefined, 23])(
  'an exported module is written as ONNX, opset %s',
  async (opset) => {
    await withTemporaryDirectory('ait-pt2', async (scratch) => {
      const file = join(scratch, 'model.onnx');
      const made = await exportModel(pathOf('conv'), file, { opset });
      expect(made.opset).toBe(opset ?? 21);
      const check =
        'import onnx, sys; m = onnx.load(sys.argv[1]); onnx.checker.check_model(m, full_check=True)';
      await execa(await pythonEnv(), ['-c', check, file]);
      const { inputs, outputs } = eagerRecord('conv', 1);
      const results = await runOnnxruntime(file, new Map([['x', inputs[0]!]]));
      expect(wrong(results, made.graph.outputNames, outputs)).toEqual([]);
    });
  },
  120_000,
);

test('an opset that models are not written in', async () => {
  await expect(exportModel(pathOf('mlp'), 'never.onnx', { opset: 12 })).rejects.toThrow('opset 12');
});
