import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The hash of a sequence: each part's length goes in with it, so moving a boundary changes the result. */
export function sha256Parts(parts: Iterable<Uint8Array | string>): string {
  const hash = createHash('sha256');
  const length = Buffer.alloc(8);
  for (const part of parts) {
    length.writeBigUInt64LE(BigInt(typeof part === 'string' ? Buffer.byteLength(part) : part.byteLength));
    hash.update(length).update(part);
  }
  return hash.digest('hex');
}

/** Hashes a file without holding it in memory. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}
