import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
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
import { pointwiseLaunch } from './pointwise.js';

/** An elementwise kernel with the scales broadcast. */
function launch(node: Quantized, expr: Expr, k: GpuBuilder): Launch {
  const { operands, out } = scaledOperands(node);
  return pointwiseLaunch(expr, operands, out, k);
}

export const quantizeKernel = defineGpuKernel<QuantizeAttrs>({
  op: quantize,
  refuse: refuseView,
  emit: (node, k) => launch(node, quantizeExpr(node.inputs.map(dtypeOf), node.attrs), k),
});

export const dequantizeKernel = defineGpuKernel<DequantizeAttrs>({
  op: dequantize,
  refuse: refuseView,
  emit: (node, k) => launch(node, dequantizeExpr(node.inputs.map(dtypeOf), node.attrs), k),
});
