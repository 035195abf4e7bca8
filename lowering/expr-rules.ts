import { call, type Expr, type ScalarFunction, sameExpr } from '../src/ir/expr.js';
import { type DType, isFloat, isSigned } from '../src/ir/type.js';
import { type CallOf, is, isCall, num, numberOf, type Rule } from './expr-terms.js';
import { cancelled, requantised, shiftedBounds, unreached } from './whole-number-rules.js';
import { valuesOf } from './whole-numbers.js';

const powerOfTwo = (x: number): boolean =>
  x !== 0 && Number.isFinite(x) && Number.isInteger(Math.log2(Math.abs(x)));
const isNormal = (x: number, t: DType): boolean => {
  const smallest = t === 'f64' ? 2 ** -1022 : t === 'f16' ? 2 ** -14 : 2 ** -126;
  const largest = t === 'f64' ? Number.MAX_VALUE : t === 'f16' ? 65504 : 3.3e38;
  return Math.abs(x) >= smallest && Math.abs(x) <= largest;
};

/** A value that is never below zero nor a negative zero; it may be NaN. */
function isPositiveZeroOrMore(e: Expr): boolean {
  if (e.kind === 'const') return Number(e.value) > 0 || is(e, 0);
  if (e.kind !== 'call') return false;
  switch (e.fn) {
    case 'exp':
    case 'sigmoid':
    case 'abs':
    case 'softplus':
      return true;
    case 'max':
      return e.args.some((a) => Number(numberOf(a)) > 0);
    case 'mul':
      return sameExpr(e.args[0]!, e.args[1]!) || e.args.every(isPositiveZeroOrMore);
    case 'add':
    case 'min':
      return e.args.every(isPositiveZeroOrMore);
    case 'sqrt':
      return isPositiveZeroOrMore(e.args[0]!);
    default:
      return false;
  }
}

/** A product of two constants where one is a power of two, so that no rounding changes. */
function scaled(x: Expr, c: Expr, t: DType): Expr | undefined {
  const [a, b] = [numberOf(isCall(x, 'mul') ? x.args[1]! : undefined), numberOf(c)];
  if (a === undefined || b === undefined || !isCall(x, 'mul') || !(powerOfTwo(a) || powerOfTwo(b)))
    return undefined;
  return isNormal(a * b, t) ? call('mul', x.args[0]!, num(a * b, t)) : undefined;
}

/** A bound that nothing passes. */
const neutral =
  (bound: number): Rule =>
  ([x, c]) =>
    is(c, bound) ? x : undefined;

/** min(min(x, a), b) and max(max(x, a), b): one bound is enough. */
const nested =
  (fn: 'min' | 'max'): Rule =>
  ([x, c], [t]) => {
    const outer = numberOf(c);
    if (outer === undefined || !isCall(x!, fn)) return undefined;
    const inner = numberOf(x.args[1]);
    if (inner === undefined || Number.isNaN(inner + outer)) return undefined;
    return call(fn, x.args[0]!, num(Math[fn](inner, outer), t!));
  };

const first =
  (...candidates: readonly Rule[]): Rule =>
  (args, types, operands) => {
    for (const c of candidates) {
      const out = c(args, types, operands);
      if (out) return out;
    }
    return undefined;
  };

/** 1 / (1 + exp(-x)). */
function sigmoidOf(denominator: Expr): Expr | undefined {
  if (!isCall(denominator, 'add') || !is(denominator.args[1], 1)) return undefined;
  const exp = denominator.args[0]!;
  if (!isCall(exp, 'exp') || !isCall(exp.args[0]!, 'neg')) return undefined;
  return call('sigmoid', exp.args[0].args[0]!);
}

/** 0.5 x (1 + tanh(u)), however it is bracketed, is x sigmoid(2 u). */
function halfOnePlusTanh(args: readonly Expr[], t: DType): Expr | undefined {
  const factors = args.flatMap((a) => (isCall(a, 'mul') ? a.args : [a]));
  const half = factors.find((f) => is(f, 0.5));
  const curve = factors.find((f) => isCall(f, 'add') && isCall(f.args[0]!, 'tanh') && is(f.args[1], 1)) as
    | Extract<Expr, { kind: 'call' }>
    | undefined;
  if (!half || !curve || !isFloat(t)) return undefined;
  const u = (curve.args[0] as CallOf<'tanh'>).args[0]!;
  const s = call('sigmoid', call('mul', u, num(2, t)));
  const rest = factors.filter((f) => f !== half && f !== curve);
  return rest.length === 0
    ? s
    : call(
        'mul',
        rest.reduce((a, b) => call('mul', a, b)),
        s,
      );
}

