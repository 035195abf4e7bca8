import { CompileError } from '../support/diagnostic.js';
import { bitsOf, type DType, isFloat, isInteger, isSigned } from './type.js';

/**
 * A pure scalar expression over the operands of a pointwise node, an epilogue or a reduction body.
 * Every constant has a type; the type of a call follows from its row in `scalarFunctions`.
 */
export type Expr =
  | { readonly kind: 'in'; readonly index: number }
  | { readonly kind: 'const'; readonly value: number | bigint; readonly dtype: DType }
  | { readonly kind: 'cast'; readonly to: DType; readonly saturate: boolean; readonly arg: Expr }
  | { readonly kind: 'call'; readonly fn: ScalarFunction; readonly args: readonly Expr[] };

interface Row {
  readonly arity: number;
  /** bool: a truth value; last: the type of the last argument (select); otherwise that of the first. */
  readonly result?: 'bool' | 'last';
  /** What it computes, in double precision, for tests and documentation. Integer semantics where they differ are in `meaning`. */
  readonly meaning: string;
  /** Element types it takes. */
  readonly takes: 'float' | 'number' | 'integer' | 'bool' | 'any';
  /** Largest error of the generated code in units in the last place of the result, for f32. 0 is correctly rounded. */
  readonly ulp: number;
}

const row = (
  arity: number,
  takes: Row['takes'],
  meaning: string,
  ulp = 0,
  result?: 'bool' | 'last',
): Row => ({ arity, takes, meaning, ulp, ...(result ? { result } : {}) });

/** The one table of scalar functions. Spellings per target are in codegen, keyed by these names. */
export const scalarFunctions = {
  add: row(2, 'number', 'a + b; integers wrap'),
  sub: row(2, 'number', 'a - b; integers wrap'),
  mul: row(2, 'number', 'a * b; integers wrap'),
  div: row(2, 'number', 'a / b; integers truncate towards zero'),
  mod: row(2, 'number', 'a - b * floor(a / b), the sign of b'),
  fmod: row(2, 'number', 'a - b * trunc(a / b), the sign of a'),
  pow: row(2, 'number', 'a to the power b', 4),
  min: row(2, 'number', 'the smaller; NaN if either is'),
  max: row(2, 'number', 'the larger; NaN if either is'),
  neg: row(1, 'number', '-a'),
  abs: row(1, 'number', '|a|'),
  sign: row(1, 'number', '-1, 0 or 1'),
  reciprocal: row(1, 'float', '1 / a'),
  sqrt: row(1, 'float', 'square root'),
  rsqrt: row(1, 'float', '1 / sqrt(a)', 2),
  exp: row(1, 'float', 'e to the power a', 2),
  expm1: row(1, 'float', 'exp(a) - 1', 2),
  log: row(1, 'float', 'natural logarithm', 2),
  log1p: row(1, 'float', 'log(1 + a)', 3),
  sin: row(1, 'float', 'sine', 2),
  cos: row(1, 'float', 'cosine', 2),
  tan: row(1, 'float', 'tangent', 4),
  asin: row(1, 'float', 'arc sine', 4),
  acos: row(1, 'float', 'arc cosine', 4),
  atan: row(1, 'float', 'arc tangent', 4),
  sinh: row(1, 'float', 'hyperbolic sine', 4),
  cosh: row(1, 'float', 'hyperbolic cosine', 4),
  tanh: row(1, 'float', 'hyperbolic tangent', 4),
  asinh: row(1, 'float', 'inverse hyperbolic sine', 4),
  acosh: row(1, 'float', 'inverse hyperbolic cosine', 4),
  atanh: row(1, 'float', 'inverse hyperbolic tangent', 4),
  erf: row(1, 'float', 'error function', 4),
  sigmoid: row(1, 'float', '1 / (1 + exp(-a))', 4),
  softplus: row(1, 'float', 'log(1 + exp(a))', 4),
  ceil: row(1, 'float', 'smallest integer not below a'),
  floor: row(1, 'float', 'largest integer not above a'),
  round: row(1, 'float', 'nearest integer, ties to even'),
  trunc: row(1, 'float', 'integer part'),
  isnan: row(1, 'float', 'a is NaN', 0, 'bool'),
  isinf: row(1, 'float', 'a is infinite', 0, 'bool'),
  eq: row(2, 'any', 'a == b', 0, 'bool'),
  ne: row(2, 'any', 'a != b', 0, 'bool'),
  lt: row(2, 'number', 'a < b', 0, 'bool'),
  le: row(2, 'number', 'a <= b', 0, 'bool'),
  gt: row(2, 'number', 'a > b', 0, 'bool'),
  ge: row(2, 'number', 'a >= b', 0, 'bool'),
  and: row(2, 'bool', 'a and b', 0, 'bool'),
  or: row(2, 'bool', 'a or b', 0, 'bool'),
  xor: row(2, 'bool', 'a differs from b', 0, 'bool'),
  not: row(1, 'bool', 'not a', 0, 'bool'),
  bitand: row(2, 'integer', 'bits of both'),
  bitor: row(2, 'integer', 'bits of either'),
  bitxor: row(2, 'integer', 'bits of one'),
  bitnot: row(1, 'integer', 'complement'),
  shl: row(2, 'integer', 'a shifted left by b bits; 0 when b is the width or more'),
  shr: row(2, 'integer', 'a shifted right by b bits; the sign fills, 0 or -1 when b is the width or more'),
  select: row(3, 'any', 'a ? b : c', 0, 'last'),
} as const satisfies Readonly<Record<string, Row>>;

