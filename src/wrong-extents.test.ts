import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { model, node, value } from '../fixtures/onnx-importer/material.js';
import { convert } from './compile.js';
import { encodeModel } from './onnx/encode.js';
import { intAttribute } from './onnx/make.js';
import { InferenceSession } from './runtime/session.js';

/*
 * Inputs that each have a shape the model allows, but not together: onnxruntime refuses them, and a compiled program
 * would read past the end of what it has.
 */
const together = model({
  input: [
    value('x', 'f32', 'n'),
    value('z', 'f32', 'm'),
    value('a', 'f32', 'rows', 'k'),
    value('b', 'f32', 'l', 'columns'),
    value('image', 'f32', 1, 'c', 4, 4),
    value('weights', 'f32', 2, 'd', 3, 3),
    value('shape', 'i64', 2),
    value('axes', 'i64', 2),
    value('along', 'i64', 2),
  ],
  node: [
    node('Add', ['x', 'z'], ['sum']),
    node('MatMul', ['a', 'b'], ['product']),
    node('Conv', ['image', 'weights'], ['convolved']),
    node('Reshape', ['x', 'shape'], ['reshaped']),
    node('Exp', ['reshaped'], ['exponentials']),
    node('Unsqueeze', ['a', 'axes'], ['longer']),
    node('Neg', ['longer'], ['negative']),
    node('ReduceSum', ['image', 'along'], ['total'], intAttribute('keepdims', 0)),
  ],
  output: ['sum', 'product', 'convolved', 'exponentials', 'negative', 'total'].map((name) => value(name)),
});

const f32 = (...dims: readonly number[]): Tensor => {
  const count = dims.reduce((p, q) => p * q, 1);
  return new Tensor('float32', new Float32Array(count).fill(1), [...dims]);
};
const i64 = (...values: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);

const fitting = {
  ...{ x: f32(6), z: f32(1), a: f32(3, 4), b: f32(4, 5), image: f32(1, 2, 4, 4), weights: f32(2, 2, 3, 3) },
  ...{ shape: i64(2, 3), axes: i64(0, 3), along: i64(1, -1) },
};

const dir = mkdtempSync(join(tmpdir(), 'ait-extents-'));
let session: InferenceSession;
beforeAll(async () => {
  writeFileSync(join(dir, 'together.onnx'), encodeModel(together));
  const output = join(dir, 'engine');
  const { engine } = await convert(join(dir, 'together.onnx'), { output, verify: false });
  expect(engine.partition.decisions.filter((d) => d.kind === 'fallback')).toEqual([]);
  session = await InferenceSession.create(output);
}, 120_000);
afterAll(async () => {
  await session.dispose();
  rmSync(dir, { recursive: true });
});

test('what fits runs', async () => {
  const results = await session.run(fitting);
  expect(Object.values(results).map((t) => t.dims)).toEqual([
    [6],
    [3, 5],
    [1, 2, 2, 2],
    [2, 3],
    [1, 3, 4, 1],
    [1, 4],
  ]);
});

test.each<[string, Partial<typeof fitting>, RegExp]>([
  ['operands', { z: f32(4) }, /Add .*: the shapes do not broadcast/],
  ['matrices', { b: f32(5, 4) }, /MatMul .*: the matrices do not fit one another/],
  ['channels', { weights: f32(2, 3, 3, 3) }, /Conv .*: the weights are for another number of channels/],
  ['a larger shape', { shape: i64(1000, 1000) }, /Reshape .*: .* another number of elements/],
  ['a smaller shape', { shape: i64(2, 2) }, /Reshape .*: .* another number of elements/],
  ['a shape that -1 does not complete', { shape: i64(-1, 4) }, /Reshape .*: .* another number of elements/],
  ['the same axis to be reduced twice', { along: i64(1, 1) }, /ReduceSum .*: .* not different axes/],
  ['an axis that is not there', { along: i64(1, 4) }, /ReduceSum .*: .* not different axes/],
  ['the same axis twice', { axes: i64(2, 2) }, /Unsqueeze .*: .* another number of elements/],
])('%s that do not fit end the run with an error', async (_, wrong, message) => {
  const run = session.run({ ...fitting, ...wrong });
  await expect(run).rejects.toMatchObject({ code: 'run-failed', message: expect.stringMatching(message) });
});

test('the session goes on', async () => {
  const { sum } = await session.run(fitting);
  expect([...(sum!.data as Float32Array)]).toEqual([2, 2, 2, 2, 2, 2]);
});
