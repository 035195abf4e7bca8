import { readFileSync, statSync } from 'node:fs';
import { containerOf } from './artifact/container.js';
import type { Manifest, Port } from './artifact/manifest.js';
import { dataSetFiles, readTensorFile, readValueFile } from './onnx/data-set.js';
import { inPortTypes } from './port-types.js';
import { CompileError } from './support/diagnostic.js';
import { parseNpy } from './support/npy.js';
import type { TensorData } from './support/tensor-data.js';
import { isTensorData, type ValueData } from './support/value-data.js';

/** What an engine is fed. At most one of `dataSet` and `inputs`; with neither, seeded random numbers. */
export interface InputOptions {
  /** A folder with `input_0.pb`, `input_1.pb`, …, as ONNX test data sets are laid out. */
  readonly dataSet?: string | undefined;
  /** Tensors by input name. */
  readonly inputs?: ReadonlyMap<string, TensorData> | undefined;
  /** For random inputs; default 0. */
  readonly seed?: number | undefined;
  /** Sizes of symbolic extents of random inputs. */
  readonly extents?: ReadonlyMap<string, number> | undefined;
}

/** The inputs that were given, or undefined when they are to be random. Throws when files are at fault. */
export function givenValues(
  manifest: Manifest,
  { dataSet, inputs }: InputOptions,
): Map<string, ValueData> | undefined {
  if (dataSet !== undefined) return dataSetValues(dataSet, 'input', manifest.inputs);
  return inputs === undefined || inputs.size === 0 ? undefined : inPortTypes(manifest.inputs, inputs);
}

/** The same, for what takes tensors alone. */
export function givenInputs(manifest: Manifest, options: InputOptions): Map<string, TensorData> | undefined {
  const given = givenValues(manifest, options);
  return given && tensorsOnly(given);
}

/** Throws when one of the values is a sequence or an optional. */
export function tensorsOnly(values: ReadonlyMap<string, ValueData>): Map<string, TensorData> {
  const tensors = [...values].map(([name, value]): [string, TensorData] => {
    if (isTensorData(value)) return [name, value];
    throw new CompileError('bad-tensor', `"${name}" is no tensor but of kind ${value.kind}`, 'use `run`');
  });
  return new Map(tensors);
}

/** The outputs recorded in a data set; none when it has inputs only. */
export const recordedOutputs = (manifest: Manifest, dataSet: string): Map<string, TensorData> =>
  tensorsOnly(dataSetValues(dataSet, 'output', manifest.outputs));

function dataSetValues(
  directory: string,
  kind: 'input' | 'output',
  ports: readonly Port[],
): Map<string, ValueData> {
  const isFolder = statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder)
    throw new CompileError(
      'bad-data-set',
      `there is no data set folder ${directory}`,
      'name a folder that holds input_0.pb, input_1.pb, …',
    );
  const files = dataSetFiles(directory, kind);
  if (kind === 'input' && files.length === 0 && ports.length > 0)
    throw new CompileError(
      'bad-data-set',
      `${directory} holds no input_0.pb`,
      'name a folder such as test_data_set_0',
    );
  if (files.length > ports.length)
    throw new CompileError(
      'bad-data-set',
      `${directory} holds ${files.length} ${kind}s, and the model has ${ports.length}`,
    );
  return inPortTypes(ports, new Map(files.map((file, i) => [ports[i]!.name, readValue(file, ports[i]!)])));
}

function readValue(path: string, { dtype, shape }: Port): ValueData {
  const container = shape === undefined ? containerOf(dtype) : undefined;
  if (container === undefined) return readTensor(path);
  return readValueFile(path, container.kind === 'sequence' ? 'sequence' : 'optional');
}

/** Reads a tensor from a `.npy` file or a file with an ONNX TensorProto, told apart by their content. */
export function readTensor(path: string): TensorData {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new CompileError('unreadable-file', `cannot read ${path}: ${(cause as Error).message}`);
  }
  if (path.endsWith('.npy') || bytes[0] === 0x93)
    return CompileError.within(`in ${path}`, () => parseNpy(bytes));
  return readTensorFile(path);
}

/** The manifest with symbolic extents narrowed to the sizes asked for. */
export function withExtents(manifest: Manifest, extents: ReadonlyMap<string, number> | undefined): Manifest {
  if (extents === undefined || extents.size === 0) return manifest;
  const unused = new Set(extents.keys());
  const inputs = manifest.inputs.map((port): Port => {
    const shape = port.shape?.map((d) => {
      const size = typeof d === 'number' ? undefined : extents.get(d.symbol);
      if (typeof d === 'number' || size === undefined) return d;
      unused.delete(d.symbol);
      if (size < d.min || size > (d.max ?? Number.POSITIVE_INFINITY))
        throw new CompileError(
          'bad-option',
          `--dim ${d.symbol}=${size} lies outside what the engine was made for`,
          `it takes ${d.min} to ${d.max ?? 'any number'}`,
        );
      return { ...d, min: size, max: size };
    });
    return shape === undefined ? port : { ...port, shape };
  });
  for (const name of unused)
    throw new CompileError(
      'bad-option',
      `no input has a symbolic dimension "${name}"`,
      `the symbolic dimensions are ${symbolsOf(manifest).join(', ') || 'none'}`,
    );
  return { ...manifest, inputs };
}

const symbolsOf = ({ inputs }: Manifest): readonly string[] => [
  ...new Set(inputs.flatMap((p) => (p.shape ?? []).flatMap((d) => (typeof d === 'number' ? [] : d.symbol)))),
];
