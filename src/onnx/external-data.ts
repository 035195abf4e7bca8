import { realpathSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { type Blob, fileBlob } from '../support/blob.js';
import { CompileError } from '../support/diagnostic.js';
import type { StringEntry, Tensor } from './types.js';

/**
 * The bytes that a tensor keeps in a file beside the model. The file name comes from the model, which is not trusted:
 * it may name nothing but a regular file in or below `baseDir`, the model's own directory.
 */
export function externalBlob(tensor: Tensor, baseDir: string, byteLength: number): Blob {
  const entries = new Map(tensor.externalData.map(({ key, value }: StringEntry) => [key, value]));
  const location = entries.get('location');
  if (location === undefined || location === '') throw unsafe('no file is named');
  const { path, size } = resolveInside(baseDir, location);
  const offset = integer(entries.get('offset'), 'offset') ?? 0;
  const length = integer(entries.get('length'), 'length') ?? byteLength;
  if (length !== byteLength) {
    throw unsafe(`${length} bytes of "${location}" are named where the tensor has ${byteLength}`);
  }
  if (offset + length > size) {
    throw new CompileError(
      'bad-external-data',
      `bytes ${offset} to ${offset + length} are named in "${location}", which has ${size} bytes`,
      'the file is incomplete, or belongs to another model',
    );
  }
  return fileBlob(path, offset, length);
}

function resolveInside(baseDir: string, location: string): { path: string; size: number } {
  const parts = location.split(/[/\\]/);
  if (location.includes('\0')) throw unsafe('the file name contains a zero byte');
  if (/^([/\\]|[a-z]:)/i.test(location)) throw unsafe(`"${location}" is an absolute path`);
  if (parts.includes('..')) throw unsafe(`"${location}" leads out of the directory of the model`);
  const found = locate(baseDir, location);
  if (![found.root, ...blobStoreOf(found.root)].some((dir) => isInside(found.path, dir))) {
    throw unsafe(`"${location}" is a link that leads out of the directory of the model`);
  }
  // Anything else (a pipe, a device) might block forever or have no end.
  const stat = statSync(found.path);
  if (!stat.isFile()) throw unsafe(`"${location}" is no regular file`);
  return { path: found.path, size: stat.size };
}

function isInside(path: string, dir: string): boolean {
  return path.startsWith(dir.endsWith(sep) ? dir : dir + sep);
}

/** The Hugging Face cache keeps the files of `snapshots/REVISION` as links into the `blobs` of the same repository. */
function blobStoreOf(dir: string): readonly string[] {
  const parts = dir.split(sep);
  const at = parts.lastIndexOf('snapshots');
  const repository = parts[at - 1];
  return repository?.startsWith('models--') ? [[...parts.slice(0, at), 'blobs'].join(sep)] : [];
}

function locate(baseDir: string, location: string): { root: string; path: string } {
  try {
    const root = realpathSync(baseDir);
    return { root, path: realpathSync(resolve(root, location)) };
  } catch (cause) {
    throw new CompileError(
      'missing-external-data',
      `"${location}", which holds weights of the model, cannot be opened: ${(cause as Error).message}`,
      'put it into the directory of the model, under that name',
    );
  }
}

function integer(text: string | undefined, what: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw unsafe(`the ${what} "${text}" is no position`);
  return value;
}

function unsafe(reason: string): CompileError {
  return new CompileError(
    'bad-external-data',
    `the reference to external data cannot be followed: ${reason}`,
    'external data must lie in the directory of the model; save the model again with its data beside it',
  );
}