export type ScalarFunction = keyof typeof scalarFunctions;

export const arg = (index: number): Expr => ({ kind: 'in', index });
export const constant = (value: number | bigint, dtype: DType): Expr => ({ kind: 'const', value, dtype });
export const cast = (to: DType, a: Expr, saturate = true): Expr => ({ kind: 'cast', to, saturate, arg: a });
export const call = (fn: ScalarFunction, ...args: readonly Expr[]): Expr => ({ kind: 'call', fn, args });

/** The element type an expression yields over operands of these types. Throws when it is ill-typed. */
export function typeOfExpr(e: Expr, operands: readonly DType[]): DType {
  switch (e.kind) {
    case 'in': {
      const t = operands[e.index];
      if (t === undefined) throw new CompileError('bad-expression', `operand ${e.index} does not exist`);
      return t;
    }
    case 'const':
      if (!holds(e.dtype, e.value))
        throw new CompileError('type-mismatch', `${e.value} is not a value of ${e.dtype}`);
      return e.dtype;
    case 'cast':
      typeOfExpr(e.arg, operands);
      return e.to;
    case 'call':
      return typeOfCall(
        e.fn,
        e.args.map((a) => typeOfExpr(a, operands)),
      );
    default:
      return e satisfies never;
  }
}

/** Operators with fractional constants take floats alone: whatever gives them integers is no model. */
function holds(t: DType, x: number | bigint): boolean {
  if (t === 'bool') return Number(x) === 0 || Number(x) === 1;
  if (!isInteger(t)) return true;
  const [low, high] = isSigned(t) ? [-(2 ** (bitsOf[t] - 1)), 2 ** (bitsOf[t] - 1)] : [0, 2 ** bitsOf[t]];
  return (typeof x === 'bigint' || Number.isInteger(x)) && x >= low && x < high;
}

function typeOfCall(fn: ScalarFunction, types: readonly DType[]): DType {
  const { arity, takes, result }: Row = scalarFunctions[fn];
  if (types.length !== arity)
    throw new CompileError('bad-expression', `${fn} takes ${arity} arguments, not ${types.length}`);
  const checked = fn === 'select' || fn === 'pow' ? types.slice(-1) : types;
  if (fn === 'select' && types[0] !== 'bool')
    throw new CompileError('type-mismatch', `the condition is ${types[0]}, not bool`);
  const same = fn === 'select' ? types.slice(1) : fn === 'pow' ? [] : types;
  for (const t of checked)
    if (!fits(t, takes)) throw new CompileError('type-mismatch', `${fn} does not take ${t}`);
  if (same.some((t) => t !== same[0]))
    throw new CompileError('type-mismatch', `${fn} takes arguments of one type, not ${types.join(' and ')}`);
  return result === 'bool' ? 'bool' : result === 'last' ? types.at(-1)! : types[0]!;
}

const fits = (t: DType, takes: Row['takes']): boolean => {
  switch (takes) {
    case 'float':
      return isFloat(t);
    case 'integer':
      return isInteger(t);
    case 'number':
      return isFloat(t) || isInteger(t);
    case 'bool':
      return t === 'bool';
    case 'any':
      return t !== 'string';
    default:
      return takes satisfies never;
  }
};

/** Replaces operand i by `operands[i]`. */
export function mapOperands(e: Expr, f: (index: number) => Expr): Expr {
  switch (e.kind) {
    case 'in':
      return f(e.index);
    case 'const':
      return e;
    case 'cast':
      return { ...e, arg: mapOperands(e.arg, f) };
    case 'call':
      return { ...e, args: e.args.map((a) => mapOperands(a, f)) };
    default:
      return e satisfies never;
  }
}

/** The number of calls and casts, a measure of the work per element. */
export const costOfExpr = (e: Expr): number =>
  e.kind === 'call'
    ? e.args.reduce((n, a) => n + costOfExpr(a), 1 + Math.ceil(scalarFunctions[e.fn].ulp * 4))
    : e.kind === 'cast'
      ? 1 + costOfExpr(e.arg)
      : 0;

/** The types that values of an expression are rounded to on the way. */
export const castsOf = (e: Expr): readonly DType[] =>
  e.kind === 'call' ? e.args.flatMap(castsOf) : e.kind === 'cast' ? [e.to, ...castsOf(e.arg)] : [];

export function showExpr(e: Expr): string {
  switch (e.kind) {
    case 'in':
      return `$${e.index}`;
    case 'const':
      return `${Object.is(e.value, -0) ? '-0' : e.value}:${e.dtype}`;
    case 'cast':
      return `${e.to}${e.saturate ? '' : '!'}(${showExpr(e.arg)})`;
    case 'call':
      return `${e.fn}(${e.args.map(showExpr).join(', ')})`;
    default:
      return e satisfies never;
  }
}

export const sameExpr = (a: Expr, b: Expr): boolean => showExpr(a) === showExpr(b);
