import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CompileError } from './diagnostic.js';

/** Bytes that may not be in memory. `read` returns a view or a fresh copy: treat it as read-only. */
export interface Blob {
  readonly byteLength: number;
  /** Bytes `[offset, offset + length)`; without `length`, up to the end. */
  read(offset?: number, length?: number): Uint8Array;
}

export function memoryBlob(bytes: Uint8Array): Blob {
  return {
    byteLength: bytes.byteLength,
    read(offset = 0, length = bytes.byteLength - offset) {
      checkRange(offset, length, bytes.byteLength, 'a buffer');
      return bytes.subarray(offset, offset + length);
    },
  };
}

let latest: { readonly of: Blob; readonly bytes: Uint8Array } | undefined;

/**
 * Bytes made when somebody reads them, and again for the next reader: only those of the blob read last are kept,
 * for whoever reads it piece by piece.
 */
export function computedBlob(byteLength: number, make: () => Uint8Array): Blob {
  const blob: Blob = {
    byteLength,
    read(offset = 0, length = byteLength - offset) {
      checkRange(offset, length, byteLength, 'a buffer');
      if (latest?.of !== blob) {
        latest = undefined;
        latest = { of: blob, bytes: make() };
      }
      return latest.bytes.subarray(offset, offset + length);
    },
  };
  return blob;
}

/** A range of a file, read on demand. Holds no descriptor between reads, so there is nothing to close. */
export function fileBlob(path: string, start = 0, byteLength = fileSize(path) - start): Blob {
  checkRange(start, byteLength, Number.MAX_SAFE_INTEGER, path);
  return {
    byteLength,
    read(offset = 0, length = byteLength - offset) {
      checkRange(offset, length, byteLength, path);
      return readRange(path, start + offset, length);
    },
  };
}

// Linux transfers at most 0x7ffff000 bytes in one call.
const LARGEST_READ = 2 ** 30;

const readRange = (path: string, position: number, length: number): Uint8Array =>
  withFile(path, (fd) => readOpen(fd, path, position, length));

/** Bytes of an open file; `name` is what errors call it. */
export function readOpen(fd: number, name: string, position: number, length: number): Uint8Array {
  const available = fstatSync(fd).size - position;
  if (available < length) throw truncated(name, position + length);
  const bytes = allocate(length, name);
  for (let done = 0; done < length; ) {
    const wanted = Math.min(length - done, LARGEST_READ);
    const got = readSync(fd, bytes, done, wanted, position + done);
    if (got === 0) throw truncated(name, position + length);
    done += got;
  }
  return bytes;
}

function fileSize(path: string): number {
  return withFile(path, (fd) => fstatSync(fd).size);
}

function withFile<T>(path: string, body: (fd: number) => T): T {
  try {
    const fd = openSync(path, 'r');
    try {
      return body(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw new CompileError('unreadable-file', `cannot read ${path}: ${(cause as Error).message}`);
  }
}

function allocate(length: number, path: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch {
    throw new CompileError('out-of-memory', `cannot hold ${length} bytes of ${path} in memory`);
  }
}

function truncated(path: string, end: number): CompileError {
  return new CompileError('truncated-file', `${path} ends before byte ${end}`);
}

function checkRange(offset: number, length: number, size: number, where: string): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!valid || offset + length > size) {
    throw new CompileError('bad-range', `bytes ${offset}+${length} lie outside ${where} (${size} bytes)`);
  }
}
