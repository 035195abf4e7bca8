import type { GpuKernel } from '../../codegen/gpu/builder.js';
import { detKernel, einsumKernel, tfidfKernel } from './algebra.js';
import { attentionKernel } from './attention.js';
import { failKernel, ifKernel } from './branch.js';
import { bitcastKernel, castKernel } from './cast.js';
import { convKernel } from './conv.js';
import { convTransposeKernel } from './conv-transpose.js';
import { dynamicQuantizeLstmKernel } from './dynamic-quantize-lstm.js';
import {
  dimsKernel,
  eyeKernel,
  iotaKernel,
  oneHotKernel,
  rangeKernel,
  shapeOfKernel,
  triluKernel,
} from './generated.js';
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
import { cumulateKernel, topKKernel } from './order.js';
import { pointwiseKernel } from './pointwise.js';
import { maxUnpoolKernel, poolKernel } from './pool.js';
import { dequantizeKernel, quantizeKernel } from './quantize.js';
import { recurrentKernel } from './recurrent.js';
import { argReduceKernel, reduceKernel } from './reduce.js';
import { reshapeKernel } from './reshape.js';
import { resizeExtentsKernel, resizeKernel } from './resize.js';
import {
  gatherElementsKernel,
  gatherKernel,
  gatherNdKernel,
  scatterElementsKernel,
  scatterNdKernel,
} from './select.js';
import { softmaxKernel } from './softmax.js';

/** Every kernel of the GPU targets. */
export const gpuKernels: readonly GpuKernel[] = [
  argReduceKernel,
  attentionKernel,
  bitcastKernel,
  castKernel,
  concatKernel,
  convKernel,
  convTransposeKernel,
  cumulateKernel,
  dequantizeKernel,
  detKernel,
  dimsKernel,
  dynamicQuantizeLstmKernel,
  einsumKernel,
  expandKernel,
  eyeKernel,
  failKernel,
  gatherElementsKernel,
  gatherKernel,
  gatherNdKernel,
  groupNormKernel,
  ifKernel,
  iotaKernel,
  layerNormKernel,
  localResponseNormKernel,
  lpNormKernel,
  matmulKernel,
  maxUnpoolKernel,
  nllLossKernel,
  oneHotKernel,
  padKernel,
  pointwiseKernel,
  poolKernel,
  quantizeKernel,
  rangeKernel,
  recurrentKernel,
  reduceKernel,
  reshapeKernel,
  resizeExtentsKernel,
  resizeKernel,
  rmsNormKernel,
  scatterElementsKernel,
  scatterNdKernel,
  shapeOfKernel,
  sliceKernel,
  softmaxKernel,
  tfidfKernel,
  topKKernel,
  transposeKernel,
  triluKernel,
];
