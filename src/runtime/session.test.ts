import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildHybridEngine, fallbackModel, hybridOf, valuesPort } from '../../fixtures/c/hybrid-engine.js';
import { affineOf, buildTinyEngine, writeManifest, yPort } from '../../fixtures/c/tiny-engine.js';
import type { Manifest } from '../artifact/manifest.js';
import { CompileError } from '../support/diagnostic.js';
import { InferenceSession, type SessionOptions, Tensor } from './session.js';

const root = mkdtempSync(join(tmpdir(), 'ait-session-'));
const tiny = join(root, 'tiny');
const hybrid = join(root, 'hybrid');
let manifest: Manifest;

beforeAll(async () => {
  [manifest] = await Promise.all([buildTinyEngine(tiny), buildHybridEngine(hybrid)]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const rowsOf = (n: number, seed = 0) => Array.from({ length: 4 * n }, (_, i) => ((i * 7 + seed) % 23) - 5);
const feedOf = (x: readonly number[]) => ({
  x: new Tensor('float32', Float32Array.from(x), [x.length / 4, 4]),
});
const numbers = (tensor: Tensor | undefined) =>
  Array.from(tensor!.data as ArrayLike<number | bigint>, Number);

async function using<T>(
  directory: string,
  body: (s: InferenceSession) => Promise<T>,
  options?: SessionOptions,
) {
  const session = await InferenceSession.create(directory, options);
  try {
    return await body(session);
  } finally {
    await session.dispose();
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CompileError);
  return `${(error as CompileError).code}: ${(error as CompileError).message}`;
}

describe('an engine of one compiled segment', () => {
  test('describes itself as onnxruntime would', () =>
    using(tiny, async (session) => {
      expect(session.inputNames).toEqual(['x']);
      expect(session.outputNames).toEqual(['y', 'total']);
      expect(session.inputMetadata).toEqual([
        { name: 'x', isTensor: true, type: 'float32', shape: ['N', 4] },
      ]);
    }));

  test('computes all outputs, or those asked for', () =>
    using(tiny, async (session) => {
      const x = rowsOf(5);
      const all = await session.run(feedOf(x));
      expect(all.y).toMatchObject({ type: 'float32', dims: [5, 4] });
      expect(numbers(all.y)).toEqual(affineOf(x).y);
      expect(numbers(all.total)).toEqual(affineOf(x).total);
      expect(Object.keys(await session.run(feedOf(x), ['total']))).toEqual(['total']);
      const place = new Tensor('float32', new Float32Array(5), [5]);
      const placed = await session.run(feedOf(x), { total: place, y: null });
      expect(placed.total).toBe(place);
      expect(numbers(place)).toEqual(affineOf(x).total);
    }));

  test('many callers with changing batch sizes each get their own result', () =>
    using(
      tiny,
      async (session) => {
        const runs = Array.from({ length: 200 }, async (_, i) => {
          const x = rowsOf(1 + ((i * 13) % 64), i);
          const { y, total } = await session.run(feedOf(x));
          expect(numbers(y)).toEqual(affineOf(x).y);
          expect(numbers(total)).toEqual(affineOf(x).total);
        });
        await Promise.all(runs);
      },
      { threads: 2 },
    ));

  test('takes views, unaligned bytes and shared memory', () =>
    using(tiny, async (session) => {
      const x = rowsOf(2);
      const padded = new Uint8Array(1 + 32);
      padded.set(new Uint8Array(Float32Array.from(x).buffer), 1);
      const shared = new Float32Array(new SharedArrayBuffer(32));
      shared.set(x);
      for (const bytes of [padded.subarray(1), new Uint8Array(shared.buffer)]) {
        const outputs = await session.runData(new Map([['x', { dtype: 'f32', shape: [2, 4], bytes }]]));
        const { buffer, byteOffset } = outputs.get('y')!.bytes;
        expect([...new Float32Array(buffer, byteOffset, 8)]).toEqual(affineOf(x).y);
      }
    }));

  test('the event loop is free while a segment runs', () =>
    using(tiny, async (session) => {
      let turns = 0;
      const timer = setInterval(() => turns++, 0);
      for (let i = 0; i < 64; i++) await session.run(feedOf(rowsOf(1 + i)));
      clearInterval(timer);
      expect(turns).toBeGreaterThan(0);
    }));

  test('refuses what is not an input, saying what would be', () =>
    using(tiny, async (session) => {
      const f32 = (...shape: number[]) =>
        new Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
      expect(await codeOf(session.run({}))).toBe('missing-input: the input "x" is missing');
      expect(await codeOf(session.run({ x: f32(1, 4), z: f32(1) }))).toBe(
        'unknown-input: the model has no input "z"',
      );
      expect(await codeOf(session.run({ x: new Tensor('int32', new Int32Array(4), [1, 4]) }))).toBe(
        'input-type: the input "x" has elements of type i32, expected f32[N, 4] (N from 1 to 64)',
      );
      expect(await codeOf(session.run({ x: f32(4) }))).toMatch(
        /^input-shape: .* has the shape \[4\], expected/,
      );
      expect(await codeOf(session.run({ x: f32(4, 3) }))).toMatch(/^input-shape: .* has the shape \[4, 3\]/);
      expect(await codeOf(session.run({ x: f32(65, 4) }))).toMatch(/^input-range: .* with N = 65, expected/);
      expect(await codeOf(session.run(feedOf(rowsOf(1)), ['nothing']))).toMatch(/^unknown-output/);
      const damaged = new Map([['x', { dtype: 'f32', shape: [2, 4], bytes: new Uint8Array(31) }]]);
      expect(await codeOf(session.runData(damaged))).toMatch(/^input-data: .*31 bytes/);
      expect(numbers((await session.run(feedOf(rowsOf(1)))).y)).toEqual(affineOf(rowsOf(1)).y);
    }));

  test('disposing waits for the runs in progress and refuses later ones', async () => {
    const session = await InferenceSession.create(tiny);
    const x = rowsOf(64);
    const running = session.run(feedOf(x));
    await session.dispose();
    await session.dispose();
    expect(numbers((await running).y)).toEqual(affineOf(x).y);
    expect(await codeOf(session.run(feedOf(x)))).toBe('disposed: the session was disposed of');
  });

  test('a session does not grow with the number of runs', () =>
    using(tiny, async (session) => {
      const many = async (count: number) => {
        for (let i = 0; i < count; i++) await session.run(feedOf(rowsOf(1 + (i % 64))));
        return process.memoryUsage.rss();
      };
      const before = await many(2000);
      expect(await many(4000)).toBeLessThan(before + 32e6);
    }));
});

describe.each([true, false])('an engine with a fallback step, offloaded: %s', (offload) => {
  test('runs the steps in turn', () =>
    using(
      hybrid,
      async (session) => {
        const runs = Array.from({ length: 20 }, async (_, i) => {
          const x = rowsOf(1 + ((i * 5) % 64), i);
          const outputs = await session.run(feedOf(x));
          const expected = hybridOf(x);
          expect(numbers(outputs.total)).toEqual(expected.total);
          expect(numbers(outputs.values)).toEqual(expected.values);
          expect(numbers(outputs.index)).toEqual(expected.index);
        });
        await Promise.all(runs);
        expect(numbers((await session.run(feedOf(rowsOf(2)), ['values'])).values)).toEqual(
          hybridOf(rowsOf(2)).values,
        );
      },
      { offload },
    ));

  test('the caller keeps its feeds', () =>
    using(
      hybrid,
      async (session) => {
        const feeds = feedOf(rowsOf(3));
        await session.run(feeds);
        expect(numbers(feeds.x)).toEqual(rowsOf(3));
      },
      { offload },
    ));
});

test('a failing step says which it is, and the session lives on', async () => {
  const directory = join(root, 'failing');
  cpSync(tiny, directory, { recursive: true });
  const values = { ...valuesPort, shape: [{ symbol: 'M', min: 0 }] };
  await writeManifest(directory, {
    ...manifest,
    inputs: [values],
    outputs: [{ name: 'index', value: 'index', dtype: 'i64', shape: [{ symbol: 'K', min: 0 }] }],
    steps: [{ kind: 'engine', target: 'positions', inputs: ['values'], outputs: ['index'], nodes: 1 }],
  });
  await using(directory, async (session) => {
    const feed = (...v: bigint[]) => ({ values: new Tensor('int64', BigInt64Array.from(v), [v.length]) });
    for (let i = 0; i < 3; i++)
      expect(await codeOf(session.run(feed(1n, -1n)))).toBe('run-failed: an element is negative');
    expect(numbers((await session.run(feed(0n, 5n, 0n, 5n))).index)).toEqual([1, 3]);
    expect(numbers((await session.run(feed())).index)).toEqual([]);
  });
});

test('a directory of fallback steps alone needs no library', async () => {
  const directory = join(root, 'fallback-only');
  cpSync(join(hybrid, 'fallback'), join(directory, 'fallback'), { recursive: true });
  await writeManifest(directory, {
    ...manifest,
    inputs: [yPort],
    outputs: [valuesPort],
    steps: [{ kind: 'fallback', target: 'fallback/0.onnx', inputs: ['y'], outputs: ['values'], nodes: 4 }],
    weights: { file: 'weights.bin', bytes: 0, tensors: [] },
  });
  await using(directory, async (session) => {
    const y = Float32Array.from([1, 2, 3, 4, 50, 20, 0, 1]);
    const { values } = await session.run({ y: new Tensor('float32', y, [2, 4]) });
    expect(numbers(values)).toEqual([0, 11]);
  });
  expect(fallbackModel.graph.node).toHaveLength(4);
});

describe('a damaged directory', () => {
  const damaged = async (name: string, damage: (directory: string) => void, options?: SessionOptions) => {
    const directory = join(root, name);
    cpSync(hybrid, directory, { recursive: true });
    damage(directory);
    return codeOf(InferenceSession.create(directory, options));
  };

  test.each([
    ['no manifest', 'manifest.json', /^missing-engine/],
    ['no library', 'libmodel.so', /^missing-library/],
    ['no weights', 'weights.bin', /^damaged-weights/],
    ['no fallback', 'fallback/0.onnx', /^missing-fallback/],
  ])('%s', async (name, file, message) => {
    expect(await damaged(name, (d) => rmSync(join(d, file)))).toMatch(message);
  });

  test('files with other contents', async () => {
    const write = (file: string, text: string) => (d: string) => writeFileSync(join(d, file), text);
    expect(await damaged('text', write('libmodel.so', 'x'))).toMatch(/^bad-library: .*cannot be loaded/);
    expect(await damaged('onnx', write('fallback/0.onnx', 'x'))).toMatch(/^bad-fallback/);
    expect(await damaged('json', write('manifest.json', '{'))).toMatch(/^bad-manifest/);
    const short = (d: string) => truncateSync(join(d, 'weights.bin'), 79);
    expect(await damaged('short', short)).toMatch(/^damaged-weights: .* 79 bytes, expected 80/);
  });

  test('a changed weight is found where verification is asked for', async () => {
    const bytes = await readFile(join(hybrid, 'weights.bin'));
    bytes[65]! ^= 1;
    const change = (d: string) => writeFileSync(join(d, 'weights.bin'), bytes);
    expect(await damaged('changed', change, { verify: true })).toMatch(
      /^damaged-weights: the weight "shift"/,
    );
    await using(hybrid, async ({ outputNames }) => expect(outputNames).toHaveLength(3), { verify: true });
  });

  test('no directory at all', async () => {
    expect(await codeOf(InferenceSession.create(join(root, 'nothing')))).toMatch(
      /^missing-engine: there is no/,
    );
  });
});

test('code for another processor is refused, also where a session had other code from the same path', async () => {
  const directory = join(root, 'quantum');
  await buildTinyEngine(directory);
  const x = rowsOf(64);
  await using(directory, async (session) =>
    expect(numbers((await session.run(feedOf(x))).y)).toEqual(affineOf(x).y),
  );
  rmSync(join(directory, 'libmodel.so'));
  await buildTinyEngine(directory, ['-DTINY_ISA="x86-64+quantum"']);
  expect(await codeOf(InferenceSession.create(directory))).toMatch(
    /^unsupported-cpu: .*compiled for x86-64\+quantum/,
  );
});
