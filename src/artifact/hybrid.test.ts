import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildHybridEngine, hybridOf, valuesPort } from '../../fixtures/c/hybrid-engine.js';
import { pythonEnv } from '../../scripts/python-env.js';
import { encodeModel } from '../onnx/encode.js';
import {
  graphAttribute,
  intAttribute,
  makeGraph,
  makeModel,
  makeNode,
  makeOpset,
  makeTensor,
  tensorValue,
} from '../onnx/make.js';
import { dataLocation, type Graph, type Model } from '../onnx/types.js';
import { hybridModel } from './hybrid.js';
import type { Port } from './manifest.js';

const root = mkdtempSync(join(tmpdir(), 'ait-hybrid-'));
const directory = join(root, 'engine');
const script = join(import.meta.dirname, '../../scripts/run-custom-op.py');
let python: string;

beforeAll(async () => {
  python = await pythonEnv();
  await buildHybridEngine(directory);
}, 600_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function runPython(program: string, args: readonly string[], input: string): Promise<string> {
  const running = promisify(execFile)(python, [program, ...args], { maxBuffer: 1 << 26 });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

describe("in Python's onnxruntime, with libmodel.so registered", () => {
  const rows = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 4 * (1 + ((i * 11) % 64)) }, (_, k) => ((k * 5 + i) % 19) - 3),
  );

  test.each([1, 8])('the hybrid model computes what its steps do, %d runs at once', async (threads) => {
    const feeds = rows.map((x) => JSON.stringify({ x: ['float32', [x.length / 4, 4], x] }));
    const lines = (await runPython(script, [directory, String(threads)], feeds.join('\n')))
      .trim()
      .split('\n');
    expect(lines).toHaveLength(rows.length);
    lines.forEach((line, i) => {
      const { total, values, index } = hybridOf(rows[i]!);
      expect(JSON.parse(line)).toEqual({
        total: ['float32', [total.length], total],
        values: ['int64', [values.length], values],
        index: ['int64', [index.length], index],
      });
    });
  });

  test('segments with short floating-point types, and an extent that follows from another', async () => {
    const path = join(root, 'short.onnx');
    const cast = (from: string, to: string, type: number) =>
      makeNode({ opType: 'Cast', input: [from], output: [to], attribute: [intAttribute('to', type)] });
    const vector = (name: string, symbol: string): Port => ({
      name,
      value: name,
      dtype: 'f32',
      shape: [{ symbol, min: 1 }],
    });
    const casts = piece({
      input: [tensorValue('a', 'f32', ['K']), tensorValue('b', 'f32', ['L'])],
      output: [tensorValue('h', 'f16', ['K']), tensorValue('bf', 'bf16', ['L'])],
      node: [cast('a', 'h', 10), cast('b', 'bf', 16)],
    });
    const back = piece({
      input: [tensorValue('bits', 'u16', ['M']), tensorValue('brains', 'bf16', ['L'])],
      output: [tensorValue('i', 'i32', ['M']), tensorValue('f', 'f32', ['L'])],
      node: [cast('bits', 'i', 6), cast('brains', 'f', 1)],
    });
    const model = hybridModel({
      inputs: [vector('a', 'K'), vector('b', 'L')],
      outputs: [{ ...vector('bits', 'M'), dtype: 'i32' }, vector('rounded', 'L')],
      steps: [
        { kind: 'fallback', model: casts, inputs: ['a', 'b'], outputs: ['half', 'brain'] },
        { kind: 'engine', name: 'join', inputs: ['half', 'brain'], outputs: ['joined', 'brains'] },
        { kind: 'fallback', model: back, inputs: ['joined', 'brains'], outputs: ['bits', 'rounded'] },
      ],
    });
    writeFileSync(path, encodeModel(model));
    const feed = (b: readonly number[]) =>
      JSON.stringify({ a: ['float32', [2], [1, -2]], b: ['float32', [b.length], b] });
    const input = [feed([1, -2, 0.5, 1.00390625]), feed([1, 2, 3])].join('\n');
    const [first, second] = (await runPython(script, [directory, '1', path], input)).trim().split('\n');
    // 1 and -2 in f16; 1, -2, 0.5 and 1 + 2^-8 (a tie, which goes to 1) in bf16.
    const bits = [0x3c00, 0xc000, 0x3f80, 0xc000, 0x3f00, 0x3f80];
    expect(JSON.parse(first!)).toEqual({
      bits: ['int32', [6], bits],
      rounded: ['float32', [4], [1, -2, 0.5, 1]],
    });
    expect(JSON.parse(second!).error).toMatch(/input "brain" has 3 on axis 0, expected 4 \(2\*K\)/);
  });

  test("the segment's errors reach the caller", async () => {
    const x = Array.from({ length: 65 * 4 }, () => 0);
    const output = await runPython(script, [directory], JSON.stringify({ x: ['float32', [65, 4], x] }));
    expect(JSON.parse(output).error).toMatch(/\[65, 4\], expected \[N, 4\] with N at least 1 and at most 64/);
  });
});

const scalar = (name: string, value = name): Port => ({ name, value, dtype: 'f32', shape: [] });
const piece = (graph: Partial<Graph>, fields: Partial<Model> = {}): Model =>
  makeModel({ irVersion: 8, opsetImport: [makeOpset('', 17)], ...fields, graph: makeGraph(graph) });
