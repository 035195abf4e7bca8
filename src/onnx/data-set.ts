import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import type { OptionalData, SequenceData, ValueData } from '../support/value-data.js';
import { decodeOptional, decodeSequence, decodeTensor } from './decode.js';
import { elementTypeOf } from './dtype.js';
import { tensorBlob, tensorStrings } from './tensor-data.js';
import { containerType, type OptionalProto, type SequenceProto, type Tensor } from './types.js';

/** A tensor of the ONNX protobuf as plain data. */
export function tensorDataOf(t: Tensor, baseDir: string | undefined): TensorData {
  if (elementTypeOf(t.dataType) === 'string')
    return { dtype: 'string', shape: t.dims, bytes: new Uint8Array(), strings: tensorStrings(t) };
  const blob = tensorBlob(t, baseDir);
  return { dtype: blob.elementType, shape: blob.dims, bytes: blob.read() };
}

/** Reads a TensorProto file, such as `input_0.pb` of a test data set. */
export function readTensorFile(path: string): TensorData {
  return CompileError.within(`in ${path}`, () => tensorDataOf(decodeTensor(readFileSync(path)), undefined));
}

/** Reads a file of a test data set whose type is known, which the file itself does not tell. */
export function readValueFile(path: string, kind: 'tensor' | 'sequence' | 'optional'): ValueData {
  if (kind === 'tensor') return readTensorFile(path);
  return CompileError.within(`in ${path}`, () => {
    const bytes = readFileSync(path);
    return kind === 'sequence' ? sequenceOf(decodeSequence(bytes)) : optionalOf(decodeOptional(bytes));
  });
}

const sequenceOf = ({ tensorValues }: SequenceProto): SequenceData => ({
  kind: 'sequence',
  elements: tensorValues.map((t) => tensorDataOf(t, undefined)),
});

function optionalOf({ elemType, tensorValue, sequenceValue }: OptionalProto): OptionalData {
  if (elemType === containerType.undefined) return { kind: 'optional' };
  if (sequenceValue) return { kind: 'optional', value: sequenceOf(sequenceValue) };
  if (tensorValue) return { kind: 'optional', value: tensorDataOf(tensorValue, undefined) };
  throw new CompileError('unsupported-value', `an optional of kind ${elemType} cannot be read`);
}

/** The paths of `input_0.pb`, `input_1.pb`, … (or `output_…`) of a test data set, as many as there are. */
export function dataSetFiles(directory: string, kind: 'input' | 'output'): readonly string[] {
  const files: string[] = [];
  for (let i = 0; existsSync(join(directory, `${kind}_${i}.pb`)); i++)
    files.push(join(directory, `${kind}_${i}.pb`));
  return files;
}
