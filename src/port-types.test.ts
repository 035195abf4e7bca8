import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { floats, model, node, value } from '../fixtures/onnx-importer/material.js';
import { seededTensor } from './accuracy/seeded-inputs.js';
import { readManifest } from './artifact/read-manifest.js';
import { convert } from './compile.js';
import { diff } from './diff.js';
import { dtypeOf, topological } from './ir/graph.js';
import { encodeModel } from './onnx/encode.js';
import { intAttribute } from './onnx/make.js';
import type { ConvertOptions } from './options.js';
import { run } from './run.js';
import { isTensorData } from './support/value-data.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-ports-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const weights = Array.from({ length: 32 * 8 }, (_, i) => Math.sin(i * i) / 4);
const layers = model({
  input: [value('x', 'f32', 4, 32), value('i', 'i64', 4, 8)],
  initializer: [floats('w', [32, 8], weights)],
  node: [
    node('MatMul', ['x', 'w'], ['m']),
    node('Softmax', ['m'], ['y'], intAttribute('axis', 1)),
    node('Identity', ['i'], ['j']),
  ],
  output: [value('y', 'f32', 4, 8), value('j', 'i64', 4, 8)],
});
const half = model({
  input: [value('x', 'f16', 4, 32)],
  node: [node('Tanh', ['x'], ['y'])],
  output: [value('y', 'f16', 4, 32)],
});
const [layersPath, halfPath] = ['layers.onnx', 'half.onnx'].map((n) => join(dir, n)) as [string, string];
writeFileSync(layersPath, encodeModel(layers));
writeFileSync(halfPath, encodeModel(half));

async function made(path: string, name: string, options: ConvertOptions) {
  const output = join(dir, name);
  const { graph, warnings } = await convert(path, { output, ...options });
  expect(warnings).toEqual([]);
  const manifest = await readManifest(output);
  const types = [...manifest.inputs, ...manifest.outputs].map((p) => [p.dtype, p.modelDtype]);
  return {
    output,
    manifest,
    types,
    inside: new Set(topological(graph).flatMap((n) => n.outputs.map(dtypeOf))),
  };
}

test('inputs and outputs lie in the type that the engine stores, and nothing is converted', async () => {
  const options = { target: 'emulated', precision: 'f16', ioPrecision: 'f16' } as const;
  const { types, inside, manifest, output } = await made(layersPath, 'narrow', options);
  expect(types).toEqual([
    ['f16', 'f32'],
    ['i64', undefined],
    ['f16', 'f32'],
    ['i64', undefined],
  ]);
  expect([...inside].sort()).toEqual(['f16', 'i64']);
  expect(manifest.accuracy.map((a) => a.pass)).toEqual([true, true]);
  expect(await diff(output, { model: layersPath, seed: 3 })).toMatchObject({ pass: true });
}, 120_000);

test.each([
  ['bf16 on the CPU', layersPath, { ioPrecision: 'bf16' }, 'bf16', 'f32'],
  ['f32 for a model of f16', halfPath, { ioPrecision: 'f32' }, 'f32', 'f16'],
  ['bf16 around f16', layersPath, { target: 'emulated', ioPrecision: 'bf16' }, 'bf16', 'f32'],
] as const)(
  '%s: compared in the types of the engine',
  async (_, path, options, dtype, modelDtype) => {
    const { types, manifest } = await made(
      path,
      `${dtype}-${modelDtype}-${Object.keys(options).length}`,
      options,
    );
    expect([types[0], types.at(path === halfPath ? -1 : -2)]).toEqual(Array(2).fill([dtype, modelDtype]));
    expect(manifest.accuracy.every((a) => a.pass)).toBe(true);
  },
  120_000,
);

test('the model’s own types are kept where nothing else is asked for', async () => {
  const { types } = await made(layersPath, 'own', { target: 'emulated', precision: 'f16', verify: false });
  expect(types.map(([dtype]) => dtype)).toEqual(['f32', 'i64', 'f32', 'i64']);
  expect(types.every(([, other]) => other === undefined)).toBe(true);
}, 120_000);

test('values given in the types of the model are taken, and compared', async () => {
  const { output } = await made(layersPath, 'given', { ioPrecision: 'f16', verify: false });
  const inputs = new Map([
    ['x', seededTensor({ name: 'x', dtype: 'f32', shape: [4, 32] })],
    ['i', seededTensor({ name: 'i', dtype: 'i64', shape: [4, 8] })],
  ]);
  const { feeds, outputs } = await run(output, { inputs });
  const y = outputs.get('y')!;
  expect([feeds.get('x'), y].map((t) => t && isTensorData(t) && t.dtype)).toEqual(['f16', 'f16']);
  expect(await diff(output, { model: layersPath, inputs })).toMatchObject({ pass: true });
}, 120_000);
