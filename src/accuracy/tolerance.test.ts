import { describe, expect, test } from 'vitest';
import { compareTensors } from './metrics.js';
import { Xoshiro128 } from './random.js';
import { toleranceFor } from './tolerance.js';

const f32 = (values: Float32Array) => ({
  dtype: 'f32',
  shape: [values.length],
  bytes: new Uint8Array(values.buffer),
});

/** Rows of random products: summed in f32 from left to right, summed in f64, and in f32 with one product forgotten. */
function dotProducts(length: number, count: number) {
  const random = Xoshiro128.seeded(length);
  const [summed, exact, faulty] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  for (let row = 0; row < count; row++) {
    let [narrow, wide, short] = [0, 0, 0];
    for (let i = 0; i < length; i++) {
      const product = Math.fround(random.normal()) * Math.fround(random.normal());
      wide += product;
      narrow = Math.fround(narrow + Math.fround(product));
      if (i !== row % length) short = Math.fround(short + Math.fround(product));
    }
    [summed[row], exact[row], faulty[row]] = [narrow, wide, short];
  }
  return { summed: f32(summed), exact: f32(exact), faulty: f32(faulty) };
}

describe.each([16, 256, 4096])('sums of %i products', (length) => {
  const { summed, exact, faulty } = dotProducts(length, 500);
  const tolerance = toleranceFor(exact, { accumulation: length });

  test('rounding stays inside, and not by orders of magnitude', () => {
    const comparison = compareTensors(summed, exact, tolerance);
    expect(comparison).toMatchObject({ pass: true, outside: 0 });
    expect(comparison.maxAbs).toBeGreaterThan(tolerance.atol / 50);
  });

  test('a forgotten product is outside', () => {
    expect(compareTensors(faulty, exact, tolerance).outside).toBeGreaterThan(450);
  });
});

describe('the formula', () => {
  const unit = f32(Float32Array.of(1, -1, 1, -1));
  const lambda = Math.sqrt(2 * Math.log(8e6));

  test('f32: λ·(ε·√K + ε), scaled by the rms', () => {
    const { atol, rtol } = toleranceFor(unit, { accumulation: 100 });
    expect(rtol).toBeCloseTo(lambda * 11 * 2 ** -23, 15);
    expect(atol).toBeCloseTo(rtol, 15);
    expect(toleranceFor(f32(Float32Array.of(10, -10, 10, 10)), { accumulation: 100 }).atol).toBeCloseTo(
      10 * rtol,
      14,
    );
  });

  test('depth counts by its root, short sums by sixteen', () => {
    const { rtol } = toleranceFor(unit, { accumulation: 100 });
    expect(toleranceFor(unit, { accumulation: 100, depth: 9 }).rtol).toBeCloseTo(3 * rtol, 14);
    expect(toleranceFor(unit, { accumulation: 1 }).rtol).toBeCloseTo(lambda * 5 * 2 ** -23, 15);
  });

  test('narrow storage: sums in f32, one rounding of its own', () => {
    const expected = lambda * (10 * 2 ** -23 + 2 ** -10);
    expect(toleranceFor(unit, { accumulation: 100, storage: 'f16' }).rtol).toBeCloseTo(expected, 12);
    const half = { dtype: 'f16', shape: [4], bytes: new Uint8Array(8) };
    expect(toleranceFor(half, { accumulation: 100 })).toEqual({
      atol: 0,
      rtol: expect.closeTo(expected, 12),
    });
  });

  test('infinities and NaN in the reference do not widen it', () => {
    const wild = f32(Float32Array.of(1, Number.NaN, -Infinity, 1));
    expect(toleranceFor(wild, { accumulation: 100 }).atol).toBe(
      toleranceFor(unit, { accumulation: 100 }).atol,
    );
  });
});

test('integers are exact, or one apart where the model quantises; never booleans', () => {
  const of = (dtype: string) => ({ dtype, shape: [1], bytes: new Uint8Array(8) });
  expect(toleranceFor(of('i64'), { accumulation: 1 })).toEqual({ atol: 0, rtol: 0 });
  expect(toleranceFor(of('u8'), { accumulation: 1, quantised: true })).toEqual({ atol: 1, rtol: 0 });
  expect(toleranceFor(of('bool'), { accumulation: 1, quantised: true })).toEqual({ atol: 0, rtol: 0 });
});

test('a quantised model’s floats may differ by a step of the grid', () => {
  const output = f32(Float32Array.of(127, -1));
  const plain = toleranceFor(output, { accumulation: 1 });
  expect(toleranceFor(output, { accumulation: 1, quantised: true }).atol).toBeCloseTo(plain.atol + 1, 6);
});

test('the user’s word wins, one bound at a time', () => {
  const output = f32(Float32Array.of(1));
  const own = toleranceFor(output, { accumulation: 1 });
  expect(toleranceFor(output, { accumulation: 1, atol: 0.5 })).toEqual({ atol: 0.5, rtol: own.rtol });
  expect(toleranceFor(output, { accumulation: 1, atol: 0, rtol: 0.25 })).toEqual({ atol: 0, rtol: 0.25 });
});
