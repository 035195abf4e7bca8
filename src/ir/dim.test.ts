import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  bareSymbol,
  bounds,
  broadcast,
  ceildiv,
  type Dim,
  eq,
  floordiv,
  lt,
  max,
  min,
  mod,
  mul,
  numel,
  type Shape,
  same,
  sameShape,
  select,
  show,
  sub,
  substitute,
  symbol,
  symbolsOf,
} from './dim.js';
import { dimOf, evaluate, type Formula, formulas, values } from './dims.fixtures.js';

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

describe('integer functions of numbers', () => {
  test.each([
    [floordiv(7, 2), 3],
    [floordiv(-7, 2), -4],
    [floordiv(7, -2), -4],
    [floordiv(-7, -2), 3],
    [mod(-7, 3), 2],
    [mod(7, -3), -2],
    [ceildiv(7, 2), 4],
    [ceildiv(-7, 2), -3],
    [lt(2, 2), 0],
    [eq(2, 2), 1],
    [select(0, 1, 2), 2],
    [select(-1, 1, 2), 1],
    [floordiv(5, 0), 0],
    [mod(5, 0), 0],
    [numel([]), 1],
  ] as const)('case %#', (d, value) => {
    expect(d).toBe(value);
  });
});

const mapOf = (at: Readonly<Record<string, number>>): ReadonlyMap<string, number> =>
  new Map(Object.entries(at));

test('a dim has the value of the formula it was made from', () => {
  fc.assert(
    fc.property(formulas, values, (f, at) => {
      const want = evaluate(f, at);
      fc.pre(want !== undefined);
      expect(Number(substitute(dimOf(f), mapOf(at))) + 0).toBe(want);
    }),
    { numRuns: 5000 },
  );
});

test('substituting some symbols and then the others is substituting all', () => {
  fc.assert(
    fc.property(formulas, values, (f, { a, b, c }) => {
      const want = evaluate(f, { a, b, c });
      fc.pre(want !== undefined);
      const half = substitute(dimOf(f), mapOf({ b }));
      expect([...symbolsOf(half).keys()]).not.toContain('b');
      expect(Number(substitute(half, mapOf({ a, c }))) + 0).toBe(want);
    }),
    { numRuns: 2000 },
  );
});

test('a symbol may stand for another dim', () => {
  fc.assert(
    fc.property(formulas, formulas, values, (f, g, at) => {
      const a = evaluate(g, at);
      fc.pre(a !== undefined && a >= -7 && a <= 9);
      const want = evaluate(f, { ...at, a });
      fc.pre(want !== undefined);
      const composed = substitute(dimOf(f), new Map([['a', dimOf(g)]]));
      expect(Number(substitute(composed, mapOf(at))) + 0).toBe(want);
    }),
    { numRuns: 2000 },
  );
});

test('every value lies within the bounds', () => {
  fc.assert(
    fc.property(formulas, values, (f, at) => {
      const value = evaluate(f, at);
      fc.pre(value !== undefined);
      const [lo, hi] = bounds(dimOf(f));
      expect(lo).toBeLessThanOrEqual(value);
      expect(hi).toBeGreaterThanOrEqual(value);
    }),
    { numRuns: 5000 },
  );
});

test('dims that are the same have the same values', () => {
  // Halves made of few formulas meet often enough.
  const few = fc.constantFrom<Formula>('a', 'b', 1, 2, { fn: 'add', args: ['a', 'b'] });
  const small = fc.letrec<{ tree: Formula }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 2 },
      few,
      fc
        .tuple(fc.constantFrom('add', 'mul', 'floordiv', 'min', 'max', 'sub'), tie('tree'), tie('tree'))
        .map(([fn, x, y]): Formula => ({ fn: fn as 'add', args: [x, y] })),
    ),
  })).tree;
  let met = 0;
  fc.assert(
    fc.property(small, small, fc.array(values, { minLength: 5 }), (f, g, places) => {
      if (!same(dimOf(f), dimOf(g))) return;
      met++;
      for (const at of places) {
        const [x, y] = [evaluate(f, at), evaluate(g, at)];
        if (x !== undefined && y !== undefined) expect(x).toBe(y);
      }
    }),
    { numRuns: 5000 },
  );
  expect(met).toBeGreaterThan(100);
});

test('sums and products are the same in any order', () => {
  fc.assert(
    fc.property(formulas, formulas, formulas, (f, g, h) => {
      const [x, y, z] = [dimOf(f), dimOf(g), dimOf(h)];
      expect(show(add(x, y, z))).toBe(show(add(z, add(y, x))));
      expect(show(mul(x, y))).toBe(show(mul(y, x)));
      expect(show(sub(add(x, y), y))).toBe(show(x));
    }),
    { numRuns: 500 },
  );
});

test('what a comparison cannot decide stays', () => {
  expect(show(lt(h, 5))).toBe('lt(h,5)');
  expect(lt(w, 41)).toBe(1);
  expect(lt(w, 1)).toBe(0);
  expect(eq(w, 0)).toBe(0);
  expect(show(eq(h, 0))).toBe('eq(h,0)');
  expect(eq(add(h, w), add(w, h))).toBe(1);
});

test('a bare symbol is one that stands alone', () => {
  expect(bareSymbol(h)).toBe('h');
  expect([add(h, 1), mul(2, h), mul(h, h), mul(h, w), 3, min(h, 4)].map(bareSymbol)).toEqual(
    Array(6).fill(undefined),
  );
  expect(symbol('one', 1, 1)).toBe(1);
});

describe('broadcast', () => {
  test.each<[readonly Shape[], string | undefined]>([
    [[[2, 3], [3]], '2,3'],
    [[[2, 1], [1, 5], []], '2,5'],
    [[[2, 3], [2]], undefined],
    [[[h], [1]], 'h'],
    [[[h], [h]], 'h'],
    [[[h], [4]], '4'],
    [[[h, 1], [w]], 'h,w'],
    [[[h], [w]], 'select(eq(h,1),w,h)'],
    [[[0], [1]], '0'],
    [[], ''],
  ])('case %#', (shapes, text) => {
    expect(
      broadcast(...shapes)
        ?.map(show)
        .join(','),
    ).toBe(text);
  });

  test('numbers give what NumPy gives', () => {
    const extent = fc.constantFrom(0, 1, 1, 2, 3);
    const pair = fc.tuple(fc.array(extent, { maxLength: 3 }), fc.array(extent, { maxLength: 3 }));
    fc.assert(
      fc.property(pair, ([x, y]) => {
        const rank = Math.max(x.length, y.length);
        const wide = [x, y].map((s) => [...Array<number>(rank - s.length).fill(1), ...s]);
        const fits = wide[0]!.every((n, i) => n === wide[1]![i] || n === 1 || wide[1]![i] === 1);
        const want = fits ? wide[0]!.map((n, i) => (n === 1 ? wide[1]![i]! : n)) : undefined;
        expect(broadcast(x, y)).toEqual(want);
      }),
    );
  });

  test('symbols give what their values give, where those broadcast', () => {
    const names = ['h', 'w'];
    const extent = fc.constantFrom<Dim>(1, 2, h, w);
    const shape = fc.array(extent, { maxLength: 3 });
    fc.assert(
      fc.property(shape, shape, fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2, 3), (x, y, a, b) => {
        const at = new Map(names.map((n, i) => [n, [a, b][i]!]));
        const known = (s: Shape): Shape => s.map((d) => substitute(d, at));
        const [want, got] = [broadcast(known(x), known(y)), broadcast(x, y)];
        if (want) expect(sameShape(known(got!), want)).toBe(true);
      }),
    );
  });
});
