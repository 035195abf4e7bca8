import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { convert } from '../../src/compile.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { intAttribute, makeGraph, makeModel, makeNode, makeOpset, tensorValue } from '../../src/onnx/make.js';
import { runOnnxruntime } from '../../src/runtime/reference.js';
import { InferenceSession } from '../../src/runtime/session.js';
import type { TensorData } from '../../src/support/tensor-data.js';

/** Element types of less than 8 bits, ONNX's numbers for them, and numbers that they hold. */
const types = [
  ['u4', 21, [0, 1, 7, 8, 15, 3, 2, 9, 14]],
  ['i4', 22, [0, 1, -1, 7, -8, 3, -2, 5, -7]],
] as const;

/** f32 → narrow → f32, the middle of which nothing stores. */
function modelOf(number: number, length: number): Uint8Array {
  const to = (name: string, input: string, output: string, type: number) =>
    makeNode({
      name,
      opType: 'Cast',
      input: [input],
      output: [output],
      attribute: [intAttribute('to', type)],
    });
  return encodeModel(
    makeModel({
      irVersion: 10,
      opsetImport: [makeOpset('', 21)],
      graph: makeGraph({
        name: 'narrow',
        input: [tensorValue('x', 'f32', [length])],
        node: [
          makeNode({ name: 'less', opType: 'Neg', input: ['x'], output: ['minus'] }),
          makeNode({ name: 'back', opType: 'Neg', input: ['minus'], output: ['same'] }),
          to('narrow', 'same', 'q', number),
          to('wide', 'q', 'f', 1),
          makeNode({ name: 'sum', opType: 'Add', input: ['f', 'x'], output: ['y'] }),
        ],
        output: [tensorValue('y', 'f32', [length])],
      }),
    }),
  );
}

test.each(types.flatMap((t) => (['cpu', 'emulated'] as const).map((target) => [...t, target] as const)))(
  'numbers through %s (%i) of %j on %s',
  async (_, number, values, target) => {
    const x: TensorData = {
      dtype: 'f32',
      shape: [values.length],
      bytes: new Uint8Array(Float32Array.from(values).buffer),
    };
    const model = modelOf(number, values.length);
    const directory = await mkdtemp(join(tmpdir(), 'ait-narrow-'));
    try {
      await writeFile(join(directory, 'model.onnx'), model);
      const output = join(directory, 'engine');
      const { engine } = await convert(join(directory, 'model.onnx'), {
        ...{ output, verify: false, target },
        ...(target === 'emulated' ? { precision: 'f32' } : {}),
      });
      expect(engine.partition.decisions.filter((d) => d.kind !== 'engine')).toEqual([]);
      const session = await InferenceSession.create(output, { threads: 1 });
      const actual = await session.runData(new Map([['x', x]]));
      await session.dispose();
      const expected = await runOnnxruntime(model, new Map([['x', x]]));
      expect(actual.get('y')?.bytes).toEqual(expected.get('y')?.bytes);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
  120_000,
);
