import { arg, cast, type Expr, constant as konst } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { scalarLiteral } from '../../ir/literal.js';
import { bitsOf, type DType, isFloat, isInteger, isUnsigned } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { constant, dims } from '../constant.js';
import { limitsOf } from '../elementwise.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import type { AtenNode } from './aten-node.js';

/** A number as an element of a type; whole numbers of 64 bits stay exact. */
export function numberOf(x: number | bigint, t: DType): Expr {
  if (t === 'i64' || t === 'u64') return konst(typeof x === 'bigint' ? x : BigInt(Math.trunc(x)), t);
  if (t === 'bool') return konst(Number(x) === 0 ? 0 : 1, t);
  const value = Number(x);
  return konst(isInteger(t) ? Math.trunc(value) : value, t);
}

/** The end of a type's range; floating types have infinities. */
export function limit(t: DType, end: 'lowest' | 'highest'): Expr {
  if (t === 'bool') return konst(end === 'lowest' ? 0 : 1, t);
  if (isFloat(t)) return konst(end === 'lowest' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY, t);
  const value = limitsOf(t)[end === 'lowest' ? 0 : 1];
  return konst(bitsOf[t] === 64 ? value : Number(value), t);
}

/** Collects the operands of a pointwise node; numbers become constants of its expression. */
export class Operands {
  readonly inputs: Value[] = [];

  constructor(
    private readonly n: AtenNode,
    private readonly b: Build,
  ) {}

  /** The argument as an element of a type. */
  get(name: string, t: DType, fallback?: number): Expr {
    const { n, b } = this;
    if (!n.has(name) && fallback !== undefined) return numberOf(fallback, t);
    if (n.scalarKind(name) === undefined) return this.value(n.tensor(name), t);
    if (n.scalarKind(name) !== 'int') return numberOf(n.number(name), t);
    const d = n.dim(name);
    if (typeof d === 'number') return numberOf(n.number(name), t);
    return this.value(b(dims, [], { dims: [d], dtype: 'i64', shape: [] }), t);
  }

  value(v: Value, t: DType): Expr {
    this.inputs.push(v);
    const e = arg(this.inputs.length - 1);
    return dtypeOf(v) === t ? e : cast(t, e);
  }

  make(expr: Expr): Value {
    return this.b(pointwise, this.inputs, { expr });
  }
}

const rank = (t: DType): number => (t === 'bool' ? 0 : isInteger(t) ? 1 : 2);

function wider(a: DType, b: DType): DType {
  if (a === b) return a;
  if (rank(a) !== rank(b)) return rank(a) > rank(b) ? a : b;
  if (bitsOf[a] === bitsOf[b])
    return isFloat(a) ? 'f32' : isUnsigned(a) || isUnsigned(b) ? signedBeyond(a) : a;
  const [small, large] = bitsOf[a] < bitsOf[b] ? [a, b] : [b, a];
  return isUnsigned(large) && !isUnsigned(small) ? signedBeyond(large) : large;
}

const signedBeyond = (t: DType): DType => (bitsOf[t] === 8 ? 'i16' : bitsOf[t] === 16 ? 'i32' : 'i64');

/** The type in which PyTorch compares two operands: scalars and tensors without axes only lend their category. */
export function promoted(n: AtenNode, names: readonly string[]): DType {
  let full: DType | undefined;
  let weak: DType | undefined;
  for (const name of names) {
    const kind = n.scalarKind(name);
    if (kind !== undefined) {
      const t = kind === 'bool' ? 'bool' : kind === 'int' ? 'i64' : 'f32';
      weak = weak === undefined ? t : wider(weak, t);
      continue;
    }
    const v = n.tensor(name);
    const t = dtypeOf(v);
    if (shapeOf(v).length > 0) full = full === undefined ? t : wider(full, t);
    else weak = weak === undefined ? t : wider(weak, t);
  }
  if (full === undefined) return weak ?? 'f32';
  return weak !== undefined && rank(weak) > rank(full) ? weak : full;
}

/** An argument as a tensor of a type. */
export function tensorOperand(n: AtenNode, b: Build, name: string, t: DType): Value {
  if (n.scalarKind(name) === undefined) return castTo(b, n.tensor(name), t);
  if (n.scalarKind(name) === 'int') {
    const d = n.dim(name);
    if (typeof d !== 'number') return castTo(b, b(dims, [], { dims: [d], dtype: 'i64', shape: [] }), t);
  }
  return scalarValue(b, n.number(name), t);
}

export const scalarValue = (b: Build, x: number | bigint, t: DType): Value =>
  b(constant, [], { value: scalarLiteral(t, t === 'bool' ? Number(Number(x) !== 0) : x) });

/** Indices in a type that operators take. */
export const wholeIndex = (b: Build, v: Value): Value => (dtypeOf(v) === 'i32' ? v : castTo(b, v, 'i64'));

export const one = (b: Build, x: Value, expr: Expr): Value => b(pointwise, [x], { expr });
