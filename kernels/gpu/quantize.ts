import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { dequantize, quantize } from '../../src/ops/quantize.js';
import { dequantized, quantized, refuseView } from '../shared/quantize.js';
import { pointwiseLaunch } from './pointwise.js';

export const quantizeKernel = defineGpuKernel({
  op: quantize,
  refuse: (node) => refuseView(node),
  emit: (node, k) => pointwiseLaunch(...quantized(node), k),
});

export const dequantizeKernel = defineGpuKernel({
  op: dequantize,
  refuse: (node) => refuseView(node),
  emit: (node, k) => pointwiseLaunch(...dequantized(node), k),
});
