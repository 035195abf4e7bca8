import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { WeightsWriter } from './weights.js';

const root = mkdtempSync(join(tmpdir(), 'ait-weights-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('tensors lie aligned, equal ones once, and the file ends with the last', async () => {
  const path = join(root, 'a.bin');
  const writer = new WeightsWriter(path);
  const bytes = (length: number, first: number) => new Uint8Array(length).map((_, i) => first + i);
  expect(writer.append('a', bytes(65, 1))).toBe(0);
  expect(writer.append('b', bytes(10, 7))).toBe(128);
  expect(writer.append('again', bytes(65, 1))).toBe(0);
  expect(writer.append('c', bytes(3, 9))).toBe(192);
  expect(writer.append('long', bytes(64, 0))).toBe(256);
  expect(writer.append('last', bytes(10, 7))).toBe(128);
  const { bytes: size, tensors } = await writer.finish();
  const file = readFileSync(path);
  expect(size).toBe(320);
  expect(file.byteLength).toBe(320);
  expect(tensors.map(({ name, offset, bytes: length }) => [name, offset, length])).toEqual([
    ['a', 0, 65],
    ['b', 128, 10],
    ['again', 0, 65],
    ['c', 192, 3],
    ['long', 256, 64],
    ['last', 128, 10],
  ]);
  for (const { offset, bytes: length, sha256 } of tensors)
    expect(sha256).toBe(
      createHash('sha256')
        .update(file.subarray(offset, offset + length))
        .digest('hex'),
    );
});

test('large tensors are read in pieces', async () => {
  const writer = new WeightsWriter(join(root, 'b.bin'));
  const reads: number[] = [];
  const size = (40 << 20) + 5;
  writer.append('big', {
    byteLength: size,
    read: (offset = 0, length = size - offset) => {
      reads.push(length);
      return new Uint8Array(length).fill(offset >> 20);
    },
  });
  expect((await writer.finish()).bytes).toBe(size);
  expect(reads.length).toBeGreaterThan(2);
  expect(Math.max(...reads)).toBeLessThanOrEqual(16 << 20);
  expect(readFileSync(join(root, 'b.bin')).at(-1)).toBe(32);
});

test('no weights make an empty file', async () => {
  const writer = new WeightsWriter(join(root, 'c.bin'));
  expect(await writer.finish()).toEqual({ bytes: 0, tensors: [] });
});
