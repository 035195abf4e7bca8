import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Parts } from '../src/support/hash.js';
import { repository } from './cache.js';

/** What decides which operators compile, and what they compute. */
const sources = ['importers', 'lowering', 'codegen', 'kernels', 'src/ir', 'src/ops'];

/** What decides how the functions of a GPU are compiled. */
export const gpuSources: readonly string[] = ['codegen/gpu', 'kernels/gpu', 'kernels/include/ait/gpu'];

/** Identifies the compiler's sources, or some, without tests: a table made from others is out of date. */
export async function compilerFingerprint(folders: readonly string[] = sources): Promise<string> {
  const parts: string[] = [];
  for (const folder of folders) {
    const found = await readdir(join(repository, folder), { recursive: true, withFileTypes: true });
    const files = found
      .filter((f) => f.isFile() && /\.(ts|h)$/.test(f.name) && !/\.(test|fixtures)\.ts$/.test(f.name))
      .map((f) => join(f.parentPath, f.name))
      .sort();
    for (const file of files) parts.push(file.slice(repository.length), await readFile(file, 'utf8'));
  }
  return sha256Parts(parts);
}
