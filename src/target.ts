import { type Backend, cpuBackend } from './backend.js';
import { gpuBackend } from './gpu-backend.js';
import type { Node } from './ir/graph.js';
import type { ConvertOptions } from './options.js';

/** What an engine runs on. `emulated` runs the GPU's kernels on the CPU, slowly: for tests. */
export type TargetName = 'cpu' | 'cuda' | 'rocm' | 'emulated';

export type TargetOptions = Pick<ConvertOptions, 'target' | 'arch' | 'precision' | 'f32Nodes'>;

/** The target that the options ask for. Throws when its compilers are not there, or do not know the devices. */
export function backendFor(options: TargetOptions): Promise<Backend> {
  const { target = 'cpu', arch, precision = 'f16', f32Nodes = [] } = options;
  if (target === 'cpu') return cpuBackend(arch ?? 'native');
  const archs = arch === undefined || arch === 'native' ? [] : arch.split(',');
  const unmet = new Set(f32Nodes);
  const keep = new Set(f32Nodes);
  const keeps = (n: Node): boolean => {
    unmet.delete(n.origin.name);
    return keep.has(n.origin.name);
  };
  const narrow = precision === 'f32' ? undefined : { precision, keeps, unmet };
  return gpuBackend(target === 'rocm' ? 'hip' : target, archs, narrow);
}
