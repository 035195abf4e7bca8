import type { Expr } from '../src/ir/expr.js';
import { bitsOf, type DType, isFloat, isInteger, isSigned } from '../src/ir/type.js';

/** The values an expression can take, and whether all of them are whole numbers. */
export interface Values {
  readonly low: number;
  readonly high: number;
  readonly whole: boolean;
}

const anything: Values = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, whole: false };

/** The smallest and largest value of an integer type of at most 32 bits. */
export function limits(t: DType): readonly [number, number] | undefined {
  if (!isInteger(t) || bitsOf[t] > 32) return undefined;
  const bits = bitsOf[t];
  return isSigned(t) ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

const between = (low: number, high: number, whole: boolean): Values => ({ low, high, whole });

/** What is known of an expression's values, in f32 arithmetic and without regard to NaN. */
export function valuesOf(e: Expr, operands: readonly DType[]): Values {
  switch (e.kind) {
    case 'in': {
      const range = limits(operands[e.index]!);
      return range ? between(...range, true) : anything;
    }
    case 'const': {
      const v = Number(e.value);
      return between(v, v, Number.isInteger(v));
    }
    case 'cast': {
      const v = valuesOf(e.arg, operands);
      if (isFloat(e.to)) return v;
      const range = limits(e.to);
      if (!range) return anything;
      return v.low >= range[0] && v.high <= range[1]
        ? between(Math.trunc(v.low), Math.trunc(v.high), true)
        : between(...range, true);
    }
    case 'call':
      return ofCall(
        e.fn,
        e.args.map((a) => valuesOf(a, operands)),
      );
    default:
      return e satisfies never;
  }
}

function ofCall(fn: string, [a, b]: readonly Values[]): Values {
  switch (fn) {
    case 'add':
      return between(a!.low + b!.low, a!.high + b!.high, a!.whole && b!.whole);
    case 'sub':
      return between(a!.low - b!.high, a!.high - b!.low, a!.whole && b!.whole);
    case 'neg':
      return between(-a!.high, -a!.low, a!.whole);
    case 'min':
      return between(Math.min(a!.low, b!.low), Math.min(a!.high, b!.high), a!.whole && b!.whole);
    case 'max':
      return between(Math.max(a!.low, b!.low), Math.max(a!.high, b!.high), a!.whole && b!.whole);
    case 'round':
    case 'floor':
    case 'ceil':
    case 'trunc':
      return between(a!.low - 1, a!.high + 1, true);
    default:
      return anything;
  }
}

/** Whole numbers up to here are exact in f32, and so are their sums. */
export const isSmallWhole = ({ low, high, whole }: Values): boolean =>
  whole && low >= -(2 ** 22) && high <= 2 ** 22;
