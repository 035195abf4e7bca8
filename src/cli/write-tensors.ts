import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ElementType, elementTypes } from '../onnx/dtype.js';
import { encodeOptional, encodeSequence, encodeTensor } from '../onnx/encode.js';
import { make, makeStringTensor, makeTensor } from '../onnx/make.js';
import * as schemas from '../onnx/schema.js';
import { containerType, type SequenceProto, type Tensor } from '../onnx/types.js';
import { CompileError } from '../support/diagnostic.js';
import { encodeNpy } from '../support/npy.js';
import type { TensorData } from '../support/tensor-data.js';
import { isTensorData, type SequenceData, type ValueData } from '../support/value-data.js';

/** Writes `output_<i>.pb`, and for tensors `output_<i>.npy` where asked for. Returns the paths. */
export async function writeTensors(
  directory: string,
  values: ReadonlyMap<string, ValueData>,
  npy: boolean,
): Promise<readonly string[]> {
  const paths: string[] = [];
  try {
    await mkdir(directory, { recursive: true });
    for (const [i, [name, value]] of [...values].entries()) {
      const files = [{ file: `output_${i}.pb`, bytes: encoded(name, value) }];
      if (npy && isTensorData(value)) files.push({ file: `output_${i}.npy`, bytes: encodeNpy(value) });
      for (const { file, bytes } of files) {
        await writeWhole(join(directory, file), bytes);
        paths.push(join(directory, file));
      }
    }
  } catch (cause) {
    if (cause instanceof CompileError || !(cause instanceof Error)) throw cause;
    const full = 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
    throw new CompileError(
      full ? 'disk-full' : 'output-unwritable',
      `${directory} cannot be written: ${cause.message}`,
      'name a directory you may write to with --output-dir',
    );
  }
  return paths;
}

/** A file of this name is complete or is not there. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}.partial-${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(aside, bytes);
    await rename(aside, path);
  } catch (e) {
    await rm(aside, { force: true });
    throw e;
  }
}

function encoded(name: string, value: ValueData): Uint8Array {
  if (isTensorData(value)) return encodeTensor(tensorOf(name, value));
  if (value.kind === 'sequence') return encodeSequence(sequenceOf(name, value));
  const { value: inner } = value;
  const held =
    inner === undefined
      ? { elemType: containerType.undefined }
      : isTensorData(inner)
        ? { elemType: containerType.tensor, tensorValue: tensorOf(name, inner) }
        : { elemType: containerType.sequence, sequenceValue: sequenceOf(name, inner) };
  return encodeOptional(make(schemas.optionalProto, { name, ...held }));
}

const sequenceOf = (name: string, { elements }: SequenceData): SequenceProto =>
  make(schemas.sequenceProto, {
    name,
    elemType: containerType.tensor,
    tensorValues: elements.map((t) => tensorOf('', t)),
  });

function tensorOf(name: string, { dtype, shape, bytes, strings }: TensorData): Tensor {
  const type = elementTypes.find((t): t is ElementType => t === dtype);
  if (type === undefined)
    throw new CompileError('bad-tensor', `"${name}" is ${dtype}, which ONNX has no number for`);
  return type === 'string'
    ? makeStringTensor(name, shape, strings ?? [])
    : makeTensor(name, type, shape, bytes);
}
