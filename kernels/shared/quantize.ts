import type { Shape } from '../../src/ir/dim.js';
import type { Expr } from '../../src/ir/expr.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { type TensorType, tensor } from '../../src/ir/type.js';
import {
  type DequantizeAttrs,
  dequantizeExpr,
  type QuantizeAttrs,
  quantizedView,
  quantizeExpr,
} from '../../src/ops/quantize.js';

type Quantized = Pick<Node<{ readonly axis: number; readonly block: number }>, 'inputs' | 'attrs'>;

/** The shapes under which the scales broadcast against the tensor. */
const viewOf = ({ inputs, attrs }: Quantized) =>
  quantizedView(shapeOf(inputs[0]!), shapeOf(inputs[1]!), attrs.axis, attrs.block);

export const refuseView = (node: Quantized): string | undefined =>
  viewOf(node) ? undefined : 'the last block is shorter than the others';

/** An elementwise kernel: its expression, operands, and the shape of its result. */
type Elementwise = readonly [Expr, readonly TensorType[], Shape];

function broadcast(node: Quantized, expr: Expr): Elementwise {
  const { x, scale } = viewOf(node)!;
  return [expr, node.inputs.map((v, i) => tensor(dtypeOf(v), i === 0 ? x : scale)), x];
}

export const quantized = (node: Node<QuantizeAttrs>): Elementwise =>
  broadcast(node, quantizeExpr(node.inputs.map(dtypeOf), node.attrs));

export const dequantized = (node: Node<DequantizeAttrs>): Elementwise =>
  broadcast(node, dequantizeExpr(node.inputs.map(dtypeOf), node.attrs));
