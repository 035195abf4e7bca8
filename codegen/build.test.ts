import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import { BuildFailure, type BuildOptions, build } from './build.js';
import { Headers } from './headers.js';
import type { SourceFile } from './module.js';
import { findCompiler, probeTarget } from './toolchain.js';

const compiler = await findCompiler();
const target = await probeTarget(compiler, 'native');

const one: SourceFile = { name: 'one.cpp', text: '#include "ait/a.h"\nint one() { return A; }\n' };
const two: SourceFile = { name: 'two.cpp', text: 'int two() { return 2; }\n' };
const files = [one, two];

/** A folder of headers, a.h of which reads b.h, and an empty cache. */
const inFolder = (run: (options: BuildOptions, dir: string) => Promise<void>): Promise<void> =>
  withTemporaryDirectory('ait-build-test', async (dir) => {
    const headers = join(dir, 'include');
    await mkdir(join(headers, 'ait'), { recursive: true });
    await writeFile(join(headers, 'ait/a.h'), '#pragma once\n#include "b.h"\n#define A B\n');
    await writeFile(join(headers, 'ait/b.h'), '#pragma once\n#define B 1\n');
    await writeFile(join(headers, 'ait/c.h'), '#pragma once\n');
    await run({ compiler, target, headers, cacheDirectory: join(dir, 'cache') }, dir);
  });

const count = (r: Awaited<ReturnType<typeof build>>): readonly unknown[] => [r.built, r.fromCache, r.fresh];

test('the second build comes from the cache, and is the same', () =>
  inFolder(async (options) => {
    const first = await build(files, { ...options, jobs: 1 });
    expect(count(first)).toEqual([2, 0, ['one.cpp', 'two.cpp']]);
    const second = await build(files, options);
    expect(count(second)).toEqual([0, 2, []]);
    expect(second.library.equals(first.library)).toBe(true);
    expect(first.library.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
  }));

describe('what went into an object decides whether it is made again', () => {
  const rebuilt = (
    change: (o: BuildOptions, dir: string) => Promise<[readonly SourceFile[], BuildOptions]>,
    fresh: readonly string[],
  ): Promise<void> =>
    inFolder(async (options, dir) => {
      await build(files, options);
      const again = await build(...(await change(options, dir)));
      expect([...again.fresh].sort()).toEqual(fresh);
      expect(again.fromCache).toBe(files.length - fresh.length);
    });

  test('its text', () => rebuilt(async (o) => [[one, { ...two, text: `${two.text}\n` }], o], ['two.cpp']));
  test('a header it reads', () =>
    rebuilt(
      async (o) => {
        await writeFile(join(o.headers, 'ait/a.h'), '#pragma once\n#define A 3\n');
        return [files, o];
      },
      ['one.cpp'],
    ));
  test('a header that its header reads', () =>
    rebuilt(
      async (o) => {
        await writeFile(join(o.headers, 'ait/b.h'), '#pragma once\n#define B 2\n');
        return [files, o];
      },
      ['one.cpp'],
    ));
  test('the processor', () =>
    rebuilt(
      async (o) => [files, { ...o, target: { ...target, arch: 'x86-64-v2' } }],
      ['one.cpp', 'two.cpp'],
    ));
  test('the features of a native processor', () =>
    rebuilt(
      async (o) => [files, { ...o, target: { ...target, features: 'other' } }],
      ['one.cpp', 'two.cpp'],
    ));
  test('the compiler', () =>
    rebuilt(
      async (o) => [files, { ...o, compiler: { ...compiler, version: '99' } }],
      ['one.cpp', 'two.cpp'],
    ));
  test('the baseline', () => rebuilt(async (o) => [[one, { ...two, baseline: true }], o], ['two.cpp']));
  test('not a header it does not read', () =>
    rebuilt(async (o) => {
      await writeFile(join(o.headers, 'ait/c.h'), '#pragma once\n#define C\n');
      return [files, o];
    }, []));
  test('not the folder of the headers, nor the names of files', () =>
    rebuilt(async (o, dir) => {
      await cp(o.headers, join(dir, 'elsewhere'), { recursive: true });
      const named = files.map((f) => ({ ...f, name: `other-${f.name}` }));
      return [named, { ...o, headers: join(dir, 'elsewhere') }];
    }, []));
});

test('files that do not compile are named with what the compiler said; the others are kept', () =>
  inFolder(async (options) => {
    const bad: SourceFile = { name: 'bad.cpp', text: 'int bad() { return missing; }\n' };
    const worse: SourceFile = { name: 'worse.cpp', text: '#include "ait/none.h"\n' };
    const seen: [number, number][] = [];
    const failure = await build([bad, one, worse], {
      ...options,
      progress: (done, total) => seen.push([done, total]),
    }).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(BuildFailure);
    const { failures, code } = failure as BuildFailure;
    expect([...failures.keys()].sort()).toEqual(['bad.cpp', 'worse.cpp']);
    expect(failures.get('bad.cpp')).toMatch(/missing.*not declared/);
    expect(failures.get('worse.cpp')).toMatch(/ait\/none\.h/);
    expect(code).toBe('compiler-failed');
    expect(seen).toEqual([1, 2, 3].map((i) => [i, 3]));
    expect(count(await build([one], options))).toEqual([0, 1, []]);
  }));

test('what does not link is an error of the compiler', () =>
  inFolder(async (options) => {
    const open: SourceFile = {
      name: 'open.cpp',
      text: 'int none(); __attribute__((visibility("default"))) int open() { return none(); }\n',
    };
    const failure = await build([open], options).catch((e: unknown) => e);
    expect(failure).not.toBeInstanceOf(BuildFailure);
    expect(failure).toMatchObject({ code: 'compiler-failed' });
    expect(String(failure)).toMatch(/undefined reference to .*none/);
  }));

test('a build that is interrupted leaves no library', () =>
  inFolder(async (options) => {
    const signal = AbortSignal.abort();
    await expect(build(files, { ...options, signal })).rejects.toMatchObject({ code: 'cancelled' });
    const kept = existsSync(options.cacheDirectory)
      ? await readdir(options.cacheDirectory, { recursive: true })
      : [];
    expect(kept).toEqual([]);
  }));

test('a cache that cannot be written only costs time', () =>
  inFolder(async (options, dir) => {
    await writeFile(join(dir, 'file'), '');
    for (let i = 0; i < 2; i++)
      expect((await build(files, { ...options, cacheDirectory: join(dir, 'file') })).built).toBe(2);
  }));

test('the hash of headers follows those that are read, wherever they are named from', () =>
  inFolder(async ({ headers }) => {
    const read = await Headers.read(headers);
    const direct = read.hashFor('#include "ait/a.h"\n');
    expect(read.hashFor('int x;\n#include "ait/a.h"\n#include "ait/b.h"\n')).toBe(direct);
    expect(read.hashFor('#include "ait/b.h"\n')).not.toBe(direct);
    expect(read.hashFor('#include "ait/gone.h"\n')).toBe(read.hashFor(''));
    expect(read.hashFor('// #include "ait/a.h"\n')).toBe(read.hashFor(''));
  }));
