import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findHipcc } from '../../codegen/gpu/hipcc.js';
import { findCompiler } from '../../codegen/toolchain.js';
import { headersDirectory } from '../../src/backend.js';
import { nvrtcTool } from '../../src/gpu-backend.js';
import { gpuEnv } from '../gpu-env.js';

/** What a function of the device takes, as the compiler counted it. */
export interface Resources {
  readonly registers: number;
  /** Bytes of a thread in memory, for registers that did not suffice or for arrays. */
  readonly stack: number;
  /** Bytes of shared memory that the text declares; launches add to them. */
  readonly shared: number;
}

/** Compiles a source for one device. Gives the functions' resources, or the compiler's complaint. */
export type Compile = (
  source: string,
  arch: string,
) => Promise<ReadonlyMap<string, Resources> | { readonly error: string }>;

/** NVRTC, with what cuobjdump says of its code. */
export async function nvrtcResources(dir: string): Promise<Compile> {
  const { nvrtc, cuobjdump } = await gpuEnv();
  const compiler = await findCompiler();
  const tool = join(dir, 'nvrtc');
  await execa(compiler.path, ['-std=c++17', '-O1', nvrtcTool, '-o', tool, '-ldl']);
  return async (text, arch) => {
    const [source, cubin] = [join(dir, `unit.${arch}.cu`), join(dir, `unit.${arch}.cubin`)];
    await writeFile(source, text);
    const flags = ['--std=c++17', '--disable-warnings', '--define-macro=AIT_CUDA', `-I${headersDirectory}`];
    const run = await execa(tool, [nvrtc, source, cubin, `--gpu-architecture=${arch}`, ...flags], {
      reject: false,
    });
    if (run.exitCode !== 0) return { error: firstError(run.stderr) };
    const { stdout } = await execa(cuobjdump, ['-res-usage', cubin]);
    const rows = stdout.matchAll(/Function (\w+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)/g);
    return new Map(
      [...rows].map(([, name, registers, stack, shared, local]) => [
        name!,
        { registers: Number(registers), stack: Number(stack) + Number(local), shared: Number(shared) },
      ]),
    );
  };
}

/** hipcc, which tells by itself. */
export async function hipccResources(dir: string): Promise<Compile> {
  const hipcc = await findHipcc();
  return async (text, arch) => {
    const source = join(dir, `unit.${arch}.hip`);
    await writeFile(source, text);
    const flags = ['--genco', '-std=c++17', '-O3', '-w', '-Rpass-analysis=kernel-resource-usage'];
    const all = [...flags, `--offload-arch=${arch}`, `-I${headersDirectory}`, source, '-o', `${source}.co`];
    const { exitCode, stderr } = await execa(hipcc.path, all, { reject: false });
    if (exitCode !== 0) return { error: firstError(stderr) };
    const found = new Map<string, Resources>();
    for (const block of stderr.split('Function Name: ').slice(1)) {
      const value = (what: string): number =>
        Number(new RegExp(`remark: +${what}[^:\\n]*: (\\d+)`).exec(block)?.[1]);
      found.set(/^\w+/.exec(block)![0], {
        registers: value('VGPRs') + value('AGPRs'),
        stack: value('ScratchSize'),
        shared: value('LDS Size'),
      });
    }
    return found;
  };
}

const firstError = (text: string): string =>
  text
    .split('\n')
    .filter((l) => /\berror\b/.test(l))
    .slice(0, 3)
    .join('\n') || text.slice(0, 500);
