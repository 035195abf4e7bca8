import { describe, expect, it } from 'vitest';
import { pathOf } from '../../fixtures/pt2/material.js';
import { fileBlob, memoryBlob } from '../../src/support/blob.js';
import { openExport } from './archive.js';
import { tensorsIn } from './unpickle.js';
import { zipOf } from './zip.fixtures.js';

const pickle = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : Buffer.from(p))));

const saved = (bytes: Uint8Array, more: Readonly<Record<string, Uint8Array>> = {}) =>
  memoryBlob(
    zipOf([
      { name: 'm/data.pkl', data: bytes },
      ...Object.entries(more).map(([name, data]) => ({ name: `m/${name}`, data })),
    ]),
  );

describe('pickled weights', () => {
  it.each(['2.8', '2.7'])('of PyTorch %s are those of the archive with plain bytes', (version) => {
    const plain = openExport(fileBlob(pathOf('weights')), undefined);
    const old = openExport(fileBlob(pathOf(`weights_torch${version}`)), undefined);
    for (const name of ['a.weight', 'b.bias', 'left', 'right', 'turned', 'empty']) {
      expect(old.weight('weights', name).shape).toEqual(plain.weight('weights', name).shape);
      expect(old.weight('weights', name).numbers()).toEqual(plain.weight('weights', name).numbers());
    }
    expect(() => old.weight('weights', 'c')).toThrow('does not hold the tensor "c"');
  });

  it('run nothing, whatever they name', () => {
    const system = pickle([0x80, 2], 'cos\nsystem\n', 'X', [4, 0, 0, 0], 'true', [0x85], 'R.');
    expect(() => tensorsIn(saved(system), 'x')).toThrow('"os.system"');
    const builtin = pickle([0x80, 4], [0x8c, 8], 'builtins', [0x8c, 4], 'eval', [0x93], '.');
    expect(() => tensorsIn(saved(builtin), 'x')).toThrow('"builtins.eval"');
    const hidden = pickle([0x80, 2], 'ccollections\nOrderedDict\n', ')R', [0x81], '.');
    expect(() => tensorsIn(saved(hidden), 'x')).toThrow('instruction 0x81');
  });

  it.each([
    ['nothing', []],
    ['a pop of an empty stack', [0x80, 2, 0x30, 0x2e]],
    ['an end without a value', [0x80, 2, 0x2e]],
    ['a reference to nothing', [0x80, 2, 0x68, 9, 0x2e]],
    ['text cut off', [0x80, 2, 0x58, 255, 255, 255, 127, 0x2e]],
    ['a tuple without a mark', [0x80, 2, 0x74, 0x2e]],
    ['a storage that is missing', [...Buffer.from('\x80\x02]Q.', 'latin1')]],
    ['a value that is no dict', [0x80, 2, 0x4e, 0x2e]],
  ])('with %s are damaged', (_, bytes) => {
    expect(() => tensorsIn(saved(Uint8Array.from(bytes)), 'x')).toThrow(/damaged|more than tensors/);
  });

  it('may not reach out of their storage', () => {
    const text = (s: string): string => `X${String.fromCharCode(s.length)}\0\0\0${s}`;
    const tensor = (offset: number): Uint8Array =>
      pickle(
        '\x80\x02}',
        text('w'),
        'ctorch._utils\n_rebuild_tensor_v2\n(',
        `(${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}K\x04tQ`,
        [0x4b, offset],
        'K\x02\x85K\x01\x85',
        '\x89N',
        'tRs.',
      );
    const storage = { 'data/0': new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) };
    expect(
      tensorsIn(saved(tensor(2), storage), 'x')
        .get('w')!
        .numbers(),
    ).toEqual([3, 4]);
    expect(() => tensorsIn(saved(tensor(3), storage), 'x')).toThrow('reaches to element 4');
  });
});
