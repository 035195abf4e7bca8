import { defineKernel } from '../../codegen/kernel.js';
import { dequantize, quantize } from '../../src/ops/quantize.js';
import { dequantized, quantized, refuseView } from '../shared/quantize.js';
import { pointwiseText } from './pointwise.js';

export const quantizeKernel = defineKernel({
  op: quantize,
  refuse: (node) => refuseView(node),
  emit: (node, k) => pointwiseText(...quantized(node), k),
});

export const dequantizeKernel = defineKernel({
  op: dequantize,
  refuse: (node) => refuseView(node),
  emit: (node, k) => pointwiseText(...dequantized(node), k),
});
