import { expect, test } from 'vitest';
import { type OperatorCase, outcomesOf, problemsOf } from '../../fixtures/kernels/compare.js';

/** A slice that the model itself states. */
const slice = (
  shape: readonly number[],
  axes: readonly number[],
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[],
): OperatorCase => ({
  name: `${shape.join('x')} axes ${axes} from ${starts} to ${ends} by ${steps}`,
  opType: 'Slice',
  inputs: [
    { dtype: 'f32', shape, low: -2, high: 2 },
    ...[starts, ends, axes, steps].map((values) => ({
      dtype: 'i64' as const,
      shape: [axes.length],
      values,
      constant: true,
    })),
  ],
  results: ['f32'],
  accumulation: 1,
});

const before = -(2 ** 31);

test('slices that run backward', async () => {
  const cases = [
    slice([7], [0], [-1], [before], [-1]),
    slice([2, 16], [1], [6], [3], [-2]),
    slice([5, 8], [0], [-1], [before], [-1]),
    slice([3, 4, 6], [0, 2], [-1, -2], [before, before], [-1, -3]),
    slice([2, 3, 33, 40], [1, 3], [-1, 20], [before, before], [-2, -1]),
  ];
  const targets = ['emulated', 'emulated64'].map((arch) => ({
    target: 'emulated' as const,
    precision: 'f32' as const,
    arch,
  }));
  for (const target of targets) expect(problemsOf(await outcomesOf(cases, 20, target))).toEqual([]);
}, 600_000);
