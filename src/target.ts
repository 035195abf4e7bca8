import { type Backend, cpuBackend } from './backend.js';
import { gpuBackend } from './gpu-backend.js';
import type { Node } from './ir/graph.js';
import type { ConvertOptions } from './options.js';

/** What an engine runs on. `emulated` runs the GPU's kernels on the CPU, slowly: for tests. */
export type TargetName = 'cpu' | 'cuda' | 'rocm' | 'emulated';

export type TargetOptions = Pick<ConvertOptions, 'target' | 'arch' | 'precision' | 'tf32' | 'f32Nodes'>;

/** The target that the options ask for. Throws when its compilers are not there, or do not know the devices. */
export function backendFor(options: TargetOptions): Promise<Backend> {
  const { target = 'cpu', arch, precision = 'f16', tf32 = false, f32Nodes = [] } = options;
  if (target === 'cpu') return cpuBackend(arch ?? 'native');
  const archs = arch === undefined || arch === 'native' ? [] : arch.split(',');
  const unmet = new Set(f32Nodes);
  const keep = new Set(f32Nodes);
  const keeps = (n: Node): boolean => {
    unmet.delete(n.origin.name);
    return keep.has(n.origin.name);
  };
  const rounding = {
    ...(precision === 'f32' ? {} : { narrow: { precision, keeps } }),
    ...(takesTf32(options) && tf32 ? { tf32: { keeps } } : {}),
  };
  const some = Object.keys(rounding).length > 0;
  return gpuBackend(target === 'rocm' ? 'hip' : target, archs, some ? { ...rounding, unmet } : {});
}

/** Whether products in TF32 are to be had: where floats are stored whole, on matrix units that know the type. */
const takesTf32 = ({ target = 'cpu', precision }: TargetOptions): boolean =>
  precision === 'f32' && (target === 'cuda' || target === 'emulated');

/** What the options ask for in vain, as sentences. */
export function vainOptions(options: TargetOptions): readonly string[] {
  const { target = 'cpu', precision = 'f32', tf32 = false } = options;
  const vain: string[] = [];
  if (target === 'cpu' && precision !== 'f32')
    vain.push('--precision is for GPUs: a processor stores floats as the model says');
  if (tf32 && !takesTf32(options))
    vain.push('--tf32 does nothing here: it is for --target cuda with --precision fp32');
  return vain;
}
