import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from 'onnxruntime-common';
import { afterAll, describe, expect, test } from 'vitest';
import { f32, floats, i64, longs, model, node, value } from '../fixtures/onnx-importer/material.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { type Conversion, convert } from './compile.js';
import { dtypeOf, is, topological } from './ir/graph.js';
import { encodeModel } from './onnx/encode.js';
import { intAttribute, intsAttribute } from './onnx/make.js';
import type { Model } from './onnx/types.js';
import { attention } from './ops/attention.js';
import { matmul } from './ops/matmul.js';
import type { ConvertOptions } from './options.js';
import { reportOf } from './report-of.js';
import { fromOrt } from './runtime/ort-tensor.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import type { TensorData } from './support/tensor-data.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-gpu-engine-'));
const reference = new OnnxruntimeProcess();
afterAll(() => {
  reference.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const numbers = (n: number, scale = 1): number[] => Array.from({ length: n }, (_, i) => scale * Math.sin(i));

interface Engine {
  readonly conversion: Conversion;
  readonly output: string;
  readonly session: InferenceSession;
}

/** An engine for the emulated GPU, while `use` runs. */
async function onEngine<T>(
  name: string,
  m: Model,
  options: ConvertOptions,
  use: (e: Engine) => Promise<T>,
): Promise<T> {
  const [path, output] = [join(dir, `${name}.onnx`), join(dir, name)];
  writeFileSync(path, encodeModel(m));
  const conversion = await convert(path, { output, target: 'emulated', verify: false, ...options });
  const session = await InferenceSession.create(output, { threads: 1 });
  try {
    return await use({ conversion, output, session });
  } finally {
    await session.dispose();
  }
}

type Scale = Parameters<typeof toleranceFor>[1];

/** What differs from onnxruntime by more than the types explain. */
async function problems(
  m: Model,
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  scale: Scale,
): Promise<readonly string[]> {
  const given = new Map(Object.entries(feeds).map(([name, t]): [string, TensorData] => [name, fromOrt(t)]));
  const actual = await session.runData(given);
  const expected = await reference.run(encodeModel(m), given);
  return [...expected].flatMap(([name, reference]) => {
    const c = compareTensors(actual.get(name)!, reference, toleranceFor(reference, scale));
    return c.pass ? [] : [`${name}: ${c.problem ?? JSON.stringify(c.worst)}`];
  });
}

/** Tokens of any count: embedding, attention-like scores, a normalisation, a product back. */
const block = model({
  input: [value('ids', 'i64', 'B', 'L')],
  initializer: [
    floats('table', [50, 16], numbers(800)),
    floats('w', [16, 16], numbers(256, 0.2)),
    floats('gain', [16], numbers(16)),
    floats('shift', [16], numbers(16, 0.5)),
  ],
  node: [
    node('Gather', ['table', 'ids'], ['e']),
    node('LayerNormalization', ['e', 'gain', 'shift'], ['n'], intAttribute('axis', -1)),
    node('MatMul', ['n', 'w'], ['q']),
    node('Transpose', ['n'], ['nt'], intsAttribute('perm', [0, 2, 1])),
    node('MatMul', ['q', 'nt'], ['scores']),
    node('Softmax', ['scores'], ['p'], intAttribute('axis', -1)),
    node('MatMul', ['p', 'n'], ['c']),
    node('Add', ['c', 'e'], ['y']),
  ],
  output: [value('y', 'f32', 'B', 'L', 16)],
});

const ids = (batch: number, length: number): Tensor =>
  i64(
    [batch, length],
    Array.from({ length: batch * length }, (_, i) => (i * 7 + batch) % 50),
  );
const blockScale = { accumulation: 64, depth: 3 };

describe.each([
  { precision: 'f32', storage: 'f32' },
  { precision: 'f16', storage: 'f16' },
  { precision: 'bf16', storage: 'bf16' },
] as const)('in $precision', ({ precision, storage }) => {
  test('one engine serves every batch and length', async () => {
    const dims = new Map([
      ['B', { min: 1, max: 32 }],
      ['L', { min: 16, max: 64 }],
    ]);
    await onEngine(`block-${precision}`, block, { precision, dims }, async ({ conversion, session }) => {
      expect(conversion.engine.partition.decisions.map((d) => d.kind)).not.toContain('fallback');
      const sizes = [
        [1, 16],
        [3, 17],
        [1, 64],
        [32, 18],
        [2, 41],
        [1, 16],
      ] as const;
      const found: string[] = [];
      for (const [batch, length] of sizes) {
        const wrong = await problems(block, session, { ids: ids(batch, length) }, { ...blockScale, storage });
        found.push(...wrong.map((p) => `${batch} x ${length}, ${p}`));
      }
      expect(found).toEqual([]);
      for (const wrong of [ids(33, 16), ids(1, 65), ids(1, 15)])
        await expect(session.run({ ids: wrong })).rejects.toMatchObject({ code: 'input-range' });
    });
  });
});

const lookup = model({
  input: [value('x', 'f32', 'N', 4), value('i', 'i64', 'M')],
  node: [node('Relu', ['x'], ['r']), node('Gather', ['r', 'i'], ['y'])],
  output: [value('y', 'f32', 'M', 4)],
});

test('an index outside its table ends the run with a sentence, and the next run is right', async () => {
  await onEngine('lookup', lookup, { precision: 'f32' }, async ({ session }) => {
    const x = f32([3, 4], numbers(12));
    for (const wrong of [[0, 3], [-4], [1, 2 ** 40]]) {
      const failing = session.run({ x, i: i64([wrong.length], wrong) });
      await expect(failing).rejects.toMatchObject({
        code: 'run-failed',
        message: 'Gather: an index is out of range',
      });
      const feeds = { x, i: i64([3], [2, -3, 0]) };
      expect(await problems(lookup, session, feeds, { accumulation: 1 })).toEqual([]);
    }
  });
});

test('what the GPU reports of a run that failed for another reason is not the next one’s', async () => {
  const reshaped = model({
    ...lookup.graph,
    input: [...lookup.graph.input, value('shape', 'i64', 2)],
    node: [...lookup.graph.node, node('Reshape', ['y', 'shape'], ['z'])],
    output: [value('z', 'f32', 'P', 'Q')],
  });
  await onEngine('reshaped', reshaped, { precision: 'f32' }, async ({ conversion, session }) => {
    expect(conversion.engine.partition.decisions.map((d) => d.kind)).not.toContain('fallback');
    const x = f32([3, 4], numbers(12));
    const run = (index: number, rows: number) => ({ x, i: i64([2], [0, index]), shape: i64([2], [rows, 4]) });
    for (const rows of [2, 3]) await expect(session.run(run(3, rows))).rejects.toThrow();
    expect(await problems(reshaped, session, run(2, 2), { accumulation: 1 })).toEqual([]);
  });
});

test('runs that overlap do not disturb one another', async () => {
  await onEngine('overlap', block, { precision: 'f16' }, async ({ output, session }) => {
    const other = await InferenceSession.create(output, { threads: 1 });
    try {
      const scale = { ...blockScale, storage: 'f16' };
      const runs = [...Array(12).keys()].map((i) =>
        problems(block, i % 3 === 0 ? other : session, { ids: ids(1 + (i % 4), 5 + i) }, scale),
      );
      expect((await Promise.all(runs)).flat()).toEqual([]);
    } finally {
      await other.dispose();
    }
  });
});

test('--fp32-nodes keeps nodes in fp32', async () => {
  await onEngine(
    'kept',
    block,
    { precision: 'f16', f32Nodes: ['MatMul_q', 'no-such-node'] },
    async ({ conversion, session }) => {
      const products = topological(conversion.graph).filter((n) => is(n, matmul));
      expect(products.map((n) => [n.origin.name, ...n.inputs.map(dtypeOf)])).toEqual([
        ['MatMul_q', 'f32', 'f32'],
      ]);
      expect(conversion.warnings).toEqual([
        '--fp32-nodes names no-such-node, which is no node of the model, or one that became part of another before ' +
          'precisions were chosen',
      ]);
      const attentions = topological(conversion.graph).filter((n) => is(n, attention));
      expect(attentions.map((n) => dtypeOf(n.inputs[0]!))).toEqual(['f16']);
      const scale = { ...blockScale, storage: 'f16' };
      expect(await problems(block, session, { ids: ids(2, 9) }, scale)).toEqual([]);
    },
  );
});

/** With the GRU left to onnxruntime, what is before it and after it is compiled. */
const mixed = model({
  input: [value('x', 'f32', 8, 'B', 64)],
  initializer: [
    floats('w', [64, 64], numbers(4096, 0.1)),
    floats('gw', [1, 24, 64], numbers(1536, 0.2)),
    floats('gr', [1, 24, 8], numbers(192, 0.2)),
    floats('v', [8, 64], numbers(512)),
  ],
  node: [
    node('MatMul', ['x', 'w'], ['a']),
    node('Softmax', ['a'], ['s'], intAttribute('axis', -1)),
    node('GRU', ['s', 'gw', 'gr'], ['', 'h'], intAttribute('hidden_size', 8)),
    node('MatMul', ['h', 'v'], ['b']),
    node('Softmax', ['b'], ['y'], intAttribute('axis', -1)),
  ],
  output: [value('y', 'f32', 1, 'B', 64)],
});

describe('a model with an operator in its middle that the GPU does not run', () => {
  const fallbackOps = ['GRU'];
  const dims = new Map([['B', { min: 1, max: 8192 }]]);

  test('goes back to onnxruntime where the borders cost more than compiling saves', async () => {
    const path = join(dir, 'small.onnx');
    writeFileSync(path, encodeModel(mixed));
    const conversion = await convert(path, {
      target: 'emulated',
      fallbackOps,
      dims: new Map([['B', { min: 1, max: 1 }]]),
      dryRun: true,
    });
    const { nodes, segments } = reportOf(conversion);
    expect(segments.map((s) => s.placement)).toEqual(['fallback']);
    expect(nodes.find((n) => n.name === 'MatMul_a')!.reason).toMatch(
      /^compiling its segment of \d+ would save about \d+ µs and cost \d+ µs at the borders$/,
    );
  });

  test('is compiled around it, and agrees', async () => {
    await onEngine(
      'mixed',
      mixed,
      { precision: 'f16', dims, fallbackOps },
      async ({ conversion, session, output }) => {
        expect(session.manifest.steps.map((s) => s.kind)).toEqual(['engine', 'fallback', 'engine']);
        const report = reportOf(conversion);
        const [first, middle] = report.segments;
        // Conversions to 16 bits and back are no nodes of the user's.
        expect(report.nodes.map((n) => n.name)).toEqual(mixed.graph.node.map((n) => n.name));
        expect(report.segments.map((g) => g.nodes)).toEqual([2, 1, 2]);
        expect(first!.costs).toBeGreaterThan(40e-6);
        expect(first!.saves).toBeGreaterThan(first!.costs!);
        expect(middle).not.toHaveProperty('costs');
        expect(report.nodes.find((n) => n.operator === 'GRU')).toMatchObject({
          placement: 'fallback',
          reason: '--fallback-ops names GRU',
        });
        expect(JSON.parse(readFileSync(join(output, 'report.json'), 'utf8')).segments).toHaveLength(3);
        for (const batch of [1, 5, 16]) {
          const x = f32([8, batch, 64], numbers(512 * batch));
          const scale = { accumulation: 64, depth: 3, storage: 'f16' };
          expect(await problems(mixed, session, { x }, scale)).toEqual([]);
        }
      },
    );
  });
});

/** As networks turn queries and keys: the cosine of a frequency times a position. */
const rotated = model({
  input: [value('p', 'i64', 1, 'L'), value('x', 'f32', 1, 'L', 8)],
  initializer: [
    floats(
      'frequency',
      [1, 8, 1],
      Array.from({ length: 8 }, (_, i) => 10000 ** (-i / 8)),
    ),
    longs('axis', [1], [1]),
  ],
  node: [
    node('Unsqueeze', ['p', 'axis'], ['u']),
    node('Cast', ['u'], ['f'], intAttribute('to', 1)),
    node('MatMul', ['frequency', 'f'], ['a']),
    node('Transpose', ['a'], ['t'], intsAttribute('perm', [0, 2, 1])),
    node('Cos', ['t'], ['c']),
    node('Mul', ['c', 'x'], ['y']),
  ],
  output: [value('y', 'f32', 1, 'L', 8)],
});

test.each(['f16', 'bf16'] as const)('positions far from the start are as exact in %s', async (precision) => {
  await onEngine(`rotated-${precision}`, rotated, { precision }, async ({ session }) => {
    const feeds = { p: i64([1, 3], [2, 4097, 9999]), x: f32([1, 3, 8], numbers(24)) };
    expect(await problems(rotated, session, feeds, { accumulation: 1, storage: precision })).toEqual([]);
  });
});

test('a precision for the CPU, which has no say in it, is a warning', async () => {
  const path = join(dir, 'cpu.onnx');
  writeFileSync(path, encodeModel(lookup));
  const { warnings } = await convert(path, { precision: 'bf16', dryRun: true });
  expect(warnings).toEqual(['--precision is for GPUs: a processor stores floats as the model says']);
});
