import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBf16, encodeF16 } from '../support/element-formats.js';
import type { TensorData } from '../support/tensor-data.js';
import { compareTensors } from './metrics.js';

const EXACT = { atol: 0, rtol: 0 };

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const f32 = (values: readonly number[], shape: readonly number[] = [values.length]): TensorData => ({
  dtype: 'f32',
  shape,
  bytes: bytesOf(Float32Array.from(values)),
});
const f64 = (...values: number[]): TensorData => ({
  dtype: 'f64',
  shape: [values.length],
  bytes: bytesOf(Float64Array.from(values)),
});
const i64 = (...values: bigint[]): TensorData => ({
  dtype: 'i64',
  shape: [values.length],
  bytes: bytesOf(BigInt64Array.from(values)),
});
const coded = (dtype: string, encode: (v: number) => number, ...values: number[]): TensorData => ({
  dtype,
  shape: [values.length],
  bytes: bytesOf(Uint16Array.from(values.map(encode))),
});

test('absolute and relative errors, cosine, the worst element', () => {
  const comparison = compareTensors(f32([1, 2.5, 4, 0.5], [2, 2]), f32([1, 2, 4, 0], [2, 2]), {
    atol: 0.1,
    rtol: 0.1,
  });
  expect(comparison).toMatchObject({
    pass: false,
    elements: 4,
    outside: 2,
    maxAbs: 0.5,
    meanAbs: 0.25,
    maxRel: 0.25,
  });
  expect(comparison.meanRel).toBeCloseTo(0.25 / 3, 12);
  expect(comparison.cosine).toBeCloseTo(22 / Math.sqrt((1 + 6.25 + 16 + 0.25) * 21), 12);
  expect(comparison.worst).toEqual({ index: [1, 1], actual: 0.5, expected: 0 });
  expect(compareTensors(f32([1, 2.5]), f32([1, 2]), { atol: 0.3, rtol: 0.1 }).pass).toBe(true);
});

test('equal tensors have no worst element', () => {
  const same = compareTensors(f32([1, -2, 0]), f32([1, -2, 0]), EXACT);
  expect(same).toMatchObject({ pass: true, outside: 0, maxAbs: 0, maxUlp: 0, worst: undefined });
  expect(same.cosine).toBeCloseTo(1, 15);
});

describe('units in the last place', () => {
  const ulps = (actual: TensorData, expected: TensorData) => compareTensors(actual, expected, EXACT).maxUlp;

  test('neighbours are one apart in every format, across a power of two and across zero', () => {
    expect(ulps(f32([1 + 2 ** -23]), f32([1]))).toBe(1);
    expect(ulps(f32([1 - 2 ** -24]), f32([1]))).toBe(1);
    expect(ulps(f32([2 ** -149]), f32([-(2 ** -149)]))).toBe(2);
    expect(ulps(f32([-0]), f32([0]))).toBe(0);
    expect(ulps(f64(1 + 2 ** -52), f64(1))).toBe(1);
    expect(ulps(f64(4 + 2 ** -49), f64(4 - 2 ** -51))).toBe(1 + 2 * 2 - 2);
    expect(ulps(f64(Number.MIN_VALUE), f64(-Number.MIN_VALUE))).toBe(2);
    expect(ulps(coded('f16', encodeF16, 1 + 2 ** -10), coded('f16', encodeF16, 1))).toBe(1);
    expect(ulps(coded('bf16', encodeBf16, -1 - 2 ** -7), coded('bf16', encodeBf16, -1))).toBe(1);
  });

  test('a carry into the upper half of a double counts', () => {
    const low = new Float64Array(BigUint64Array.of(0x3ff00000_ffffffffn).buffer)[0]!;
    const high = new Float64Array(BigUint64Array.of(0x3ff00001_00000002n).buffer)[0]!;
    expect(ulps(f64(low), f64(high))).toBe(3);
    expect(ulps(f64(-high), f64(-low))).toBe(3);
  });

  test('stepping n numbers away is n units', () => {
    const bits = fc.integer({ min: -0x7f000000, max: 0x7f000000 });
    const value = (line: number) =>
      new Float32Array(Uint32Array.of(line < 0 ? 0x80000000 - line : line).buffer)[0]!;
    fc.assert(fc.property(bits, bits, (a, b) => ulps(f32([value(a)]), f32([value(b)])) === Math.abs(a - b)));
  });

  test('only finite pairs count; integers have none', () => {
    expect(ulps(f32([Infinity, 1]), f32([3, 1]))).toBe(0);
    expect(ulps(i64(1n), i64(2n))).toBeUndefined();
  });
});

