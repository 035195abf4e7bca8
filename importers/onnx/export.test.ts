import { describe, expect, it } from 'vitest';
import { publishedModels } from '../../fixtures/onnx-codec/material.js';
import {
  bool,
  difference,
  type Feeds,
  f32,
  floats,
  i64,
  imported,
  longs,
  model,
  node,
  run,
  value,
} from '../../fixtures/onnx-importer/material.js';
import { inputValue, graph as makeIr } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { tensor } from '../../src/ir/type.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { intAttribute, makeGraph } from '../../src/onnx/make.js';
import type { Graph } from '../../src/onnx/types.js';
import { constant, dims } from '../../src/ops/constant.js';
import { operators } from '../../src/ops/index.js';
import { exportOnnx } from './export.js';

const noise = (dims: readonly number[]) => {
  let seed = 7;
  const next = (): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648 - 0.5;
  };
  return f32(dims, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, next));
};

const extents: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  'silero_vad.onnx': { input: [1, 1536], sr: [], h: [2, 1, 64], c: [2, 1, 64] },
  'melspectrogram.onnx': { input: [1, 1760] },
};

function feedsOf(name: string, graph: Graph): Feeds {
  return Object.fromEntries(
    graph.input.map((i) => {
      const declared = i.type?.tensorType?.shape?.dim.map((d) => d.dimValue ?? 2) ?? [];
      const dims = extents[name]?.[i.name] ?? declared;
      return [i.name, i.name === 'sr' ? i64(dims, [16000]) : noise(dims)];
    }),
  );
}

// Nodes that only onnxruntime understands: everything but constants and shapes.
const fewest = operators.filter((op) => op === constant || op === dims || op.name === 'shape_of');

describe.each([
  ['all operators', operators, undefined],
  ['foreign nodes alone', fewest, undefined],
  ['foreign nodes in the newest form', fewest, 21],
] as const)('a published model, imported with %s and exported', (_, table, opset) => {
  it.each(publishedModels())('%s computes the same', async (name, bytes) => {
    const original = decodeModel(bytes);
    const { graph } = imported(original, { operators: table });
    const copy = exportOnnx(graph, { opset });
    const feeds = feedsOf(name, original.graph);
    const [expected, actual] = [await run(bytes, feeds), await run(copy, feeds)];
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    // Recurrent steps amplify the last bits in which another spelling of an operator may differ.
    const tolerance = name === 'silero_vad.onnx' ? 1e-4 : 1e-5;
    for (const [key, result] of Object.entries(expected))
      expect(difference(result, actual[key]!), key).toBeLessThan(tolerance);
  });
});

describe('names', () => {
  it('of inputs and results are the user’s, even where one value has two names', async () => {
    const m = model({
      input: [value('x', 'f32', 2)],
      initializer: [floats('w', [2], [1, 2])],
      node: [node('Relu', ['x'], ['y']), node('Identity', ['y'], ['z']), node('Identity', ['w'], ['v'])],
      output: ['y', 'z', 'w', 'v'].map((name) => value(name, 'f32', 2)),
    });
    const copy = exportOnnx(imported(m).graph);
    expect(copy.graph.output.map((o) => o.name)).toEqual(['y', 'z', 'w', 'v']);
    const results = await run(copy, { x: f32([2], [-1, 3]) });
    expect(results).toEqual({
      y: { dims: [2], data: [0, 3] },
      z: { dims: [2], data: [0, 3] },
      w: { dims: [2], data: [1, 2] },
      v: { dims: [2], data: [1, 2] },
    });
  });
});

describe('constants', () => {
  it('that are equal are written once, large ones elsewhere', () => {
    const big = Array.from({ length: 600 }, (_, i) => i);
    const m = model({
      initializer: [floats('a', [2], [1, 2]), floats('b', [2], [1, 2]), floats('big', [600], big)],
      node: [
        node('Identity', ['a'], ['p']),
        node('Identity', ['b'], ['q']),
        node('Identity', ['big'], ['r']),
      ],
      output: [value('p'), value('q'), value('r')],
    });
    const stored: Literal[] = [];
    const { graph } = exportOnnx(imported(m).graph, {
      externalData: {
        location: 'w.bin',
        add: (l) => ({ offset: 64 * stored.push(l), length: l.byteLength }),
      },
    });
    expect(graph.initializer).toHaveLength(2);
    expect(stored.map((l) => l.size)).toEqual([600]);
    expect(graph.initializer[1]!.externalData).toContainEqual({ key: 'offset', value: '64' });
  });
});

describe('opset', () => {
  const relu = (opset: number, opType = 'Relu') =>
    imported(
      model(
        { input: [value('x', 'f32', 2)], node: [node(opType, ['x'], ['y'])], output: [value('y', 'f32', 2)] },
        { opset },
      ),
      { operators: fewest },
    ).graph;

  it('of nothing but foreign nodes stays as it is, up to what onnxruntime takes', () => {
    expect(exportOnnx(relu(12)).opsetImport).toEqual([{ domain: '', version: 12 }]);
    expect(exportOnnx(relu(28)).opsetImport).toEqual([{ domain: '', version: 26 }]);
  });

  it('is at least 21 where operators are written anew', () => {
    const x = inputValue('x', tensor('f32', [2]));
    expect(exportOnnx(makeIr([x], [x])).opsetImport).toEqual([{ domain: '', version: 21 }]);
  });
});

describe('bodies', () => {
  const branch = (name: string, opType: string) =>
    makeGraph({ name, node: [node(opType, ['x', 'w'], [`${name}_y`])], output: [value(`${name}_y`, 'f32')] });

  it('read captured values by their outer names', async () => {
    const { graphAttribute } = await import('../../src/onnx/make.js');
    const m = model({
      input: [value('x', 'f32', 'N'), value('c', 'bool')],
      initializer: [floats('w', [1], [10])],
      node: [
        node(
          'If',
          ['c'],
          ['y'],
          graphAttribute('then_branch', branch('t', 'Add')),
          graphAttribute('else_branch', branch('e', 'Mul')),
        ),
      ],
      output: [value('y', 'f32', 'N')],
    });
    const copy = exportOnnx(imported(m).graph);
    for (const flag of [true, false]) {
      const feeds = { x: f32([3], [1, 2, 3]), c: bool(flag) };
      expect(await run(copy, feeds)).toEqual(await run(m, feeds));
    }
  });
});

it('writes a model that decodes to itself', () => {
  const m = model({
    input: [value('x', 'f32', 'N', 4)],
    initializer: [longs('s', [2], [2, -1])],
    node: [node('Reshape', ['x', 's'], ['y']), node('Shape', ['y'], ['e'], intAttribute('start', 1))],
    output: [value('y'), value('e', 'i64', 1)],
  });
  const copy = exportOnnx(imported(m).graph);
  expect(decodeModel(encodeModel(copy)).graph.node.map((n) => n.opType)).toEqual(
    copy.graph.node.map((n) => n.opType),
  );
});
