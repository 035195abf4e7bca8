import { describe, expect, it } from 'vitest';
import {
  errorOf,
  floats,
  imported,
  longs,
  model,
  node,
  value,
} from '../../fixtures/onnx-importer/material.js';
import type { Shape } from '../../src/ir/dim.js';
import type { Graph as IrGraph } from '../../src/ir/graph.js';
import { print } from '../../src/ir/print.js';
import { nodesOf } from '../../src/ir/rewrite.js';
import { showType, tensor } from '../../src/ir/type.js';
import { verifier } from '../../src/ir/verify.js';
import { intAttribute, intsAttribute, make, makeNode, makeOpset } from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import { constant } from '../../src/ops/constant.js';
import { operators } from '../../src/ops/index.js';
import { defineOp, type OpDef } from '../../src/ops/op.js';

const verify = verifier([])('imported');
const types = (g: IrGraph): readonly string[] => g.outputs.map((v) => showType(v.type));
const inputTypes = (g: IrGraph): readonly string[] => g.inputs.map((v) => showType(v.type));
const constants = (g: IrGraph) => nodesOf(g, constant).map((n) => n.attrs.value);

describe('inputs', () => {
  const two = { input: [value('a', 'f32', 'N', 3), value('b', 'f32', 'N', undefined)] };
  const out = (name: string) => ({ output: [value(name)] });

  it('of the same dimension name have the same symbol', () => {
    const { graph } = imported(model({ ...two, ...out('a') }));
    expect(inputTypes(graph)).toEqual(['f32[N,3]', 'f32[N,b_1]']);
  });

  it('take shapes from the user, everywhere the dimension is named', () => {
    const { graph } = imported(model({ ...two, ...out('b') }), { shapes: new Map([['a', [8, 3]]]) });
    expect(inputTypes(graph)).toEqual(['f32[8,3]', 'f32[8,b_1]']);
  });

  it('take fixed values and ranges of named dimensions', () => {
    const fixed = imported(model({ ...two, ...out('b') }), { dims: new Map([['N', { min: 4, max: 4 }]]) });
    expect(inputTypes(fixed.graph)).toEqual(['f32[4,3]', 'f32[4,b_1]']);
    const unknown = imported(model({ ...two, ...out('b') }), { dims: new Map([['M', { min: 1, max: 2 }]]) });
    expect(unknown.warnings).toEqual(['no input of the model has a dimension named "M"']);
  });

  it('refuse shapes that contradict the model', () => {
    const shapes = (name: string, ...dims: readonly number[]) => ({ shapes: new Map([[name, dims]]) });
    const m = model({ ...two, ...out('b') });
    expect(errorOf(() => imported(m, shapes('a', 8, 4))).code).toBe('bad-shape');
    expect(errorOf(() => imported(m, shapes('a', 8))).code).toBe('bad-shape');
    expect(errorOf(() => imported(m, shapes('c', 8))).code).toBe('unknown-input');
    const both = new Map([
      ['a', [8, 3]],
      ['b', [9, 3]],
    ]);
    expect(errorOf(() => imported(m, { shapes: both })).code).toBe('shape-conflict');
  });

  it('with a default value are constants, silently before IR version 4', () => {
    const graph = { input: [value('w', 'f32', 1)], initializer: [floats('w', [1], [7])], ...out('w') };
    expect(imported(model(graph, { irVersion: 3 })).warnings).toEqual([]);
    const now = imported(model(graph));
    expect(now.graph.inputs).toEqual([]);
    expect(now.warnings).toHaveLength(1);
  });

  it('may have any name', () => {
    const name = 'läyer/0:"x" %\n';
    const { graph } = imported(model({ input: [value(name, 'f32', undefined)], ...out(name) }));
    expect(inputTypes(graph)).toEqual(['f32[l_yer_0__x_____0]']);
  });
});

