import { call, constant, type Expr, type ScalarFunction, sameExpr, typeOfExpr } from '../src/ir/expr.js';
import { bitsOf, type DType, isFloat, isInteger, isSigned } from '../src/ir/type.js';
import { evaluateExpr } from '../src/ops/evaluate-expr.js';
import { isSmallWhole, limits, valuesOf } from './whole-numbers.js';

/**
 * An equal expression with less work: constants folded, neutral operands dropped, casts that cancel removed,
 * powers and clips spelled out, constants on the right of what commutes. Results keep NaN and infinities;
 * where rounding can differ at all it is by an ULP.
 */
export function simplifyExpr(e: Expr, operands: readonly DType[]): Expr {
  switch (e.kind) {
    case 'in':
      return e;
    case 'const':
      return e.dtype === 'f32' ? { ...e, value: Math.fround(Number(e.value)) } : e;
    case 'cast': {
      const arg = simplifyExpr(e.arg, operands);
      return simplerCast({ ...e, arg }, operands) ?? folded({ ...e, arg }, operands) ?? { ...e, arg };
    }
    case 'call': {
      const args = ordered(
        e.fn,
        e.args.map((a) => simplifyExpr(a, operands)),
      );
      const now = call(e.fn, ...args);
      const known = folded(now, operands);
      if (known) return known;
      const types = args.map((a) => typeOfExpr(a, operands));
      const simpler = rules[e.fn]?.(args, types, operands);
      return simpler ? simplifyExpr(simpler, operands) : now;
    }
    default:
      return e satisfies never;
  }
}

const commutative: ReadonlySet<ScalarFunction> = new Set([
  'add',
  'mul',
  'min',
  'max',
  'eq',
  'ne',
  'and',
  'or',
  'xor',
  'bitand',
  'bitor',
  'bitxor',
]);

const ordered = (fn: ScalarFunction, args: readonly Expr[]): readonly Expr[] =>
  commutative.has(fn) && args[0]!.kind === 'const' && args[1]!.kind !== 'const' ? [args[1]!, args[0]!] : args;

const foldable: ReadonlySet<DType> = new Set('f32 f64 i64 i32 i16 i8 u32 u16 u8 bool'.split(' ') as DType[]);

/** Whether a whole number is one of an integer type. */
function inRange(value: number, t: DType): boolean {
  if (!Number.isSafeInteger(value)) return false;
  if (t === 'i64') return true;
  const [low, high] = isSigned(t) ? [-(2 ** (bitsOf[t] - 1)), 2 ** (bitsOf[t] - 1)] : [0, 2 ** bitsOf[t]];
  return value >= low && value < high;
}

/** The value of an expression of constants, where plain numbers hold it exactly. */
function folded(e: Expr, operands: readonly DType[]): Expr | undefined {
  const args = e.kind === 'cast' ? [e.arg] : e.kind === 'call' ? e.args : [];
  if (args.length === 0 || args.some((a) => a.kind !== 'const')) return undefined;
  const types = [...args, e].map((a) => typeOfExpr(a, operands));
  if (types.some((t) => !foldable.has(t))) return undefined;
  const to = types.at(-1)!;
  const value = evaluateExpr(e, []);
  if (typeof value !== 'number' || Number.isNaN(value)) return undefined;
  if (isInteger(to) && !inRange(value, to)) return undefined;
  return constant(to === 'i64' ? BigInt(value) : value, to);
}

const numberOf = (e: Expr | undefined): number | undefined =>
  e?.kind === 'const' ? Number(e.value) : undefined;
const is = (e: Expr | undefined, value: number): boolean => Object.is(numberOf(e), value);
type CallOf<F extends ScalarFunction> = Extract<Expr, { kind: 'call' }> & { readonly fn: F };
const isCall = <F extends ScalarFunction>(e: Expr, fn: F): e is CallOf<F> => e.kind === 'call' && e.fn === fn;
const num = (value: number, t: DType): Expr =>
  constant(t === 'i64' || t === 'u64' ? BigInt(value) : value, t);

