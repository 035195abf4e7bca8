import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const include = fileURLToPath(new URL('../include/', import.meta.url));
const sources = join(include, 'test');
const binaries = mkdtempSync(join(tmpdir(), 'ait-headers-'));
const flags = ['-std=c++17', '-Wall', '-Wextra', '-Werror', `-I${include}`];

/**
 * Every header must serve the machine at hand. The pool must also be free of data races; device code must keep to
 * its memory, and suit warps of 64 lanes as well. (Compilers take longer than runs: device code is hardly optimised.)
 */
const variants: readonly {
  readonly name: string;
  readonly only?: RegExp;
  readonly flags: readonly string[];
}[] = [
  { name: 'native', only: /^(?!gpu_)/, flags: ['-O2', '-march=native'] },
  { name: 'thread sanitizer', only: /^pool_test/, flags: ['-O2', '-g', '-fsanitize=thread'] },
  { name: 'address sanitizer', only: /^gpu_/, flags: ['-fsanitize=address'] },
  {
    name: 'warps of 64',
    only: /^gpu_(mma_tile|attention|norm|contractions|order|recurrent|signal|sizes)/,
    flags: ['-O1', '-DAIT_EMULATED_WARP=64'],
  },
];

afterAll(() => rmSync(binaries, { recursive: true, force: true }));

describe.each(variants)('C++ headers, $name', ({ name, only, flags: extra }) => {
  const files = readdirSync(sources).filter((file) => file.endsWith('.cpp') && (only?.test(file) ?? true));
  test.each(files)(
    '%s',
    async (file) => {
      const binary = join(binaries, `${basename(file, '.cpp')}-${name.replaceAll(' ', '-')}`);
      await run('g++', [...flags, ...extra, join(sources, file), '-o', binary, '-lpthread']);
      const { stdout } = await run(binary, { maxBuffer: 1 << 24 });
      expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^[1-9]\d* passed, 0 failed$/);
    },
    600_000,
  );
});
