import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256, sha256File, sha256Parts } from './hash.js';

test('the standard’s example, FIPS 180-2 appendix B.1', async () => {
  const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  const dir = mkdtempSync(join(tmpdir(), 'ait-hash-'));
  writeFileSync(join(dir, 'abc'), 'abc');
  expect(sha256('abc')).toBe(expected);
  expect(await sha256File(join(dir, 'abc'))).toBe(expected);
  rmSync(dir, { recursive: true });
});

test('the boundaries between parts count', () => {
  expect(sha256Parts(['ab', 'c'])).not.toBe(sha256Parts(['a', 'bc']));
  expect(sha256Parts(['ab', 'c'])).toBe(sha256Parts([Buffer.from('ab'), Buffer.from('c')]));
});
