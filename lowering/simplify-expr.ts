import { call, constant, type Expr, type ScalarFunction, typeOfExpr } from '../src/ir/expr.js';
import { bitsOf, type DType, isFloat, isInteger, isSigned } from '../src/ir/type.js';
import { evaluateExpr } from '../src/ops/evaluate-expr.js';
import { rules } from './expr-rules.js';
import { limits, valuesOf } from './whole-numbers.js';

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
