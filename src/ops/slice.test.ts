import { describe, expect, test } from 'vitest';
import { type Dim, show, substitute, symbol } from '../ir/dim.js';
import { sliceRange } from './slice.js';

const far = Number.MAX_SAFE_INTEGER;

/** The elements of a slice by JavaScript's own rules; a negative step is a slice of the reversed sequence. */
function elements(start: number, end: number, step: number, n: number): readonly number[] {
  const all = Array.from({ length: n }, (_, i) => i);
  if (step > 0) return all.slice(start, end).filter((_, i) => i % step === 0);
  // From the back, place i is n - 1 - i; a place counted from the end becomes one counted from the front.
  const mirrored = (i: number): number => (i < 0 ? -1 - i : n - 1 - i);
  // ONNX, unlike Python, takes a start before the first element for the first.
  const from = start < -n ? n - 1 : start >= n ? 0 : mirrored(start);
  const to = end < -n ? n : end >= n ? 0 : mirrored(end);
  return all
    .reverse()
    .slice(Math.max(from, 0), Math.max(to, 0))
    .filter((_, i) => i % -step === 0);
}

const places = [-far, -7, -5, -4, -1, 0, 1, 3, 4, 5, 6, far];
const cases = [0, 1, 5].flatMap((n) =>
  places.flatMap((start) =>
    places.flatMap((end) => [1, 2, 3, -1, -2].map((step) => [start, end, step, n] as const)),
  ),
);

const picked = (range: { start: Dim; length: Dim }, step: number): readonly number[] =>
  Array.from({ length: Number(show(range.length)) }, (_, i) => Number(show(range.start)) + i * step);

describe('the range of a slice', () => {
  test('is what the array says', () => {
    for (const [start, end, step, n] of cases)
      expect(picked(sliceRange(start, end, step, n), step), `${start}:${end}:${step} of ${n}`).toEqual(
        elements(start, end, step, n),
      );
  });

  test('is the same when everything is known only at run time', () => {
    const open = (name: string): Dim => symbol(name, Number.NEGATIVE_INFINITY);
    const range = sliceRange(open('start'), open('end'), open('step'), symbol('n'));
    for (const [start, end, step, n] of cases) {
      const at = new Map(Object.entries({ start, end, step, n }));
      const closed = { start: substitute(range.start, at), length: substitute(range.length, at) };
      expect(picked(closed, step), `${start}:${end}:${step} of ${n}`).toEqual(elements(start, end, step, n));
    }
  });

  test('stays simple for the slices that exporters write', () => {
    const n = symbol('n', 1);
    const length = (start: number, end: number): string => show(sliceRange(start, end, 1, n).length);
    expect(length(0, far)).toBe('n');
    expect(length(1, far)).toBe('n+-1');
    expect(length(0, -1)).toBe('n+-1');
    expect(length(-1, far)).toBe('1');
  });
});
