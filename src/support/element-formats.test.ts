import { expect, test } from 'vitest';
import { decodeTable, encodeBf16, encodeF16 } from './element-formats.js';
import { sha256 } from './hash.js';
import { toNumbers } from './tensor-data.js';

/**
 * Every code of each type as ml_dtypes 0.6 decodes it, NaN written as 12345:
 *   v = np.arange(count).astype(uint).view(t).astype('f4'); v[np.isnan(v)] = 12345; sha256(v.tobytes())[:16]
 */
const TABLE_HASHES = {
  f16: '096857e82fd43c1a',
  bf16: '24266f21e2494fea',
  f8e4m3fn: '60efb1d40706a18a',
  f8e4m3fnuz: 'c48de4101485a47b',
  f8e5m2: 'b4685286a46b1009',
  f8e5m2fnuz: 'c907f923be29a5ca',
  f8e8m0: '1783ab309d1e67a0',
  f4e2m1: 'c736c7e2e761e089',
};

test.each(Object.entries(TABLE_HASHES))(
  'every code of %s has the value ml_dtypes gives it',
  (dtype, hash) => {
    const values = decodeTable(dtype)?.map((v) => (Number.isNaN(v) ? 12345 : v));
    expect(sha256(new Uint8Array(values?.buffer ?? new ArrayBuffer(0))).slice(0, 16)).toBe(hash);
  },
);

test('f16 rounds to the nearest even code, as NumPy does', () => {
  const values = [0.1, 65519.9, 65520, 6e-8, 2.9e-8, 2.98023224e-8, -1e-3, 1 / 3, 2049, 2051];
  expect(values.map(encodeF16)).toEqual([11878, 31743, 31744, 1, 0, 1, 37913, 13653, 26624, 26626]);
});

test('bf16 rounds to the nearest even code, as ml_dtypes does', () => {
  const values = [0.1, 1 / 3, 3.4e38, 1.00390625, 1.01171875, -1e-40];
  expect(values.map(encodeBf16)).toEqual([15821, 16043, 32640, 16256, 16258, 32769]);
});

test.each(['f16', 'bf16'] as const)('encoding is the inverse of decoding for every number of %s', (dtype) => {
  const encode = dtype === 'f16' ? encodeF16 : encodeBf16;
  const table = decodeTable(dtype) ?? new Float32Array();
  const wrong = [...table.keys()].filter(
    (code) => !Number.isNaN(table[code]) && encode(table[code]!) !== code,
  );
  expect([table.length, wrong]).toEqual([65536, []]);
});

test('packed and wide integers decode to the numbers they are', () => {
  expect([...toNumbers({ dtype: 'i2', shape: [5], bytes: Uint8Array.of(0b11_10_01_00, 0b10) })]).toEqual([
    0, 1, -2, -1, -2,
  ]);
  expect([...toNumbers({ dtype: 'u4', shape: [3], bytes: Uint8Array.of(0xf0, 0x07) })]).toEqual([0, 15, 7]);
  const wide = new Uint8Array(BigInt64Array.of(-1n, 2n ** 40n, -(2n ** 63n)).buffer);
  expect([...toNumbers({ dtype: 'i64', shape: [3], bytes: wide })]).toEqual([-1, 2 ** 40, -(2 ** 63)]);
  expect([...toNumbers({ dtype: 'u64', shape: [1], bytes: wide.subarray(0, 8) })]).toEqual([2 ** 64]);
});

test('an unaligned view is read correctly', () => {
  const bytes = new Uint8Array(9);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);
  expect([...toNumbers({ dtype: 'f32', shape: [2], bytes: bytes.subarray(1) })]).toEqual([1.5, -2]);
});
