import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededTensor } from '../../src/accuracy/seeded-inputs.js';
import { convert } from '../../src/compile.js';
import { encodeModel } from '../../src/onnx/encode.js';
import {
  intAttribute,
  makeGraph,
  makeModel,
  makeNode,
  makeOpset,
  makeTensor,
  tensorValue,
} from '../../src/onnx/make.js';
import type { ConvertOptions } from '../../src/options.js';
import { InferenceSession } from '../../src/runtime/session.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ait-dropout-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const shape = [3, 1000];
const model = encodeModel(
  makeModel({
    irVersion: 10,
    opsetImport: [makeOpset('', 20)],
    graph: makeGraph({
      name: 'training',
      input: [tensorValue('x', 'f32', shape), tensorValue('ratio', 'f32', []), tensorValue('on', 'bool', [])],
      initializer: [makeTensor('half', 'f32', [], new Uint8Array(new Float32Array([0.5]).buffer))],
      node: [
        makeNode({
          opType: 'Dropout',
          input: ['x', 'ratio', 'on'],
          output: ['y', 'kept'],
          attribute: [intAttribute('seed', 7)],
        }),
      ],
      output: [tensorValue('y', 'f32', shape), tensorValue('kept', 'bool', shape)],
    }),
  }),
);

async function run(target: ConvertOptions['target'], on: boolean) {
  const source = join(directory, 'model.onnx');
  await writeFile(source, model);
  const output = join(directory, `engine-${target}`);
  const { engine } = await convert(source, { output, target, precision: 'f32', verify: false, force: true });
  expect(engine.partition.decisions.filter((d) => d.reason !== undefined)).toEqual([]);
  const session = await InferenceSession.create(output, { threads: 2 });
  const feeds = new Map([
    ['x', seededTensor({ name: 'x', dtype: 'f32', shape, low: 1, high: 2 })],
    ['ratio', { dtype: 'f32', shape: [], bytes: new Uint8Array(new Float32Array([0.3]).buffer) }],
    ['on', { dtype: 'bool', shape: [], bytes: new Uint8Array([Number(on)]) }],
  ] as const);
  const results = await session.runData(feeds);
  await session.dispose();
  return results;
}

test('dropout keeps the same elements on every target', async () => {
  const [cpu, gpu] = [await run('cpu', true), await run('emulated', true)];
  expect(gpu.get('kept')).toEqual(cpu.get('kept'));
  expect(gpu.get('y')).toEqual(cpu.get('y'));
  const kept = gpu.get('kept')!.bytes.reduce((a, b) => a + b, 0);
  expect(kept / 3000).toBeCloseTo(0.7, 1);
  const off = await run('emulated', false);
  expect(off.get('kept')!.bytes.every((b) => b === 1)).toBe(true);
}, 600_000);
