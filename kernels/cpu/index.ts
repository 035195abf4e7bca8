import type { Kernel } from '../../codegen/kernel.js';
import { argReduceKernel } from './arg-reduce.js';
import { bitcastKernel, castKernel } from './cast.js';
import { dropoutKernel } from './dropout.js';
import { dimsKernel, shapeOfKernel } from './extents.js';
import { concatKernel, expandKernel, padKernel, sliceKernel, transposeKernel } from './movement.js';
import {
  groupNormKernel,
  layerNormKernel,
  localResponseNormKernel,
  lpNormKernel,
  rmsNormKernel,
} from './norm.js';
import { pointwiseKernel } from './pointwise.js';
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
  melWeightsKernel,
  oneHotKernel,
  padKernel,
  pointwiseKernel,
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
