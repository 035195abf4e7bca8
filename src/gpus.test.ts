import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { nvidiaArchs } from './gpus.js';
import { withTemporaryDirectory } from './support/temporary.js';

const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
});

/** What is found where `nvidia-smi` is this script, or not there at all. */
const found = (script?: string): Promise<readonly string[]> =>
  withTemporaryDirectory('ait-gpus', async (dir) => {
    if (script !== undefined) {
      await writeFile(join(dir, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
      await chmod(join(dir, 'nvidia-smi'), 0o755);
    }
    process.env.PATH = dir;
    return nvidiaArchs();
  });

test('each GPU of the machine, once; none that is too old', async () => {
  expect(await found('echo 9.0; echo 8.6; echo 9.0; echo 7.5')).toEqual(['sm_90a', 'sm_86']);
});

test('without a driver there are none', async () => {
  expect(await found()).toEqual([]);
  expect(await found('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18')).toEqual(
    [],
  );
  expect(await found('echo "No devices were found"')).toEqual([]);
});
