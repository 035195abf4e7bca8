import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CompileError } from '../../src/support/diagnostic.js';
import { cacheDirectory, env } from '../../src/support/env.js';
import { sha256Parts } from '../../src/support/hash.js';
import type { Compiler } from '../toolchain.js';
import { runCompiler } from '../toolchain.js';
import { type DeviceBuild, type DeviceCompiler, embedImages } from './device-compiler.js';

/** NVIDIA's run-time compiler, a shared library. */
export interface Nvrtc {
  readonly library: string;
}

const hint =
  "install it: pip install 'nvidia-cuda-nvrtc==13.0.*', or a CUDA toolkit, or set AIT_NVRTC to libnvrtc.so";

/** Finds libnvrtc: AIT_NVRTC, a CUDA toolkit, or the PyPI wheel of a Python environment. Throws `no-nvrtc`. */
export async function findNvrtc(): Promise<Nvrtc> {
  const asked = env('AIT_NVRTC');
  if (asked !== undefined) {
    if (existsSync(asked)) return { library: asked };
    throw new CompileError('no-nvrtc', `AIT_NVRTC names ${asked}, which does not exist`, hint);
  }
  for (const folder of await folders()) {
    const names = await readdir(folder).catch(() => []);
    const found = names.filter((n) => /^libnvrtc\.so(\.\d+)*$/.test(n)).sort();
    if (found[0] !== undefined) return { library: join(folder, found.at(-1)!) };
  }
  throw new CompileError('no-nvrtc', 'the compiler for NVIDIA GPUs, NVRTC, was not found', hint);
}

async function folders(): Promise<readonly string[]> {
  const roots = [env('CUDA_HOME'), env('CUDA_PATH'), '/usr/local/cuda', '/opt/cuda'].filter(
    (r) => r !== undefined,
  );
  const toolkits = roots.flatMap((r) => [
    join(r, 'lib64'),
    join(r, 'targets', 'x86_64-linux', 'lib'),
    join(r, 'lib'),
  ]);
  const venv = env('VIRTUAL_ENV');
  const environments = [
    venv,
    join(cacheDirectory(), 'nvrtc'),
    join(homedir(), '.local'),
    '/usr/local',
    '/usr',
  ];
  const wheels: string[] = [];
  for (const root of environments) {
    if (root === undefined) continue;
    for (const python of await readdir(join(root, 'lib')).catch(() => [])) {
      if (!python.startsWith('python')) continue;
      for (const packages of ['site-packages', 'dist-packages']) {
        const nvidia = join(root, 'lib', python, packages, 'nvidia');
        for (const name of await readdir(nvidia).catch(() => [])) wheels.push(join(nvidia, name, 'lib'));
      }
    }
  }
  return [...toolkits, ...wheels];
}

/** Compiles by NVRTC for each device of a unit, in processes of their own. Throws `no-nvrtc` when it cannot be run. */
export async function nvrtcCompiler(nvrtc: Nvrtc, host: Compiler, tool: string): Promise<DeviceCompiler> {
  const program = await readFile(tool, 'utf8');
  const cubin = cubinCompiler(nvrtc, tool);
  return {
    identity: sha256Parts(['nvrtc', nvrtc.library, host.version, program, ...flags]),
    compile: async ({ entry, text, archs }, object, how) => {
      const source = join(how.dir, `${entry}.cu`);
      await writeFile(source, text);
      const images = archs.map((arch) => ({ arch, file: join(how.dir, `${entry}.${arch}.cubin`) }));
      for (const { arch, file } of images) await cubin(source, arch, file, how);
      await embedImages(entry, images, object, how);
    },
  };
}

type CubinCompiler = (source: string, arch: string, output: string, how: DeviceBuild) => Promise<void>;

/** Compiles one source file for one device into a file of machine code. */
export function cubinCompiler(nvrtc: Nvrtc, tool: string): CubinCompiler {
  const runner = new Runner(tool);
  return async (source, arch, output, how) => {
    const path = await runner.ready(how);
    const options = [`--gpu-architecture=${arch}`, ...flags, `-I${how.headers}`];
    await runCompiler(
      { ...how.compiler, path },
      [nvrtc.library, source, output, ...options],
      how.dir,
      how.signal,
    );
  };
}

const flags = ['--std=c++17', '--disable-warnings', '--define-macro=AIT_CUDA'];

/** The program that calls the library: from the cache where it is known, in the folder of each build. */
class Runner {
  readonly #ready = new Map<string, Promise<string>>();

  constructor(readonly source: string) {}

  ready(how: DeviceBuild): Promise<string> {
    const known = this.#ready.get(how.dir);
    if (known) return known;
    const made = this.#build(how);
    this.#ready.set(how.dir, made);
    return made;
  }

  async #build({ compiler, cache, dir, signal }: DeviceBuild): Promise<string> {
    const program = join(dir, 'nvrtc');
    const text = await readFile(this.source, 'utf8');
    const args = ['-std=c++17', '-O1', this.source, '-o', program, '-ldl'];
    const body = await cache.getOr(
      sha256Parts([compiler.path, compiler.version, ...args.slice(0, 2), text]),
      async () => {
        await runCompiler(compiler, args, dir, signal);
        return readFile(program);
      },
    );
    await writeFile(program, body);
    await chmod(program, 0o755);
    return program;
  }
}
