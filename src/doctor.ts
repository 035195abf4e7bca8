import { readFileSync } from 'node:fs';
import { access, constants, mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findHipcc } from '../codegen/gpu/hipcc.js';
import { findNvrtc } from '../codegen/gpu/nvrtc.js';
import type { CpuTarget } from '../codegen/target.js';
import { type Compiler, compileFlags, findCompiler, linkFlags, probeTarget } from '../codegen/toolchain.js';
import { nvidiaArchs } from './gpus.js';
import { encodeModel } from './onnx/encode.js';
import { makeGraph, makeModel, makeNode, makeOpset, tensorValue } from './onnx/make.js';
import { runOnnxruntime } from './runtime/reference.js';
import { defaultThreads } from './runtime/threads.js';
import { CompileError } from './support/diagnostic.js';
import { cacheDirectory, env } from './support/env.js';
import { withTemporaryDirectory } from './support/temporary.js';
import { toolVersion, versionOf } from './version.js';

export interface Check {
  readonly name: string;
  /** `missing`: conversions fail without it. `poor`: they work, with less. `absent`: one target does not. */
  readonly state: 'good' | 'poor' | 'missing' | 'absent';
  readonly found: string;
  /** The command, or the step, that brings what is missing. */
  readonly remedy?: string | undefined;
}

/** Looks at everything a conversion needs, by using it. */
export async function doctor(): Promise<readonly Check[]> {
  const compiler = await findCompiler().catch(() => undefined);
  const target = compiler && (await probeTarget(compiler, 'native').catch(() => undefined));
  return [
    { name: 'ait-convert', state: 'good', found: `${toolVersion}, Node ${process.versions.node}` },
    ...(await compilers(compiler)),
    await builds(compiler, target),
    ...(await deviceCompilers()),
    await onnxruntime(),
    await foreignFunctions(),
    processor(target),
    { name: 'memory', state: 'good', found: `${(totalmem() / 2 ** 30).toFixed(1)} GiB` },
    await cache(),
  ];
}

/** The compilers that are there, the one that is used first. */
async function compilers(used: Compiler | undefined): Promise<readonly Check[]> {
  const asked = env('AIT_CXX') ?? env('CXX');
  if (used === undefined)
    return [
      {
        name: 'compiler',
        state: 'missing',
        found: asked === undefined ? 'neither g++ nor clang++' : `${asked} does not run`,
        remedy: asked === undefined ? installCompiler() : 'set AIT_CXX to a C++ compiler, or unset it',
      },
    ];
  const others = await Promise.all(
    ['g++', 'clang++']
      .filter((name) => name !== used.path)
      .map(async (name) => {
        const version = await execa(name, ['--version']).catch(() => undefined);
        return (
          version && { name: 'also there', state: 'good' as const, found: version.stdout.split('\n')[0]! }
        );
      }),
  );
  const mine = { name: 'compiler', state: 'good' as const, found: `${used.path}: ${used.version}` };
  return [mine, ...others.filter((c) => c !== undefined)];
}

/** What conversions for GPUs need; without it only those do not work. */
async function deviceCompilers(): Promise<readonly Check[]> {
  const look = async (name: string, found: Promise<string>): Promise<Check> => {
    try {
      return { name, state: 'good', found: await found };
    } catch (e) {
      if (!(e instanceof CompileError)) throw e;
      return { name, state: 'absent', found: e.message, remedy: e.hint };
    }
  };
  return [
    await look(
      'target cuda',
      Promise.all([findNvrtc(), nvidiaArchs()]).then(
        ([{ library }, archs]) =>
          `NVRTC, ${library}; ${archs.length === 0 ? 'no GPU here' : `GPUs: ${archs.join(', ')}`}`,
      ),
    ),
    await look(
      'target rocm',
      findHipcc().then(({ path, version }) => `${path}: ${version}`),
    ),
  ];
}

/** A compiler without its standard library or linker says its version all the same. */
async function builds(compiler: Compiler | undefined, target: CpuTarget | undefined): Promise<Check> {
  const name = 'builds code';
  if (compiler === undefined || target === undefined)
    return { name, state: 'missing', found: 'not tried', remedy: 'see above' };
  return withTemporaryDirectory('ait-doctor', async (dir): Promise<Check> => {
    const start = performance.now();
    try {
      const output = join(dir, 'probe.so');
      const flags = [...compileFlags(target, false), '-x', 'c++', '-', '-o', output, ...linkFlags];
      const input =
        '#include <cmath>\n#include <thread>\nextern "C" float probe(float x) { return std::sqrt(x); }\n';
      await execa(compiler.path, flags, { input });
      return { name, state: 'good', found: `yes, in ${((performance.now() - start) / 1000).toFixed(1)} s` };
    } catch (e) {
      const lines = e instanceof Error ? e.message.split('\n') : [];
      const line = lines.find((l) => /error|cannot/i.test(l)) ?? 'it fails';
      return { name, state: 'missing', found: line, remedy: installCompiler() };
    }
  });
}