describe('NaN and infinities', () => {
  test('the same on both sides is equal', () => {
    const both = f32([Number.NaN, Infinity, -Infinity, 1]);
    expect(compareTensors(both, both, EXACT)).toMatchObject({
      pass: true,
      nan: { actual: 1, expected: 1 },
      inf: { actual: 2, expected: 2 },
      nonFiniteMismatches: 0,
      maxAbs: 0,
    });
  });

  test('on one side only they fail under any tolerance, and are the worst', () => {
    const comparison = compareTensors(f32([9, Number.NaN, -Infinity, 2]), f32([1, 1, Infinity, Infinity]), {
      atol: 1e9,
      rtol: 1e9,
    });
    expect(comparison).toMatchObject({
      pass: false,
      outside: 3,
      nonFiniteMismatches: 3,
      nan: { actual: 1, expected: 0 },
      inf: { actual: 1, expected: 2 },
      worst: { index: [1], actual: 'NaN', expected: 1 },
      maxAbs: 8,
    });
  });
});

describe('argmax agreement', () => {
  const agreement = (actual: TensorData, expected: TensorData) =>
    compareTensors(actual, expected, EXACT).argmaxAgreement;

  test('rows of the last axis, also where rows straddle pieces', () => {
    expect(agreement(f32([1, 2, 5, 4], [2, 2]), f32([1, 2, 4, 5], [2, 2]))).toBe(0.5);
    const [rows, columns] = [1000, 77];
    const values = Array.from({ length: rows * columns }, (_, i) => (i * 7919) % 1009);
    const shifted = values.map((v, i) => (Math.floor(i / columns) % 10 === 0 ? -v : v));
    expect(agreement(f32(shifted, [rows, columns]), f32(values, [rows, columns]))).toBe(0.9);
  });

  test('a tie in the reference may be broken either way', () => {
    expect(agreement(f32([1, 3, 2], [1, 3]), f32([3, 3, 1], [1, 3]))).toBe(1);
  });

  test('a row of nothing but NaN picks nothing', () => {
    expect(agreement(f32([Number.NaN, Number.NaN], [1, 2]), f32([1, 2], [1, 2]))).toBe(0);
  });

  test('undefined where there is nothing to choose', () => {
    expect(agreement(f32([1], [1]), f32([1], [1]))).toBeUndefined();
    expect(agreement(f32([], [0, 3]), f32([], [0, 3]))).toBeUndefined();
  });
});

describe('exact types', () => {
  test('64-bit integers beyond 2^53 are told apart, and shown in full', () => {
    const comparison = compareTensors(i64(2n ** 62n + 1n, -5n), i64(2n ** 62n, -5n), EXACT);
    expect(comparison).toMatchObject({ pass: false, maxAbs: 1, outside: 1 });
    expect(comparison.worst).toEqual({
      index: [0],
      actual: '4611686018427387905',
      expected: '4611686018427387904',
    });
    expect(compareTensors(i64(-1n), i64(0n), { atol: 1, rtol: 0 })).toMatchObject({ pass: true, maxAbs: 1 });
  });

  test('the largest integer error is the worst one', () => {
    expect(compareTensors(i64(1n, 500n, 7n), i64(0n, 0n, 0n), EXACT).worst).toMatchObject({
      index: [1],
      actual: 500,
    });
  });

  test('booleans and strings', () => {
    const bool = (...bytes: number[]) => ({
      dtype: 'bool',
      shape: [bytes.length],
      bytes: Uint8Array.from(bytes),
    });
    expect(compareTensors(bool(1, 0, 0), bool(1, 0, 1), EXACT)).toMatchObject({ pass: false, outside: 1 });
    const text = (...strings: string[]) => ({
      dtype: 'string',
      shape: [1, 2],
      bytes: new Uint8Array(),
      strings,
    });
    expect(compareTensors(text('a', 'b'), text('a', 'c'), EXACT)).toMatchObject({
      pass: false,
      outside: 1,
      worst: { index: [0, 1], actual: 'b', expected: 'c' },
    });
  });
});

test('what cannot be compared fails with the reason', () => {
  expect(compareTensors(f32([1]), f64(1), EXACT)).toMatchObject({
    pass: false,
    problem: 'type f32 where f64 is expected',
  });
  expect(compareTensors(f32([1, 2]), f32([1, 2], [2, 1]), EXACT).problem).toBe(
    'shape [2] where [2, 1] is expected',
  );
  expect(compareTensors({ ...f32([1]), bytes: new Uint8Array(3) }, f32([1]), EXACT).problem).toMatch(
    /3 bytes/,
  );
});

test('a comparison survives JSON', () => {
  const comparison = compareTensors(f32([Number.NaN]), f32([1]), EXACT);
  expect(JSON.parse(JSON.stringify(comparison))).toMatchObject({ worst: { actual: 'NaN', expected: 1 } });
});