/** Whether every value of `from` is a value of `to`. */
export function holds(to: DType, from: DType): boolean {
  if (to === from) return true;
  if (to === 'string' || from === 'string' || to.startsWith('c') || from.startsWith('c')) return false;
  if (from === 'bool') return true;
  if (to === 'bool') return false;
  const precision: Partial<Record<DType, number>> = { f64: 53, f32: 24, f16: 11, bf16: 8 };
  const p = precision[to];
  if (isFloat(from)) {
    if (from.startsWith('f8') || from.startsWith('f4')) return (p ?? 0) >= 24;
    return (p ?? 0) > precision[from]! && !(to === 'f16' || to === 'bf16');
  }
  const width = bitsOf[from] - Number(isSigned(from));
  // f16 has the precision but not the range.
  if (isFloat(to)) return (p ?? 0) >= width && (to !== 'f16' || width < 15);
  return isSigned(to) ? bitsOf[to] - 1 >= width : !isSigned(from) && bitsOf[to] >= width;
}

function simplerCast(e: Extract<Expr, { kind: 'cast' }>, operands: readonly DType[]): Expr | undefined {
  const from = typeOfExpr(e.arg, operands);
  if (from === e.to) return e.arg;
  if (e.arg.kind !== 'cast') return undefined;
  // A whole number that the integer type in between holds comes back as it was.
  const within = limits(e.arg.to);
  if (within && isFloat(e.to) && typeOfExpr(e.arg.arg, operands) === e.to) {
    const { low, high, whole } = valuesOf(e.arg.arg, operands);
    if (whole && low >= within[0] && high <= within[1]) return e.arg.arg;
  }
  // What the inner cast keeps exactly, the outer one can read at once.
  const origin = typeOfExpr(e.arg.arg, operands);
  if (!holds(from, origin)) return undefined;
  return origin === e.to ? e.arg.arg : { ...e, arg: e.arg.arg };
}

/** A simpler expression for a call; `types` are those of its arguments, `operands` those of the node's inputs. */
type Rule = (args: readonly Expr[], types: readonly DType[], operands: readonly DType[]) => Expr | undefined;

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

/** A bound that no value passes, where values are known not to be NaN. */
const unreached =
  (fn: 'min' | 'max'): Rule =>
  ([x, c], _, operands) => {
    const bound = numberOf(c);
    const { low, high, whole } = valuesOf(x!, operands);
    if (bound === undefined || !whole || !Number.isFinite(low + high)) return undefined;
    return (fn === 'min' ? high <= bound : low >= bound) ? x : undefined;
  };

/** (x + c) - c and (x - c) + c for whole numbers, which f32 holds. */
const cancelled =
  (inner: 'add' | 'sub'): Rule =>
  ([x, c], [t], operands) => {
    if (t !== 'f32' || !isCall(x!, inner) || c?.kind !== 'const' || !is(x.args[1], numberOf(c)!))
      return undefined;
    const plain = isSmallWhole(valuesOf(x.args[0]!, operands)) && isSmallWhole(valuesOf(c, operands));
    return plain ? x.args[0] : undefined;
  };

/** min(max(x + c, a), b) - c for whole numbers: the bounds move instead. */
const shiftedBounds: Rule = ([x, c], [t], operands) => {
  const shift = numberOf(c);
  if (t !== 'f32' || shift === undefined || !isCall(x!, 'min') || !isCall(x.args[0]!, 'max'))
    return undefined;
  const [sum, low] = x.args[0].args as [Expr, Expr];
  if (!isCall(sum, 'add') || !is(sum.args[1], shift) || !valuesOf(sum.args[0]!, operands).whole)
    return undefined;
  const bounds = [low, x.args[1]!];
  if (!bounds.every((e) => e.kind === 'const' && isSmallWhole(valuesOf(e, operands)))) return undefined;
  if (!Number.isInteger(shift) || Math.abs(shift) > 2 ** 20) return undefined;
  const [l, h] = bounds.map((e) => num(numberOf(e)! - shift, 'f32'));
  return call('min', call('max', sum.args[0]!, l!), h!);
};

/** round(x * s / s) of a whole number. */
const requantised: Rule = ([q], [t], operands) => {
  if (t !== 'f32' || !isCall(q!, 'div') || !isCall(q.args[0]!, 'mul')) return undefined;
  const [x, by] = q.args[0].args;
  const same = q.args[1]?.kind === 'const' && by?.kind === 'const' && is(by, numberOf(q.args[1])!);
  const scale = Math.abs(numberOf(by) ?? 0);
  return same && scale > 1e-20 && scale < 1e20 && isSmallWhole(valuesOf(x!, operands)) ? x : undefined;
};

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

const rules: Partial<Record<ScalarFunction, Rule>> = {
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
