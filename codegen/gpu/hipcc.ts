import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../../src/support/diagnostic.js';
import { env } from '../../src/support/env.js';
import { sha256Parts } from '../../src/support/hash.js';
import { type Compiler, runCompiler } from '../toolchain.js';
import { type DeviceCompiler, embedImages } from './device-compiler.js';

const hint =
  'install it: apt-get install --no-install-recommends hipcc, or ROCm, or set AIT_HIPCC to the program';

/** Finds hipcc: AIT_HIPCC, on PATH, or where ROCm lies. Throws `no-hipcc`. */
export async function findHipcc(): Promise<Compiler> {
  const asked = env('AIT_HIPCC');
  const candidates =
    asked === undefined ? ['hipcc', join(env('ROCM_PATH') ?? join('/opt', 'rocm'), 'bin', 'hipcc')] : [asked];
  for (const path of candidates) {
    const { stdout, exitCode } = await execa(path, ['--version'], { reject: false });
    if (exitCode === 0) return { path, version: stdout.split('\n').slice(0, 2).join(', ') };
  }
  throw new CompileError(
    'no-hipcc',
    asked === undefined
      ? 'the compiler for AMD GPUs, hipcc, was not found'
      : `AIT_HIPCC names ${asked}, which does not run`,
    hint,
  );
}

/** Compiles by hipcc for each device of a unit. */
export function hipccCompiler(hipcc: Compiler): DeviceCompiler {
  return {
    identity: sha256Parts(['hipcc', hipcc.path, hipcc.version, ...flags]),
    compile: async ({ entry, text, archs }, object, how) => {
      const source = join(how.dir, `${entry}.hip`);
      await writeFile(source, text);
      const images = archs.map((arch) => ({ arch, file: join(how.dir, `${entry}.${arch}.co`) }));
      for (const { arch, file } of images) {
        const options = [`--offload-arch=${arch}`, ...flags, `-I${how.headers}`];
        await runCompiler(hipcc, [...options, source, '-o', file], how.dir, how.signal);
      }
      await embedImages(entry, images, object, how);
    },
  };
}

const flags = ['--genco', '-std=c++17', '-O3', '-w'];
