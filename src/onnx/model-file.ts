import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { CompileError } from '../support/diagnostic.js';
import { decodeModel } from './decode.js';
import type { Model } from './types.js';

export interface ModelFile {
  readonly model: Model;
  /** The file itself; the model's inline weights are views into it. */
  readonly bytes: Uint8Array;
  /** Where external data are looked for. */
  readonly baseDir: string;
}

export function readModelFile(path: string): ModelFile {
  const bytes = readBytes(path);
  return CompileError.within(`in the file ${path}`, () => ({
    model: decodeModel(bytes),
    bytes,
    baseDir: dirname(path),
  }));
}

function readBytes(path: string): Uint8Array {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error(stat.isDirectory() ? 'it is a directory' : 'it is no regular file');
    const buffer = readFileSync(path);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  } catch (cause) {
    throw new CompileError('unreadable-file', `cannot read ${path}: ${(cause as Error).message}`);
  }
}