const f32 = (name: string) => tensorValue(name, 'f32', []);
const negate = (from: string, to: string) => makeNode({ opType: 'Neg', input: [from], output: [to] });

/** Runs a model without engine nodes on plain onnxruntime. */
async function evaluate(
  model: Model,
  feeds: Record<string, number | boolean>,
): Promise<Record<string, number>> {
  const path = join(root, 'plain.onnx');
  const program = join(root, 'plain.py');
  writeFileSync(path, encodeModel(model));
  writeFileSync(
    program,
    `import json, sys, numpy, onnx, onnxruntime
onnx.checker.check_model(sys.argv[1], full_check=True)
session = onnxruntime.InferenceSession(sys.argv[1])
feeds = {n: numpy.array(v, "bool" if isinstance(v, bool) else "float32") for n, v in json.load(sys.stdin).items()}
names = [o.name for o in session.get_outputs()]
print(json.dumps(dict(zip(names, (a.item() for a in session.run(names, feeds))))))`,
  );
  return JSON.parse(await runPython(program, [path], JSON.stringify(feeds))) as Record<string, number>;
}

describe('merging fallback pieces', () => {
  test('pieces with equal inner names, subgraphs that capture, outputs that are inputs', async () => {
    const branch = (name: string, from: string) =>
      makeGraph({ name, output: [f32(`${name}_out`)], node: [negate(from, `${name}_out`)] });
    const first = piece({
      name: 'first',
      input: [tensorValue('c', 'bool', []), f32('a')],
      output: [f32('r'), f32('a'), f32('r')],
      node: [
        negate('a', 't'),
        makeNode({
          opType: 'If',
          input: ['c'],
          output: ['r'],
          attribute: [
            graphAttribute('then_branch', branch('then', 't')),
            graphAttribute('else_branch', branch('else', 'a')),
          ],
        }),
      ],
    });
    const second = piece({
      name: 'second',
      input: [f32('t'), f32('r')],
      output: [f32('a')],
      node: [makeNode({ opType: 'Sub', input: ['t', 'r'], output: ['x'] }), negate('x', 'a')],
    });
    const model = hybridModel({
      inputs: [{ name: 'c', value: 'c', dtype: 'bool', shape: [] }, scalar('x')],
      outputs: [scalar('same'), scalar('difference', 'd'), scalar('twice')],
      steps: [
        { kind: 'fallback', model: first, inputs: ['c', 'x'], outputs: ['t', 'same', 'twice'] },
        { kind: 'fallback', model: second, inputs: ['t', 'same'], outputs: ['d'] },
      ],
    });
    expect(await evaluate(model, { c: true, x: 3 })).toEqual({ same: 3, difference: -0, twice: 3 });
    expect(await evaluate(model, { c: false, x: 3 })).toEqual({ same: 3, difference: 6, twice: -3 });
  });

  test('external data are looked for where they lie', () => {
    const external = (location: string) => ({
      ...makeTensor('w', 'f32', [], new Uint8Array()),
      rawData: undefined,
      dataLocation: dataLocation.external,
      externalData: [{ key: 'location', value: location }],
    });
    const model = piece({
      input: [f32('a')],
      output: [f32('b')],
      initializer: [external('0.data')],
      node: [makeNode({ opType: 'Add', input: ['a', 'w'], output: ['b'] })],
    });
    const { graph } = hybridModel({
      inputs: [scalar('x')],
      outputs: [scalar('y')],
      steps: [{ kind: 'fallback', model, inputs: ['x'], outputs: ['y'], directory: 'fallback' }],
    });
    expect(graph.initializer[0]).toMatchObject({
      name: 'fallback0/w',
      externalData: [{ key: 'location', value: 'fallback/0.data' }],
    });
  });

  test('an engine step is one node of the domain ai.ait', () => {
    const model = hybridModel({
      inputs: [scalar('x')],
      outputs: [scalar('y')],
      steps: [{ kind: 'engine', name: 'segment_0', inputs: ['x'], outputs: ['y'] }],
    });
    expect(model.graph.node).toMatchObject([{ domain: 'ai.ait', opType: 'segment_0' }]);
    expect(model.opsetImport).toContainEqual({ domain: 'ai.ait', version: 1 });
  });

  test('what cannot be one model is refused', () => {
    const named = (version: number) =>
      piece(
        { input: [f32('a')], output: [f32('b')], node: [negate('a', 'b')] },
        { opsetImport: [makeOpset('', version)] },
      );
    const steps = [
      { kind: 'fallback', model: named(17), inputs: ['x'], outputs: ['t'] },
      { kind: 'fallback', model: named(18), inputs: ['t'], outputs: ['y'] },
    ] as const;
    expect(() => hybridModel({ inputs: [scalar('x')], outputs: [scalar('y')], steps })).toThrow(
      'import "" as 17 and 18',
    );
    const sequence = { ...valuesPort, dtype: 'sequence(f32)' };
    expect(() => hybridModel({ inputs: [sequence], outputs: [], steps: [] })).toThrow('takes tensors only');
    const counts = [{ ...steps[0], inputs: [] }];
    expect(() => hybridModel({ inputs: [], outputs: [], steps: counts })).toThrow('1 inputs and 1 outputs');
  });
});
