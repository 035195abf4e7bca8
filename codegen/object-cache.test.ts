import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import { ObjectCache } from './object-cache.js';

const key = 'ab34567890';
const body = Buffer.from('object code \u0000 with bytes');
const never = async (): Promise<Buffer> => {
  throw new Error('the entry is there');
};
const inCache = (run: (cache: ObjectCache, entry: string) => Promise<void>): Promise<void> =>
  withTemporaryDirectory('ait-cache-test', (dir) => run(new ObjectCache(dir), join(dir, 'ab', key)));

test('an entry is made once, and read by everybody after', () =>
  inCache(async (cache) => {
    expect(await cache.getOr(key, async () => body)).toEqual(body);
    expect(await cache.getOr(key, never)).toEqual(body);
    expect(await new ObjectCache(cache.directory).getOr(key, never)).toEqual(body);
    expect([cache.hits, cache.misses]).toEqual([1, 1]);
    expect(await cache.get('abother')).toBeUndefined();
  }));

describe('a damaged entry is made again', () => {
  test.each<[string, (entry: string) => Promise<void>]>([
    ['empty', (entry) => truncate(entry, 0)],
    ['only a hash', (entry) => truncate(entry, 64)],
    ['cut off', async (entry) => truncate(entry, (await readFile(entry)).length - 1)],
    ['longer', (entry) => writeFile(entry, 'x', { flag: 'a' })],
    [
      'with a bit flipped',
      async (entry) => {
        const bytes = await readFile(entry);
        bytes[bytes.length - 3]! ^= 1;
        await writeFile(entry, bytes);
      },
    ],
    [
      'with another hash',
      async (entry) => {
        const bytes = await readFile(entry);
        bytes[5]! ^= 1;
        await writeFile(entry, bytes);
      },
    ],
  ])('%s', (_, damage) =>
    inCache(async (cache, entry) => {
      await cache.put(key, body);
      await damage(entry);
      expect(await cache.get(key)).toBeUndefined();
      expect(await cache.getOr(key, async () => body)).toEqual(body);
      expect(await cache.get(key)).toEqual(body);
    }),
  );
});

test('writers at once leave one whole entry and nothing beside it', () =>
  inCache(async (cache, entry) => {
    const bodies = Array.from({ length: 16 }, (_, i) => Buffer.alloc(100_000 + i, i));
    const seen = bodies.map(async (b) => {
      await cache.put(key, b);
      return cache.get(key);
    });
    for (const got of await Promise.all(seen)) expect(bodies.some((b) => got?.equals(b))).toBe(true);
    expect(await readdir(join(entry, '..'))).toEqual([key]);
  }));

test('a cache that cannot be written only costs time', () =>
  withTemporaryDirectory('ait-cache-test', async (dir) => {
    await writeFile(join(dir, 'file'), '');
    const cache = new ObjectCache(join(dir, 'file'));
    for (const misses of [1, 2]) {
      expect(await cache.getOr(key, async () => body)).toEqual(body);
      expect([cache.hits, cache.misses]).toEqual([0, misses]);
    }
  }));

test('an entry that cannot be replaced only costs time', () =>
  inCache(async (cache, entry) => {
    await mkdir(join(entry, 'in the way'), { recursive: true });
    expect(await cache.getOr(key, async () => body)).toEqual(body);
    expect(await readdir(join(entry, '..'))).toEqual([key]);
  }));

test('what cannot be made is not kept', () =>
  inCache(async (cache) => {
    const fails = async (): Promise<Buffer> => {
      throw new Error('no');
    };
    await expect(cache.getOr(key, fails)).rejects.toThrow('no');
    expect(await cache.get(key)).toBeUndefined();
  }));
