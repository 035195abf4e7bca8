import type { GpuKernel } from '../../codegen/gpu/builder.js';
import { detKernel, einsumKernel, tfidfKernel } from './algebra.js';
import { attentionKernel } from './attention.js';
import { failKernel, ifKernel } from './branch.js';
import { bitcastKernel, castKernel } from './cast.js';
import { compressCountKernel, compressKernel, nonzeroCountKernel, nonzeroKernel } from './compact.js';
import { convKernel } from './conv.js';
import { convIntegerKernel } from './conv-integer.js';
import { convTransposeKernel } from './conv-transpose.js';
import { deformConvKernel } from './deform-conv.js';
import { dropoutKernel } from './dropout.js';
import { dynamicQuantizeLstmKernel } from './dynamic-quantize-lstm.js';
import { gatherElementsKernel, gatherKernel, gatherNdKernel } from './gather.js';
import {
  dimsKernel,
  eyeKernel,
  iotaKernel,
  oneHotKernel,
  rangeCountKernel,
  rangeKernel,
  shapeOfKernel,
  triluKernel,
} from './generated.js';
import { groupNormKernel } from './group-norm.js';
import { linearAttentionKernel } from './linear-attention.js';
import { nllLossKernel } from './loss.js';
import { localResponseNormKernel, lpNormKernel } from './lp-norm.js';
import { matmulKernel } from './matmul.js';
import { matmulIntegerKernel } from './matmul-integer.js';
import { concatKernel, expandKernel, padKernel, sliceKernel, transposeKernel } from './movement.js';
import { nonMaxSuppressionKernel } from './non-max-suppression.js';
import { layerNormKernel, rmsNormKernel } from './norm.js';
import { cumulateKernel, topKKernel } from './order.js';
import { pointwiseKernel } from './pointwise.js';
import { maxUnpoolKernel, poolKernel } from './pool.js';
import { dequantizeKernel, quantizeKernel } from './quantize.js';
import { recurrentKernel } from './recurrent.js';
import { argReduceKernel, reduceKernel } from './reduce.js';
import { maxRoiPoolKernel, roiAlignKernel } from './regions.js';
import { reshapeKernel } from './reshape.js';
import { resizeExtentsKernel, resizeKernel } from './resize.js';
import { affineGridKernel, col2imKernel, gridSampleKernel } from './sampling.js';
import { scatterElementsKernel, scatterNdKernel } from './scatter.js';
import { reverseSequenceKernel, tensorScatterKernel } from './sequences.js';
import { dftKernel, melWeightsKernel, stftKernel, windowFunctionKernel } from './signal.js';
import { softmaxKernel } from './softmax.js';
import { treeEnsembleKernel } from './tree-ensemble.js';
import { uniqueKernel } from './unique.js';

/** Every kernel of the GPU targets. */
export const gpuKernels: readonly GpuKernel[] = [
  affineGridKernel,
  argReduceKernel,
  attentionKernel,
  bitcastKernel,
  castKernel,
  col2imKernel,
  compressCountKernel,
  compressKernel,
  concatKernel,
  convIntegerKernel,
  convKernel,
  convTransposeKernel,
  cumulateKernel,
  deformConvKernel,
  dequantizeKernel,
  detKernel,
  dftKernel,
  dimsKernel,
  dropoutKernel,
  dynamicQuantizeLstmKernel,
  einsumKernel,
  expandKernel,
  eyeKernel,
  failKernel,
  gatherElementsKernel,
  gatherKernel,
  gatherNdKernel,
  gridSampleKernel,
  groupNormKernel,
  ifKernel,
  iotaKernel,
  layerNormKernel,
  linearAttentionKernel,
  localResponseNormKernel,
  lpNormKernel,
  matmulIntegerKernel,
  matmulKernel,
  maxRoiPoolKernel,
  maxUnpoolKernel,
  melWeightsKernel,
  nllLossKernel,
  nonMaxSuppressionKernel,
  nonzeroCountKernel,
  nonzeroKernel,
  oneHotKernel,
  padKernel,
  pointwiseKernel,
  poolKernel,
  quantizeKernel,
  rangeCountKernel,
  rangeKernel,
  recurrentKernel,
  reduceKernel,
  reshapeKernel,
  resizeExtentsKernel,
  resizeKernel,
  reverseSequenceKernel,
  rmsNormKernel,
  roiAlignKernel,
  scatterElementsKernel,
  scatterNdKernel,
  shapeOfKernel,
  sliceKernel,
  softmaxKernel,
  stftKernel,
  tensorScatterKernel,
  tfidfKernel,
  topKKernel,
  transposeKernel,
  treeEnsembleKernel,
  triluKernel,
  uniqueKernel,
  windowFunctionKernel,
];
