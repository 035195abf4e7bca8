import type { Kernel } from '../../codegen/kernel.js';
import { dimsKernel, shapeOfKernel } from './extents.js';
import { pointwiseKernel } from './pointwise.js';
import { reshapeKernel } from './reshape.js';

/** Every kernel of the CPU target. */
export const cpuKernels: readonly Kernel[] = [dimsKernel, pointwiseKernel, reshapeKernel, shapeOfKernel];
