import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeTable } from '../support/element-formats.js';
import { toNumbers } from '../support/tensor-data.js';
import {
  bf16Bits,
  bf16Value,
  f16Bits,
  f16Value,
  Literal,
  literal,
  literalOf,
  scalarLiteral,
} from './literal.js';
import type { DType } from './type.js';

const bytesOf = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

test.each([
  ['f16', f16Value, f16Bits],
  ['bf16', bf16Value, bf16Bits],
] as const)('%s codes decode as element-formats decodes them, and encode back', (dtype, value, bits) => {
  const table = decodeTable(dtype)!;
  const wrong = [...table.keys()].filter((code) => {
    const back = Number.isNaN(table[code]!) || bits(table[code]!) === code;
    return !Object.is(value(code), table[code]) || !back;
  });
  expect([table.length, wrong]).toEqual([65536, []]);
});

test.each([
  ['f16', f16Value, f16Bits],
  ['bf16', bf16Value, bf16Bits],
] as const)('%s is rounded to the nearest code, of two the even one', (_, value, bits) => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
      const code = bits(x);
      const here = value(code);
      fc.pre(Number.isFinite(here));
      const distance = Math.abs(here - x);
      for (const other of [code - 1, code + 1]) {
        const there = value(other & 0xffff);
        if (!Number.isFinite(there)) continue;
        expect(distance).toBeLessThanOrEqual(Math.abs(there - x));
        if (Math.abs(there - x) === distance && there !== here) expect(code % 2).toBe(0);
      }
    }),
    { numRuns: 3000 },
  );
});

test('values out of range and NaN', () => {
  expect([65519.99, 65520, -1e9, Number.NaN, -0].map(f16Bits)).toEqual([
    0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x8000,
  ]);
  expect([3.3895e38, 3.4e38, -1e39, Number.NaN, -0].map(bf16Bits)).toEqual([
    0x7f7f, 0x7f80, 0xff80, 0x7fc0, 0x8000,
  ]);
});

const edges: readonly (readonly [DType, readonly bigint[]])[] = [
  ['i8', [-128n, 127n, 0n]],
  ['u8', [0n, 255n]],
  ['i16', [-32768n, 32767n]],
  ['u16', [0n, 65535n]],
  ['i32', [-(2n ** 31n), 2n ** 31n - 1n]],
  ['u32', [0n, 2n ** 32n - 1n]],
  ['i64', [-(2n ** 63n), 2n ** 63n - 1n, -1n]],
  ['u64', [0n, 2n ** 64n - 1n]],
  ['bool', [0n, 1n]],
];
test.each(edges)('%s elements keep their value', (dtype, values) => {
  const made = literalOf(dtype, [values.length], values);
  expect(made.bigints()).toEqual(values);
  expect(made.numbers()).toEqual(values.map(Number));
});

test('elements of less than a byte are packed, low bits first', () => {
  expect(literal('i4', [5], bytesOf(0xf0, 0x87, 0x03)).bigints()).toEqual([0n, -1n, 7n, -8n, 3n]);
  expect(literal('u4', [3], bytesOf(0xf0, 0x07)).numbers()).toEqual([0, 15, 7]);
  expect(literal('i2', [5], bytesOf(0b11_10_01_00, 0b10)).numbers()).toEqual([0, 1, -2, -1, -2]);
  expect(literal('u2', [4], bytesOf(0b11_10_01_00)).numbers()).toEqual([0, 1, 2, 3]);
});

test('random bytes decode as element-formats decodes them, at any address', () => {
  const types = fc.constantFrom<DType>('f64', 'f32', 'i32', 'u16', 'i8', 'u4', 'i2', 'u64', 'bool', 'f16');
  fc.assert(
    fc.property(types, fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(3), (dtype, raw, shift) => {
      const memory = new Uint8Array(8 + shift);
      memory.set(dtype === 'bool' ? raw.map((x) => x & 1) : raw, shift);
      const bytes = memory.subarray(shift);
      const shape = [{ f64: 1, u64: 1, f32: 2, i32: 2, u16: 4, f16: 4, u4: 16, i2: 32 }[dtype as 'f64'] ?? 8];
      expect(literal(dtype, shape, bytes).numbers()).toEqual([
        ...toNumbers({ dtype, shape, bytes: bytes.slice() }),
      ]);
    }),
  );
});

describe('a literal', () => {
  const two = literalOf('f32', [2], [1, -0]);

  test('is read whole or in part', () => {
    expect([...two.bytes()]).toEqual([0, 0, 128, 63, 0, 0, 0, 128]);
    expect([...two.read(4, 4)]).toEqual([0, 0, 0, 128]);
    expect([two.size, two.byteLength]).toEqual([2, 8]);
  });

  test('keeps the sign of zero', () => {
    expect(Object.is(two.numbers()[1], -0)).toBe(true);
    expect(Object.is(scalarLiteral('f16', -0).numbers()[0], -0)).toBe(true);
  });

  test('has the key of its type and content', () => {
    expect(two.key).toBe(literalOf('f32', [2], [1, -0]).key);
    const others = [two.reshaped([2, 1]), literalOf('f32', [2], [1, 0]), literal('i32', [2], two.bytes())];
    expect(new Set([two, ...others].map((l) => l.key)).size).toBe(4);
  });

  test('without elements has none', () => {
    const none = literalOf('i64', [0, 3], []);
    expect([none.size, none.byteLength, none.bigints()]).toEqual([0, 0, []]);
  });

  test('of a type that is not made or read as numbers says so', () => {
    expect(() => literalOf('f8e5m2', [1], [1])).toThrow('f8e5m2 cannot be made from numbers');
    expect(() => literal('f8e5m2', [1], bytesOf(1)).numbers()).toThrow('f8e5m2 are not read as numbers');
  });

  test('is read once its elements are asked for, not before', () => {
    let reads = 0;
    const blob = {
      byteLength: 4,
      read: () => {
        reads++;
        return bytesOf(1, 0, 0, 0);
      },
    };
    const lazy = new Literal('i32', [], blob).reshaped([1]);
    expect([lazy.size, lazy.byteLength, reads]).toEqual([1, 4, 0]);
    expect([lazy.numbers(), reads]).toEqual([[1], 1]);
  });
});
