import { type Cpp, cpp } from '../../codegen/cpp.js';
import type { GpuBuilder } from '../../codegen/gpu/builder.js';
import { dtypeOf } from '../../src/ir/graph.js';
import { isFloat } from '../../src/ir/type.js';
import type { Ends } from '../shared/elements.js';
import { alignedInput, alignedOutput } from './aligned.js';
import { refuseTypes } from './pointwise.js';

export const refuseNorm = (node: Ends): string | undefined => {
  const t = dtypeOf(node.inputs[0]!);
  if (!isFloat(t)) return `${t} is not normalised`;
  return t === 'f64' ? 'normalisation computes in f32' : refuseTypes(node);
};

export const read = (k: GpuBuilder, i: number): Cpp =>
  i < k.node.inputs.length ? cpp`ait::gpu::read(${k.input(i)})` : cpp`ait::gpu::Nothing{}`;
export const write = (k: GpuBuilder): Cpp => cpp`ait::gpu::write(${k.output()})`;

/** The same of tensors that begin at 16 bytes. */
export const readAligned = (k: GpuBuilder, i: number): Cpp =>
  i < k.node.inputs.length ? cpp`ait::gpu::read_aligned(${alignedInput(k, i)})` : cpp`ait::gpu::Nothing{}`;
export const writeAligned = (k: GpuBuilder): Cpp => cpp`ait::gpu::write_aligned(${alignedOutput(k)})`;
