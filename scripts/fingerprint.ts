import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Parts } from '../src/support/hash.js';
import { repository } from './cache.js';

/** What decides which operators compile, and what they compute. */
const sources = ['importers', 'lowering', 'codegen', 'kernels', 'src/ir', 'src/ops'];

/** Identifies the compiler's sources, without its tests: a table made from others is out of date. */
export async function compilerFingerprint(): Promise<string> {
  const parts: string[] = [];
  for (const folder of sources) {
    const found = await readdir(join(repository, folder), { recursive: true, withFileTypes: true });
    const files = found
      .filter((f) => f.isFile() && /\.(ts|h)$/.test(f.name) && !/\.(test|fixtures)\.ts$/.test(f.name))
      .map((f) => join(f.parentPath, f.name))
      .sort();
    for (const file of files) parts.push(file.slice(repository.length), await readFile(file, 'utf8'));
  }
  return sha256Parts(parts);
}
