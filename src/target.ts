import type { Precision } from '../lowering/precision.js';
import type { Manifest } from './artifact/manifest.js';
import type { Backend } from './backend.js';
import type { Node } from './ir/graph.js';
import type { ConvertOptions } from './options.js';

/** What an engine runs on. `emulated` runs the GPU's kernels on the CPU, slowly: for tests. */
export type TargetName = 'cpu' | 'cuda' | 'rocm' | 'emulated';

export type TargetOptions = Pick<
  ConvertOptions,
  'target' | 'arch' | 'precision' | 'tf32' | 'ioPrecision' | 'f32Nodes'
>;

/** The target that the options ask for. Throws when its compilers are not there, or do not know the devices. */
export async function backendFor(options: TargetOptions): Promise<Backend> {
  const backend = await deviceBackend(options);
  return options.ioPrecision === undefined ? backend : { ...backend, ports: options.ioPrecision };
}

async function deviceBackend(options: TargetOptions): Promise<Backend> {
  const { target = 'cpu', arch, precision = 'f16', tf32 = false, f32Nodes = [] } = options;
  // The kernels of one target are many files, and those of the others are not needed.
  if (target === 'cpu') return (await import('./cpu-backend.js')).cpuBackend(arch ?? 'native');
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
  const { gpuBackend } = await import('./gpu-backend.js');
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

const precisions = { fp16: 'f16', bf16: 'bf16', fp32: 'f32' } as const;

/** The options that an engine was made with, as far as its manifest tells them. */
export function targetOptionsOf({ target, inputs, outputs }: Manifest): TargetOptions {
  const { kind, arch, precision, tf32 } = target;
  const changed = [...inputs, ...outputs].find((p) => p.modelDtype !== undefined);
  return {
    ...{ target: kind, arch, tf32, ioPrecision: changed?.dtype as Precision | undefined },
    ...(precision === undefined ? {} : { precision: precisions[precision] }),
  };
}
