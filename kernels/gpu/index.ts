import type { GpuKernel } from '../../codegen/gpu/builder.js';
import { attentionKernel } from './attention.js';
import { concatKernel, expandKernel, padKernel, sliceKernel, transposeKernel } from './movement.js';
import {
  groupNormKernel,
  layerNormKernel,
  localResponseNormKernel,
  lpNormKernel,
  rmsNormKernel,
} from './norm.js';
import { pointwiseKernel } from './pointwise.js';
import { poolKernel } from './pool.js';
import { argReduceKernel, reduceKernel } from './reduce.js';
import { reshapeKernel } from './reshape.js';
import { resizeExtentsKernel, resizeKernel } from './resize.js';
import { softmaxKernel } from './softmax.js';

/** Every kernel of the GPU targets. */
export const gpuKernels: readonly GpuKernel[] = [
  argReduceKernel,
  attentionKernel,
  concatKernel,
  expandKernel,
  groupNormKernel,
  layerNormKernel,
  localResponseNormKernel,
  lpNormKernel,
  padKernel,
  pointwiseKernel,
  poolKernel,
  reduceKernel,
  reshapeKernel,
  resizeExtentsKernel,
  resizeKernel,
  rmsNormKernel,
  sliceKernel,
  softmaxKernel,
  transposeKernel,
];
