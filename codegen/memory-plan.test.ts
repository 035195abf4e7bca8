import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LiveRange, planMemory } from './memory-plan.js';

const range = (first: number, last: number, bytes: number): LiveRange => ({ first, last, bytes });
const ranges = fc.array(
  fc
    .tuple(fc.nat(12), fc.nat(6), fc.oneof(fc.constantFrom(0, 64, 128, 1024), fc.nat(5000)))
    .map(([first, length, bytes]) => range(first, first + length, bytes)),
  { maxLength: 24 },
);
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const liveAt = (all: readonly LiveRange[], step: number): readonly LiveRange[] =>
  all.filter((r) => r.first <= step && step <= r.last);

test('ranges that live at once do not overlap, and lie in the arena at multiples of 64', () => {
  fc.assert(
    fc.property(ranges, (all) => {
      const { offsets, bytes } = planMemory(all);
      all.forEach((a, i) => {
        expect(offsets[i]! % 64).toBe(0);
        expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
        all.slice(i + 1).forEach((b, k) => {
          const j = i + 1 + k;
          if (a.last < b.first || b.last < a.first) return;
          const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
          expect(apart).toBe(true);
        });
      });
    }),
    { numRuns: 1000 },
  );
});

test('the arena is at least what lives at once and at most everything', () => {
  fc.assert(
    fc.property(ranges, (all) => {
      const sum = (rs: readonly LiveRange[]): number => rs.reduce((t, r) => t + aligned(r.bytes), 0);
      const { bytes } = planMemory(all);
      expect(bytes).toBeLessThanOrEqual(sum(all));
      expect(bytes).toBeGreaterThanOrEqual(Math.max(0, ...all.map((r) => sum(liveAt(all, r.first)))));
    }),
    { numRuns: 1000 },
  );
});

test('ranges that all live at once take exactly their sum', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 12 }), (sizes) => {
      const { bytes } = planMemory(sizes.map((s) => range(0, 1, s)));
      expect(bytes).toBe(sizes.reduce((t, s) => t + aligned(s), 0));
    }),
  );
});

describe('small plans are the best ones', () => {
  test.each<[string, readonly LiveRange[], readonly number[], number]>([
    ['nothing', [], [], 0],
    ['one', [range(0, 0, 1)], [0], 64],
    ['a chain alternates', [range(0, 1, 64), range(1, 2, 64), range(2, 3, 64)], [0, 64, 0], 128],
    [
      'of two gaps the smaller',
      [
        range(0, 9, 512),
        range(0, 1, 256),
        range(0, 9, 192),
        range(0, 1, 128),
        range(0, 9, 110),
        range(2, 3, 100),
      ],
      [0, 512, 768, 960, 1088, 960],
      1216,
    ],
    ['ends are inclusive', [range(0, 2, 64), range(2, 4, 64)], [0, 64], 128],
    ['a residual keeps its place', [range(0, 3, 128), range(1, 2, 64), range(2, 3, 64)], [0, 128, 192], 256],
  ])('%s', (_, all, offsets, bytes) => {
    expect(planMemory(all)).toEqual({ offsets, bytes });
  });
});

test('the plan depends on nothing but the ranges', () => {
  fc.assert(
    fc.property(ranges, (all) => {
      expect(planMemory(all.map((r) => ({ ...r })))).toEqual(planMemory(all));
    }),
  );
});
