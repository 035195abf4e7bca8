import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectCache } from '../object-cache.js';
import { type GpuTarget, warpOf } from '../target.js';
import { type Compiler, compileFlags, runCompiler } from '../toolchain.js';
import { imageName } from './program.js';

export interface DeviceUnit {
  readonly entry: string;
  readonly text: string;
  /** The devices it is for. */
  readonly archs: readonly string[];
}

export interface DeviceBuild {
  readonly compiler: Compiler;
  readonly headers: string;
  readonly cache: ObjectCache;
  /** A folder for intermediate files. */
  readonly dir: string;
  readonly signal?: AbortSignal | undefined;
}

/** Turns a source for the device into an object file of the host that holds the device's code. */
export interface DeviceCompiler {
  /** What the code depends on beside the text: compiler, version, flags, devices. */
  readonly identity: string;
  compile(unit: DeviceUnit, object: string, how: DeviceBuild): Promise<void>;
}

/** Code for a device, in a file, as an object: `imageName` is its first byte. */
export async function embedImages(
  entry: string,
  images: readonly { readonly arch: string; readonly file: string }[],
  object: string,
  { compiler, dir, signal }: DeviceBuild,
): Promise<void> {
  const rows = images.map(({ arch, file }) => {
    const name = imageName(entry, arch);
    return `  .balign 64\n  .globl ${name}\n  .hidden ${name}\n${name}:\n  .incbin "${file}"\n`;
  });
  const source = join(dir, `${entry}.s`);
  const end = process.arch === 'arm64' ? '%progbits' : '@progbits';
  await writeFile(
    source,
    `  .section .rodata.${entry},"a",${end}\n${rows.join('')}  .byte 0\n  .section .note.GNU-stack,"",${end}\n`,
  );
  await runCompiler(compiler, ['-c', source, '-o', object], dir, signal);
}

/** The same sources as functions of the host, which the emulated driver runs. */
export function emulatingCompiler(target: GpuTarget): DeviceCompiler {
  const host = compileFlags(target.host, false).filter((f) => f !== '-O3');
  const flags = [...host, `-DAIT_EMULATED_WARP=${warpOf(target)}`];
  return {
    identity: `emulated ${flags.join(' ')}`,
    compile: async ({ entry, text }, object, { compiler, headers, dir, signal }) => {
      const source = join(dir, `${entry}.cpp`);
      await writeFile(source, text);
      const all = [...flags, '-O1', `-I${headers}`, '-c', source, '-o', object];
      await runCompiler(compiler, all, dir, signal);
    },
  };
}
