import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  type Dim,
  eq,
  floordiv,
  max,
  min,
  mod,
  mul,
  select,
  show,
  sub,
  substitute,
  symbol,
} from './dim.js';

const h = symbol('h');
const w = symbol('w', 1, 40);

describe('normal forms', () => {
  test.each([
    [add(mul(2, h), mul(-2, h), 3), '3'],
    [floordiv(mul(6, h, w), mul(2, w)), '3*h'],
    [floordiv(add(mul(4, h), 3), 2), '2*h+1'],
    [floordiv(sub(h, 1), 2), 'floordiv(h+1,2)+-1'],
    [floordiv(floordiv(h, 3), 4), 'floordiv(h,12)'],
    [floordiv(add(floordiv(h, 2), 1), 2), 'floordiv(h+2,4)'],
    [floordiv(w, 41), '0'],
    [mod(mul(4, h), 2), '0'],
    [min(w, 40), 'w'],
    [max(h, -1), 'h'],
    [select(eq(h, 1), min(h, 512), h), 'h'],
    [select(eq(h, 0), mul(12, h), h), 'h'],
    [select(eq(h, 1), add(h, 1), h), 'select(eq(h,1),h+1,h)'],
  ] as const)('case %#', (d, text) => {
    expect(show(d)).toBe(text);
  });
});

test('extents of strided windows in a row stay short', () => {
  const halved = (d: Dim): Dim => add(floordiv(sub(d, 1), 2), 1);
  expect(show(halved(halved(halved(h))))).toBe('floordiv(h+7,8)');
});

test('what is simplified has the value of what was asked for', () => {
  type Build = (h: Dim, w: Dim) => Dim;
  const leaf = fc.oneof(
    fc.constantFrom<Build>(
      (a) => a,
      (_, b) => b,
    ),
    fc.integer({ min: -5, max: 9 }).map(
      (n): Build =>
        () =>
          n,
    ),
  );
  const { tree } = fc.letrec<{ tree: Build }>((rec) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      leaf,
      fc.tuple(rec('tree'), fc.integer({ min: 1, max: 6 })).map(
        ([x, n]): Build =>
          (a, b) =>
            floordiv(x(a, b), n),
      ),
      fc.tuple(fc.constantFrom(add, mul, min, max, sub), rec('tree'), rec('tree')).map(
        ([f, x, y]): Build =>
          (a, b) =>
            f(x(a, b), y(a, b)),
      ),
      fc.tuple(fc.integer({ min: 0, max: 3 }), rec('tree'), rec('tree')).map(
        ([n, x, y]): Build =>
          (a, b) =>
            select(eq(a, n), x(a, b), y(a, b)),
      ),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.nat(12), fc.integer({ min: 1, max: 40 }), (build, a, b) => {
      const known = substitute(
        build(h, w),
        new Map([
          ['h', a],
          ['w', b],
        ]),
      );
      expect(Number(known) + 0).toBe(Number(build(a, b)) + 0);
    }),
    { numRuns: 3000 },
  );
});
