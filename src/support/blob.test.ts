import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Blob, computedBlob, fileBlob, memoryBlob } from './blob.js';
import { CompileError } from './diagnostic.js';

const dir = mkdtempSync(join(tmpdir(), 'blob-'));
const path = join(dir, 'data.bin');
const contents = Uint8Array.from({ length: 100 }, (_, i) => i);
writeFileSync(path, contents);
afterAll(() => rmSync(dir, { recursive: true }));

describe.each<[string, Blob]>([
  ['memory', memoryBlob(contents.subarray(10, 60))],
  ['file', fileBlob(path, 10, 50)],
  ['computed', computedBlob(50, () => contents.slice(10, 60))],
])('%s', (_, blob) => {
  test('reads everything, a tail, a part and nothing', () => {
    expect(blob.byteLength).toBe(50);
    expect(blob.read()).toEqual(contents.subarray(10, 60));
    expect(blob.read(45)).toEqual(contents.subarray(55, 60));
    expect(blob.read(2, 3)).toEqual(contents.subarray(12, 15));
    expect(blob.read(50, 0)).toEqual(new Uint8Array());
  });

  test.each([
    [0, 51],
    [50, 1],
    [51, 0],
    [-1, 2],
    [0.5, 1],
    [Number.NaN, 1],
  ])('refuses the range %d+%d', (offset, length) => {
    expect(() => blob.read(offset, length)).toThrow(CompileError);
  });
});

test('computed bytes are made once for pieces read in turn, and not kept beside those of another blob', () => {
  let made = 0;
  const blob = computedBlob(100, () => {
    made++;
    return contents;
  });
  expect(made).toBe(0);
  expect(blob.read(0, 50)).toEqual(contents.subarray(0, 50));
  expect(blob.read(50)).toEqual(contents.subarray(50));
  expect(made).toBe(1);
  computedBlob(1, () => contents).read();
  expect(blob.read(7, 1)).toEqual(Uint8Array.of(7));
  expect(made).toBe(2);
});

test('without a range, the whole file', () => {
  expect(fileBlob(path).read()).toEqual(contents);
  expect(fileBlob(path, 99).read()).toEqual(contents.subarray(99));
  expect(() => fileBlob(path, 101)).toThrow(CompileError);
});

test('missing, unreadable and shortened files are errors a user can read', () => {
  expect(() => fileBlob(join(dir, 'absent'))).toThrow(CompileError);
  expect(() => fileBlob(dir, 0, 1).read()).toThrow(CompileError);
  const short = join(dir, 'short.bin');
  writeFileSync(short, contents);
  const blob = fileBlob(short);
  truncateSync(short, 10);
  expect(() => blob.read()).toThrow(/ends before byte 100/);
});

test.runIf(process.platform === 'linux')('leaves no file open', () => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  const blobs = Array.from({ length: 50 }, (_, i) => fileBlob(path, i));
  for (const blob of blobs) blob.read();
  expect(() => blobs[0]!.read(0, 101)).toThrow(CompileError);
  expect(open()).toBe(before);
});
