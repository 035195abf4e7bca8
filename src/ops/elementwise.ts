import { numel, type Shape, sameShape } from '../ir/dim.js';
import { arg, call, constant, type Expr, type ScalarFunction } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { type DType, isFloat } from '../ir/type.js';
import type { Build, SourceNode } from './op.js';
import { reshape } from './reshape.js';

/** What a pointwise operator of a model computes: an expression of values. */
export interface Elementwise {
  readonly inputs: readonly Value[];
  readonly expr: Expr;
}

/** One result, or several. */
export type ElementwiseConverter = (n: SourceNode, b: Build) => Elementwise | readonly Elementwise[];
export type ElementwiseMap = Readonly<Record<string, Readonly<Record<number, ElementwiseConverter>>>>;

/** A constant of an element type, in the form expressions hold it. */
export const num = (x: number, t: DType): Expr =>
  constant((t === 'i64' || t === 'u64') && Number.isInteger(x) ? BigInt(x) : x, t);

export const add = (a: Expr, b: Expr): Expr => call('add', a, b);
export const sub = (a: Expr, b: Expr): Expr => call('sub', a, b);
export const mul = (a: Expr, b: Expr): Expr => call('mul', a, b);
export const div = (a: Expr, b: Expr): Expr => call('div', a, b);
export const max = (a: Expr, b: Expr): Expr => call('max', a, b);
export const min = (a: Expr, b: Expr): Expr => call('min', a, b);
export const select = (c: Expr, a: Expr, b: Expr): Expr => call('select', c, a, b);
export const x = arg(0);
export const y = arg(1);

/** A function of the first input; `k` makes constants of its type. */
export const ofFirst =
  (build: (k: (value: number) => Expr, n: SourceNode) => Expr): ElementwiseConverter =>
  (n) => {
    const v = n.input(0);
    const t = dtypeOf(v);
    return { inputs: [v], expr: build((value) => num(value, t), n) };
  };

/** One scalar function of all inputs, in order. */
export const ofAll =
  (fn: ScalarFunction, arity: number): ElementwiseConverter =>
  (n) => ({
    inputs: Array.from({ length: arity }, (_, i) => n.input(i)),
    expr: call(fn, ...Array.from({ length: arity }, (_, i) => arg(i))),
  });

/** Axes of `small` put where they belong among `rank` axes, from `axis` on, by axes of extent 1. */
export function alignedAt(small: Value, axis: number, rank: number, b: Build): Value {
  const shape = shapeOf(small);
  const after = rank - axis - shape.length;
  if (after <= 0 || shape.length === 0) return small;
  return b(reshape, [small], { shape: [...shape, ...Array.from({ length: after }, () => 1)] });
}

/** Operands of a binary operator before opset 7: the second is broadcast only when asked, from `axis` on. */
export function legacyOperands(n: SourceNode, b: Build): readonly [Value, Value] {
  const [left, right] = [n.input(0), n.input(1)];
  if (n.int('broadcast', 0) === 0 || !n.has('axis')) return [left, right];
  const rank = shapeOf(left).length;
  const axis = n.int('axis');
  return [left, alignedAt(right, axis < 0 ? axis + rank : axis, rank, b)];
}

/** Per-channel values as an operand of a tensor whose channels are `axis`. */
export function channels(v: Value, axis: number, rank: number, b: Build): Value {
  const shape: Shape = [numel(shapeOf(v)), ...Array.from({ length: rank - axis - 1 }, () => 1)];
  return sameShape(shape, shapeOf(v)) ? v : b(reshape, [v], { shape });
}

/**
 * A scalar input: a constant of the expression when it is known, so that it can be fused, else an operand
 * appended to `inputs`.
 */
export function scalarInput(n: SourceNode, v: Value, inputs: Value[], t: DType = dtypeOf(v)): Expr {
  const known = n.content(v);
  if (known?.data.length === 1 && typeof known.data[0] === 'number') return num(known.data[0], t);
  inputs.push(v);
  return arg(inputs.length - 1);
}

/** The extremes of a type, as its smallest and largest finite values. */
export function limitsOf(t: DType): readonly [bigint, bigint] {
  if (isFloat(t)) throw new TypeError(`${t} is not an integer type`);
  const bits = BigInt(t.slice(1));
  return t.startsWith('i') ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
}
