import { isStatic, type Shape } from '../src/ir/dim.js';
import { arg, call, cast, type Expr, constant as konst, mapOperands } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { conv } from '../src/ops/conv.js';
import { convInteger } from '../src/ops/conv-integer.js';
import { matmul } from '../src/ops/matmul.js';
import { isByte, matmulInteger, zeroPoint } from '../src/ops/matmul-integer.js';
import { type Build, builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { dequantize, dequantizeExpr, quantize, quantizedView, quantizeExpr } from '../src/ops/quantize.js';
import { reshape } from '../src/ops/reshape.js';
import { elementCount } from '../src/support/tensor-data.js';
import { literalAt, splatOf } from './literals.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * Reads quantised models as they are meant. A product or convolution of two dequantised tensors of bytes sums
 * the bytes themselves, and its epilogue scales the sums: exact, and several times faster than in f32. Runs
 * before constants are folded, which would make floats of the weights.
 */
export const recogniseQuantised = (compiles: (n: Node) => boolean): SyncPass => {
  const kept = (v: Value | undefined): Value | undefined => (v && compiles(v.node) ? v : undefined);
  return {
    name: 'recognise-quantised',
    run: (g) =>
      settle(g, [on(matmul, (n) => kept(asMatmulInteger(n))), on(conv, (n) => kept(asConvInteger(n)))]),
  };
};

/**
 * Spells quantisation and dequantisation as expressions, so that they fuse with what surrounds them: a byte is
 * read, computed with, and written as a byte in one pass. Runs after products of bytes are recognised.
 */
export const expandQuantised: SyncPass = {
  name: 'expand-quantised',
  run: (g) =>
    settle(g, [
      on(quantize, (n) => expanded(n, quantizeExpr)),
      on(dequantize, (n) => expanded(n, dequantizeExpr)),
    ]),
};

function expanded<A extends { readonly axis: number; readonly block: number }>(
  node: Node<A>,
  expr: (types: readonly ReturnType<typeof dtypeOf>[], attrs: A) => Expr,
): Value | undefined {
  const [x, ...parameters] = node.inputs;
  const { axis, block } = node.attrs;
  const view = quantizedView(shapeOf(x!), shapeOf(parameters[0]!), axis, block);
  if (!view || block !== 0) return undefined;
  const types = node.inputs.map(dtypeOf);
  if (![...types, dtypeOf(node.outputs[0]!)].every((t) => /^(f32|f16|[iu](8|16|32))$/.test(t)))
    return undefined;
  const b = builder(node.origin);
  const aligned = parameters.map((p) =>
    shapeOf(p).length === view.scale.length ? p : b(reshape, [p], { shape: view.scale }),
  );
  return b(pointwise, [x!, ...aligned], { expr: expr(types, node.attrs) });
}

/** Sums of more products of bytes could leave 32 bits. */
const longestSum = 1 << 15;

interface Bytes {
  readonly value: Value;
  /** One scale, or one for each index along an axis. */
  readonly scales: readonly number[];
  readonly zero: Value | undefined;
}

/** A tensor of bytes behind a dequantisation by known scales: one, or `count` along an axis. */
function bytesBehind(v: Value, axis: number | undefined, count: Shape[number]): Bytes | undefined {
  if (!is(v.node, dequantize) || v.node.attrs.block !== 0 || dtypeOf(v) !== 'f32') return undefined;
  const [value, scale, zero] = v.node.inputs;
  const l = literalAt(scale!);
  if (!isByte(dtypeOf(value!)) || l?.dtype !== 'f32') return undefined;
  const one = l.size === 1 && (!zero || shapeOf(zero).every((d) => d === 1));
  const rank = shapeOf(v).length;
  const along = v.node.attrs.axis < 0 ? v.node.attrs.axis + rank : v.node.attrs.axis;
  if (!one && (along !== axis || l.size !== count)) return undefined;
  const same = zero && literalAt(zero) && splatOf(literalAt(zero)!);
  const single = zero && (same === undefined ? zero : scalarOf(zero, same));
  return { value: value!, scales: l.numbers(), zero: single };
}

/** One zero point where all are the same. */
const scalarOf = (zero: Value, value: number | bigint): Value =>
  builder(zero.node.origin)(constant, [], { value: literalOf(dtypeOf(zero), [], [value]) });

function asMatmulInteger(
  node: Node<{ transA: boolean; transB: boolean; epilogue?: Expr | undefined }>,
): Value | undefined {
  const [a, c] = node.inputs;
  const { transA, transB, epilogue } = node.attrs;
  const depth = shapeOf(a!).at(-1)!;
  if (transA || typeof depth !== 'number' || depth > longestSum) return undefined;
  const rank = shapeOf(c!).length;
  const columns = shapeOf(node.outputs[0]!).at(-1)!;
  const left = bytesBehind(a!, undefined, 1);
  const right = left && bytesBehind(c!, transB ? rank - 2 : rank - 1, columns);
  if (!left || !right || (right.scales.length > 1 && rank > 2)) return undefined;
  const b = builder(node.origin);
  const extras = node.inputs.slice(2);
  const scaled = scaledSums(b, left, right, extras.length, []);
  return b(
    matmulInteger,
    [
      left.value,
      right.value,
      zeroPoint(b, left.zero, left.value),
      zeroPoint(b, right.zero, right.value),
      ...extras,
      ...scaled.operands,
    ],
    { transB, epilogue: onSums(epilogue, scaled.expr) },
  );
}

function asConvInteger(node: Node<Parameters<typeof conv.infer>[1]>): Value | undefined {
  const [x, w] = node.inputs;
  const { epilogue, layout, ...window } = node.attrs;
  const shape = shapeOf(w!);
  if (!isStatic(shape) || elementCount(shape.slice(1)) > longestSum) return undefined;
  const image = bytesBehind(x!, undefined, 1);
  const weights = image && bytesBehind(w!, 0, shape[0]!);
  if (!image || !weights) return undefined;
  const b = builder(node.origin);
  const extras = node.inputs.slice(2);
  const after = layout === 'NCX' ? shape.slice(2).map(() => 1) : [];
  const scaled = scaledSums(b, image, weights, extras.length, after);
  return b(
    convInteger,
    [
      image.value,
      weights.value,
      zeroPoint(b, image.zero, image.value),
      zeroPoint(b, weights.zero, weights.value),
      ...extras,
      ...scaled.operands,
    ],
    { ...window, layout, epilogue: onSums(epilogue, scaled.expr) },
  );
}

/** The sums as the floats they stand for: one factor in the expression, or one a channel as an operand. */
function scaledSums(
  b: Build,
  left: Bytes,
  right: Bytes,
  extras: number,
  after: readonly number[],
): { readonly expr: Expr; readonly operands: readonly Value[] } {
  const factors = right.scales.map((s) => Math.fround(s * left.scales[0]!));
  const sums = cast('f32', arg(0));
  if (factors.length === 1) return { expr: call('mul', sums, konst(factors[0]!, 'f32')), operands: [] };
  const value = literalOf('f32', [factors.length, ...after], factors);
  return { expr: call('mul', sums, arg(extras + 1)), operands: [b(constant, [], { value })] };
}

const onSums = (epilogue: Expr | undefined, sums: Expr): Expr =>
  epilogue ? mapOperands(epilogue, (i) => (i === 0 ? sums : arg(i))) : sums;
