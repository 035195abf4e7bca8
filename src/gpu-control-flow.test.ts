import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import type { Tensor } from 'onnxruntime-common';
import { afterAll, expect, test } from 'vitest';
import { fakeDriver, nothingKept } from '../fixtures/gpu/fake-driver.js';
import { f32, floats, i64, longs, model, node, value } from '../fixtures/onnx-importer/material.js';
import { gpuEnv } from '../scripts/gpu-env.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { start } from './cli/command-line.fixtures.js';
import { convert } from './compile.js';
import { encodeModel } from './onnx/encode.js';
import { graphAttribute, intAttribute, makeGraph } from './onnx/make.js';
import type { Model } from './onnx/types.js';
import { fromOrt } from './runtime/ort-tensor.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import type { TensorData } from './support/tensor-data.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-gpu-control-flow-'));
const reference = new OnnxruntimeProcess();
afterAll(() => {
  reference.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const body = (name: string, nodes: readonly ReturnType<typeof node>[], result: string) =>
  graphAttribute(
    name,
    makeGraph({ name, node: [...nodes], output: [{ ...value(result), type: undefined }] }),
  );

/** Decides by an input of the model's, as by a rate of samples. */
const byInput = model({
  input: [value('x', 'f32', 'N', 4), value('rate', 'i64')],
  initializer: [longs('usual', [], [16000]), floats('two', [1], [2]), floats('one', [1], [1])],
  node: [
    node('Equal', ['rate', 'usual'], ['is_usual']),
    node(
      'If',
      ['is_usual'],
      ['chosen'],
      body('then_branch', [node('Mul', ['x', 'two'], ['doubled'])], 'doubled'),
      body('else_branch', [node('Concat', ['x', 'x'], ['twice'], intAttribute('axis', 0))], 'twice'),
    ),
    node('Sub', ['chosen', 'one'], ['y']),
  ],
  output: [value('y', 'f32', 'M', 4)],
});

/** Decides by what the device has computed, and in one of the branches again by an input. */
const byResult = model({
  input: [value('x', 'f32', 'N', 4), value('rate', 'i64')],
  initializer: [longs('usual', [], [16000]), floats('two', [1], [2]), floats('zero', [], [0])],
  node: [
    node('ReduceSum', ['x'], ['sum'], intAttribute('keepdims', 0)),
    node('Greater', ['sum', 'zero'], ['positive']),
    node(
      'If',
      ['positive'],
      ['y'],
      body(
        'then_branch',
        [
          node('Equal', ['rate', 'usual'], ['is_usual']),
          node(
            'If',
            ['is_usual'],
            ['inner'],
            body('then_branch', [node('Relu', ['x'], ['rectified'])], 'rectified'),
            body('else_branch', [node('Neg', ['x'], ['negated'])], 'negated'),
          ),
        ],
        'inner',
      ),
      body('else_branch', [node('Mul', ['x', 'two'], ['doubled'])], 'doubled'),
    ),
  ],
  output: [value('y', 'f32', 'N', 4)],
});

/** As many rows as there are positive elements in the first column, and what is computed of them. */
const bySize = model({
  input: [value('x', 'f32', 'N', 4), value('rate', 'i64')],
  initializer: [longs('first', [1], [0]), floats('zero', [], [0])],
  node: [
    node('Gather', ['x', 'first'], ['column'], intAttribute('axis', 1)),
    node('Greater', ['column', 'zero'], ['positive']),
    node('NonZero', ['positive'], ['places']),
    node('Gather', ['places', 'first'], ['row_places'], intAttribute('axis', 0)),
    node('Squeeze', ['row_places', 'first'], ['rows']),
    node('Gather', ['x', 'rows'], ['kept'], intAttribute('axis', 0)),
    node('Exp', ['kept'], ['e']),
    node('ReduceSum', ['e'], ['sum'], intAttribute('keepdims', 1)),
    node('Div', ['e', 'sum'], ['y']),
  ],
  output: [value('y', 'f32', 'K', 4)],
});

const feedsOf = (n: number, rate: number, phase: number): Readonly<Record<string, Tensor>> => ({
  x: f32(
    [n, 4],
    Array.from({ length: 4 * n }, (_, i) => Math.sin(i + phase)),
  ),
  rate: i64([], [rate]),
});

async function problems(
  m: Model,
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  storage: string,
): Promise<readonly string[]> {
  const given = new Map(Object.entries(feeds).map(([name, t]): [string, TensorData] => [name, fromOrt(t)]));
  const actual = await session.runData(given);
  const expected = await reference.run(encodeModel(m), given);
  return [...expected].flatMap(([name, r]) => {
    const c = compareTensors(actual.get(name)!, r, toleranceFor(r, { accumulation: 64, depth: 2, storage }));
    return c.pass ? [] : [`${name}: ${c.problem ?? JSON.stringify(c.worst)}`];
  });
}

test.each([
  ['an input', byInput],
  ['a result', byResult],
  ['a size', bySize],
] as const)(
  'what is decided by %s is decided in each run, whatever other runs do',
  async (name, m) => {
    for (const precision of ['f32', 'f16'] as const) {
      const [path, output] = [join(dir, 'model.onnx'), join(dir, `${name}-${precision}`.replace(' ', '-'))];
      writeFileSync(path, encodeModel(m));
      const { engine } = await convert(path, { output, target: 'emulated', verify: false, precision });
      expect(engine.partition.decisions.map((d) => d.kind)).not.toContain('fallback');
      const sessions = [
        await InferenceSession.create(output, { threads: 1 }),
        await InferenceSession.create(output, { threads: 1 }),
      ];
      try {
        const runs = [...Array(16).keys()].map((i) =>
          problems(m, sessions[i % 2]!, feedsOf(1 + (i % 5), i % 3 === 0 ? 16000 : 8000, i), precision),
        );
        expect((await Promise.all(runs)).flat()).toEqual([]);
      } finally {
        for (const session of sessions) await session.dispose();
      }
    }
  },
  240_000,
);

/** NVIDIA has wheels of its compiler for these alone. */
const hasCompiler = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

koffi.config({ ...koffi.config(), async_stack_size: 4 << 20 });

test.skipIf(!hasCompiler)(
  'a graph is replayed where inputs decide the same again, and never where results decide',
  async () => {
    const { library } = await fakeDriver('cuda', join(dir, 'fake'));
    const driver = koffi.load(library);
    const replays = driver.func('long fake_replays()') as () => number;
    const kept = driver.func('const char* fake_kept()') as () => string;
    const { nvrtc } = await gpuEnv();
    const sessionOf = async (name: string, m: Model): Promise<InferenceSession> => {
      writeFileSync(join(dir, `${name}.onnx`), encodeModel(m));
      const args = [
        `${name}.onnx`,
        '-o',
        `${name}-cuda`,
        '--target',
        'cuda',
        '--arch',
        'sm_80',
        '--no-verify',
      ];
      const { code, err } = await start(dir, args, { AIT_NVRTC: nvrtc }).ended;
      expect([code, err]).toEqual([0, expect.not.stringContaining('error')]);
      return InferenceSession.create(join(dir, `${name}-cuda`));
    };
    const counted = async (session: InferenceSession, rates: readonly number[]): Promise<number> => {
      const before = replays();
      for (const rate of rates) {
        const { y } = await session.run(feedsOf(2, rate, 0));
        expect(y!.dims).toEqual([rate === 16000 ? 2 : y!.dims[0], 4]);
      }
      return replays() - before;
    };
    const decided = await sessionOf('by-input', byInput);
    expect(await counted(decided, [16000, 16000, 16000])).toBe(2);
    expect(await counted(decided, [8000, 16000, 8000, 8000])).toBe(3);
    expect(await counted(decided, [8000, 16000, 8000, 16000])).toBe(4);
    await decided.dispose();
    const computed = await sessionOf('by-result', byResult);
    expect(await counted(computed, [16000, 16000, 16000])).toBe(0);
    await computed.dispose();
    expect(kept()).toBe(nothingKept);
  },
  240_000,
);
