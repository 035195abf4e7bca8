import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import type { Expr } from '../../src/ir/expr.js';
import { dtypeOf, type Node } from '../../src/ir/graph.js';
import { tensor } from '../../src/ir/type.js';
import {
  type DequantizeAttrs,
  dequantize,
  dequantizeExpr,
  type QuantizeAttrs,
  quantize,
  quantizeExpr,
} from '../../src/ops/quantize.js';
import { type Quantized, refuseView, viewOf } from '../cpu/quantize.js';
import { pointwiseLaunch } from './pointwise.js';

/** An elementwise kernel with the scales broadcast. */
function launch(node: Pick<Quantized, 'inputs' | 'attrs'>, expr: Expr, k: GpuBuilder): Launch {
  const view = viewOf(node)!;
  const operands = node.inputs.map((v, i) => tensor(dtypeOf(v), i === 0 ? view.x : view.scale));
  return pointwiseLaunch(expr, operands, view.x, k);
}

export const quantizeKernel = defineGpuKernel<QuantizeAttrs>({
  op: quantize,
  refuse: refuseView,
  emit: (node: Node<QuantizeAttrs>, k) => launch(node, quantizeExpr(node.inputs.map(dtypeOf), node.attrs), k),
});

export const dequantizeKernel = defineGpuKernel<DequantizeAttrs>({
  op: dequantize,
  refuse: refuseView,
  emit: (node: Node<DequantizeAttrs>, k) =>
    launch(node, dequantizeExpr(node.inputs.map(dtypeOf), node.attrs), k),
});
