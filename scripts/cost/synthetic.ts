import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataTypeOf } from '../../src/onnx/dtype.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { make, makeGraph, makeModel, makeNode, makeOpset, tensorValue } from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import { dataLocation, type Tensor } from '../../src/onnx/types.js';

export interface Synthetic {
  readonly layers: number;
  readonly width: number;
  /** Layer i moves every column one place to the right, doubled where i is even; otherwise all weights are zero. */
  readonly moving?: boolean;
}

/** A chain of products whose weights, external data, take little space on the disk. */
export async function syntheticModel(
  directory: string,
  { layers, width, moving = false }: Synthetic,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const bytes = width * width * 4;
  const data = await open(join(directory, 'weights.bin'), 'w');
  await data.truncate(layers * bytes);
  if (moving)
    for (let i = 0; i < layers; i++) {
      const factor = new Uint8Array(Float32Array.of(factorOf(i)).buffer);
      for (let row = 0; row < width; row++)
        await data.write(factor, 0, 4, i * bytes + 4 * (row * width + ((row + 1) % width)));
    }
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

const factorOf = (layer: number): number => (layer % 2 === 0 ? 2 : 1);

/** What a moving model makes of one row. */
export function moved(row: Float32Array, { layers, width }: Synthetic): Float32Array {
  const factor = Array.from({ length: layers }, (_, i) => factorOf(i)).reduce((p, q) => p * q, 1);
  return row.map((_, i) => factor * row[(i - layers + width) % width]!);
}
