import type { Cpp } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import type { Expr } from '../../src/ir/expr.js';
import { dtypeOf } from '../../src/ir/graph.js';
import {
  type DequantizeAttrs,
  dequantize,
  dequantizeExpr,
  type QuantizeAttrs,
  quantize,
  quantizeExpr,
} from '../../src/ops/quantize.js';
import { type Quantized, refuseView, scaledOperands } from '../shared/quantize.js';
import { pointwiseText } from './pointwise.js';

/** An elementwise kernel with the scales broadcast. */
function emit(node: Quantized, expr: Expr, k: KernelBuilder): Cpp {
  const { operands, out } = scaledOperands(node);
  return pointwiseText(expr, operands, out, k);
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
