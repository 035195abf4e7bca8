import { setMaxListeners } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CompileError } from '../src/support/diagnostic.js';
import { sha256Parts } from '../src/support/hash.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import type { DeviceCompiler } from './gpu/device-compiler.js';
import { Headers } from './headers.js';
import type { SourceFile } from './module.js';
import { ObjectCache } from './object-cache.js';
import { hostOf, type Target } from './target.js';
import { type Compiler, compileFlags, linkFlags, runCompiler } from './toolchain.js';

export interface BuildOptions {
  readonly compiler: Compiler;
  readonly target: Target;
  /** What compiles the files that are for the device. */
  readonly device?: DeviceCompiler | undefined;
  /** Folder with the `ait/` headers. */
  readonly headers: string;
  readonly cacheDirectory: string;
  readonly jobs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: (done: number, total: number) => void;
}

/** Some source files did not compile; the rest of the engine may still be buildable. */
export class BuildFailure extends CompileError {
  constructor(readonly failures: ReadonlyMap<string, string>) {
    super('compiler-failed', [...failures.values()].join('; '));
  }
}

export interface BuildResult {
  readonly library: Buffer;
  readonly built: number;
  readonly fromCache: number;
  /** Names of the source files that had to be compiled. */
  readonly fresh: readonly string[];
}

/** Compiles and links sources into one shared library, through the cache. */
export async function build(files: readonly SourceFile[], options: BuildOptions): Promise<BuildResult> {
  const { compiler, signal, device } = options;
  const target = hostOf(options.target);
  const cache = new ObjectCache(options.cacheDirectory);
  const flagsOf = (f: SourceFile): readonly string[] => compileFlags(target, f.baseline ?? false);
  const headers = await Headers.read(options.headers);
  const identity = [compiler.path, compiler.version, target.isa, target.features];
  const keys = files.map((f) => {
    const flags = f.device === undefined ? flagsOf(f) : [device!.identity, ...(f.archs ?? [])];
    return sha256Parts([...identity, ...flags, headers.hashFor(f.text), f.text]);
  });
  const libraryKey = sha256Parts([...linkFlags, ...keys]);
  const whole = await cache.get(libraryKey);
  if (whole) return { library: whole, built: 0, fromCache: files.length, fresh: [] };

  const jobs = Math.max(1, Math.min(options.jobs ?? availableParallelism(), files.length));
  if (signal) setMaxListeners(0, signal);
  return withTemporaryDirectory('ait-build', async (dir) => {
    const queue = files.map((file, i) => ({ file, key: keys[i]!, object: join(dir, `${i}.o`) }));
    const pending = [...queue];
    let done = 0;
    const failures = new Map<string, string>();
    const fresh: string[] = [];
    const worker = async (): Promise<void> => {
      for (let job = pending.shift(); job; job = pending.shift()) {
        const { file, key, object } = job;
        try {
          await compile(file, key, object);
        } catch (e) {
          if (!(e instanceof CompileError) || e.code !== 'compiler-failed') throw e;
          failures.set(file.name, e.message);
        }
        options.progress?.(++done, files.length);
      }
    };
    const compile = async (file: SourceFile, key: string, object: string): Promise<void> => {
      const body = await cache.getOr(key, async () => {
        fresh.push(file.name);
        if (file.device !== undefined) {
          await device!.compile({ ...file, entry: file.device, archs: file.archs ?? [] }, object, {
            ...options,
            cache,
            dir,
          });
          return readFile(object);
        }
        const source = join(dir, `${key}.cpp`);
        await writeFile(source, file.text);
        const output = ['-c', source, '-o', object];
        await runCompiler(compiler, [...flagsOf(file), `-I${options.headers}`, ...output], dir, signal);
        return readFile(object);
      });
      await writeFile(object, body);
    };
    const ended = await Promise.allSettled(Array.from({ length: jobs }, worker));
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
    if (failures.size > 0) throw new BuildFailure(failures);
    const output = join(dir, 'libmodel.so');
    await runCompiler(compiler, [...queue.map((q) => q.object), '-o', output, ...linkFlags], dir, signal);
    const library = await readFile(output);
    await cache.put(libraryKey, library);
    return { library, built: cache.misses, fromCache: cache.hits, fresh };
  });
}
