import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cubinCompiler } from '../codegen/gpu/nvrtc.js';
import { emitSegment } from '../codegen/host-program.js';
import type { DeviceFunction } from '../codegen/kernel.js';
import { ObjectCache } from '../codegen/object-cache.js';
import { AITLowerer } from '../lowering/ait-lowerer.js';
import { verify } from '../lowering/rules.js';
import type { Backend } from '../src/backend.js';
import { nvrtcTool } from '../src/gpu-backend.js';
import { load } from '../src/load.js';
import { lower } from '../src/lower.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { cacheDirectory } from '../src/support/env.js';
import { sha256 } from '../src/support/hash.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import { backendFor } from '../src/target.js';
import { scriptArguments } from './arguments.js';
import { repository, runProgram } from './cache.js';
import { compilerFingerprint, gpuSources } from './fingerprint.js';
import { gpuEnv } from './gpu-env.js';
import { suite } from './suite-fetch.js';
import { zoo } from './zoo-fetch.js';

/*
 * Compiles, without a GPU, the functions that the zoo and the ONNX node suite need of one, for sm_80 and sm_90a, and
 * writes what they take of a multiprocessor to fixtures/tables/gpu-kernels.md. `--minutes M` stops looking for more
 * functions after M minutes and writes nothing; `--seed S` says which come first then.
 */

interface Usage {
  readonly registers: number;
  /** Bytes of local memory of a thread: spilled registers and arrays. */
  readonly local: number;
  readonly shared: number;
}

type Row = readonly [operator: string, arch: string, usage: Usage];

const archs = ['sm_80', 'sm_90a'];
const table = join(repository, 'fixtures', 'tables', 'gpu-kernels.md');

/** The functions of a model's compiled segments, with the operators that launch them. */
async function functionsOf(
  model: string,
  backend: Backend,
  reference: OnnxruntimeProcess,
): Promise<readonly (readonly [operator: string, f: DeviceFunction])[]> {
  const { graph } = await load(model, {}, () => {});
  const lowered = await lower(graph, backend, reference, undefined, () => {});
  const { segments } = new AITLowerer({ ...backend, minBlockSize: 0 }).partition(lowered);
  let bytes = 0;
  const store = {
    append: (l: { readonly byteLength: number }) => (bytes += l.byteLength),
    get bytes() {
      return bytes;
    },
  };
  return segments.flatMap((s) => {
    if (s.kind === 'fallback') return [];
    verify('partitioned')(s.graph);
    const { kernels } = emitSegment('segment_0', s.graph, backend, store);
    return kernels.flatMap((k) =>
      (k.device ?? []).map((f) => [k.entry.text.replace(/_[^_]*$/, ''), f] as const),
    );
  });
}

/** What cuobjdump says of a file of machine code with one function. */
async function usageOf(cubin: string, cuobjdump: string): Promise<Usage> {
  const { stdout } = await execa(cuobjdump, ['-res-usage', cubin]);
  const number = (name: string): number =>
    Number(new RegExp(`${name}:(\\d+)`).exec(stdout)?.[1] ?? Number.NaN);
  return { registers: number('REG'), local: number('STACK') + number('LOCAL'), shared: number('SHARED') };
}

await runProgram(async () => {
  const { options } = scriptArguments(['minutes', 'seed']);
  const end = performance.now() + 60_000 * Number(options.minutes ?? 1e6);
  const env = await gpuEnv();
  process.env['AIT_NVRTC'] = env.nvrtc;
  const backend = await backendFor({ target: 'cuda', arch: archs.join(',') });
  const cubin = cubinCompiler({ library: env.nvrtc }, nvrtcTool);
  const models = [
    ...(await zoo()).map((m) => m.file),
    ...(await suite()).filter((c) => c.suite === 'node').map((c) => c.model),
  ];
  const seed = options.seed ?? '';
  if (options.minutes !== undefined)
    models.sort((a, b) => (sha256(Buffer.from(seed + a)) < sha256(Buffer.from(seed + b)) ? -1 : 1));
  const found = new Map<string, { readonly operator: string; readonly f: DeviceFunction }>();
  const reference = new OnnxruntimeProcess();
  for (const model of models) {
    if (performance.now() > end) break;
    // A model that cannot be read or lowered is the business of the suites' own runs.
    const functions = await functionsOf(model, backend, reference).catch(() => []);
    for (const [operator, f] of functions) found.set(f.entry.text, { operator, f });
  }
  reference.dispose();
  const rows: Row[] = [];
  const failures: string[] = [];
  await withTemporaryDirectory('ait-gpu-kernels', async (dir) => {
    const how = { ...backend, cache: new ObjectCache(cacheDirectory()), dir };
    const queue = [...found.values()];
    const worker = async (): Promise<void> => {
      for (let job = queue.pop(); job && performance.now() < end + 120_000; job = queue.pop()) {
        const { operator, f } = job;
        const source = join(dir, `${f.entry}.cu`);
        await writeFile(source, f.text);
        for (const arch of f.archs) {
          const output = `${source}.${arch}`;
          try {
            await cubin(source, arch, output, how);
            rows.push([operator, arch, await usageOf(output, env.cuobjdump)]);
          } catch (e) {
            failures.push(`${f.entry} for ${arch}: ${e instanceof Error ? e.message : e}`);
          }
        }
      }
    };
    await Promise.all([worker(), worker()]);
  });
  for (const f of failures) console.log(f);
  console.log(`${rows.length} compiled, ${failures.length} failed`);
  if (failures.length > 0) process.exitCode = 1;
  else if (options.minutes === undefined) await writeFile(table, await markdown(rows));
});

async function markdown(rows: readonly Row[]): Promise<string> {
  const operators = [...new Set(rows.map(([operator]) => operator))].toSorted();
  const lines = operators.flatMap((operator) =>
    archs.flatMap((arch) => {
      const own = rows.filter((r) => r[0] === operator && r[1] === arch).map(([, , u]) => u);
      if (own.length === 0) return [];
      const most = (of: (u: Usage) => number): number => Math.max(...own.map(of));
      const spilling = own.filter((u) => u.local > 0).length;
      return [
        `| ${operator} | ${arch} | ${own.length} | ${most((u) => u.registers)} | ${spilling} | ${most((u) => u.local)} | ${most((u) => u.shared)} |`,
      ];
    }),
  );
  return `<!-- Written by scripts/gpu-kernels.ts from sources ${await compilerFingerprint(gpuSources)}. -->

What the GPU's functions take of a multiprocessor, as NVRTC 13.0 compiles those that the zoo and the ONNX node suite
need, in fp16. Dynamic shared memory is asked for when they are started and not in the last column.

| operator | device | functions | most registers | with local memory | most local bytes | most static shared bytes |
|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}
