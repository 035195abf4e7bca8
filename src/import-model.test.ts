import { describe, expect, it } from 'vitest';
import { floats, model, node, value } from '../fixtures/onnx-importer/material.js';
import { importModel } from './import-model.js';
import { nodesOf } from './ir/rewrite.js';
import { showType } from './ir/type.js';
import { makeNode, makeOpset } from './onnx/make.js';
import { foreign } from './ops/foreign.js';
import { operators } from './ops/index.js';
import { resultTypes } from './runtime/result-types.js';

const microsoft = (opType: string, input: readonly string[], output: readonly string[]) =>
  makeNode({ opType, domain: 'com.microsoft', name: opType, input, output });

const build = (middle: string) =>
  model(
    {
      input: [value('x', 'f32', 'batch', 3, 4)],
      initializer: [
        floats(
          'w',
          [4, 5],
          Array.from({ length: 20 }, (_, i) => i),
        ),
      ],
      node: [
        node('Relu', ['x'], ['r']),
        microsoft(middle, ['r', 'w'], ['a']),
        microsoft('QuickGelu', ['a'], ['b']),
        node('Transpose', ['b'], ['c']),
      ],
      output: [{ ...value('c'), type: undefined }],
    },
    { opsetImport: [makeOpset('', 17), makeOpset('com.microsoft', 1)] },
  );

const load = async (middle: string) => {
  const warnings: string[] = [];
  // Operators of other domains stay foreign, whichever of them the compiler knows.
  const table = operators.map((op) => ({
    ...op,
    onnx: Object.fromEntries(Object.entries(op.onnx).filter(([name]) => !name.includes('::'))),
  }));
  const graph = await importModel(build(middle), { operators: table, warn: (w) => warnings.push(w) });
  return { graph, warnings };
};

describe('a model whose operators the importer does not know', () => {
  it('gets their types from onnxruntime, in terms of its own extents', async () => {
    const { graph, warnings } = await load('FusedMatMul');
    expect(nodesOf(graph, foreign).map((n) => n.attrs.opType)).toEqual(['FusedMatMul', 'QuickGelu']);
    expect(showType(graph.outputs[0]!.type)).toBe('f32[5,3,batch]');
    expect(warnings).toEqual([]);
  });

  it('is imported all the same when onnxruntime does not know them either', async () => {
    const { graph } = await load('NoSuchOperator');
    expect(nodesOf(graph, foreign).map((n) => n.attrs.opType)).toEqual([
      'NoSuchOperator',
      'QuickGelu',
      'Transpose',
    ]);
    expect(showType(graph.outputs[0]!.type)).toBe('opaque<unknown>');
  });
});

it('no answer comes for what is no model', async () => {
  expect(await resultTypes([new Uint8Array([1, 2, 3]), new Uint8Array()])).toEqual([[], []]);
});
