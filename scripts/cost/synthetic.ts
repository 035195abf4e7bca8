import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataTypeOf } from '../../src/onnx/dtype.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { make, makeGraph, makeModel, makeNode, makeOpset, tensorValue } from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import { dataLocation, type Tensor } from '../../src/onnx/types.js';

const layers = 16;
const width = 4096;

/** A chain of products whose weights, a gibibyte of external data, take no space on the disk. */
export async function syntheticModel(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const bytes = width * width * 4;
  const data = await open(join(directory, 'weights.bin'), 'w');
  await data.truncate(layers * bytes);
  await data.close();
  const entry = (key: string, value: string | number) =>
    make(schemas.stringEntry, { key, value: String(value) });
  const initializer = Array.from({ length: layers }, (_, i): Tensor => {
    const place = [entry('location', 'weights.bin'), entry('offset', i * bytes), entry('length', bytes)];
    return make(schemas.tensor, {
      ...{ name: `w${i}`, dataType: dataTypeOf('f32'), dims: [width, width] },
      ...{ dataLocation: dataLocation.external, externalData: place },
    });
  });
  const nodes = initializer.map(({ name }, i) =>
    makeNode({ opType: 'MatMul', name: `product${i}`, input: [`x${i}`, name], output: [`x${i + 1}`] }),
  );
  const model = makeModel({
    irVersion: 10,
    opsetImport: [makeOpset('', 21)],
    graph: makeGraph({
      name: 'synthetic',
      node: nodes,
      initializer,
      input: [tensorValue('x0', 'f32', ['batch', width])],
      output: [tensorValue(`x${layers}`, 'f32', ['batch', width])],
    }),
  });
  const path = join(directory, 'model.onnx');
  await writeFile(path, encodeModel(model));
  return path;
}
