import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
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
  const identity = sha256Parts(['nvrtc', nvrtc.library, host.version, program, ...flags]);
  const runner = new Runner(tool);
  return {
    identity,
    compile: async ({ entry, text, archs }, object, how) => {
      const run = await runner.ready(how);
      const source = join(how.dir, `${entry}.cu`);
      await writeFile(source, text);
      const images = archs.map((arch) => ({ arch, file: join(how.dir, `${entry}.${arch}.cubin`) }));
      for (const { arch, file } of images) {
        const options = [`--gpu-architecture=${arch}`, ...flags, `-I${how.headers}`];
        await runCompiler(
          { ...host, path: run },
          [nvrtc.library, source, file, ...options],
          how.dir,
          how.signal,
        );
      }
      await embedImages(entry, images, object, how);
    },
  };
}

const flags = ['--std=c++17', '--disable-warnings', '--define-macro=AIT_CUDA'];

/** The program that calls the library: built once a conversion, from the cache where it is known. */
class Runner {
  #ready: Promise<string> | undefined;

  constructor(readonly source: string) {}

  ready(how: DeviceBuild): Promise<string> {
    this.#ready ??= this.#build(how);
    return this.#ready;
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

/** The version of a library, or why it cannot be used; for `doctor`. */
export async function nvrtcVersion({ library }: Nvrtc, runner: string): Promise<string | undefined> {
  const { stdout, exitCode } = await execa(runner, [library], { reject: false });
  return exitCode === 0 ? stdout.trim() : undefined;
}
