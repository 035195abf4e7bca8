import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { npyFiles } from './npy.fixtures.js';
import { encodeNpy, parseNpy } from './npy.js';
import { toNumbers } from './tensor-data.js';

const file = (name: keyof typeof npyFiles) => new Uint8Array(Buffer.from(npyFiles[name], 'base64'));
const bigints = (bytes: Uint8Array) => [...new BigUint64Array(bytes.slice().buffer)];

describe('reading what NumPy wrote', () => {
  test.each(['f4', 'f4Big'] as const)('%s', (name) => {
    const read = parseNpy(file(name));
    expect([read.dtype, read.shape]).toEqual(['f32', [2, 3]]);
    expect([...toNumbers(read)]).toEqual([1.5, -2, Math.fround(0.1), Infinity, -0, Math.fround(3e38)]);
  });

  test('column-major order', () => {
    const read = parseNpy(file('f4Fortran'));
    expect(read.shape).toEqual([2, 3, 4]);
    expect([...toNumbers(read)]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  test('half precision, a scalar, 64-bit integers, booleans, complex numbers, no elements', () => {
    expect(toNumbers(parseNpy(file('f2')))).toEqual(Float64Array.of(1.5, 65504, 2 ** -24));
    expect(parseNpy(file('f8')).shape).toEqual([]);
    expect(toNumbers(parseNpy(file('f8')))).toEqual(Float64Array.of(0.1));
    expect(bigints(parseNpy(file('i8')).bytes)).toEqual([2n ** 63n, 2n ** 63n - 1n]);
    expect(bigints(parseNpy(file('u8Big')).bytes)).toEqual([1n, 2n ** 64n - 1n]);
    expect(parseNpy(file('bool'))).toEqual({ dtype: 'bool', shape: [2], bytes: Uint8Array.of(1, 0) });
    expect(toNumbers(parseNpy(file('c8Big')))).toEqual(Float64Array.of(1, 2));
    expect(parseNpy(file('empty'))).toEqual({ dtype: 'i32', shape: [0, 3], bytes: new Uint8Array() });
    expect(toNumbers(parseNpy(file('version2')))).toEqual(Float64Array.of(0, 1, 2));
  });

  test('texts', () => {
    expect(parseNpy(file('U')).strings).toEqual(['é😀', '']);
    expect(parseNpy(file('S')).strings).toEqual(['ab', 'c']);
  });

  test('what is refused, and why', () => {
    expect(() => parseNpy(file('object'))).toThrow(/pickled/);
    expect(() => parseNpy(file('struct'))).toThrow(/structured/);
    expect(() => parseNpy(file('longdouble'))).toThrow(/<f16 has no counterpart/);
    expect(() => parseNpy(file('f4').subarray(0, 140))).toThrow(
      /6 elements of 4 bytes were announced, 12 bytes/,
    );
    expect(() => parseNpy(file('f4').subarray(0, 60))).toThrow(/cut off/);
    expect(() => parseNpy(new Uint8Array(100))).toThrow(/signature/);
  });

  test('any damage is a refusal with the code bad-npy, or another array', () => {
    const original = file('f4Fortran');
    fc.assert(
      fc.property(fc.nat(original.length - 1), fc.nat(255), (at, value) => {
        const damaged = original.slice();
        damaged[at] = value;
        try {
          parseNpy(damaged);
        } catch (error) {
          expect(error).toHaveProperty('code', 'bad-npy');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('writing', () => {
  test('byte for byte what NumPy writes', () => {
    for (const name of ['f4', 'f2', 'f8', 'i8', 'bool', 'U', 'empty'] as const)
      expect(Buffer.from(encodeNpy(parseNpy(file(name)))).toString('base64')).toBe(npyFiles[name]);
  });

  test('types NumPy lacks are widened', () => {
    const bf16 = parseNpy(
      encodeNpy({ dtype: 'bf16', shape: [2], bytes: Uint8Array.of(0x80, 0x3f, 0x00, 0xc0) }),
    );
    expect([bf16.dtype, ...toNumbers(bf16)]).toEqual(['f32', 1, -2]);
    const i4 = parseNpy(encodeNpy({ dtype: 'i4', shape: [3], bytes: Uint8Array.of(0xf1, 0x08) }));
    expect([i4.dtype, ...toNumbers(i4)]).toEqual(['i8', 1, -1, -8]);
  });

  test('a tensor whose parts do not fit is not written', () => {
    expect(() => encodeNpy({ dtype: 'f32', shape: [2], bytes: new Uint8Array(7) })).toThrow(
      /7 bytes where f32\[2\] takes 8/,
    );
  });
});

test('what it reads is a copy at an address of its own, wherever the file lies', () => {
  const file = encodeNpy({ dtype: 'f32', shape: [2], bytes: new Uint8Array(Float32Array.of(1, 2).buffer) });
  const pool = Buffer.alloc(file.byteLength + 1);
  pool.set(file, 1);
  const { bytes } = parseNpy(pool.subarray(1));
  expect(bytes.buffer).not.toBe(pool.buffer);
  expect([...new Float32Array(bytes.buffer, bytes.byteOffset, 2)]).toEqual([1, 2]);
});
