import type { Kernel } from '../../codegen/kernel.js';
import { argReduceKernel } from './arg-reduce.js';
import { bitcastKernel, castKernel } from './cast.js';
import { convKernel } from './conv.js';
import { convTransposeKernel } from './conv-transpose.js';
import { dropoutKernel } from './dropout.js';
import { dimsKernel, shapeOfKernel } from './extents.js';
import { nllLossKernel } from './loss.js';
import { matmulKernel } from './matmul.js';
import { concatKernel, expandKernel, padKernel, sliceKernel, transposeKernel } from './movement.js';
import {
  groupNormKernel,
  layerNormKernel,
  localResponseNormKernel,
  lpNormKernel,
  rmsNormKernel,
} from './norm.js';
import { pointwiseKernel } from './pointwise.js';
import { dequantizeKernel, quantizeKernel } from './quantize.js';
import { iotaKernel, rangeCountKernel, rangeKernel } from './range.js';
import { reduceKernel } from './reduce.js';
import { reshapeKernel } from './reshape.js';
import { oneHotKernel, reverseSequenceKernel, tensorScatterKernel } from './sequences.js';
import { dftKernel, melWeightsKernel, stftKernel, windowFunctionKernel } from './signal.js';
import { softmaxKernel } from './softmax.js';
import { eyeKernel, triluKernel } from './triangular.js';

/** Every kernel of the CPU target. */
export const cpuKernels: readonly Kernel[] = [
  argReduceKernel,
  bitcastKernel,
  castKernel,
  concatKernel,
  convKernel,
  convTransposeKernel,
  dequantizeKernel,
  dftKernel,
  dimsKernel,
  dropoutKernel,
  expandKernel,
  eyeKernel,
  groupNormKernel,
  iotaKernel,
  layerNormKernel,
  localResponseNormKernel,
  lpNormKernel,
  matmulKernel,
  melWeightsKernel,
  nllLossKernel,
  oneHotKernel,
  padKernel,
  pointwiseKernel,
  quantizeKernel,
  rangeCountKernel,
  rangeKernel,
  reduceKernel,
  reshapeKernel,
  reverseSequenceKernel,
  rmsNormKernel,
  shapeOfKernel,
  sliceKernel,
  softmaxKernel,
  stftKernel,
  tensorScatterKernel,
  transposeKernel,
  triluKernel,
  windowFunctionKernel,
];
