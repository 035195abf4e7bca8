import { mul, type Shape, same, show } from '../ir/dim.js';
import { arg, call, cast, constant, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { type DType, isFloat, isInteger, showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { limitsOf, num } from './elementwise.js';
import {
  quantisedAdd,
  quantisedConcat,
  quantisedGlobalPool,
  quantisedLeakyRelu,
  quantisedMul,
  quantisedPool,
  quantisedSigmoid,
} from './microsoft-quantised.js';
import { dtypeAttr } from './onnx-dtype.js';
import { axisOf, type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { dequantizeToOnnx, quantizeToOnnx } from './quantize-to-onnx.js';
import { reduce } from './reduce.js';

/**
 * Where scales lie: one for the tensor, one for each index along `axis`, or, with a block, one for each
 * `block` neighbours along it.
 */
type Granularity = { readonly axis: number; readonly block: number };

export type QuantizeAttrs = Granularity & {
  readonly to: DType;
  readonly saturate: boolean;
  /** The type to divide in, when it is not that of the scale. */
  readonly precision: DType | undefined;
};
export type DequantizeAttrs = Granularity & { readonly to: DType };

/** Divides by a scale, rounds, adds a zero point and clamps. Inputs: tensor, scale, zero point if there is one. */
export const quantize: OpDef<QuantizeAttrs> = defineOp({
  name: 'quantize',

  infer: ([x, scale], { axis, block, to }) => {
    quantizedView(x!.shape, scale!.shape, axis, block);
    return tensor(to, x!.shape);
  },

  onnx: {
    QuantizeLinear: { 10: quantizeLinear },
    'com.microsoft::QuantizeLinear': { 1: quantizeLinear },
    DynamicQuantizeLinear: { 11: dynamicQuantize },
    'com.microsoft::QLinearAdd': { 1: quantisedAdd },
    'com.microsoft::QLinearMul': { 1: quantisedMul },
    'com.microsoft::QLinearSigmoid': { 1: quantisedSigmoid },
    'com.microsoft::QLinearLeakyRelu': { 1: quantisedLeakyRelu },
    'com.microsoft::QLinearGlobalAveragePool': { 1: quantisedGlobalPool },
    'com.microsoft::QLinearAveragePool': { 1: quantisedPool },
    'com.microsoft::QLinearConcat': { 1: quantisedConcat },
  },

  toOnnx: quantizeToOnnx,
});

/** The numbers that a quantized tensor stands for. Inputs as those of `quantize`. */
export const dequantize: OpDef<DequantizeAttrs> = defineOp({
  name: 'dequantize',

  infer: ([x, scale], { axis, block, to }) => {
    quantizedView(x!.shape, scale!.shape, axis, block);
    return tensor(to, x!.shape);
  },

  onnx: {
    DequantizeLinear: { 10: dequantizeLinear },
    'com.microsoft::DequantizeLinear': { 1: dequantizeLinear },
  },

  toOnnx: dequantizeToOnnx,
});

/**
 * Shapes under which the scales broadcast against the tensor: a blocked axis becomes two. Undefined when the
 * last block is shorter than the others.
 */
export function quantizedView(
  x: Shape,
  scale: Shape,
  axis: number,
  block: number,
): { readonly x: Shape; readonly scale: Shape } | undefined {
  if (scale.length === 0 || (scale.length === 1 && scale[0] === 1 && block === 0)) return { x, scale: [] };
  const at = axisOf(axis, x.length);
  const bad = (): never => {
    throw new CompileError(
      'bad-scale',
      `scales [${scale.map(show)}] do not fit [${x.map(show)}] along axis ${axis}`,
    );
  };
  if (block === 0) {
    if (scale.length !== 1) bad();
    return { x, scale: [scale[0]!, ...x.slice(at + 1).map(() => 1)] };
  }
  if (scale.length !== x.length) bad();
  if (!same(mul(block, scale[at]!), x[at]!)) return undefined;
  const split = (shape: Shape, size: number): Shape => [
    ...shape.slice(0, at),
    scale[at]!,
    size,
    ...shape.slice(at + 1),
  ];
  return { x: split(x, block), scale: split(scale, 1) };
}

const as = (t: DType, e: Expr, from: DType): Expr => (from === t ? e : cast(t, e));

/** The quantized element over the operands tensor, scale and zero point of the given types. */
export function quantizeExpr(types: readonly DType[], { to, saturate, precision }: QuantizeAttrs): Expr {
  const [x, scale, zero] = types;
  const wide = precision ?? scale!;
  const quotient = call('div', as(wide, arg(0), x!), as(wide, arg(1), scale!));
  // A quotient of halves is one itself, which decides how it rounds.
  const exact = as('f32', wide === 'f32' ? quotient : cast(wide, quotient), wide);
  if (to.startsWith('f8')) return cast(to, exact, saturate);
  const shifted = (e: Expr): Expr => (zero ? call('add', e, as('f32', arg(2), zero)) : e);
  if (isFloat(to)) return cast(to, shifted(exact), saturate);
  const [low, high] = limitsOf(to);
  const k = (v: bigint): Expr => constant(Number(v), 'f32');
  return cast(to, call('min', call('max', shifted(call('round', exact)), k(low)), k(high)));
}

/** The number a quantized element stands for, over the same operands. */
export function dequantizeExpr(types: readonly DType[], { to }: DequantizeAttrs): Expr {
  const [x, scale, zero] = types;
  const value = as('f32', arg(0), x!);
  // The zero point of an 8-bit float is 0.
  const centred = zero && isInteger(x!) ? call('sub', value, as('f32', arg(2), zero)) : value;
  return as(to, call('mul', centred, as('f32', arg(1), scale!)), 'f32');
}

function inputsOf(n: SourceNode): readonly Value[] {
  const zero = n.optional(2);
  return [n.input(0), n.input(1), ...(zero ? [zero] : [])];
}

function granularityOf(n: SourceNode): Granularity {
  const rank = shapeOf(n.input(0)).length;
  const axis = n.int('axis', 1);
  // The axis means nothing where one scale serves all.
  const one = shapeOf(n.input(1)).every((d) => d === 1);
  return {
    axis: one && (axis >= rank || axis < -rank) ? 0 : axisOf(axis, rank),
    block: n.int('block_size', 0),
  };
}

function quantizeLinear(n: SourceNode, b: Build): Value {
  const inputs = inputsOf(n);
  const to = inputs[2] ? dtypeOf(inputs[2]) : (dtypeAttr(n, 'output_dtype') ?? 'u8');
  return b(quantize, inputs, {
    ...granularityOf(n),
    to,
    saturate: n.int('saturate', 1) === 1,
    precision: dtypeAttr(n, 'precision'),
  });
}

function dequantizeLinear(n: SourceNode, b: Build): Value {
  const inputs = inputsOf(n);
  const to = dtypeAttr(n, 'output_dtype') ?? dtypeOf(inputs[1]!);
  return b(dequantize, inputs, { ...granularityOf(n), to });
}

/** Scale and zero point follow from the tensor's own range, widened to hold 0. */
function dynamicQuantize(n: SourceNode, b: Build): readonly Value[] {
  return dynamicallyQuantized(b, n.input(0));
}

/** x as bytes, with the scale and the zero point that its extremes ask for. */
export function dynamicallyQuantized(b: Build, x: Value): readonly [Value, Value, Value] {
  if (dtypeOf(x) !== 'f32') throw new CompileError('type-mismatch', `${showType(x.type)} is not f32`);
  const axes = shapeOf(x).map((_, i) => i);
  const end = (kind: 'max' | 'min'): Value => b(reduce, [x], { kind, axes, keepdims: false });
  const [most, least] = [end('max'), end('min')];
  const k = (v: number): Expr => num(v, 'f32');
  const [high, low] = [call('max', arg(0), k(0)), call('min', arg(1), k(0))];
  const span = call('select', call('eq', high, low), k(1), call('sub', high, low));
  const scale = b(pointwise, [most, least], { expr: call('div', span, k(255)) });
  const start = call('div', call('neg', call('min', arg(0), k(0))), arg(1));
  const clamped = call('round', call('min', call('max', start, k(0)), k(255)));
  const zero = b(pointwise, [least, scale], { expr: cast('u8', clamped) });
  const attrs = { axis: 0, block: 0, to: 'u8', saturate: true, precision: undefined } as const;
  return [b(quantize, [x, scale, zero], attrs), scale, zero];
}
