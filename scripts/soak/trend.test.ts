import { expect, test } from 'vitest';
import { Xoshiro128 } from '../../src/accuracy/random.js';
import { grows, trendOf } from './trend.js';

test('a line is found exactly', () => {
  const { rise, error } = trendOf([3, 5, 7, 9]);
  expect(rise).toBeCloseTo(6, 12);
  expect(error).toBeCloseTo(0, 12);
});

test('a leak is told from noise', () => {
  const random = Xoshiro128.seeded(1);
  const noise = Array.from({ length: 100 }, () => 200 + 5 * random.normal());
  expect(grows(trendOf(noise), 4)).toBe(false);
  expect(grows(trendOf(noise.map((x, i) => x + 0.3 * i)), 4)).toBe(true);
});
