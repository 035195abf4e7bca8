import { type Expr, type ScalarFunction, typeOfExpr } from '../src/ir/expr.js';
import { bitsOf, type DType, isFloat, isInteger, isSigned } from '../src/ir/type.js';
import { Cpp, cpp, ctype, integer, join, number } from './cpp.js';

/** Functions with an operator of their own in C++, where the arguments are floating-point. */
const operators: Partial<Record<ScalarFunction, string>> = {
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
};

/** Types a kernel computes narrow floats in. */
export const computeType = (t: DType): DType => (isFloat(t) && t !== 'f64' ? 'f32' : t);

export interface ScalarText {
  /** Text of operand i, already in its compute type. */
  operand(i: number): Cpp;
  readonly types: readonly DType[];
  /** Name of the vector type when every lane is computed at once; undefined for one element. */
  readonly vector?: Cpp;
  /** Text of a floating-point constant that is not spelt out, for kernels that share their text. */
  constant?(value: number): Cpp | undefined;
  /** A shorter text of a call that is as good where this is computed. */
  shorter?(e: Call, text: (part: Expr) => Cpp): Cpp | undefined;
}

export type Call = Extract<Expr, { readonly kind: 'call' }>;

/** An expression as C++ over `ait::fn`, for one element or for a vector of f32. */
export function scalarText(e: Expr, how: ScalarText): Cpp {
  switch (e.kind) {
    case 'in':
      return how.operand(e.index);
    case 'const':
      return constantText(e.value, e.dtype, how);
    case 'cast': {
      const from = typeOfExpr(e.arg, how.types);
      const a = scalarText(e.arg, how);
      if (how.vector && isLoad(e, how.types)) return a;
      if (computeType(e.to) === computeType(from) && computeType(e.to) === e.to) return a;
      const round = isFloat(e.to) && computeType(e.to) !== e.to;
      // A narrow float is rounded to, then computed with in f32.
      if (round) {
        const type = e.to === 'f4e2m1' ? cpp`ait::f4e2m1` : ctype[e.to];
        return cpp`ait::fn::round_to<${type}>(ait::fn::cast<float>(${a}), ${flag(e.saturate)})`;
      }
      if (bitsOf[e.to] < 8) return lowBits(cpp`ait::fn::cast<int32_t>(${a})`, e.to);
      return cpp`ait::fn::cast<${ctype[e.to]}>(${a})`;
    }
    case 'call': {
      const shorter = how.shorter?.(e, (part) => scalarText(part, how));
      if (shorter) return shorter;
      const args = e.args.map((x) => scalarText(x, how));
      const type = typeOfExpr(e.args.at(-1)!, how.types);
      const op = operators[e.fn];
      if (op !== undefined && isFloat(type)) return cpp`(${args[0]} ${new Cpp(op)} ${args[1]})`;
      return cpp`ait::fn::${new Cpp(spelling[e.fn] ?? e.fn)}(${join(args, ', ')})`;
    }
    default:
      return e satisfies never;
  }
}

/** An int32_t as the integer of less than 8 bits that its low bits are. */
function lowBits(x: Cpp, t: DType): Cpp {
  const bits = bitsOf[t];
  return isSigned(t)
    ? cpp`(static_cast<int32_t>(static_cast<uint32_t>(${x}) << ${32 - bits}) >> ${32 - bits})`
    : cpp`(${x} & ${(1 << bits) - 1})`;
}

/** Names that are C++ keywords or alternative tokens. */
const spelling: Partial<Record<ScalarFunction, string>> = {
  and: 'logical_and',
  or: 'logical_or',
  xor: 'logical_xor',
  not: 'logical_not',
  bitand: 'bit_and',
  bitor: 'bit_or',
  bitxor: 'bit_xor',
  bitnot: 'bit_not',
};

const flag = (b: boolean): Cpp => new Cpp(String(b));

function constantText(value: number | bigint, dtype: DType, { vector, constant }: ScalarText): Cpp {
  if (vector && dtype === 'bool')
    return cpp`ait::splat<ait::Like<${vector}, int32_t>>(${new Cpp(value ? '-1' : '0')})`;
  const isF32 = isFloat(dtype) && computeType(dtype) === 'f32';
  const shared = isF32 ? constant?.(Number(value)) : undefined;
  const text = shared ?? (isFloat(dtype) ? number(Number(value), computeType(dtype)) : integer(value, dtype));
  return vector && isFloat(dtype) ? cpp`ait::splat<${vector}>(${text})` : text;
}

/** Floats of at most 32 bits that vectors load and store. */
const isNarrow = (t: DType): boolean => isFloat(t) && computeType(t) === 'f32' && t !== 'f8e8m0';
const lanes = (t: DType): boolean => isNarrow(t) || t === 'bool';

/** What vectors compute of an expression when storing its result does the last cast. */
export const storedBy = (e: Expr, types: readonly DType[]): Expr =>
  e.kind === 'cast' && isNarrowInteger(e.to) && isNarrow(typeOfExpr(e.arg, types)) ? e.arg : e;

const isNarrowInteger = (t: DType): boolean => isInteger(t) && bitsOf[t] >= 8 && bitsOf[t] <= 32;

/** An integer operand that loading it turns into f32. */
const isLoad = (e: Expr, types: readonly DType[]): boolean =>
  e.kind === 'cast' && e.to === 'f32' && e.arg.kind === 'in' && isNarrowInteger(types[e.arg.index]!);

/**
 * Whether an expression can be computed on vectors of f32: operands are narrow floats, truth values and
 * integers that are cast at once; so is the result.
 */
export function isVector(e: Expr, types: readonly DType[]): boolean {
  const inner = (x: Expr): boolean => {
    if (isLoad(x, types)) return true;
    if (!lanes(typeOfExpr(x, types))) return false;
    switch (x.kind) {
      case 'in':
      case 'const':
        return true;
      case 'cast':
        return inner(x.arg);
      case 'call':
        return x.args.every(inner);
      default:
        return x satisfies never;
    }
  };
  // Storing an 8-bit float always saturates, which a cast may not want.
  return !typeOfExpr(e, types).startsWith('f8') && inner(storedBy(e, types));
}
