import { broadcast, type Shape, same, sameShape } from '../ir/dim.js';
import { arg, type Expr, typeOfExpr } from '../ir/expr.js';
import { dtypeOf, type Node, shapeOf, type Value } from '../ir/graph.js';
import { type DType, isFloat, showType, type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import type { OnnxEmitter } from './onnx-emitter.js';
import type { Build } from './op.js';
import { pointwise } from './pointwise.js';
import { exprToOnnx } from './pointwise-to-onnx.js';

/**
 * Where the channels of a tensor with spatial axes lie: NCX second, NXC last. The columns of a matrix
 * product are its last axis, as in NXC.
 */
export type Layout = 'NCX' | 'NXC';

/**
 * How an epilogue reads an operand: one value, one a channel (column), one a row, or one an element of
 * the result in the order of the result.
 */
export type OperandAccess = 'scalar' | 'channel' | 'row' | 'full';

/** How a kernel can read an operand of an epilogue; undefined when it broadcasts in another way. */
export function epilogueOperand(out: Shape, operand: Shape, layout: Layout): OperandAccess | undefined {
  if (operand.length > out.length) return undefined;
  const aligned = [...out.slice(operand.length).map(() => 1), ...operand];
  if (aligned.every((d) => d === 1)) return 'scalar';
  const channel = layout === 'NXC' ? out.length - 1 : 1;
  if (aligned.every((d, i) => (i === channel ? same(d, out[i]!) : d === 1))) return 'channel';
  if (layout === 'NCX') return undefined;
  if (aligned.every((d, i) => (i === channel ? d === 1 : same(d, out[i]!)))) return 'row';
  return sameShape(aligned, out) ? 'full' : undefined;
}

/**
 * The type of a contraction's result. `sums` is what the contraction alone would yield: operand 0 of the
 * epilogue, computed in f32 where it is a narrower float.
 */
export function epilogueType(
  sums: TensorType,
  extras: readonly TensorType[],
  epilogue: Expr | undefined,
): TensorType {
  if (epilogue === undefined) {
    if (extras.length > 0) throw new CompileError('bad-inputs', 'inputs that no epilogue reads');
    return sums;
  }
  for (const t of extras) {
    const shape = broadcast(sums.shape, t.shape);
    if (!shape || !sameShape(shape, sums.shape))
      throw new CompileError('bad-broadcast', `${showType(t)} does not broadcast to ${showType(sums)}`);
  }
  const types = [sums.dtype, ...extras.map((t) => t.dtype)];
  return tensor(typeOfExpr(epilogue, types), sums.shape);
}

/** A shape whose every extent is 1 or certainly that of `out`: it may be an operand of an epilogue. */
export const fitsEpilogue = (out: Shape, shape: Shape): boolean =>
  shape.length <= out.length &&
  shape.every((d, i) => d === 1 || same(d, out[i + out.length - shape.length]!));

/**
 * A contraction with one further operand in its epilogue; a pointwise node behind it where the operand may
 * turn out to broadcast in another way when the model runs.
 */
export const withOperand = (
  b: Build,
  operand: Value,
  epilogue: Expr,
  out: Shape,
  contract: (extras: readonly Value[], epilogue: Expr | undefined) => Value,
): Value =>
  fitsEpilogue(out, shapeOf(operand))
    ? contract([operand], epilogue)
    : b(pointwise, [contract([], undefined), operand], { expr: epilogue });

/** Whether f32 vectors can compute an expression: floats of at most 32 bits, truth values in between. */
export function isVectorExpr(e: Expr, types: readonly DType[]): boolean {
  const narrow = (t: DType): boolean => isFloat(t) && t !== 'f64' && !/^f[48]/.test(t);
  const inner = (x: Expr): boolean => {
    const t = typeOfExpr(x, types);
    switch (x.kind) {
      case 'in':
      case 'const':
        return narrow(t);
      case 'cast':
        return narrow(t) && narrow(typeOfExpr(x.arg, types)) && inner(x.arg);
      case 'call':
        return (narrow(t) || t === 'bool') && x.args.every(inner);
      default:
        return x satisfies never;
    }
  };
  return narrow(typeOfExpr(e, types)) && inner(e);
}

/** Operands of an epilogue over 32-bit sums that are read as 32-bit integers. */
const isSmallInteger = (t: DType): boolean => t === 'i32' || t === 'i8' || t === 'u8';

/** Sums, differences and products of integers of up to 32 bits, computed in 32. */
export function isIntegralExpr(e: Expr, types: readonly DType[]): boolean {
  if (e.kind === 'in') return isSmallInteger(typeOfExpr(e, types));
  if (e.kind === 'cast') return e.to === 'i32' && isIntegralExpr(e.arg, types);
  return (
    e.kind === 'call' &&
    ['add', 'sub', 'mul'].includes(e.fn) &&
    typeOfExpr(e, types) === 'i32' &&
    e.args.every((a) => isIntegralExpr(a, types))
  );
}

/**
 * Whether a contraction of 8-bit integers can apply an expression to its 32-bit sums: integral, or f32 over
 * integral parts, at the end perhaps made an 8-bit integer.
 */
export function isIntegerEpilogue(e: Expr, types: readonly DType[]): boolean {
  if (isIntegralExpr(e, types)) return typeOfExpr(e, types) === 'i32';
  const narrow = (t: DType): boolean => t === 'f32' || t === 'f16' || t === 'bf16';
  const inner = (x: Expr): boolean => {
    const t = typeOfExpr(x, types);
    if (x.kind === 'cast' && t === 'f32' && isIntegralExpr(x.arg, types)) return true;
    switch (x.kind) {
      case 'in':
      case 'const':
        return narrow(t);
      case 'cast':
        return narrow(t) && inner(x.arg);
      case 'call':
        return (narrow(t) || t === 'bool') && x.args.every(inner);
      default:
        return x satisfies never;
    }
  };
  if (e.kind === 'cast' && (e.to === 'u8' || e.to === 'i8')) return inner(e.arg);
  return typeOfExpr(e, types) === 'f32' && inner(e);
}

/** The operand that is added to the sums before anything else is done with them, and what is left to do. */
export function addedFirst(epilogue: Expr): { readonly operand: number; readonly rest: Expr } | undefined {
  let found: number | undefined;
  let sums = 0;
  const isSums = (e: Expr | undefined): boolean => e?.kind === 'in' && e.index === 0;
  const visit = (e: Expr): Expr => {
    if (isSums(e)) sums++;
    if (e.kind === 'cast') return { ...e, arg: visit(e.arg) };
    if (e.kind !== 'call') return e;
    const other = e.fn === 'add' ? e.args.find((_, i) => isSums(e.args[1 - i])) : undefined;
    if (other?.kind !== 'in' || other.index === 0) return { ...e, args: e.args.map(visit) };
    found = other.index;
    sums++;
    return arg(0);
  };
  const rest = visit(epilogue);
  return found !== undefined && sums === 1 ? { operand: found, rest } : undefined;
}

/** Writes a contraction's epilogue behind the operator that computes its sums. */
export function epilogueToOnnx(
  node: Node<{ readonly epilogue?: Expr | undefined }>,
  own: number,
  sums: string,
  sumType: DType,
  inputs: readonly string[],
  e: OnnxEmitter,
  epilogue = node.attrs.epilogue,
): string {
  if (epilogue === undefined || (epilogue.kind === 'in' && epilogue.index === 0)) return sums;
  const types = [sumType, ...node.inputs.slice(own).map(dtypeOf)];
  return exprToOnnx(epilogue, [sums, ...inputs.slice(own)], types, e);
}

/** Why a kernel cannot apply a node's epilogue, as a sentence, or undefined. `own` inputs come before its operands. */
export function refuseEpilogue(
  node: Node<{ readonly epilogue?: Expr | undefined }>,
  own: number,
  layout: Layout,
): string | undefined {
  const out = node.outputs[0]!;
  for (const v of node.inputs.slice(own)) {
    if (epilogueOperand(shapeOf(out), shapeOf(v), layout) === undefined)
      return `an operand of its epilogue broadcasts in a way no kernel reads`;
  }
  return undefined;
}
