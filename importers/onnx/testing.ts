/** What the tests of this folder share. */
import * as ort from 'onnxruntime-node';
import type { Graph as IrGraph } from '../../src/ir/graph.js';
import type { ElementType } from '../../src/onnx/dtype.js';
import { encodeModel } from '../../src/onnx/encode.js';
import {
  type DimSpec,
  makeGraph,
  makeModel,
  makeNode,
  makeOpset,
  makeTensor,
  tensorValue,
} from '../../src/onnx/make.js';
import type { Attribute, Graph, Model, Node, Tensor, ValueInfo } from '../../src/onnx/types.js';
import { operators } from '../../src/ops/index.js';
import { type ImportOptions, importOnnx } from './import.js';

export const value = (name: string, type: ElementType = 'f32', ...dims: readonly DimSpec[]): ValueInfo =>
  tensorValue(name, type, dims);

export const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  ...attribute: readonly Attribute[]
): Node => makeNode({ opType, input, output, attribute, name: `${opType}_${output[0]}` });

export const floats = (name: string, dims: readonly number[], values: readonly number[]): Tensor =>
  makeTensor(name, 'f32', dims, new Uint8Array(Float32Array.from(values).buffer));

export const longs = (name: string, dims: readonly number[], values: readonly (number | bigint)[]): Tensor =>
  makeTensor(name, 'i64', dims, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

export const model = (graph: Partial<Graph>, fields: Partial<Model> & { opset?: number } = {}): Model =>
  makeModel({
    irVersion: 10,
    opsetImport: [makeOpset('', fields.opset ?? 21)],
    graph: makeGraph({ name: 'test', ...graph }),
    ...fields,
  });

export interface Imported {
  readonly graph: IrGraph;
  readonly warnings: readonly string[];
}

export function imported(m: Model, options: Partial<ImportOptions> = {}): Imported {
  const warnings: string[] = [];
  const graph = importOnnx(m, { operators, warn: (w) => warnings.push(w), ...options });
  return { graph, warnings };
}

export type Feeds = Readonly<Record<string, ort.Tensor>>;

export const f32 = (dims: readonly number[], values: readonly number[]): ort.Tensor =>
  new ort.Tensor('float32', Float32Array.from(values), [...dims]);

export const i64 = (dims: readonly number[], values: readonly number[]): ort.Tensor =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [...dims]);

export const bool = (flag: boolean): ort.Tensor => new ort.Tensor('bool', Uint8Array.of(Number(flag)), []);

/** The results of a model on onnxruntime: the extents and elements of each. */
export async function run(m: Model | Uint8Array, feeds: Feeds): Promise<Readonly<Record<string, Result>>> {
  const bytes = m instanceof Uint8Array ? m : encodeModel(m);
  const session = await ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, t]) => [
        name,
        { dims: [...t.dims], data: Array.from(t.data as never) },
      ]),
    );
  } finally {
    await session.release();
  }
}

export interface Result {
  readonly dims: readonly number[];
  readonly data: readonly (number | bigint | string)[];
}

/** The largest difference between two results, relative to the larger of 1 and the element. */
export function difference(a: Result, b: Result): number {
  if (String(a.dims) !== String(b.dims)) return Number.POSITIVE_INFINITY;
  return a.data.reduce<number>((worst, x, i) => {
    const y = b.data[i]!;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) return worst;
    const d = Math.abs(Number(x) - Number(y)) / Math.max(1, Math.abs(Number(x)));
    return Math.max(worst, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
  }, 0);
}

/** The code of the error that a body throws. */
export function errorOf(body: () => unknown): { readonly code: string; readonly text: string } {
  try {
    body();
  } catch (e) {
    const { code, render } = e as { code: string; render?: () => string };
    if (render) return { code, text: render.call(e) };
    throw e;
  }
  return { code: 'none', text: '' };
}
