import * as D from '../ir/dim.js';
import type { Expr, ScalarFunction } from '../ir/expr.js';
import { bf16Bits, bf16Value, f16Bits, f16Value } from '../ir/literal.js';
import { type DType, isFloat, isInteger } from '../ir/type.js';

interface Operand {
  readonly dtype: DType;
  readonly value: D.Dim;
}

/**
 * Evaluates an expression on numbers or dims; undefined when the result cannot be known.
 * Integers beyond 2^53 are not known: a Dim holds exact integers only.
 */
export function evaluateExpr(e: Expr, operands: readonly Operand[]): D.Dim | undefined {
  return evaluate(e, operands)?.value;
}

function evaluate(e: Expr, operands: readonly Operand[]): Operand | undefined {
  switch (e.kind) {
    case 'in':
      return operands[e.index];
    case 'const':
      return { dtype: e.dtype, value: Number(e.value) };
    case 'cast': {
      const a = evaluate(e.arg, operands);
      return a && castTo(a, e.to);
    }
    case 'call': {
      const args = e.args.map((x) => evaluate(x, operands));
      if (args.some((a) => a === undefined)) return undefined;
      return apply(e.fn, args as readonly Operand[]);
    }
    default:
      return e satisfies never;
  }
}

function castTo({ value, dtype }: Operand, to: DType): Operand | undefined {
  if (typeof value !== 'number')
    return isInteger(to) && isInteger(dtype) && /64|32/.test(to) ? { dtype: to, value } : undefined;
  if (to === 'bool') return { dtype: to, value: value === 0 ? 0 : 1 };
  if (isFloat(to)) return rounded(to, value);
  if (isInteger(to) && /64|32/.test(to) && Number.isFinite(value)) {
    const whole = Math.trunc(value);
    const limit = to.endsWith('64') ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1;
    return Math.abs(whole) <= limit && (to[0] === 'i' || whole >= 0)
      ? { dtype: to, value: whole }
      : undefined;
  }
  return undefined;
}

/** A number as an element of a float type; undefined where the type is not one that literals have. */
function rounded(dtype: DType, value: number): Operand | undefined {
  switch (dtype) {
    case 'f64':
      return { dtype, value };
    case 'f32':
      return { dtype, value: Math.fround(value) };
    case 'f16':
      return { dtype, value: f16Value(f16Bits(value)) };
    case 'bf16':
      return { dtype, value: bf16Value(bf16Bits(value)) };
    default:
      return undefined;
  }
}

const truth = (b: boolean): number => (b ? 1 : 0);

const onDims: Partial<Record<ScalarFunction, (...args: readonly D.Dim[]) => D.Dim | undefined>> = {
  add: (a, b) => D.add(a!, b!),
  sub: (a, b) => D.sub(a!, b!),
  mul: (a, b) => D.mul(a!, b!),
  // Truncation and floor agree where neither side can be negative.
  div: (a, b) => (D.bounds(a!)[0] >= 0 && D.bounds(b!)[0] >= 0 ? D.floordiv(a!, b!) : undefined),
  mod: (a, b) => D.mod(a!, b!),
  min: (a, b) => D.min(a!, b!),
  max: (a, b) => D.max(a!, b!),
  neg: (a) => D.mul(-1, a!),
  eq: (a, b) => D.eq(a!, b!),
  ne: (a, b) => D.sub(1, D.eq(a!, b!)),
  lt: (a, b) => D.lt(a!, b!),
  gt: (a, b) => D.lt(b!, a!),
  le: (a, b) => D.sub(1, D.lt(b!, a!)),
  ge: (a, b) => D.sub(1, D.lt(a!, b!)),
  and: (a, b) => D.mul(a!, b!),
  or: (a, b) => D.max(a!, b!),
  xor: (a, b) => D.sub(1, D.eq(a!, b!)),
  not: (a) => D.sub(1, a!),
  select: (c, a, b) => D.select(c!, a!, b!),
};

const onNumbers: Partial<Record<ScalarFunction, (a: number, b: number, c: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: Math.sqrt,
  reciprocal: (a) => 1 / a,
  sign: Math.sign,
  trunc: Math.trunc,
  ceil: Math.ceil,
  floor: Math.floor,
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt: (a, b) => truth(a < b),
  le: (a, b) => truth(a <= b),
  gt: (a, b) => truth(a > b),
  ge: (a, b) => truth(a >= b),
  select: (c, a, b) => (c !== 0 ? a : b),
};

const truths: ReadonlySet<ScalarFunction> = new Set([
  ...(['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'and', 'or', 'xor', 'not'] as const),
]);

function apply(fn: ScalarFunction, args: readonly Operand[]): Operand | undefined {
  const last = args.at(-1)!.dtype;
  const dtype = truths.has(fn) ? 'bool' : last;
  const values = args.map((a) => a.value);
  if (isFloat(last)) {
    if (!D.isStatic(values)) return undefined;
    const exact = onNumbers[fn]?.(values[0]!, values[1]!, values[2]!);
    if (exact === undefined) return undefined;
    return dtype === 'bool' ? { dtype, value: exact } : rounded(dtype, exact);
  }
  if (fn === 'div' && D.isStatic(values))
    return values[1] === 0 ? undefined : { dtype, value: Math.trunc(values[0]! / values[1]!) };
  if (fn === 'sign' && D.isStatic(values)) return { dtype, value: Math.sign(values[0]!) };
  if (fn === 'abs' && D.isStatic(values)) return { dtype, value: Math.abs(values[0]!) };
  const value = onDims[fn]?.(...values);
  if (value === undefined || (typeof value === 'number' && !Number.isSafeInteger(value))) return undefined;
  return { dtype, value };
}
