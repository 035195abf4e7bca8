import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ElementType, elementTypes } from '../onnx/dtype.js';
import { encodeTensor } from '../onnx/encode.js';
import { makeStringTensor, makeTensor } from '../onnx/make.js';
import { CompileError } from '../support/diagnostic.js';
import { encodeNpy } from '../support/npy.js';
import type { TensorData } from '../support/tensor-data.js';

/** Writes `output_<i>.pb`, and `output_<i>.npy` where asked for. Returns the paths. */
export async function writeTensors(
  directory: string,
  tensors: ReadonlyMap<string, TensorData>,
  npy: boolean,
): Promise<readonly string[]> {
  const paths: string[] = [];
  try {
    await mkdir(directory, { recursive: true });
    for (const [i, [name, tensor]] of [...tensors].entries()) {
      const files = [{ file: `output_${i}.pb`, bytes: encoded(name, tensor) }];
      if (npy) files.push({ file: `output_${i}.npy`, bytes: encodeNpy(tensor) });
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

function encoded(name: string, { dtype, shape, bytes, strings }: TensorData): Uint8Array {
  const type = elementTypes.find((t): t is ElementType => t === dtype);
  if (type === undefined)
    throw new CompileError('bad-tensor', `"${name}" is ${dtype}, which ONNX has no number for`);
  return encodeTensor(
    type === 'string' ? makeStringTensor(name, shape, strings ?? []) : makeTensor(name, type, shape, bytes),
  );
}
