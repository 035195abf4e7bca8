import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findHipcc } from '../../codegen/gpu/hipcc.js';
import type { DeviceFunction } from '../../codegen/kernel.js';
import { WeightsWriter } from '../../src/artifact/weights.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { backendFor, type TargetOptions } from '../../src/target.js';
import { isProgram, runProgram, say } from '../cache.js';
import { weightsIn } from '../conformance/batch.js';
import { prepare } from '../conformance/prepare.js';
import { suite } from '../suite-fetch.js';

/** The functions for the device that the suite's cases need, each text once. */
export async function suiteKernels(
  pattern: RegExp,
  options: TargetOptions,
): Promise<readonly DeviceFunction[]> {
  const backend = await backendFor(options);
  const reference = new OnnxruntimeProcess();
  const found = new Map<string, DeviceFunction>();
  try {
    await withTemporaryDirectory('ait-kernels', async (dir) => {
      const writer = new WeightsWriter(join(dir, 'weights.bin'));
      for (const test of (await suite()).filter((c) => pattern.test(c.name))) {
        const prepared = await prepare(test, 'segment', backend, reference, weightsIn(writer));
        if (prepared.kind !== 'segment') continue;
        for (const f of prepared.code.kernels.flatMap((k) => k.device ?? [])) found.set(f.entry.text, f);
      }
      await writer.finish();
    });
  } finally {
    reference.dispose();
  }
  return [...found.values()];
}

/** Many functions as one source: the compiler's start costs more than most of them. */
export function together(functions: readonly DeviceFunction[]): string {
  const lines = functions.map((f) => f.text.split('\n'));
  const includes = new Set(lines.flat().filter((l) => l.startsWith('#include')));
  const bodies = lines.map((own, i) => {
    const body = own.filter((l) => !l.startsWith('#include')).join('\n');
    return `namespace unit_${i} {\n${body}\n}  // namespace unit_${i}\n`;
  });
  return `${[...includes].join('\n')}\n\n${bodies.join('\n')}`;
}

/**
 * Usage: tsx scripts/gpu/kernels.ts <regex of case names> [fp16|bf16|fp32] [folder]: compiles the kernels of suite
 * cases for gfx90a, forty at a time, and tells which do not compile.
 */
async function main(): Promise<void> {
  const [pattern = '.', precision = 'fp16', folder] = process.argv.slice(2);
  const named = ({ fp16: 'f16', bf16: 'bf16', fp32: 'f32' } as const)[precision];
  const hipcc = await findHipcc();
  const functions = await suiteKernels(new RegExp(pattern), { target: 'rocm', precision: named });
  say(`${functions.length} functions`);
  await withTemporaryDirectory('ait-kernels', async (temporary) => {
    const dir = folder ?? temporary;
    await mkdir(dir, { recursive: true });
    let bad = 0;
    for (let at = 0; at < functions.length; at += 40) {
      const source = join(dir, `kernels_${at}.hip`);
      await writeFile(source, together(functions.slice(at, at + 40)));
      const flags = ['--genco', '--offload-arch=gfx90a', '-std=c++17', '-O3', '-Wall', '-Wno-unused-function'];
      const include = `-I${join(import.meta.dirname, '..', '..', 'kernels', 'include')}`;
      const { exitCode, stderr } = await execa(hipcc.path, [...flags, include, source, '-o', `${source}.co`], {
        reject: false,
      });
      if (exitCode !== 0) bad++;
      if (stderr !== '') say(stderr);
    }
    say(bad === 0 ? 'all compile' : `${bad} sources do not compile`);
    if (bad > 0) process.exitCode = 1;
  });
}

if (isProgram(import.meta.url)) await runProgram(main);