async function onnxruntime(): Promise<Check> {
  const name = 'onnxruntime';
  try {
    const type = tensorValue('x', 'f32', [1]);
    const graph = makeGraph({
      name: 'probe',
      node: [makeNode({ opType: 'Identity', input: ['x'], output: ['y'] })],
      input: [type],
      output: [{ ...type, name: 'y' }],
    });
    const model = encodeModel(makeModel({ irVersion: 8, opsetImport: [makeOpset('', 17)], graph }));
    const one = { dtype: 'f32', shape: [1], bytes: new Uint8Array(Float32Array.of(1).buffer) };
    await runOnnxruntime(model, new Map([['x', one]]), { timeoutMs: 60_000 });
    return { name, state: 'good', found: `onnxruntime-node ${versionOf('onnxruntime-node')}` };
  } catch (e) {
    const found = e instanceof Error ? e.message : String(e);
    return { name, state: 'missing', found, remedy: 'npm install onnxruntime-node' };
  }
}

async function foreignFunctions(): Promise<Check> {
  const name = 'engine loader';
  try {
    const { loaderVersion } = await import('./runtime/engine-library.js');
    return { name, state: 'good', found: loaderVersion };
  } catch (e) {
    return { name, state: 'missing', found: (e as Error).message, remedy: 'npm install koffi' };
  }
}

function processor(target: CpuTarget | undefined): Check {
  const model = cpus()[0]?.model.trim() ?? process.arch;
  const found = [model, target?.isa ?? process.arch, `${defaultThreads()} threads`].join(', ');
  if (target === undefined || target.lanes > 4) return { name: 'processor', state: 'good', found };
  return {
    name: 'processor',
    state: 'poor',
    found: `${found} (no AVX2: kernels run at a fraction of the speed)`,
  };
}

async function cache(): Promise<Check> {
  const name = 'cache';
  const place = cacheDirectory();
  try {
    await mkdir(place, { recursive: true });
    await access(place, constants.W_OK);
    const { bavail, bsize } = await statfs(place);
    const [bytes, files] = await sizeOf(place);
    const free = bavail * bsize;
    const found = `${place}: ${files} files, ${mebibytes(bytes)}, ${mebibytes(free)} free`;
    if (free > 256 * 2 ** 20) return { name, state: 'good', found };
    return { name, state: 'poor', found, remedy: 'free some space, or set AIT_CACHE_DIR to another disk' };
  } catch (e) {
    return {
      name,
      state: 'poor',
      found: `${place} cannot be written (${(e as Error).message}); every conversion builds anew`,
      remedy: 'set AIT_CACHE_DIR to a directory you may write to',
    };
  }
}

async function sizeOf(directory: string): Promise<readonly [bytes: number, files: number]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((e) => e.isFile())
      .map((e) =>
        stat(join(e.parentPath, e.name)).then(
          (s) => s.size,
          () => 0,
        ),
      ),
  );
  return [sizes.reduce((a, b) => a + b, 0), sizes.length];
}

const mebibytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** The command that installs a C++ compiler on this system. */
function installCompiler(): string {
  if (process.platform === 'darwin') return 'xcode-select --install';
  let release = '';
  try {
    release = readFileSync('/etc/os-release', 'utf8');
  } catch {}
  const family = /^ID(?:_LIKE)?=(.*)$/gm;
  const ids = [...release.matchAll(family)].map(([, id]) => id!.replaceAll('"', '')).join(' ');
  if (/debian|ubuntu/.test(ids)) return 'apt-get install -y g++';
  if (/fedora|rhel|centos/.test(ids)) return 'dnf install -y gcc-c++';
  if (/alpine/.test(ids)) return 'apk add g++';
  if (/arch/.test(ids)) return 'pacman -S gcc';
  if (/suse/.test(ids)) return 'zypper install gcc-c++';
  return 'install g++ or clang++ with the package manager of this system';
}