/** What makes a call simpler, by its function. Constants are on the right of what commutes. */
export const rules: Partial<Record<ScalarFunction, Rule>> = {
  round: first(requantised, ([a], _, operands) => (valuesOf(a!, operands).whole ? a : undefined)),
  add: first(cancelled('sub'), ([a, b], [t]) => {
    // x + 0 turns -0 into 0, so for floats only -0 is neutral.
    if (isFloat(t!) ? is(b, -0) : is(b, 0)) return a;
    if (isCall(b!, 'neg')) return call('sub', a!, b.args[0]!);
    if (isCall(a!, 'neg') && b!.kind !== 'const') return call('sub', b!, a.args[0]!);
    return isPositiveZeroOrMore(a!) && is(b, 0) ? a : undefined;
  }),
  sub: first(cancelled('add'), shiftedBounds, ([a, b]) => {
    if (is(b, 0)) return a;
    return isCall(b!, 'neg') ? call('add', a!, b.args[0]!) : undefined;
  }),
  mul: ([a, b], [t]) => {
    if (is(b, 1)) return a;
    if (is(b, -1) && (isFloat(t!) || isSigned(t!))) return call('neg', a!);
    return isFloat(t!) ? (scaled(a!, b!, t!) ?? halfOnePlusTanh([a!, b!], t!)) : undefined;
  },
  div: ([a, b], [t]) => {
    if (is(b, 1)) return a;
    if (!isFloat(t!)) return undefined;
    const by = numberOf(b);
    if (by !== undefined && powerOfTwo(by) && isNormal(1 / by, t!)) return call('mul', a!, num(1 / by, t!));
    return is(a, 1) ? call('reciprocal', b!) : undefined;
  },
  reciprocal: ([a]) => {
    if (isCall(a!, 'sqrt')) return call('rsqrt', a.args[0]!);
    return sigmoidOf(a!);
  },
  neg: ([a]) => (isCall(a!, 'neg') ? a.args[0] : undefined),
  abs: ([a]) => {
    if (isCall(a!, 'neg')) return call('abs', a.args[0]!);
    return isPositiveZeroOrMore(a!) ? a : undefined;
  },
  pow: ([a, b], [t]) => {
    const power = numberOf(b);
    if (power === undefined) return undefined;
    if (power === 1) return a;
    if (power === 2) return call('mul', a!, a!);
    if (power === 3) return call('mul', call('mul', a!, a!), a!);
    if (!isFloat(t!)) return undefined;
    if (power === -1) return call('reciprocal', a!);
    // pow and sqrt differ at -0 and minus infinity.
    if (power === 0.5 && isPositiveZeroOrMore(a!)) return call('sqrt', a!);
    return power === -0.5 && isPositiveZeroOrMore(a!) ? call('rsqrt', a!) : undefined;
  },
  min: first(neutral(Number.POSITIVE_INFINITY), unreached('min'), nested('min'), ([x, c], [t]) => {
    // min(max(min(x, a), b), c) with b <= c.
    if (numberOf(c) === undefined || !isCall(x!, 'max')) return undefined;
    const [inner, low] = [x.args[0]!, x.args[1]!];
    const highest = numberOf(isCall(inner, 'min') ? inner.args[1] : undefined);
    if (highest === undefined || !isCall(inner, 'min') || !(numberOf(low)! <= numberOf(c)!)) return undefined;
    return call('max', call('min', inner.args[0]!, num(Math.min(highest, numberOf(c)!), t!)), low);
  }),
  max: first(neutral(Number.NEGATIVE_INFINITY), unreached('max'), nested('max'), ([x, c]) => {
    const low = numberOf(c);
    if (low !== undefined && low <= 0 && isPositiveZeroOrMore(x!)) return x;
    // max(min(x, a), b) bounded by b already.
    return low !== undefined &&
      isCall(x!, 'min') &&
      isCall(x.args[0]!, 'max') &&
      is(x.args[0].args[1], low) &&
      numberOf(x.args[1])! >= low
      ? x
      : undefined;
  }),
  not: ([a]) => {
    if (isCall(a!, 'not')) return a.args[0];
    if (isCall(a!, 'eq')) return call('ne', ...a.args);
    return isCall(a!, 'ne') ? call('eq', ...a.args) : undefined;
  },
  and: ([a, b]) => (is(b, 1) ? a : sameExpr(a!, b!) ? a : undefined),
  or: ([a, b]) => (is(b, 0) ? a : sameExpr(a!, b!) ? a : undefined),
  select: ([c, a, b]) => {
    if (c!.kind === 'const') return is(c, 0) ? b : a;
    return sameExpr(a!, b!) ? a : undefined;
  },
};
