import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CompileError } from '../support/diagnostic.js';
import { dataTypeOf } from './dtype.js';
import { make } from './make.js';
import * as schemas from './schema.js';
import { tensorBlob } from './tensor-data.js';
import { dataLocation, type Tensor } from './types.js';

const root = mkdtempSync(join(tmpdir(), 'external-data-'));
const dir = join(root, 'model');
mkdirSync(join(dir, 'weights'), { recursive: true });
writeFileSync(join(root, 'secret.bin'), 'secret!!');
writeFileSync(
  join(dir, 'w.bin'),
  Uint8Array.from({ length: 16 }, (_, i) => i),
);
writeFileSync(join(dir, 'weights', 'inner.bin'), 'inner...');
symlinkSync('w.bin', join(dir, 'alias.bin'));
symlinkSync('../secret.bin', join(dir, 'escape.bin'));
symlinkSync('..', join(dir, 'up'));
execFileSync('mkfifo', [join(dir, 'pipe')]);
afterAll(() => rmSync(root, { recursive: true }));

function external(entries: Readonly<Record<string, string>>, bytes = 8): Tensor {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const dataType = dataTypeOf('u8');
  return make(schemas.tensor, {
    name: 'w',
    dataType,
    dims: [bytes],
    dataLocation: dataLocation.external,
    externalData,
  });
}

function failure(tensor: Tensor, baseDir: string | undefined = dir): CompileError {
  try {
    tensorBlob(tensor, baseDir).read();
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('files beside the model', () => {
  test.each([
    [{ location: 'w.bin', offset: '4', length: '8' }, [4, 5, 6, 7, 8, 9, 10, 11]],
    [{ location: 'w.bin', offset: '8' }, [8, 9, 10, 11, 12, 13, 14, 15]],
    [{ location: './alias.bin', length: '8' }, [0, 1, 2, 3, 4, 5, 6, 7]],
    [{ location: 'weights/inner.bin' }, [...Buffer.from('inner...')]],
  ])('%j', (entries, expected) => {
    expect([...tensorBlob(external(entries), dir).read()]).toEqual(expected);
  });

  test('a range beyond 4 GiB is read without the rest', () => {
    const position = 5 * 2 ** 30 + 3;
    const fd = openSync(join(dir, 'huge.bin'), 'w');
    writeSync(fd, Uint8Array.of(1, 2, 3, 4), 0, 4, position);
    ftruncateSync(fd, position + 2 ** 32);
    closeSync(fd);
    const tensor = external({ location: 'huge.bin', offset: String(position) }, 2 ** 32);
    const blob = tensorBlob(tensor, dir);
    expect(blob.byteLength).toBe(2 ** 32);
    expect([...blob.read(1, 4)]).toEqual([2, 3, 4, 0]);
    expect([...blob.read(2 ** 32 - 1)]).toEqual([0]);
    rmSync(join(dir, 'huge.bin'));
  });

  test('the cache of the Hugging Face hub, where files are links into a store of blobs', () => {
    const repository = join(root, 'models--org--name');
    const snapshot = join(repository, 'snapshots', '0123');
    mkdirSync(join(repository, 'blobs'), { recursive: true });
    mkdirSync(snapshot, { recursive: true });
    writeFileSync(join(repository, 'blobs', 'abc'), 'contents');
    symlinkSync('../../blobs/abc', join(snapshot, 'w.bin'));
    symlinkSync('../../../secret.bin', join(snapshot, 'escape.bin'));
    const read = (location: string): Uint8Array => tensorBlob(external({ location }), snapshot).read();
    expect(Buffer.from(read('w.bin')).toString()).toBe('contents');
    expect(() => read('escape.bin')).toThrow(/leads out of the directory/);
  });
});

describe('references that are refused', () => {
  test.each<[what: string, entries: Readonly<Record<string, string>>, reason: RegExp]>([
    ['no location', {}, /no file is named/],
    ['an absolute path', { location: join(root, 'secret.bin') }, /absolute/],
    ['a Windows path', { location: 'C:\\secret.bin' }, /absolute/],
    ['the parent directory', { location: '../secret.bin' }, /leads out/],
    ['a detour', { location: 'weights/../../secret.bin' }, /leads out/],
    ['a detour by backslash', { location: 'weights\\..\\..\\secret.bin' }, /leads out/],
    ['a link out', { location: 'escape.bin' }, /link that leads out/],
    ['a directory linked out', { location: 'up/secret.bin' }, /link that leads out/],
    ['a zero byte', { location: 'w.bin\0' }, /zero byte/],
    ['a directory', { location: 'weights' }, /no regular file/],
    ['a pipe', { location: 'pipe' }, /no regular file/],
    ['a negative offset', { location: 'w.bin', offset: '-1' }, /no position/],
    ['a fractional offset', { location: 'w.bin', offset: '1e1' }, /no position/],
    ['an absurd offset', { location: 'w.bin', offset: '99999999999999999999' }, /no position/],
    ['an offset beyond the file', { location: 'w.bin', offset: '9' }, /bytes 9 to 17 .* has 16 bytes/],
    ['a length other than the tensor', { location: 'w.bin', length: '4' }, /4 bytes .* tensor has 8/],
  ])('%s', (_, entries, reason) => {
    const error = failure(external(entries));
    expect(error.code).toBe('bad-external-data');
    expect(error.message).toMatch(reason);
    expect(error.render()).toContain('in the tensor "w"');
  });

  test('a file that is not there, and a model without a directory', () => {
    expect(failure(external({ location: 'absent.bin' })).code).toBe('missing-external-data');
    expect(() => tensorBlob(external({ location: 'w.bin' }), undefined)).toThrow(/not read from a directory/);
  });
});
