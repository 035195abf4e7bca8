import type { Expr, ScalarFunction } from '../src/ir/expr.js';
import { isFloat } from '../src/ir/type.js';

type Real = (a: number, b: number, c: number) => number;

const functions: Partial<Record<ScalarFunction, Real>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  reciprocal: (a) => 1 / a,
  sqrt: (a) => Math.sqrt(a),
  rsqrt: (a) => 1 / Math.sqrt(a),
  exp: (a) => Math.exp(a),
  log: (a) => Math.log(a),
  tanh: (a) => Math.tanh(a),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  isnan: (a) => (Number.isNaN(a) ? 1 : 0),
  select: (c, a, b) => (c !== 0 ? a : b),
};

/** An expression in double precision; NaN where it uses a function that is not known here. */
function evaluateAt(e: Expr, operands: readonly number[]): number {
  switch (e.kind) {
    case 'in':
      return operands[e.index] ?? Number.NaN;
    case 'const':
      return Number(e.value);
    case 'cast':
      return isFloat(e.to) ? evaluateAt(e.arg, operands) : Number.NaN;
    case 'call': {
      const f = functions[e.fn];
      const [a, b, c] = e.args.map((x) => evaluateAt(x, operands));
      return f ? f(a!, b ?? 0, c ?? 0) : Number.NaN;
    }
    default:
      return e satisfies never;
  }
}

/** Points that no accidental identity holds at: positive and negative, in no simple relation. */
const points = Array.from({ length: 12 }, (_, i) =>
  Array.from({ length: 6 }, (_, k) => (k % 2 === 0 ? 1 : -1) * (0.31 + ((i * 7 + k * 13) % 17) * 0.173)),
);

/**
 * Whether an expression is a function, by its values at a number of points. That decides it for sums,
 * products, quotients, powers and roots of few operands, however they are bracketed and ordered. Operands
 * in `positive` are only ever positive.
 */
export const isFunction = (
  e: Expr,
  meaning: (...operands: readonly number[]) => number,
  positive: readonly number[] = [],
): boolean =>
  points.every((p) => {
    const at = p.map((x, i) => (positive.includes(i) ? Math.abs(x) : x));
    const [got, wanted] = [evaluateAt(e, at), meaning(...at)];
    // Constants of models are rounded to f32.
    return Math.abs(got - wanted) <= 1e-6 * Math.abs(wanted) + 1e-9;
  });

/** The numbers an expression mentions. */
export function constantsOf(e: Expr, into = new Set<number>()): ReadonlySet<number> {
  if (e.kind === 'const') into.add(Number(e.value));
  else if (e.kind === 'cast') constantsOf(e.arg, into);
  else if (e.kind === 'call') for (const a of e.args) constantsOf(a, into);
  return into;
}
