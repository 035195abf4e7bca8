import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { OnnxruntimeProcess } from '../src/runtime/reference.js';
import type { TensorData } from '../src/support/tensor-data.js';
import { noiseOf, type ReferenceRun } from '../src/verify.js';

/** What onnxruntime computes of a model's feeds, for comparison where onnxruntime and the model are not at hand. */
export async function referenceRunOf(
  model: string,
  feeds: Map<string, TensorData>,
  reference: OnnxruntimeProcess,
): Promise<ReferenceRun> {
  const outputs = await reference.run(model, feeds);
  return { feeds, outputs, noise: await noiseOf(model, feeds, outputs, reference) };
}

/** What is not needed to run an engine from Node. */
const beside = ['src', 'model.onnx', 'report.html', 'report.json'];

export async function removeWhatDoesNotRun(engine: string): Promise<void> {
  for (const name of beside) await rm(join(engine, name), { recursive: true, force: true });
}

/** Plain data with maps and bytes in it. */
export const writeData = (file: string, data: unknown): Promise<void> => writeFile(file, serialize(data));

interface Stored {
  readonly feeds?: Map<string, TensorData> | undefined;
  readonly outputs?: Map<string, TensorData> | undefined;
}

export async function readRuns<T extends Stored>(file: string): Promise<readonly T[]> {
  const runs: readonly T[] = deserialize(await readFile(file));
  return runs.map(({ feeds, outputs, ...rest }) => ({
    ...(rest as unknown as T),
    ...(feeds && { feeds: aligned(feeds) }),
    ...(outputs && { outputs: aligned(outputs) }),
  }));
}

/** The bytes that were read lie anywhere in their buffer. */
const aligned = (values: ReadonlyMap<string, TensorData>): Map<string, TensorData> =>
  new Map([...values].map(([name, t]) => [name, { ...t, bytes: new Uint8Array(t.bytes) }]));
