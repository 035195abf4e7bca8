import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../src/support/hash.js';

/**
 * Content-addressed files: the key is the hash of everything that went into them. Safe under concurrent
 * conversions, since entries are written aside and renamed. Each entry carries its own hash in front, so
 * a corrupt one is noticed and made again.
 */
export class ObjectCache {
  hits = 0;
  misses = 0;

  constructor(readonly directory: string) {}

  #path(key: string): string {
    return join(this.directory, key.slice(0, 2), key);
  }

  async get(key: string): Promise<Buffer | undefined> {
    try {
      const entry = await readFile(this.#path(key));
      const body = entry.subarray(64);
      if (entry.length > 64 && sha256(body) === entry.toString('latin1', 0, 64)) return body;
      await rm(this.#path(key), { force: true });
    } catch {}
    return undefined;
  }

  /** Keeps a file for later. A cache that cannot be written only costs time. */
  async put(key: string, body: Uint8Array): Promise<void> {
    const path = this.#path(key);
    const aside = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    try {
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(aside, Buffer.concat([Buffer.from(sha256(body), 'latin1'), body]));
      await rename(aside, path);
    } catch {
      await rm(aside, { force: true }).catch(() => {});
    }
  }

  /** The entry, made by `make` when it is missing. */
  async getOr(key: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const known = await this.get(key);
    if (known) {
      this.hits++;
      return known;
    }
    this.misses++;
    const fresh = await make();
    await this.put(key, fresh);
    return fresh;
  }
}
