import type { Kernel } from '../../codegen/kernel.js';
import { bitcastKernel, castKernel } from './cast.js';
import { dropoutKernel } from './dropout.js';
import { dimsKernel, shapeOfKernel } from './extents.js';
import { concatKernel, expandKernel, padKernel, sliceKernel, transposeKernel } from './movement.js';
import { pointwiseKernel } from './pointwise.js';
import { reshapeKernel } from './reshape.js';

/** Every kernel of the CPU target. */
export const cpuKernels: readonly Kernel[] = [
  bitcastKernel,
  castKernel,
  concatKernel,
  dimsKernel,
  dropoutKernel,
  expandKernel,
  padKernel,
  pointwiseKernel,
  reshapeKernel,
  shapeOfKernel,
  sliceKernel,
  transposeKernel,
];
