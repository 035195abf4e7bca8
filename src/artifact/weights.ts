import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blob } from '../support/blob.js';
import { CompileError } from '../support/diagnostic.js';
import type { Manifest, WeightRecord } from './manifest.js';

/** Kernels load whole vectors, and cache lines, from the start of a tensor. */
const ALIGNMENT = 64;
const CHUNK = 16 << 20;

type Source = Pick<Blob, 'byteLength' | 'read'>;

/**
 * Writes `weights.bin`: tensors one after another, each at a multiple of 64 bytes, equal ones once. No tensor
 * need be in memory as a whole.
 */
export class WeightsWriter {
  readonly #fd: number;
  readonly #records: WeightRecord[] = [];
  readonly #byHash = new Map<string, WeightRecord>();
  #end = 0;
  #open = true;

  constructor(readonly path: string) {
    this.#fd = openSync(path, 'w');
  }

  /** Returns the offset of the tensor in the file. */
  append(name: string, data: Uint8Array | Source): number {
    const source = data instanceof Uint8Array ? bytesSource(data) : data;
    const offset = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT;
    const sha256 = this.#write(source, offset);
    const known = this.#byHash.get(sha256);
    // Bytes written in vain are overwritten by the next tensor, or cut off by `finish`.
    const record = { name, offset: known?.offset ?? offset, bytes: source.byteLength, sha256 };
    this.#records.push(record);
    if (known !== undefined) return known.offset;
    this.#byHash.set(sha256, record);
    this.#end = offset + source.byteLength;
    return offset;
  }

  /** Size of the file so far. */
  get bytes(): number {
    return this.#end;
  }

  /** Completes the file. The records are those of the manifest. */
  async finish(): Promise<{ readonly bytes: number; readonly tensors: readonly WeightRecord[] }> {
    this.close();
    const file = await open(this.path, 'r+');
    try {
      await file.truncate(this.#end);
    } finally {
      await file.close();
    }
    return { bytes: this.#end, tensors: this.#records };
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  #write(source: Source, offset: number): string {
    const hash = createHash('sha256');
    for (let done = 0; done < source.byteLength; ) {
      const chunk = source.read(done, Math.min(CHUNK, source.byteLength - done));
      hash.update(chunk);
      for (let at = 0; at < chunk.byteLength; )
        at += writeSync(this.#fd, chunk, at, chunk.byteLength - at, offset + done + at);
      done += chunk.byteLength;
    }
    return hash.digest('hex');
  }
}

function bytesSource(bytes: Uint8Array): Source {
  return {
    byteLength: bytes.byteLength,
    read: (offset = 0, length = bytes.byteLength - offset) => bytes.subarray(offset, offset + length),
  };
}

/** Throws unless the weights file is there with the size the manifest gives. */
export async function checkWeightsSize(directory: string, { weights }: Manifest): Promise<void> {
  if (weights.bytes === 0) return;
  const path = join(directory, weights.file);
  const found = await stat(path).catch((cause: Error) => {
    throw damaged(`${path} cannot be read: ${cause.message}`);
  });
  if (found.size !== weights.bytes)
    throw damaged(`${path} has ${found.size} bytes, expected ${weights.bytes}`);
}

/** Reads the whole weights file and throws where a tensor is not what the manifest says. */
export async function verifyWeights(directory: string, manifest: Manifest): Promise<void> {
  await checkWeightsSize(directory, manifest);
  if (manifest.weights.bytes === 0) return;
  const file = await open(join(directory, manifest.weights.file), 'r');
  try {
    const checked = new Set<string>();
    const buffer = new Uint8Array(Math.min(CHUNK, manifest.weights.bytes));
    for (const { name, offset, bytes, sha256 } of manifest.weights.tensors) {
      if (checked.has(`${offset} ${bytes} ${sha256}`)) continue;
      checked.add(`${offset} ${bytes} ${sha256}`);
      const hash = createHash('sha256');
      for (let done = 0; done < bytes; ) {
        const { bytesRead } = await file.read(
          buffer,
          0,
          Math.min(buffer.length, bytes - done),
          offset + done,
        );
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        done += bytesRead;
      }
      if (hash.digest('hex') !== sha256)
        throw damaged(`the weight "${name}" in ${manifest.weights.file} differs from what was written`);
    }
  } finally {
    await file.close();
  }
}

function damaged(message: string): CompileError {
  return new CompileError('damaged-weights', message, 'copy the directory again, or convert the model again');
}
