import fc from 'fast-check';
import { add, apply, type Dim, type DimFunction, mul, sub, symbol } from './dim.js';

/** A formula over a, b and c, kept apart from dims so that both can be evaluated. */
export type Formula =
  | number
  | Variable
  | { readonly fn: 'add' | 'sub' | 'mul' | DimFunction; readonly args: readonly Formula[] };

type Variable = 'a' | 'b' | 'c';

/** What a, b and c may be; the dims of the same names have these bounds. */
export const ranges: Readonly<Record<Variable, readonly [number, number]>> = {
  a: [-7, 9],
  b: [1, 6],
  c: [0, Number.POSITIVE_INFINITY],
};

export type Values = Readonly<Record<Variable, number>>;
export const values: fc.Arbitrary<Values> = fc.record({
  a: fc.integer({ min: -7, max: 9 }),
  b: fc.integer({ min: 1, max: 6 }),
  c: fc.oneof(fc.nat(3), fc.nat(100)),
});

const functions = fc.oneof(
  fc.constantFrom('add', 'sub', 'mul', 'floordiv'),
  fc.constantFrom('floordiv', 'mod', 'min', 'max', 'lt', 'eq', 'select'),
);

export const formulas: fc.Arbitrary<Formula> = fc.letrec<{ tree: Formula }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'large' },
    fc.constantFrom('a', 'b', 'c'),
    fc.integer({ min: -6, max: 9 }),
    fc.tuple(functions, tie('tree'), tie('tree'), tie('tree')).map(
      ([fn, ...args]): Formula => ({
        fn: fn as DimFunction,
        args: fn === 'select' ? args : args.slice(0, 2),
      }),
    ),
    // Shapes divide products and sums by their own factors.
    fc.tuple(tie('tree'), tie('tree')).map(
      ([x, y]): Formula => ({
        fn: 'floordiv',
        args: [{ fn: 'mul', args: [x, y] }, y],
      }),
    ),
    fc.tuple(tie('tree'), fc.constantFrom(2, 3), fc.integer({ min: -4, max: 4 })).map(
      ([x, by, more]): Formula => ({
        fn: 'floordiv',
        args: [{ fn: 'add', args: [{ fn: 'mul', args: [x, by] }, more] }, by],
      }),
    ),
  ),
})).tree;

/** The value by plain arithmetic; undefined where something is divided by 0 or leaves the safe integers. */
export function evaluate(f: Formula, at: Values): number | undefined {
  if (typeof f === 'number') return f;
  if (typeof f === 'string') return at[f];
  const args = f.args.map((x) => evaluate(x, at));
  if (args.some((x) => x === undefined)) return undefined;
  const [x, y, z] = args as [number, number, number];
  const value = compute(f.fn, BigInt(x), BigInt(y), BigInt(z ?? 0));
  return value === undefined || value > 2n ** 40n || value < -(2n ** 40n) ? undefined : Number(value);
}

function compute(fn: string, x: bigint, y: bigint, z: bigint): bigint | undefined {
  switch (fn) {
    case 'add':
      return x + y;
    case 'sub':
      return x - y;
    case 'mul':
      return x * y;
    case 'floordiv':
      return y === 0n ? undefined : (x - (((x % y) + y) % y)) / y;
    case 'mod':
      return y === 0n ? undefined : ((x % y) + y) % y;
    case 'min':
      return x < y ? x : y;
    case 'max':
      return x < y ? y : x;
    case 'lt':
      return x < y ? 1n : 0n;
    case 'eq':
      return x === y ? 1n : 0n;
    default:
      return x !== 0n ? y : z;
  }
}

export const symbols: Readonly<Record<Variable, Dim>> = {
  a: symbol('a', ...ranges.a),
  b: symbol('b', ...ranges.b),
  c: symbol('c', ...ranges.c),
};

/** The same formula as a dim, simplified as it is made. */
export function dimOf(f: Formula): Dim {
  if (typeof f === 'number') return f;
  if (typeof f === 'string') return symbols[f];
  const args = f.args.map(dimOf);
  switch (f.fn) {
    case 'add':
      return add(...args);
    case 'sub':
      return sub(args[0]!, args[1]!);
    case 'mul':
      return mul(...args);
    default:
      return apply(f.fn, args);
  }
}
