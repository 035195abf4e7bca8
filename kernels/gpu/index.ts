import type { GpuKernel } from '../../codegen/gpu/builder.js';
import { concatKernel, expandKernel, padKernel, sliceKernel, transposeKernel } from './movement.js';
import { pointwiseKernel } from './pointwise.js';
import { reshapeKernel } from './reshape.js';

/** Every kernel of the GPU targets. */
export const gpuKernels: readonly GpuKernel[] = [
  concatKernel,
  expandKernel,
  padKernel,
  pointwiseKernel,
  reshapeKernel,
  sliceKernel,
  transposeKernel,
];
