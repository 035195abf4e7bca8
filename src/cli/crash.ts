import { existsSync, writeFileSync } from 'node:fs';
import { arch, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompileError } from '../support/diagnostic.js';
import { sha256File } from '../support/hash.js';
import { toolVersion, versionOf } from '../version.js';

/** Writes what we need to find a bug of ours: the error, versions and options, and the model's hash, not the model. */
export async function writeCrashFile(
  error: unknown,
  args: readonly string[],
  model: string | undefined,
): Promise<string | undefined> {
  const hash =
    model !== undefined && existsSync(model) ? await sha256File(model).catch(() => undefined) : undefined;
  const e = error instanceof Error ? error : new Error(String(error));
  const content = {
    message: e.message,
    ...(e instanceof CompileError ? { code: e.code, notes: e.notes } : {}),
    stack: e.stack?.split('\n'),
    cause: e.cause instanceof Error ? e.cause.stack?.split('\n') : undefined,
    versions: {
      'ait-convert': toolVersion,
      node: process.versions.node,
      onnxruntime: versionOf('onnxruntime-node'),
      system: `${process.platform} ${release()} ${arch()}`,
    },
    options: args,
    model: hash === undefined ? undefined : { sha256: hash },
  };
  const path = join(tmpdir(), `ait-convert-crash-${process.pid}-${Date.now().toString(36)}.json`);
  try {
    writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`);
    return path;
  } catch {
    return undefined;
  }
}
