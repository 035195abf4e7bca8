import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findCompiler } from '../codegen/toolchain.js';
import { f32, floats, model, node, value } from '../fixtures/onnx-importer/material.js';
import { gpuEnv } from '../scripts/gpu-env.js';
import { headersDirectory } from './backend.js';
import { type Ended, start } from './cli/command-line.fixtures.js';
import { encodeModel } from './onnx/encode.js';
import { InferenceSession } from './runtime/session.js';

// What an engine for NVIDIA GPUs says where there is none, or not the right one. The driver is a library of
// the test's own, so nothing here depends on the machine.

const dir = mkdtempSync(join(tmpdir(), 'ait-gpu-device-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** NVIDIA has wheels of its compiler for these alone. */
const hasCompiler = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

const scaling = model({
  input: [value('x', 'f32', 'N', 600)],
  initializer: [
    floats(
      'w',
      [600],
      Array.from({ length: 600 }, (_, i) => Math.sin(i)),
    ),
  ],
  node: [node('Mul', ['x', 'w'], ['y'])],
  output: [value('y', 'f32', 'N', 600)],
});

const nothing = '0 blocks, 0 on the host, 0 streams, 0 graphs';

/** A driver that does nothing, and says at the end what was not given back. */
function driverSource(): string {
  const header = readFileSync(join(headersDirectory, 'ait/gpu/driver_cuda.h'), 'utf8');
  const names = [...header.matchAll(/ {2}X\(\w+, "(cu\w+)"/g)].map((m) => m[1]!);
  const body = `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int number(const char* name, int otherwise) {
  const char* text = getenv(name);
  return text ? atoi(text) : otherwise;
}
static long device_blocks, host_blocks, streams, allocations, graphs, replays;
long fake_live(void) { return device_blocks + host_blocks + streams + graphs; }
long fake_replays(void) { return replays; }
__attribute__((destructor)) static void tell(void) {
  const char* path = getenv("FAKE_LOG");
  FILE* f = path ? fopen(path, "w") : NULL;
  if (f == NULL) return;
  fprintf(f, "%ld blocks, %ld on the host, %ld streams, %ld graphs", device_blocks, host_blocks, streams, graphs);
  fclose(f);
}
int cuDriverGetVersion(int* v) { *v = number("FAKE_VERSION", 13000); return 0; }
int cuGetErrorString(int code, const char** text) { *text = code == 2 ? "out of memory" : "broken"; return 0; }
int cuDeviceGetCount(int* n) { *n = number("FAKE_COUNT", 1); return 0; }
int cuDeviceGet(int* d, int i) { *d = i; return 0; }
int cuDeviceGetName(char* name, int size, int d) { strncpy(name, "Fake", size); return 0; }
int cuDeviceGetAttribute(int* v, int which, int d) {
  int arch = number("FAKE_ARCH", 80);
  *v = which == 75 ? arch / 10 : which == 76 ? arch % 10 : which == 16 ? 8 : 99 * 1024;
  return 0;
}
int cuMemAlloc_v2(uint64_t* p, size_t size) {
  if (allocations++ >= number("FAKE_ALLOCATIONS", 1 << 30)) return 2;
  device_blocks++;
  *p = (uint64_t)malloc(size);
  return 0;
}
int cuMemFree_v2(uint64_t p) { device_blocks--; free((void*)p); return 0; }
int cuMemHostAlloc(void** p, size_t size, unsigned flags) { host_blocks++; *p = malloc(size); return 0; }
int cuMemFreeHost(void* p) { host_blocks--; free(p); return 0; }
int cuStreamCreate(void** s, unsigned flags) { streams++; *s = &streams; return 0; }
int cuStreamDestroy_v2(void* s) { streams--; return 0; }
int cuStreamEndCapture(void* s, void** g) { graphs++; *g = &streams; return 0; }
int cuGraphDestroy(void* g) { graphs--; return 0; }
int cuGraphInstantiateWithFlags(void** e, void* g, unsigned long long flags) { graphs++; *e = &streams; return 0; }
int cuGraphExecDestroy(void* e) { graphs--; return 0; }
int cuGraphLaunch(void* e, void* s) { replays++; return 0; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t n, void* s) { memcpy((void*)to, from, n); return 0; }
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t n, void* s) { memcpy(to, (void*)from, n); return 0; }
int cuLaunchKernelEx(void* how, void* f, void** args, void** extra) { return number("FAKE_LAUNCH", 0); }
int cuModuleLoadData(void** m, const void* code) { *m = &streams; return 0; }
int cuFuncGetAttribute(int* v, int which, void* f) { *v = 0; return 0; }
`;
  const others = names.filter((n) => !body.includes(`int ${n}(`)).map((n) => `int ${n}() { return 0; }`);
  return `${body}${others.join('\n')}\n`;
}

beforeAll(() => {
  mkdirSync(join(dir, 'tmp'));
  writeFileSync(join(dir, 'model.onnx'), encodeModel(scaling));
});

test.each([
  [
    'cuda',
    { AIT_NVRTC: '/nowhere/libnvrtc.so' },
    'error[no-nvrtc]: AIT_NVRTC names /nowhere/libnvrtc.so, which does not exist',
  ],
  ['rocm', { AIT_HIPCC: '/nowhere/hipcc' }, 'error[no-hipcc]: AIT_HIPCC names /nowhere/hipcc'],
])(
  'without the compiler for %s the machine is at fault, and the hint says what to install',
  async (target, env, said) => {
    const { code, err } = await start(dir, ['model.onnx', '-o', `no-${target}`, '--target', target], env)
      .ended;
    expect(err).toContain(said);
    expect(err).toContain('hint: ');
    expect(code).toBe(3);
    expect(readdirSync(dir)).not.toContain(`no-${target}`);
    const inspected = await start(dir, ['inspect', 'model.onnx', '--target', target], env).ended;
    expect(inspected.out.replace(/\s+/g, ' ')).toContain(`not planned ${said.replace(/.*]: /, '')}`);
    expect(inspected.code).toBe(0);
  },
);

describe.skipIf(!hasCompiler)('an engine for NVIDIA GPUs', () => {
  let converted: Ended;
  const none = join(dir, 'none');
  const fake = join(dir, 'fake');

  beforeAll(async () => {
    for (const folder of [none, fake]) mkdirSync(folder);
    // What is no library stands in front of one that the machine may have.
    writeFileSync(join(none, 'libcuda.so.1'), '');
    writeFileSync(join(dir, 'driver.c'), driverSource());
    const { path } = await findCompiler();
    const library = join(fake, 'libcuda.so.1');
    execFileSync(path, [
      '-x',
      'c',
      '-w',
      '-shared',
      '-fPIC',
      '-O0',
      '-Wl,-soname,libcuda.so.1',
      join(dir, 'driver.c'),
      '-o',
      library,
    ]);
    const { nvrtc } = await gpuEnv();
    const args = ['model.onnx', '-o', 'engine', '--target', 'cuda', '--arch', 'sm_80,sm_90a'];
    converted = await start(dir, args, { AIT_NVRTC: nvrtc, LD_LIBRARY_PATH: none }).ended;
  });

  const run = async (folder: string, env: Readonly<Record<string, string>> = {}) => {
    const log = join(dir, `${Object.entries(env).flat().join('-')}.log`);
    const ended = await start(dir, ['run', 'engine', '--dim', 'N=2'], {
      ...env,
      LD_LIBRARY_PATH: folder,
      FAKE_LOG: log,
    }).ended;
    const kept = folder === fake ? readFileSync(log, 'utf8') : nothing;
    return { code: ended.code, said: ended.err.trim(), kept };
  };

  test('is described by its devices and what they store', async () => {
    const line = 'NVIDIA GPUs (sm_80, sm_90a) in fp16, host ';
    const { out } = await start(dir, ['inspect', 'engine']).ended;
    expect(out).toContain(line);
    expect(converted.out).toContain(`, for ${line}`);
    expect(readFileSync(join(dir, 'engine', 'report.html'), 'utf8')).toContain(
      'compiled for NVIDIA GPUs (sm_80, sm_90a) in fp16 with ',
    );
  });

  test('is made where there is no GPU, with a warning that nothing was compared', () => {
    expect(converted.err).not.toContain('error');
    expect(converted.out.replace(/\s+/g, ' ')).toContain(
      'warning the result was not compared with onnxruntime: this model was compiled for NVIDIA GPUs, and this ' +
        'machine has no driver for them (libcuda.so.1); run ait-convert diff where there is one',
    );
    expect(converted.code).toBe(0);
  });

  const text =
    'this model was compiled for NVIDIA GPUs, and this machine has no driver for them (libcuda.so.1); run it where ' +
    'there is one, or convert the model with --target cpu';
  test.concurrent.each([
    ['without a driver', none, {}, 'no-device', text],
    [
      'with too old a driver',
      fake,
      { FAKE_VERSION: '11080' },
      'no-device',
      'the driver of the GPU is too old: it is of CUDA 11.8, and this model needs 12.0; install a newer driver',
    ],
    [
      'without a GPU',
      fake,
      { FAKE_COUNT: '0' },
      'no-device',
      'this model was compiled for NVIDIA GPUs, and the driver finds none on this machine',
    ],
    [
      'on a GPU it has no code for',
      fake,
      { FAKE_ARCH: '75' },
      'no-device',
      'this model was compiled for sm_80, sm_90a, and the device (Fake) is sm_75; convert the model again with --arch sm_75',
    ],
    [
      'on a GPU that is not there',
      fake,
      { AIT_DEVICE: '3' },
      'no-device',
      'AIT_DEVICE is 3, and this machine has 1 GPUs, numbered from 0',
    ],
    [
      'without memory for its weights',
      fake,
      { FAKE_ALLOCATIONS: '0' },
      'out-of-memory',
      "the model's weights, 1 MiB, do not fit the memory of the GPU",
    ],
    [
      'without memory for its inputs',
      fake,
      { FAKE_ALLOCATIONS: '1' },
      'out-of-memory',
      'the inputs do not fit the memory of the GPU',
    ],
    [
      'without memory for its outputs',
      fake,
      { FAKE_ALLOCATIONS: '2' },
      'out-of-memory',
      'there is no memory for an output',
    ],
  ] as const)('%s says so in a sentence, and gives back what it took', async (_, folder, env, code, said) => {
    const ended = await run(folder, env);
    expect(ended.said.split('\n')[0]).toBe(`error[${code}]: ${said}`);
    expect(ended).toMatchObject({ code: 3, kept: nothing });
  });

  test('gives back what it took after a run, and after one that fails', async () => {
    expect(await run(fake)).toEqual({ code: 0, said: '', kept: nothing });
    const failed = await run(fake, { FAKE_LAUNCH: '700' });
    expect(failed.said.split('\n')[0]).toMatch(/^error\[run-failed\]: the GPU could not run \w+: broken$/);
    expect(failed.kept).toBe(nothing);
  });

  test('records each shape at its second run, replays it then, and keeps eight', async () => {
    koffi.config({ ...koffi.config(), async_stack_size: 4 << 20 });
    // A library of this name that is there already is the one that the engine finds.
    const driver = koffi.load(join(fake, 'libcuda.so.1'));
    const live = driver.func('long fake_live()') as () => number;
    const replays = driver.func('long fake_replays()') as () => number;
    const session = await InferenceSession.create(join(dir, 'engine'));
    const runs = async (sizes: readonly number[]): Promise<number> => {
      const before = replays();
      for (const n of sizes) {
        const { y } = await session.run({ x: f32([n, 600], Array(600 * n).fill(1)) });
        expect(y!.dims).toEqual([n, 600]);
      }
      return replays() - before;
    };
    expect(await runs([1, 1, 1, 1])).toBe(3);
    expect(await runs([8, 8, 8, 1])).toBe(2);
    const sizes = [...Array(12).keys()].map((i) => i + 1);
    for (let i = 0; i < 3; i++) await runs(sizes);
    expect(await runs([12, 12, 12])).toBeGreaterThan(0);
    await session.dispose();
    expect(live()).toBe(0);
  });
});
