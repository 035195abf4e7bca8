import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isProgram, runProgram } from './cache.js';
import { pythonPackages } from './python-packages.js';

export interface GpuEnv {
  /** NVIDIA's run-time compiler. */
  readonly nvrtc: string;
  readonly cuobjdump: string;
  readonly nvdisasm: string;
}

/** The pinned compiler of device code and the programs that look into what it makes; none needs a GPU. */
export function gpuEnv(): Promise<GpuEnv> {
  environment ??= prepare();
  return environment;
}

let environment: Promise<GpuEnv> | undefined;

async function prepare(): Promise<GpuEnv> {
  const directory = await pythonPackages({
    name: 'nvrtc',
    requirements: 'requirements-gpu.txt',
    options: ['--require-hashes', '--no-deps'],
    message: 'Installing the compiler for NVIDIA GPUs into .cache/nvrtc (about 240 MB) …',
    hint: 'check the connection to the package index; there are wheels for Linux on x86-64 and arm64',
  });
  const [python] = await readdir(join(directory, 'lib'));
  const cuda = join(directory, 'lib', python!, 'site-packages', 'nvidia', 'cu13');
  return {
    nvrtc: join(cuda, 'lib', 'libnvrtc.so.13'),
    cuobjdump: join(cuda, 'bin', 'cuobjdump'),
    nvdisasm: join(cuda, 'bin', 'nvdisasm'),
  };
}

if (isProgram(import.meta.url)) await runProgram(async () => console.log((await gpuEnv()).nvrtc));
