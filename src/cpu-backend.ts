import { cpuKernelSet } from '../codegen/host-program.js';
import type { Kernel } from '../codegen/kernel.js';
import { findCompiler, probeTarget } from '../codegen/toolchain.js';
import { cpuKernels } from '../kernels/cpu/index.js';
import { type Backend, headersDirectory, judging } from './backend.js';
import type { Op } from './ir/graph.js';

/** The CPU target with the system's compiler. Throws `no-compiler` or `bad-arch`. */
export async function cpuBackend(arch: string): Promise<Backend> {
  const compiler = await findCompiler();
  const target = await probeTarget(compiler, arch);
  const kernels = new Map<Op, Kernel>(cpuKernels.map((k) => [k.op, k]));
  const { kernelOf, ...judge } = judging(kernels, 'the CPU', (k, n) => k.refuse?.(n, target));
  return { compiler, target, headers: headersDirectory, ...cpuKernelSet(target, kernelOf), ...judge };
}
