import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { f32, floats, longs, model, node, run, value } from '../fixtures/onnx-importer/material.js';
import { exportOnnx } from '../importers/onnx/export.js';
import { convert } from './compile.js';
import { encodeModel } from './onnx/encode.js';
import { graphAttribute, intAttribute, makeGraph } from './onnx/make.js';
import { InferenceSession } from './runtime/session.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-control-flow-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const untyped = (name: string) => ({ ...value(name), type: undefined });

/** Squeezes the last axis where its extent is 1; then LSTM, which takes three axes and no fourth. */
const lstm = model(
  {
    input: [value('x', 'f32', 'T', 'B', 3, 'L')],
    initializer: [
      floats(
        'w',
        [1, 8, 3],
        Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      ),
      floats(
        'r',
        [1, 8, 2],
        Array.from({ length: 16 }, (_, i) => Math.cos(i)),
      ),
      longs('last', [1], [3]),
      longs('one', [1], [1]),
    ],
    node: [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'last'], ['extent'], intAttribute('axis', 0)),
      node('Equal', ['extent', 'one'], ['is_one']),
      node(
        'If',
        ['is_one'],
        ['s'],
        graphAttribute(
          'then_branch',
          makeGraph({
            name: 'then',
            node: [node('Squeeze', ['x', 'last'], ['less'])],
            output: [untyped('less')],
          }),
        ),
        graphAttribute(
          'else_branch',
          makeGraph({
            name: 'else',
            node: [node('Identity', ['x'], ['same'])],
            output: [untyped('same')],
          }),
        ),
      ),
      node('LSTM', ['s', 'w', 'r'], ['all', 'y'], intAttribute('hidden_size', 2)),
      node('Relu', ['y'], ['z']),
    ],
    output: [value('y', 'f32', 1, 'B', 2), value('z', 'f32', 1, 'B', 2)],
  },
  { opset: 17 },
);

test('a branch that no runtime can run ends the run with an error, and the other is compiled', async () => {
  const [path, output] = [join(dir, 'lstm.onnx'), join(dir, 'lstm')];
  writeFileSync(path, encodeModel(lstm));
  const { graph, engine, warnings } = await convert(path, { output });
  expect(warnings).toEqual([]);
  expect(engine.partition.decisions.map((d) => d.kind)).not.toContain('fallback');
  // Nodes that went into the branches are reported as compiled.
  const report = JSON.parse(readFileSync(join(output, 'report.json'), 'utf8'));
  const placement = (name: string) => report.nodes.find((n: { name: string }) => n.name === name)?.placement;
  expect([placement('If_s'), placement('LSTM_all'), placement('Relu_z')]).toEqual([
    'engine',
    'engine',
    'engine',
  ]);
  const session = await InferenceSession.create(output, { threads: 2 });
  try {
    for (const [t, b] of [
      [1, 1],
      [4, 3],
    ] as const) {
      const numbers = Array.from({ length: t * b * 3 }, (_, i) => ((i * 5) % 7) / 4 - 0.6);
      const x = f32([t, b, 3, 1], numbers);
      const results = await session.run({ x });
      const reference = await run(lstm, { x });
      expect(await run(exportOnnx(graph), { x })).toEqual(reference);
      for (const [name, expected] of Object.entries(reference)) {
        expect(results[name]!.dims).toEqual(expected.dims);
        Array.from(results[name]!.data as Float32Array).forEach((v, i) => {
          expect(v).toBeCloseTo(Number(expected.data[i]), 6);
        });
      }
    }
    const wrong = { x: f32([1, 1, 3, 2], [1, 2, 3, 4, 5, 6]) };
    await expect(run(lstm, wrong)).rejects.toThrow('LSTM');
    await expect(run(exportOnnx(graph), wrong)).rejects.toThrow('out of data bounds');
    await expect(session.run(wrong)).rejects.toThrow(/"LSTM_all" \(LSTM\)/);
    const again = await session.run({ x: f32([1, 1, 3, 1], [1, 2, 3]) });
    expect(again.y!.dims).toEqual([1, 1, 2]);
  } finally {
    await session.dispose();
  }
});
