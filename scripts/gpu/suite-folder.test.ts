import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { backendFor } from '../../src/target.js';
import { suite } from '../suite-fetch.js';
import { type Row, runFolder, storeBatch } from './suite-folder.js';

const names = ['test_abs', 'test_add', 'test_neg', 'test_strnormalizer_nostopwords_nochangecase'];

async function rowsOf(folder: string): Promise<ReadonlyMap<string, Row>> {
  let found: readonly Row[] = [];
  const progress = (rows: readonly Row[]): void => {
    found = rows;
  };
  await runFolder(folder, { jobs: 1, timeoutMs: 20_000, only: /./, progress });
  return new Map(found.map((r) => [r.name.slice('node/'.length), r]));
}

test('cases run from a folder that was built before and moved', async () => {
  const backend = await backendFor({ target: 'emulated', precision: 'f16' });
  const cases = (await suite()).filter((c) => c.suite === 'node' && names.includes(c.name));
  const reference = new OnnxruntimeProcess();
  await withTemporaryDirectory('ait-suite-folder', async (dir) => {
    const built = join(dir, 'built');
    await storeBatch(cases, join(built, '0'), backend, reference);
    const moved = join(dir, 'elsewhere', 'fp16');
    await mkdir(join(dir, 'elsewhere'));
    await rename(built, moved);

    const rows = await rowsOf(moved);
    expect([...rows.keys()].toSorted()).toEqual(names);
    for (const name of names.slice(0, 3))
      expect(rows.get(name)).toEqual({ name: `node/${name}`, compiled: true });
    expect(rows.get(names[3]!)?.compiled).toBe(false);

    // Another case's results, and a segment that the library does not have: each is the failure of one case.
    const list = join(moved, '0', 'cases.json');
    const changed = (await readFile(list, 'utf8'))
      .replace('node/test_abs/test_data_set_0', 'node/test_cos/test_data_set_0')
      .replace('"segment_1"', '"segment_9"');
    await writeFile(list, changed);
    const again = await rowsOf(moved);
    expect(again.get('test_abs')?.failure).toMatch(/^compare: .*is expected at/);
    expect(again.get('test_add')?.failure).toMatch(/^load: /);
    expect(again.get('test_neg')?.failure).toBeUndefined();
  });
  reference.dispose();
}, 120_000);
