import { Cpp, cpp } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import type { Shape } from '../../src/ir/dim.js';
import { listOf } from '../shared/elements.js';

/** A local array of extents, strides or the like, as run-time parameters so that kernels can be shared. */
export const table = (k: KernelBuilder, name: string, dims: Shape): Cpp =>
  cpp`const int64_t ${new Cpp(name)}[] = {${listOf(k, dims.length === 0 ? [0] : dims)}};`;
