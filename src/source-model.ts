import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Manifest } from './artifact/manifest.js';
import { CompileError } from './support/diagnostic.js';
import { cacheDirectory } from './support/env.js';
import { sha256File } from './support/hash.js';

/**
 * Engine directories name no place on this machine, so where a model lies is noted in the user's cache: what
 * compares an engine with its model then needs no path where both were made.
 */
const noteOf = (sha256: string): string => join(cacheDirectory(), 'sources', sha256);

/** Notes where a model lies. A cache that cannot be written only costs the user a `--model`. */
export async function rememberSource(sha256: string, path: string): Promise<void> {
  try {
    await mkdir(dirname(noteOf(sha256)), { recursive: true });
    await writeFile(noteOf(sha256), resolve(path));
  } catch {}
}

/**
 * The model an engine was made from: the path given, else a file with the right content where the model was
 * last seen, in the engine directory, beside it, or in the current directory. Throws `needs-model`.
 */
export async function sourceModel(
  directory: string,
  { source }: Manifest,
  given: string | undefined,
): Promise<string> {
  if (given !== undefined) {
    if (!existsSync(given)) throw new CompileError('unreadable-file', `there is no file ${given}`);
    if ((await sha256File(given).catch(unreadable(given))) === source.sha256) return given;
    throw new CompileError(
      'other-model',
      `${given} is not the model that ${directory} was made from (${source.name}, SHA-256 ${source.sha256.slice(0, 12)}…)`,
      'name the right file, or convert the model again',
    );
  }
  const noted = await readFile(noteOf(source.sha256), 'utf8').catch(() => undefined);
  const places = [directory, dirname(resolve(directory)), '.'].map((place) => join(place, source.name));
  for (const path of noted === undefined ? places : [noted, ...places]) {
    const found = existsSync(path) ? await sha256File(path).catch(() => undefined) : undefined;
    if (found === source.sha256) return path;
  }
  throw new CompileError(
    'needs-model',
    `the model ${source.name}, from which ${directory} was made, is not where it was`,
    'say where it is with --model',
  );
}

const unreadable = (path: string) => (cause: Error) => {
  throw new CompileError('unreadable-file', `cannot read ${path}: ${cause.message}`);
};
