import { broadcast, type Dim, type Shape, show } from '../ir/dim.js';
import { arg, call, cast, type Expr, constant as konst } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import { type DType, showType, type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { constant } from './constant.js';
import { epilogueToOnnx, epilogueType, fitsEpilogue } from './epilogue.js';
import { productRequires } from './matmul.js';
import { dynamicQuantizeMatMul, matMulIntegerToFloat, quantisedGemm } from './microsoft-contractions.js';
import { ints } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';

export type MatmulIntegerAttrs = {
  /** The last two axes of B are exchanged. */
  readonly transB: boolean;
  /** Applied to the 32-bit sums ($0) and the inputs after the zero points ($1, …). */
  readonly epilogue?: Expr | undefined;
};

export const isByte = (t: DType): boolean => t === 'i8' || t === 'u8';

/**
 * Products of matrices of 8-bit integers, summed modulo 2^32. Inputs: A, B, A's zero point (one, or one a
 * row as [.., M, 1]) and B's (one, or one a column).
 */
export const matmulInteger: OpDef<MatmulIntegerAttrs> = defineOp({
  name: 'matmul_integer',

  infer: ([a, b, aZero, bZero, ...extras], attrs) => {
    requireBytes([a!, aZero!], [b!, bZero!]);
    const shape = productShape(a!.shape, b!.shape, attrs.transB);
    return epilogueType(tensor('i32', shape), extras, attrs.epilogue);
  },

  requires: ([a, b], { transB }, [out]) =>
    productRequires(a!.shape, b!.shape, { transA: false, transB }, out!.shape),

  onnx: {
    MatMulInteger: { 10: (n, b) => convert(n, b) },
    QLinearMatMul: { 10: quantised },
    'com.microsoft::MatMulIntegerToFloat': { 1: matMulIntegerToFloat },
    'com.microsoft::DynamicQuantizeMatMul': { 1: dynamicQuantizeMatMul },
    'com.microsoft::QGemm': { 1: quantisedGemm },
  },

  toOnnx: (node, inputs, e) => {
    const [a, b, aZero, bZero] = inputs;
    const rank = shapeOf(node.inputs[1]!).length;
    const perm = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
    const right = node.attrs.transB ? e.one('Transpose', [b], { perm: ints(perm) }) : b;
    const point = (name: string | undefined, v: Value): string | undefined =>
      shapeOf(v).every((d) => d === 1) ? e.one('Reshape', [name, e.constant('i64', [0], [])]) : name;
    const sums = e.one('MatMulInteger', [
      a,
      right,
      point(aZero, node.inputs[2]!),
      point(bZero, node.inputs[3]!),
    ]);
    return epilogueToOnnx(node, 4, sums, 'i32', inputs, e);
  },
});

export function requireBytes(...pairs: readonly (readonly [TensorType, TensorType])[]): void {
  for (const [t, zero] of pairs)
    if (!isByte(t.dtype) || zero.dtype !== t.dtype)
      throw new CompileError('type-mismatch', `${showType(t)} with a zero point ${showType(zero)}`);
}

function productShape(a: Shape, b: Shape, transB: boolean): Shape {
  if (a.length < 2 || b.length < 2)
    throw new CompileError('bad-shape', 'matmul takes tensors of at least two axes');
  const [inner, outer] = transB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  const k: Dim = a.at(-1)!;
  if (typeof k === 'number' && typeof inner === 'number' && k !== inner)
    throw new CompileError('bad-shape', `a product over ${show(k)} and ${show(inner)} elements`);
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  if (!batch) throw new CompileError('bad-broadcast', 'the batch axes of a product do not broadcast');
  return [...batch, a.at(-2)!, outer];
}

export const zeroPoint = (b: Build, v: Value | undefined, like: Value): Value =>
  v ?? b(constant, [], { value: scalarLiteral(dtypeOf(like), 0) });

/** A value for each row of a matrix as a column. */
export const asRows = (b: Build, v: Value): Value => {
  const shape = shapeOf(v);
  return shape.length === 1 && shape[0] !== 1 ? b(reshape, [v], { shape: [shape[0]!, 1] }) : v;
};

export interface Quantised {
  readonly extras: readonly Value[];
  readonly epilogue: Expr;
}

function convert(n: SourceNode, b: Build): Value {
  const [x, y] = [n.input(0), n.input(1)];
  const points = [asRows(b, zeroPoint(b, n.optional(2), x)), zeroPoint(b, n.optional(3), y)] as const;
  return byteProduct(n, b, [x, y], points);
}

/** A product of matrices of bytes and what follows it: in the epilogue where the operands surely fit. */
export function byteProduct(
  n: SourceNode,
  b: Build,
  [x, y]: readonly [Value, Value],
  points: readonly [Value, Value],
  then?: Quantised,
  transB = false,
): Value {
  if (shapeOf(x).length < 2 || shapeOf(y).length < 2) n.decline('a product of quantised vectors is rare');
  const attrs = { transB };
  if (!then) return b(matmulInteger, [x, y, ...points], attrs);
  const out = productShape(shapeOf(x), shapeOf(y), transB);
  if (then.extras.every((v) => fitsEpilogue(out, shapeOf(v))))
    return b(matmulInteger, [x, y, ...points, ...then.extras], { ...attrs, epilogue: then.epilogue });
  const sums = b(matmulInteger, [x, y, ...points], attrs);
  return b(pointwise, [sums, ...then.extras], { expr: then.epilogue });
}

export const multiplied = (b: Build, x: Value, y: Value): Value =>
  b(pointwise, [x, y], { expr: call('mul', arg(0), arg(1)) });

function quantised(n: SourceNode, b: Build): Value {
  const [x, y] = [n.input(0), n.input(3)];
  const points = [asRows(b, n.input(2)), n.input(5)] as const;
  if (!isByte(dtypeOf(x)) || !isByte(dtypeOf(y)))
    n.decline(`products of ${dtypeOf(x)} are not quantised ones`);
  const scales = [asRows(b, n.input(1)), n.input(4), asRows(b, n.input(6))];
  const zero = asRows(b, n.input(7));
  return byteProduct(n, b, [x, y], points, {
    extras: [multiplier(b, scales), zero],
    epilogue: requantise(call('mul', cast('f32', arg(0)), arg(1)), arg(2), dtypeOf(zero)),
  });
}

/** xScale * wScale / yScale in f32, where the sums are requantised. */
export function multiplier(b: Build, scales: readonly Value[]): Value {
  const t = dtypeOf(scales[0]!);
  const value = call('div', call('mul', arg(0), arg(1)), arg(2));
  return b(pointwise, scales, { expr: t === 'f32' ? value : cast('f32', value) });
}

/** x rounded to an 8-bit integer around a zero point. */
export function requantise(x: Expr, zero: Expr, to: DType): Expr {
  const [low, high] = to === 'u8' ? [0, 255] : [-128, 127];
  const shifted = call('add', call('round', x), cast('f32', zero));
  return cast(to, call('min', call('max', shifted, konst(low, 'f32')), konst(high, 'f32')));
}
