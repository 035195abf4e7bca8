import { expect, test } from 'vitest';
import { toNumbers } from '../support/tensor-data.js';
import { splitMix64, Xoshiro128 } from './random.js';
import { seededInputs, seededTensor } from './seeded-inputs.js';

/** Both from the authors' C programs: SplitMix64 from 1234567, xoshiro128** from the state 1, 2, 3, 4. */
test('the generators are the published ones', () => {
  const split = splitMix64(1234567n);
  expect([1, 2, 3].map(() => split.next().value)).toEqual([
    6457827717110365317n,
    3203168211198807973n,
    9817491932198370423n,
  ]);
  const xoshiro = new Xoshiro128([1, 2, 3, 4]);
  expect(Array.from({ length: 8 }, () => xoshiro.next())).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849,
  ]);
});

test('an input depends on the seed and on itself only', () => {
  const x = { name: 'x', dtype: 'f32', shape: [3, 5] };
  const y = { name: 'y', dtype: 'f32', shape: [3, 5] };
  const both = seededInputs([y, x], 7);
  expect(both.get('x')).toEqual(seededTensor(x, 7));
  expect(both.get('x')).not.toEqual(both.get('y'));
  expect(seededTensor(x, 7)).not.toEqual(seededTensor(x, 8));
});

const numbers = (dtype: string, low?: number, high?: number) =>
  toNumbers(seededTensor({ name: 'x', dtype, shape: [20_000], low, high }));
const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;

test.each(['f16', 'bf16', 'f32', 'f64'])('%s without a range is standard normal', (dtype) => {
  const values = numbers(dtype);
  expect(Math.abs(mean(values))).toBeLessThan(4 / Math.sqrt(20_000));
  expect(Math.abs(mean(values.map((v) => v * v)) - 1)).toBeLessThan(4 * Math.sqrt(2 / 20_000));
});

test.each(['f16', 'f32'])('%s with a range is uniform in it', (dtype) => {
  const values = numbers(dtype, -2, 6);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
  expect(Math.max(...values)).toBeLessThanOrEqual(6);
  expect(Math.abs(mean(values) - 2)).toBeLessThan(4 * (8 / Math.sqrt(12) / Math.sqrt(20_000)));
});

test.each([
  ['i64', 3, 7],
  ['i32', -4, 4],
  ['i8', -128, 127],
  ['u8', 250, 255],
  ['i4', -8, 7],
  ['u2', 0, 3],
])('%s takes every value of its range and no other', (dtype, low, high) => {
  const found = [...new Set(numbers(dtype, low, high))].sort((a, b) => a - b);
  expect(found).toEqual(Array.from({ length: high - low + 1 }, (_, i) => low + i));
});

test('integers without a range are safe as indices; booleans are both', () => {
  expect(new Set(numbers('i64'))).toEqual(new Set([0, 1]));
  expect(new Set(numbers('bool'))).toEqual(new Set([0, 1]));
  expect(Math.max(...numbers('u8'))).toBe(255);
  expect(new Set(numbers('i64', undefined, -3))).toEqual(new Set([-3]));
});

test('strings, and types nobody can draw', () => {
  expect(seededTensor({ name: 's', dtype: 'string', shape: [2] }).strings).toHaveLength(2);
  expect(() => seededTensor({ name: 's', dtype: 'f8e5m2', shape: [2] })).toThrow(
    /no random input of type f8e5m2/,
  );
});
