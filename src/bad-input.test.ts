import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hostileNames, hostileWord } from '../scripts/fuzz/names.js';
import { codeOnly, heavy, hostileModel, lookup, modelOf, processesOf, sound } from './bad-input.fixtures.js';
import { ait, start, writeFile } from './cli/command-line.fixtures.js';
import { convert } from './compile.js';
import { encodeModel } from './onnx/encode.js';
import { floatAttribute, intsAttribute, makeNode, makeTensor, tensorValue } from './onnx/make.js';
import type { Graph, Node } from './onnx/types.js';
import { type Feeds, InferenceSession } from './runtime/session.js';
import type { CompileError } from './support/diagnostic.js';
import { Progress } from './support/progress.js';

const [plus, clip] = sound.node as readonly [Node, Node];
const dir = mkdtempSync(join(tmpdir(), 'ait-bad-'));
const home = process.cwd();
beforeAll(() => {
  mkdirSync(join(dir, 'tmp'));
  writeFile(join(dir, 'sound.onnx'), encodeModel(modelOf(sound)));
});
beforeEach(() => {
  process.chdir(dir);
  vi.stubEnv('AIT_CACHE_DIR', join(dir, 'cache'));
  vi.stubEnv('TMPDIR', join(dir, 'tmp'));
});
afterEach(() => {
  process.chdir(home);
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Whatever a conversion leaves where it should leave nothing. */
const leftovers = (): readonly string[] => [
  ...readdirSync(dir).filter((f) => f === 'out' || f.startsWith('.out')),
  ...readdirSync(join(dir, 'tmp')).filter((f) => f.startsWith('ait-')),
];

const broken: readonly (readonly [
  what: string,
  graph: Partial<Graph>,
  code: string,
  place: string,
  hint: string,
])[] = [
  [
    'a cycle',
    {
      node: [makeNode({ opType: 'Add', name: 'plus', input: ['x', 'y'], output: ['sum'] }), clip],
    },
    'cyclic-graph',
    '"plus" (Add)',
    '',
  ],
  [
    'an input that nothing makes',
    {
      node: [makeNode({ opType: 'Add', name: 'plus', input: ['x', 'v'], output: ['sum'] }), clip],
    },
    'unknown-value',
    'onnx node "plus" (Add)',
    'the closest names are',
  ],
  [
    'an output that nothing makes',
    { output: [tensorValue('yy', 'f32', ['rows', 3])] },
    'unknown-value',
    'the graph output "yy"',
    'the closest names are "y"',
  ],
  ['two values of one name', { node: [...sound.node!, clip] }, 'duplicate-value', '"y"', ''],
  [
    'an attribute of another type',
    {
      node: [
        makeNode({
          opType: 'Softmax',
          name: 'soft',
          input: ['x'],
          output: ['sum'],
          attribute: [floatAttribute('axis', 1)],
        }),
        clip,
      ],
    },
    'bad-attribute',
    'onnx node "soft" (Softmax)',
    '',
  ],
  ['a negative extent', { input: [tensorValue('x', 'f32', [-4, 3])] }, 'bad-extent', '"x"', ''],
  [
    'constants that their extents do not fit',
    { initializer: [{ ...makeTensor('w', 'f32', [3], new Uint8Array(12)), dims: [2 ** 40, 3] }] },
    'bad-tensor',
    '"w"',
    '',
  ],
];

const odd: readonly (readonly [what: string, graph: Partial<Graph>])[] = [
  [
    'inputs of 2^40 rows',
    { input: [tensorValue('x', 'f32', [2 ** 40, 3])], output: [tensorValue('y', 'f32')] },
  ],
  ['an operator nobody knows', { node: [{ ...plus, opType: 'Addition' }, clip] }],
  [
    'attributes that make no sense',
    { node: [{ ...plus, attribute: [intsAttribute('axis', [2 ** 40])] }, clip] },
  ],
];

describe('a model with', () => {
  test.each(broken)(
    '%s is refused: what, where, and with exit code 2',
    async (_, graph, code, place, hint) => {
      writeFile('bad.onnx', encodeModel(modelOf({ ...sound, ...graph })));
      const ended = await ait('bad.onnx', '-o', 'out');
      expect(ended.err).toContain(`error[${code}]`);
      expect(ended.err).toContain(place);
      if (hint !== '') expect(ended.err).toMatch(new RegExp(`hint: .*${hint}`));
      expect([ended.code, ended.out]).toEqual([2, '']);
      expect(leftovers()).toEqual([]);
    },
  );

  test.each(odd)('%s ends with a table or a reason, not with a bug', async (_, graph) => {
    writeFile('odd.onnx', encodeModel(modelOf({ ...sound, ...graph })));
    const { code, err } = await ait('odd.onnx', '--dry-run');
    expect([0, 2]).toContain(code);
    expect(err).not.toContain('bug');
  });
});

describe('a damaged file', () => {
  const bytes = encodeModel(modelOf(sound));

  test.each([0.1, 0.5, 0.9, 0.99])('cut at %d of its length names the place', async (share) => {
    writeFile('cut.onnx', bytes.slice(0, Math.floor(share * bytes.length)));
    const { code, err } = await ait('cut.onnx', '-o', 'out');
    expect(err).toMatch(
      /error\[bad-model\]: .* at byte \d+ of \d+[\s\S]*in the file cut\.onnx[\s\S]*hint: the file is damaged/,
    );
    expect(code).toBe(2);
    expect(leftovers()).toEqual([]);
  });

  test('with any one bit flipped is a model, or refused with a reason', async () => {
    const codes = new Set<number | null>();
    for (let bit = 0; bit < 8 * bytes.length; bit += 41) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      writeFile('flipped.onnx', flipped);
      const { code, err } = await ait('flipped.onnx', '--dry-run');
      expect([0, 2], `bit ${bit}: ${err}`).toContain(code);
      codes.add(code);
    }
    expect([...codes].sort()).toEqual([0, 2]);
  });
});

test('hostile names reach the compiler as text only, and the engine keeps them', async () => {
  writeFile('hostile.onnx', hostileModel());
  const options = { output: 'out', requireFullCompilation: true, verify: false, threads: 1 };
  const { engine } = await convert('hostile.onnx', options);
  expect(engine.sources.length).toBeGreaterThan(0);
  for (const { text } of engine.sources)
    expect(codeOnly(text)).not.toMatch(new RegExp(`\\b${hostileWord}\\b`));
  const session = await InferenceSession.create('out', { threads: 1 });
  const names = hostileNames.map((name, i) => `${name}${i}`);
  expect(session.outputNames).toEqual(names);
  const outputs = await session.run({ in: new Tensor('float32', Float32Array.of(0, 10), [1, 2]) });
  for (const [i, name] of names.entries())
    expect([...(outputs[name]!.data as Float32Array)]).toEqual([i + 1, i + 11]);
  await session.dispose();
  rmSync('out', { recursive: true });
  expect(readdirSync(dir).join()).not.toContain(hostileWord);
});

const disk = smallDisk();

/** A file system of one megabyte, or why there is none. */
function smallDisk(): { readonly path?: string; readonly reason: string } {
  const path = join(dir, 'disk');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
    return { path, reason: '' };
  } catch {
    return { reason: ' (needs the right to mount)' };
  }
}
afterAll(() => {
  if (disk.path !== undefined) execFileSync('umount', [disk.path]);
});

