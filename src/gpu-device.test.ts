import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findHipcc } from '../codegen/gpu/hipcc.js';
import { type FakeDriver, fakeDriver, nothingKept } from '../fixtures/gpu/fake-driver.js';
import { f32, floats, model, node, value } from '../fixtures/onnx-importer/material.js';
import { gpuEnv } from '../scripts/gpu-env.js';
import { type Ended, start } from './cli/command-line.fixtures.js';
import { exitCodeOf } from './cli/exit-codes.js';
import { encodeModel } from './onnx/encode.js';
import { InferenceSession } from './runtime/session.js';
import { CompileError } from './support/diagnostic.js';

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

koffi.config({ ...koffi.config(), async_stack_size: 4 << 20 });

/** A driver loaded here: a library of this name that is there already is the one that an engine finds. */
function driverOf(path: string) {
  const driver = koffi.load(path);
  return {
    kept: driver.func('const char* fake_kept()') as () => string,
    replays: driver.func('long fake_replays()') as () => number,
    calls: driver.func('long fake_calls()') as () => number,
    fail: driver.func('void fake_fail(const char*, long)') as (name: string, behind: number) => void,
  };
}

/** What gives things back: when that fails, they are not given back. */
const giving = /Free|Destroy|Unload|Release/;

/** Runs an engine while every function of the driver fails, early and late: a sentence each, and nothing kept. */
async function failures(engine: string, { library, names }: FakeDriver): Promise<void> {
  const { kept, fail, calls } = driverOf(library);
  const attempt = async (): Promise<void> => {
    const session = await InferenceSession.create(engine);
    try {
      for (let i = 0; i < 4; i++) await session.run({ x: f32([2, 600], Array(1200).fill(1)) });
    } finally {
      await session.dispose();
    }
  };
  await attempt();
  expect(kept()).toBe(nothingKept);
  for (const name of names.filter((n) => !giving.test(n) && !/ErrorString/.test(n)))
    for (let behind = 0; behind < 40; behind = behind * 2 + 1) {
      fail(name, behind);
      const error = await attempt().catch((e: unknown) => e);
      const failed = calls() > behind;
      fail('', 0);
      if (error !== undefined) {
        expect(error, name).toBeInstanceOf(CompileError);
        expect(exitCodeOf(error), `${name}: ${error}`).toBe(3);
        expect((error as CompileError).message, name).toMatch(/^[^.\n]*[^.\n]$|libcuda|libamd|\d\.\d/);
      }
      expect(kept(), `${name} behind ${behind} calls`).toBe(nothingKept);
      if (!failed) break;
    }
  await attempt();
  expect(kept()).toBe(nothingKept);
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
  let driver: FakeDriver;
  const none = join(dir, 'none');
  const fake = join(dir, 'fake');

  beforeAll(async () => {
    mkdirSync(none);
    // What is no library stands in front of one that the machine may have.
    writeFileSync(join(none, 'libcuda.so.1'), '');
    driver = await fakeDriver('cuda', fake);
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
    const kept = folder === fake ? readFileSync(log, 'utf8') : nothingKept;
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
      'AIT_DEVICE is 3, and this machine has 1 GPU, numbered from 0',
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
      'there is no memory on the GPU for an output',
    ],
    [
      'whose code does not run',
      fake,
      { FAKE_FAIL: 'cuLaunchKernelEx' },
      'device-failed',
      /^error\[device-failed]: the GPU could not run device_pointwise_\w+: broken$/,
    ],
    [
      'that makes no stream for a context',
      fake,
      { FAKE_FAIL: 'cuStreamCreate', FAKE_CALLS: '1' },
      'device-failed',
      'the GPU could not make a stream: broken',
    ],
    [
      'whose runs do not end',
      fake,
      { FAKE_FAIL: 'cuStreamSynchronize', FAKE_CALLS: '1' },
      'device-failed',
      'the GPU could not finish the run: broken',
    ],
  ] as const)('%s says so in a sentence, and gives back what it took', async (_, folder, env, code, said) => {
    const ended = await run(folder, env);
    const first = ended.said.split('\n')[0];
    if (typeof said === 'string') expect(first).toBe(`error[${code}]: ${said}`);
    else expect(first).toMatch(said);
    expect(ended).toMatchObject({ code: 3, kept: nothingKept });
  });

  test('gives back what it took after a run', async () => {
    expect(await run(fake)).toEqual({ code: 0, said: '', kept: nothingKept });
  });

  test('records each shape at its second run, replays it then, and keeps eight', async () => {
    const { kept, replays } = driverOf(driver.library);
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
    expect(kept()).toBe(nothingKept);
  });

  test('whatever fails, a sentence says so, everything is given back, and it opens again', async () => {
    await failures(join(dir, 'engine'), driver);
  }, 120_000);

  test('what engines share lasts as long as one of them', async () => {
    const { kept } = driverOf(driver.library);
    const feeds = { x: f32([2, 600], Array(1200).fill(1)) };
    const [a, b] = [
      await InferenceSession.create(join(dir, 'engine')),
      await InferenceSession.create(join(dir, 'engine')),
    ];
    await Promise.all([a.run(feeds), b.run(feeds)]);
    expect(kept()).toMatch(/^1 contexts, 1 modules, 2 streams, /);
    await a.dispose();
    expect(kept()).toMatch(/^1 contexts, 1 modules, 1 streams, /);
    await b.run(feeds);
    await b.dispose();
    expect(kept()).toBe(nothingKept);
  });
});

const hasHipcc = await findHipcc().then(
  () => true,
  () => false,
);

test.skipIf(!hasHipcc)(
  'an engine for AMD GPUs gives everything back as well',
  async () => {
    const { code, err } = await start(dir, ['model.onnx', '-o', 'amd', '--target', 'rocm', '--no-verify'])
      .ended;
    expect(err).not.toContain('error');
    expect(code).toBe(0);
    await failures(join(dir, 'amd'), await fakeDriver('hip', join(dir, 'fake-hip')));
  },
  120_000,
);
