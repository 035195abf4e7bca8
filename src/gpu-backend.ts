import { fileURLToPath } from 'node:url';
import { GpuBuilder, type GpuKernel } from '../codegen/gpu/builder.js';
import { type DeviceCompiler, emulatingCompiler } from '../codegen/gpu/device-compiler.js';
import { findHipcc, hipccCompiler } from '../codegen/gpu/hipcc.js';
import { findNvrtc, nvrtcCompiler } from '../codegen/gpu/nvrtc.js';
import type { DeviceApi, GpuTarget } from '../codegen/target.js';
import { type Compiler, findCompiler, probeTarget } from '../codegen/toolchain.js';
import { gpuKernels } from '../kernels/gpu/index.js';
import { gpuCosts } from '../lowering/segment-worth.js';
import { type Backend, headersDirectory, judging, type Rounding } from './backend.js';
import { nvidiaArchs } from './gpus.js';
import type { Op } from './ir/graph.js';
import { packageRoot } from './package-root.js';
import { CompileError } from './support/diagnostic.js';

/** What a library has code for when nothing else is asked and the machine has no GPU. */
const usualArchs: Readonly<Record<DeviceApi, readonly string[]>> = {
  cuda: ['sm_80', 'sm_90a'],
  hip: ['gfx90a'],
  emulated: ['emulated'],
};

const archPattern: Readonly<Record<DeviceApi, RegExp>> = {
  cuda: /^sm_\d{2,3}a?$/,
  hip: /^gfx[0-9a-f]+$/,
  emulated: /^emulated(64)?$/,
};

/** A GPU target. `archs` names the devices, else those of this machine or the usual ones. Throws `no-compiler`, `no-nvrtc`, `no-hipcc` or `bad-arch`. */
export async function gpuBackend(
  api: DeviceApi,
  archs: readonly string[] = [],
  rounding: Rounding = {},
): Promise<Backend> {
  const compiler = await findCompiler();
  // The host's code only starts things: any processor of the family runs it.
  const host = await probeTarget(compiler, undefined);
  const target: GpuTarget = {
    kind: 'gpu',
    api,
    archs: archs.length === 0 ? await archsHere(api) : archs,
    host,
  };
  for (const arch of target.archs)
    if (!archPattern[api].test(arch))
      throw new CompileError(
        'bad-arch',
        `--arch ${arch} is no device of this target`,
        `for example ${usualArchs[api].join(', ')}`,
      );
  const kernels = new Map<Op, GpuKernel>(gpuKernels.map((k) => [k.op, k]));
  const judge = judging(kernels, 'the GPU', (k, n) => k.refuse?.(n, target));
  const { kernelOf } = judge;
  return {
    ...{ compiler, target, headers: headersDirectory, device: await deviceCompiler(target, compiler) },
    ...judge,
    ...rounding,
    costs: gpuCosts,
    sourceOf: (n) => {
      const builder = new GpuBuilder(n, target);
      return builder.finish(kernelOf(n).emit!(n, builder));
    },
  };
}

async function archsHere(api: DeviceApi): Promise<readonly string[]> {
  const present = api === 'cuda' ? await nvidiaArchs() : [];
  return present.length > 0 ? present : usualArchs[api];
}

async function deviceCompiler(target: GpuTarget, compiler: Compiler): Promise<DeviceCompiler> {
  switch (target.api) {
    case 'emulated':
      return emulatingCompiler(target);
    case 'cuda':
      return nvrtcCompiler(await findNvrtc(), compiler, nvrtcTool);
    case 'hip':
      return hipccCompiler(await findHipcc());
    default:
      return target.api satisfies never;
  }
}

/** The program that calls NVRTC. */
export const nvrtcTool = fileURLToPath(new URL('kernels/tools/nvrtc.cpp', packageRoot));