test.skipIf(disk.path === undefined)(`a full disk: exit code 3, nothing left${disk.reason}`, async () => {
  writeFile('heavy.onnx', encodeModel(heavy));
  const { code, err } = await ait('heavy.onnx', '-o', 'disk/engine', '--no-verify', '--threads', '1');
  expect(err).toMatch(
    /error\[disk-full\]: there is no space left for disk\/engine[\s\S]*hint: free some space/,
  );
  expect(code).toBe(3);
  expect(readdirSync('disk')).toEqual([]);
});

describe('an interruption', () => {
  test.each(['import', 'lower', 'build', 'verify'])(
    'in the stage %s leaves nothing and nobody',
    async (stage) => {
      const controller = new AbortController();
      class Stopping extends Progress {
        override stage<T>(
          name: string,
          total: number | undefined,
          body: Parameters<Progress['stage']>[2],
        ): Promise<T> {
          if (name === stage) setTimeout(() => controller.abort(), 5);
          return super.stage(name, total, body) as Promise<T>;
        }
      }
      vi.stubEnv('AIT_CACHE_DIR', join(dir, `cache-${stage}`));
      const progress = new Stopping({ quiet: true });
      const work = convert('sound.onnx', { output: 'out', signal: controller.signal, progress });
      await expect(work).rejects.toMatchObject({ code: 'cancelled' });
      expect(leftovers()).toEqual([]);
      await vi.waitFor(() => expect(processesOf(`cache-${stage}`)).toEqual([]), 2000);
    },
  );

  test('by Ctrl-C while results are compared', async () => {
    const own = mkdtempSync(join(dir, 'stopped-'));
    mkdirSync(join(own, 'tmp'));
    const { child, ended } = start(own, [join(dir, 'sound.onnx'), '-o', 'out']);
    child.stderr?.on('data', (text: string) => {
      if (text.includes('✓ build')) child.kill('SIGINT');
    });
    const { code, err } = await ended;
    expect([code, err.trim().split('\n').at(-1)]).toEqual([130, 'interrupted; nothing is left half-written']);
    expect(readdirSync(own).filter((f) => f.includes('out'))).toEqual([]);
    await vi.waitFor(() => expect(processesOf(own)).toEqual([]), 2000);
  });
});

