import { randomBytes } from 'node:crypto';
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Blob, readOpen } from './blob.js';

const closing = new FinalizationRegistry<number>(closeSync);

/**
 * A file in the folder for temporary files that has lost its name already: its space is free again when the last
 * of this object and its blobs is gone, however the process ends.
 */
export class UnnamedFile {
  readonly fd: number;

  constructor() {
    const path = join(tmpdir(), `ait-${process.pid}-${randomBytes(6).toString('hex')}`);
    this.fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    closing.register(this, this.fd);
  }

  /** A range of the file, read on demand. */
  blob(start: number, byteLength: number): Blob {
    return {
      byteLength,
      read: (offset = 0, length = byteLength - offset) =>
        readOpen(this.fd, 'a temporary file', start + offset, length),
    };
  }
}
