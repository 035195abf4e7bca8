import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import { decodeTensor } from './decode.js';
import { tensorBlob, tensorStrings } from './tensor-data.js';
import type { Tensor } from './types.js';

/** A tensor of the ONNX protobuf as plain data. */
export function tensorDataOf(t: Tensor, baseDir: string | undefined): TensorData {
  const blob = tensorBlob(t, baseDir);
  const base = { dtype: blob.elementType, shape: blob.dims };
  return blob.elementType === 'string'
    ? { ...base, bytes: new Uint8Array(), strings: tensorStrings(t) }
    : { ...base, bytes: blob.read() };
}

/** Reads a TensorProto file, such as `input_0.pb` of a test data set. */
export function readTensorFile(path: string): TensorData {
  return CompileError.within(`in ${path}`, () => tensorDataOf(decodeTensor(readFileSync(path)), undefined));
}

/** The paths of `input_0.pb`, `input_1.pb`, … (or `output_…`) of a test data set, as many as there are. */
export function dataSetFiles(directory: string, kind: 'input' | 'output'): readonly string[] {
  const files: string[] = [];
  for (let i = 0; existsSync(join(directory, `${kind}_${i}.pb`)); i++)
    files.push(join(directory, `${kind}_${i}.pb`));
  return files;
}