describe('wrong feeds at run time', () => {
  let session: InferenceSession;
  beforeAll(async () => {
    writeFile(join(dir, 'lookup.onnx'), encodeModel(lookup));
    await convert(join(dir, 'lookup.onnx'), {
      output: join(dir, 'lookup'),
      verify: false,
      threads: 1,
      dims: new Map([['n', { min: 1, max: 8 }]]),
    });
    session = await InferenceSession.create(join(dir, 'lookup'), { threads: 1 });
  });
  afterAll(() => session.dispose());

  const longs = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), [...dims]);

  type Wrong = readonly [what: string, feeds: Feeds, code: string, message: RegExp, hint: RegExp];
  const wrong: readonly Wrong[] = [
    ['another name', { j: longs([1]) }, 'unknown-input', /no input "j"/, /it has "i"/],
    ['none', {}, 'missing-input', /input "i" is missing/, /i64\[n\]/],
    [
      'another type',
      { i: new Tensor('int32', Int32Array.of(1), [1]) },
      'input-type',
      /"i" has elements of type i32, expected i64/,
      /^/,
    ],
    [
      'another rank',
      { i: longs([1, 2], [1, 2]) },
      'input-shape',
      /"i" has the shape \[1, 2\], expected i64\[n\]/,
      /^/,
    ],
    [
      'too many rows',
      { i: longs(Array(9).fill(1)) },
      'input-range',
      /"i" has the shape \[9\], with n = 9.*n from 1 to 8/,
      /^/,
    ],
    ['an index past the end', { i: longs([0, 5]) }, 'run-failed', /index/i, /^/],
    ['an index before the start', { i: longs([-6]) }, 'run-failed', /index/i, /^/],
    ['an index far outside', { i: longs([2 ** 40]) }, 'run-failed', /index/i, /^/],
  ];

  test.each(wrong)(
    '%s: an error that says so, and the session goes on',
    async (_, feeds, code, message, hint) => {
      const error = await session.run(feeds).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect((error as CompileError).hint ?? '').toMatch(hint);
      const { y } = await session.run({ i: longs([1, -1]) });
      expect([...(y!.data as Float32Array)]).toEqual([2, 3, 8, 9]);
    },
  );
});

test('no conversion left anything in the working directory but what it was asked for', () => {
  expect(leftovers()).toEqual([]);
  expect(readFileSync(join(dir, 'sound.onnx'))).toEqual(Buffer.from(encodeModel(modelOf(sound))));
});
