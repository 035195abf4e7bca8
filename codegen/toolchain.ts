import { ExecaError, execa } from 'execa';
import { CompileError } from '../src/support/diagnostic.js';
import { env } from '../src/support/env.js';
import { runGroup } from '../src/support/process-group.js';
import type { CpuTarget } from './target.js';

/** A C++ compiler that was found and asked who it is. */
export interface Compiler {
  readonly path: string;
  /** First line of --version. */
  readonly version: string;
}

/** Finds the system's C++ compiler. Throws `no-compiler` (exit code 3) with what to install. */
export async function findCompiler(): Promise<Compiler> {
  const asked = env('AIT_CXX') ?? env('CXX');
  const candidates = asked === undefined ? ['g++', 'clang++'] : [asked];
  for (const path of candidates) {
    try {
      const { stdout } = await execa(path, ['--version']);
      return { path, version: stdout.split('\n')[0] ?? path };
    } catch {}
  }
  throw new CompileError(
    'no-compiler',
    `no C++ compiler was found (tried ${candidates.join(', ')})`,
    asked === undefined
      ? 'install one: apt-get install g++, or set AIT_CXX'
      : 'AIT_CXX or CXX must name a C++ compiler',
  );
}

/** Macros that tell which instructions -march=… allows. */
export async function probeTarget(compiler: Compiler, arch: string | undefined): Promise<CpuTarget> {
  let stdout: string;
  try {
    ({ stdout } = await execa(compiler.path, [...archFlags(arch), '-dM', '-E', '-x', 'c++', '-'], {
      input: '',
    }));
  } catch (e) {
    const said = e instanceof ExecaError ? String(e.stderr).split('\n')[0] : String(e);
    throw new CompileError(
      'bad-arch',
      `${compiler.path} does not know --arch ${arch}: ${said}`,
      'use native, x86-64-v3 or x86-64-v4',
    );
  }
  const has = (macro: string): boolean => stdout.includes(`#define ${macro} `);
  const lanes = has('__AVX512F__') ? 16 : has('__AVX__') ? 8 : 4;
  const features = [...Object.keys(extensions), '__clang__'].filter(has);
  return { kind: 'cpu', arch: arch ?? 'generic', isa: isaName(has), lanes, features: features.join(' ') };
}

/** Instruction sets beyond the levels of the x86-64 psABI, by the macro that allows them. */
const extensions: Readonly<Record<string, string>> = {
  __AVX512VNNI__: 'avx512vnni',
  __AVX512VBMI__: 'avx512vbmi',
  __AVX512VBMI2__: 'avx512vbmi2',
  __AVX512BITALG__: 'avx512bitalg',
  __AVX512IFMA__: 'avx512ifma',
  __AVX512VPOPCNTDQ__: 'avx512vpopcntdq',
  __AVX512BF16__: 'avx512bf16',
  __GFNI__: 'gfni',
  __VPCLMULQDQ__: 'vpclmulqdq',
  __AVXVNNI__: 'avxvnni',
};

/** What the code may use, level and extensions, as isa.h checks it when an engine is opened. */
function isaName(has: (macro: string) => boolean): string {
  const level = ['__AVX512F__', '__AVX512BW__', '__AVX512DQ__', '__AVX512VL__', '__AVX512CD__'].every(has)
    ? 'x86-64-v4'
    : has('__AVX2__') && has('__FMA__')
      ? 'x86-64-v3'
      : has('__x86_64__')
        ? 'x86-64'
        : 'generic';
  const more = Object.entries(extensions).filter(([macro]) => has(macro));
  return [level, ...more.map(([, name]) => name)].join('+');
}

/** The oldest processor of the family where none is named. */
const archFlags = (arch: string | undefined): readonly string[] =>
  arch === undefined || arch === 'generic' ? [] : [`-march=${arch}`];

export const compileFlags = (target: CpuTarget, baseline: boolean): readonly string[] => [
  '-std=c++17',
  '-O3',
  ...(baseline ? [] : archFlags(target.arch)),
  // Values keep IEEE meaning; only errno and traps, which nobody reads, are given up.
  '-fno-math-errno',
  '-fno-trapping-math',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-gnu-unique',
  '-fno-threadsafe-statics',
  '-fvisibility=hidden',
  '-fPIC',
  // The innermost contraction kernels are in a unit of their own, which every other unit shares.
  '-DAIT_SHARED_KERNELS',
  '-w',
];

export const linkFlags: readonly string[] = [
  '-shared',
  '-pthread',
  '-static-libgcc',
  '-Wl,--as-needed,-z,defs,--gc-sections',
  '-s',
];

/** Runs the compiler, its temporary files in `scratch`; a failure carries its first error lines. */
export async function runCompiler(
  compiler: Compiler,
  args: readonly string[],
  scratch: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await runGroup(compiler.path, args, { TMPDIR: scratch }, signal);
  } catch (e) {
    if (signal?.aborted) throw new CompileError('cancelled', 'the compilation was interrupted');
    if (!(e instanceof ExecaError)) throw e;
    const lines = String(e.stderr ?? e.message)
      .split('\n')
      .filter((l) => /error|undefined|cannot/i.test(l));
    throw new CompileError(
      'compiler-failed',
      `${compiler.path} failed: ${lines.slice(0, 3).join(' | ') || e.shortMessage}`,
    );
  }
}