describe('shape arithmetic', () => {
  it('leaves a plain reshape with symbolic extents', () => {
    const { graph } = imported(
      model({
        input: [value('x', 'f32', 'B', 3, 4)],
        initializer: [longs('minus', [1], [-1])],
        node: [
          node('Shape', ['x'], ['s'], intAttribute('end', 1)),
          node('Unsqueeze', ['n'], ['ignored'], intsAttribute('axes', [0])),
          node('Size', ['x'], ['n']),
          node('Reshape', ['x', 's2'], ['y']),
          node('Identity', ['both'], ['s2']),
          node('Concat', ['s', 'minus'], ['both'], intAttribute('axis', 0)),
        ],
        output: [value('y')],
      }),
    );
    verify(graph);
    expect(types(graph)).toEqual(['f32[B,12]']);
  });

  it('gives extents that are inputs of the model symbols', () => {
    const filled: OpDef<{ shape: Shape }> = defineOp({
      name: 'filled',
      infer: (_, { shape }) => tensor('f32', shape),
      onnx: { 'my.ops::Filled': { 1: (n, b) => b(filled, [], { shape: n.dims(n.input(0)) }) } },
      toOnnx: () => [],
    });
    const { graph } = imported(
      model(
        {
          input: [value('shape', 'i64', 2)],
          node: [
            makeNode({ opType: 'Filled', domain: 'my.ops', input: ['shape'], output: ['a'] }),
            makeNode({ opType: 'Filled', domain: 'my.ops', input: ['shape'], output: ['b'] }),
          ],
          output: [value('a'), value('b')],
        },
        { opsetImport: [makeOpset('my.ops', 1)] },
      ),
      { operators: [...operators, filled] },
    );
    verify(graph);
    expect(types(graph)).toEqual(['f32[shape_0,shape_1]', 'f32[shape_0,shape_1]']);
    expect(print(graph)).toContain('bind shape_1 = %0[1]');
    expect(print(graph)).toContain('dim shape_0 in -Infinity..Infinity');
  });

  it('keeps "to the end" through operators that only move it', () => {
    const { graph } = imported(
      model({
        initializer: [longs('end', [], [2n ** 63n - 1n]), longs('axes', [1], [0])],
        node: [node('Unsqueeze', ['end', 'axes'], ['y'])],
        output: [value('y')],
      }),
    );
    expect(constants(graph)[0]!.bigints()).toEqual([2n ** 63n - 1n]);
  });
});

it('warns about declared types that are wrong, and does not believe them', () => {
  const { graph, warnings } = imported(
    model({
      input: [value('x', 'f32', 2, 3)],
      node: [node('Transpose', ['x'], ['y'])],
      output: [value('y', 'f32', 2, 3)],
    }),
  );
  expect(types(graph)).toEqual(['f32[3,2]']);
  expect(warnings).toEqual([expect.stringContaining('"y" is declared as f32[2,3] but is f32[3,2]')]);
});

it('takes sequences as opaque values', () => {
  const sequence = make(schemas.typeProto, { sequenceType: { elemType: value('', 'f32', 'N').type } });
  const { graph } = imported(
    model({
      input: [make(schemas.valueInfo, { name: 'q', type: sequence }), value('i', 'i64')],
      node: [node('SequenceAt', ['q', 'i'], ['y'])],
      output: [value('y', 'f32', 'N')],
    }),
  );
  expect(inputTypes(graph)).toEqual(['opaque<sequence<f32[N]>>', 'i64[]']);
  expect(types(graph)).toEqual(['f32[y_0]']);
});

it('reads operators by the last of two versions of a set, and says so', () => {
  const softmax = {
    input: [value('x', 'f32', 2, 3, 1)],
    node: [node('Softmax', ['x'], ['y'])],
    output: [value('y')],
  };
  const read = (...versions: readonly number[]) =>
    imported(model(softmax, { opsetImport: versions.map((v) => makeOpset('', v)) }));
  // Up to opset 12 the axes from the second on are one; later the last is normalised.
  expect(print(read(18, 9).graph)).toBe(print(read(9).graph));
  expect(print(read(9, 18).graph)).toBe(print(read(18).graph));
  expect(print(read(9).graph)).not.toBe(print(read(18).graph));
  expect(read(18, 9).warnings.join()).toContain('at version 18 and at 9; the last is taken');
  expect(read(9, 9).warnings).toEqual(read(9).warnings);
});
