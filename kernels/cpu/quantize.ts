import type { Cpp } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import type { Expr } from '../../src/ir/expr.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { tensor } from '../../src/ir/type.js';
import {
  type DequantizeAttrs,
  dequantize,
  dequantizeExpr,
  type QuantizeAttrs,
  quantize,
  quantizedView,
  quantizeExpr,
} from '../../src/ops/quantize.js';
import { pointwiseText } from './pointwise.js';

export type Quantized = Node<{ axis: number; block: number }>;

/** The shapes under which the scales broadcast against the tensor. */
export const viewOf = ({ inputs, attrs }: Pick<Quantized, 'inputs' | 'attrs'>) =>
  quantizedView(shapeOf(inputs[0]!), shapeOf(inputs[1]!), attrs.axis, attrs.block);

export const refuseView = (node: Pick<Quantized, 'inputs' | 'attrs'>): string | undefined =>
  viewOf(node) ? undefined : 'the last block is shorter than the others';

/** An elementwise kernel with the scales broadcast. */
function emit(node: Pick<Quantized, 'inputs' | 'attrs'>, expr: Expr, k: KernelBuilder): Cpp {
  const view = viewOf(node)!;
  const operands = node.inputs.map((v, i) => tensor(dtypeOf(v), i === 0 ? view.x : view.scale));
  return pointwiseText(expr, operands, view.x, k);
}

export const quantizeKernel = defineKernel<QuantizeAttrs>({
  op: quantize,
  refuse: refuseView,
  emit: (node, k) => emit(node, quantizeExpr(node.inputs.map(dtypeOf), node.attrs), k),
});

export const dequantizeKernel = defineKernel<DequantizeAttrs>({
  op: dequantize,
  refuse: refuseView,
  emit: (node, k) => emit(node, dequantizeExpr(node.inputs.map(dtypeOf), node.attrs), k),
});
