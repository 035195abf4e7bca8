import { homedir } from 'node:os';
import { join } from 'node:path';
import { CompileError } from './diagnostic.js';

/** Every environment variable the product reads. The README's table is rendered from this one. */
const VARIABLES = {
  AIT_DUMP:
    'A regular expression (`.` for all). The graph after every pass of such a name that changed it goes to standard error.',
  AIT_CACHE_DIR: 'Where compiled kernels are kept; default `ait-convert` in the user’s cache directory.',
  AIT_CXX:
    'The C++ compiler to use, a name or a path; default `CXX`, then the first of g++ and clang++ found.',
  AIT_NVRTC:
    'libnvrtc.so, the compiler for NVIDIA GPUs; default the newest of a CUDA toolkit or a Python environment.',
  AIT_HIPCC: 'hipcc, the compiler for AMD GPUs; default the one on PATH, then that of ROCm.',
  AIT_DEVICE: 'Which GPU an engine runs on, counted from 0; default 0.',
  AIT_THREADS:
    'Threads an engine and the compiler may use; `--threads` wins; default the number of physical cores.',
  CXX: 'The C++ compiler, where `AIT_CXX` is not set.',
  CUDA_HOME: 'Where a CUDA toolkit lies, for NVRTC, as `CUDA_PATH`.',
  CUDA_PATH: 'Where a CUDA toolkit lies, where `CUDA_HOME` is not set.',
  ROCM_PATH: 'Where ROCm lies, for hipcc; default /opt/rocm.',
  VIRTUAL_ENV: 'A Python environment that may hold the wheel nvidia-cuda-nvrtc.',
  XDG_CACHE_HOME: 'The user’s cache directory on Linux, where `AIT_CACHE_DIR` is not set.',
  LOCALAPPDATA: 'The user’s cache directory on Windows, where `AIT_CACHE_DIR` is not set.',
  ORT_DISABLE_TELEMETRY:
    'onnxruntime’s own. This program sets it to 1, so that nothing about its use leaves the machine; a value of yours stays.',
  NO_COLOR: 'Set to anything: no colours in the terminal.',
} as const;

export type EnvName = keyof typeof VARIABLES;

/** The variable's value; an empty one counts as not set. */
export function env(name: EnvName): string | undefined {
  return process.env[name] || undefined;
}

/** The variable as a positive integer. */
export function envCount(name: EnvName): number | undefined {
  const text = env(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new CompileError(
    'bad-environment',
    `${name}=${text} is not a positive whole number`,
    `unset ${name}, or set it to 1 or more`,
  );
}

/**
 * To be called before onnxruntime is loaded, in this process or in a child of it: unless told otherwise it
 * reports on its use, and keeps files for that in the user's home and in the temporary directory.
 */
export function silenceOnnxruntime(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
}

/** The directory that outlives a conversion: compiled kernels and whatever else may be thrown away at any time. */
export function cacheDirectory(): string {
  const own = env('AIT_CACHE_DIR');
  if (own !== undefined) return own;
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'ait-convert');
  if (process.platform === 'win32')
    return join(env('LOCALAPPDATA') ?? join(homedir(), 'AppData', 'Local'), 'ait-convert');
  return join(env('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'ait-convert');
}

/** The table as Markdown, for the README. */
export function renderEnvTable(): string {
  const rows = Object.entries(VARIABLES).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  return ['| variable | meaning |', '|---|---|', ...rows].join('\n');
}
