import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { DeviceFunction } from '../../codegen/kernel.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { isProgram, repository, runProgram, say } from '../cache.js';
import { compilerFingerprint } from '../fingerprint.js';
import { gpuEnv } from '../gpu-env.js';
import { suiteKernels, together } from './kernels.js';
import { type Compile, hipccResources, nvrtcResources, type Resources } from './resources.js';

export const tableFile = join(repository, 'fixtures', 'tables', 'gpu-kernels.json');

/** Every kernel that the suites' cases need, compiled for every kind of device. */
export interface KernelTable {
  readonly fingerprint: string;
  readonly pattern: string;
  /** By device, then by operator. */
  readonly devices: Readonly<Record<string, Readonly<Record<string, Family>>>>;
  readonly failures: readonly { readonly arch: string; readonly entry: string; readonly error: string }[];
}

interface Family {
  readonly functions: number;
  /** The most that one of them takes. */
  readonly most: Resources;
  /** How many need memory beside their registers. */
  readonly spill: number;
}

export const readTable = async (): Promise<KernelTable> => JSON.parse(await readFile(tableFile, 'utf8'));

const operatorOf = (entry: string): string => entry.replace(/^device_/, '').replace(/_[0-9a-f]{10}$/, '');

/** Compiles forty functions at a time, in a lane for each compiler; where they fail together, by halves. */
async function resourcesOf(
  functions: readonly DeviceFunction[],
  arch: string,
  compilers: readonly Compile[],
  failures: { arch: string; entry: string; error: string }[],
): Promise<ReadonlyMap<string, Resources>> {
  const all = new Map<string, Resources>();
  const fits = functions.filter((f) => f.archs.includes(arch));
  const attempt = async (some: readonly DeviceFunction[], compile: Compile): Promise<void> => {
    const result = await compile(together(some), arch);
    if (!('error' in result)) for (const [name, r] of result) all.set(name, r);
    else if (some.length === 1)
      failures.push({ arch, entry: some[0]!.entry.text, error: result.error.replaceAll(repository, '') });
    else {
      const half = Math.ceil(some.length / 2);
      await attempt(some.slice(0, half), compile);
      await attempt(some.slice(half), compile);
    }
  };
  const waiting = Array.from({ length: Math.ceil(fits.length / 40) }, (_, i) =>
    fits.slice(40 * i, 40 * i + 40),
  );
  const lane = async (compile: Compile): Promise<void> => {
    for (let some = waiting.shift(); some; some = waiting.shift()) {
      await attempt(some, compile);
      say(`${arch}: ${fits.length - 40 * waiting.length} of ${fits.length} begun`);
    }
  };
  await Promise.all(compilers.map(lane));
  return all;
}

function familiesOf(resources: ReadonlyMap<string, Resources>): Readonly<Record<string, Family>> {
  const names = [...resources.keys()].sort();
  const operators = [...new Set(names.map(operatorOf))];
  const family = (operator: string): Family => {
    const own = names.filter((n) => operatorOf(n) === operator).map((n) => resources.get(n)!);
    const most = (what: keyof Resources): number => Math.max(...own.map((r) => r[what]));
    return {
      functions: own.length,
      most: { registers: most('registers'), stack: most('stack'), shared: most('shared') },
      spill: own.filter((r) => r.stack > 0).length,
    };
  };
  return Object.fromEntries(operators.map((o) => [o, family(o)]));
}

export function renderTable({ devices, failures }: KernelTable): string {
  const archs = Object.keys(devices);
  const operators = [...new Set(archs.flatMap((a) => Object.keys(devices[a]!)))].sort();
  const cell = (f: Family | undefined): string =>
    f === undefined
      ? '–'
      : [
          `${f.functions}: ${f.most.registers}`,
          ...(f.most.shared > 0 ? [`${f.most.shared} B shared`] : []),
          ...(f.spill > 0 ? [`${f.spill} spill ≤ ${f.most.stack} B`] : []),
        ].join(', ');
  return [
    '# Kernels of the GPU targets',
    '',
    'Every kernel that the ONNX suites’ cases need in fp16, bf16, fp32 and TF32, compiled where there is no GPU. Per operator: functions: most registers of a thread (on gfx90a vector and accumulation registers together), most shared memory that the text declares (launches add to it; sm_90a counts 1,024 bytes of its own), and how many keep something in memory instead, with the most bytes of a thread.',
    '',
    `| operator | ${archs.join(' | ')} |`,
    `|---|${archs.map(() => '---|').join('')}`,
    ...operators.map((o) => `| ${o} | ${archs.map((a) => cell(devices[a]![o])).join(' | ')} |`),
    '',
    failures.length === 0
      ? 'All compile.'
      : `These do not compile:\n\n${failures.map((f) => `- ${f.arch}, ${f.entry}: ${f.error}`).join('\n')}`,
    '',
  ].join('\n');
}

const precisions = [
  { precision: 'f16' },
  { precision: 'bf16' },
  { precision: 'f32' },
  { precision: 'f32', tf32: true },
] as const;

/**
 * Usage: tsx scripts/gpu/kernel-table.ts [regex of case names [devices]]: compiles the kernels of the suites for
 * sm_80, sm_90a and gfx90a. Without arguments it writes the table in fixtures/tables.
 */
async function main(): Promise<void> {
  const [pattern = '.', archs = 'sm_80,sm_90a,gfx90a'] = process.argv.slice(2);
  const wanted = archs.split(',');
  process.env.AIT_NVRTC ??= (await gpuEnv()).nvrtc;
  const devices: Record<string, Readonly<Record<string, Family>>> = {};
  const failures: { arch: string; entry: string; error: string }[] = [];
  await withTemporaryDirectory('ait-kernels', async (dir) => {
    const kinds = [
      { target: 'cuda', own: wanted.filter((a) => a.startsWith('sm_')), compiler: nvrtcResources },
      { target: 'rocm', own: wanted.filter((a) => a.startsWith('gfx')), compiler: hipccResources },
    ] as const;
    for (const { target, own, compiler } of kinds) {
      if (own.length === 0) continue;
      const found = new Map<string, DeviceFunction>();
      for (const precision of precisions)
        for (const f of await suiteKernels(new RegExp(pattern), {
          target,
          arch: own.join(','),
          ...precision,
        }))
          found.set(f.entry.text, f);
      const lanes = Array.from({ length: availableParallelism() }, async (_, i) => {
        await mkdir(join(dir, `${target}${i}`));
        return compiler(join(dir, `${target}${i}`));
      });
      const compilers = await Promise.all(lanes);
      for (const arch of own)
        devices[arch] = familiesOf(await resourcesOf([...found.values()], arch, compilers, failures));
    }
  });
  const table: KernelTable = { fingerprint: await compilerFingerprint(), pattern, devices, failures };
  if (process.argv.length === 2) {
    await writeFile(tableFile, `${JSON.stringify(table, undefined, 1)}\n`);
    await writeFile(tableFile.replace('.json', '.md'), renderTable(table));
  } else console.log(renderTable(table));
  if (failures.length > 0) process.exitCode = 1;
}

if (isProgram(import.meta.url)) await runProgram(main);
