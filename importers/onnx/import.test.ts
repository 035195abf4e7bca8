import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  make,
  makeAttribute,
  makeFunction,
  makeNode,
  makeOpset,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
} from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import { type Attribute, attributeType, dataLocation } from '../../src/onnx/types.js';
import { constant } from '../../src/ops/constant.js';
import { foreign } from '../../src/ops/foreign.js';
import { operators } from '../../src/ops/index.js';
import { defineOp, type OpDef } from '../../src/ops/op.js';
import { unpackStrings } from './literals.js';

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

describe('constants', () => {
  const literalOf = (...attrs: readonly Attribute[]) => {
    const { graph } = imported(
      model({ node: [node('Constant', [], ['c'], ...attrs)], output: [value('c')] }),
    );
    return constants(graph)[0]!;
  };
  const sparse = {
    values: floats('s', [2], [5, 6]),
    indices: longs('', [2], [1, 3]),
    dims: [2, 2],
  };

  it.each([
    ['value', tensorAttribute('value', floats('', [2], [1, 2])), 'f32[2]', [1, 2]],
    ['value_float', floatAttribute('value_float', 0.5), 'f32[]', [0.5]],
    ['value_floats', floatsAttribute('value_floats', [1, 2]), 'f32[2]', [1, 2]],
    ['value_int', intAttribute('value_int', 3), 'i64[]', [3]],
    ['value_ints', intsAttribute('value_ints', [3, -4]), 'i64[2]', [3, -4]],
    [
      'sparse_value',
      makeAttribute({ name: 'sparse_value', type: attributeType.sparseTensor, sparseTensor: sparse }),
      'f32[2,2]',
      [0, 5, 0, 6],
    ],
  ] as const)('are read from %s', (_, attr, type, values) => {
    const literal = literalOf(attr);
    expect(showType(literal.type)).toBe(type);
    expect(literal.numbers()).toEqual(values);
  });

  it('are read from strings', () => {
    expect(unpackStrings(literalOf(stringAttribute('value_string', 'é')).bytes())).toEqual(['é']);
    const list = literalOf(stringsAttribute('value_strings', ['a', '', 'bc']));
    expect(list.shape).toEqual([3]);
    expect(unpackStrings(list.bytes())).toEqual(['a', '', 'bc']);
  });

  it('are read from sparse initializers with one index for each axis', () => {
    const byAxis = { ...sparse, indices: longs('', [2, 2], [0, 1, 1, 1]) };
    const { graph } = imported(model({ sparseInitializer: [byAxis], output: [value('s')] }));
    expect(constants(graph)[0]!.numbers()).toEqual([0, 5, 0, 6]);
    const outside = { ...sparse, indices: longs('', [2], [1, 4]) };
    const broken = model({ sparseInitializer: [outside], output: [value('s')] });
    expect(errorOf(() => imported(broken)).code).toBe('bad-sparse-tensor');
  });

  it('in other files are read when they are needed', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ait-external-'));
    try {
      const entry = (key: string, text: string) => ({ key, value: text });
      const w = {
        ...floats('w', [2], [0, 0]),
        rawData: undefined,
        dataLocation: dataLocation.external,
        externalData: [entry('location', 'w.bin'), entry('offset', '4'), entry('length', '8')],
      };
      writeFileSync(join(dir, 'w.bin'), new Uint8Array(Float32Array.of(9, 1, 2).buffer));
      const { graph } = imported(model({ initializer: [w], output: [value('w')] }), { baseDir: dir });
      expect(constants(graph)[0]!.numbers()).toEqual([1, 2]);
    } finally {
      rmSync(dir, { recursive: true });
    }
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

describe('foreign nodes', () => {
  const custom = (input: readonly string[], output: readonly string[], ...attribute: readonly Attribute[]) =>
    makeNode({ opType: 'Mystery', domain: 'my.ops', name: 'm', input, output, attribute });
  const opsetImport = [makeOpset('', 21), makeOpset('my.ops', 3)];

  it('keep their attributes and holes, and take declared types', () => {
    const bytes = makeAttribute({ name: 'raw', type: attributeType.string, s: Uint8Array.of(255, 0) });
    const { graph } = imported(
      model(
        {
          input: [value('x', 'f32', 'N')],
          node: [custom(['x', '', 'x'], ['', 'y'], intAttribute('big', 2n ** 60n + 1n), bytes)],
          output: [value('y', 'f32', 'N', undefined, 5)],
        },
        { opsetImport },
      ),
    );
    verify(graph);
    const { attrs } = nodesOf(graph, foreign)[0]!;
    expect(attrs).toMatchObject({ domain: 'my.ops', opset: 3, absent: [1], unnamed: [0], captured: 0 });
    expect(attrs.attributes[0]).toEqual({ name: 'big', type: 'int', value: 2n ** 60n + 1n });
    expect(attrs.attributes[1]).toMatchObject({ name: 'raw', type: 'encoded' });
    expect(types(graph)).toEqual(['f32[N,y_1,5]']);
  });

  it('make what depends on them foreign when their types are unknown', () => {
    const { graph, warnings } = imported(
      model(
        {
          input: [value('x', 'f32', 2, 3)],
          node: [custom(['x'], ['a']), node('Transpose', ['a'], ['b']), node('Transpose', ['x'], ['y'])],
          output: [value('b', 'f32', 3, 2), value('y', 'f32', 3, 2)],
        },
        { opsetImport },
      ),
    );
    expect(nodesOf(graph, foreign).map((n) => n.attrs.opType)).toEqual(['Mystery', 'Transpose']);
    expect(nodesOf(graph, foreign)[1]!.attrs.reason).toMatch(/a result of onnx node "m" \(Mystery\)/);
    expect(warnings).toEqual([]);
  });

  it('are nodes whose conversion fails, with a warning', () => {
    const m = model({
      input: [value('x', 'f32', 2, 3)],
      node: [node('Transpose', ['x'], ['y'], intsAttribute('perm', [0, 0]))],
      output: [value('y', 'f32', 2, 2)],
    });
    const { graph, warnings } = imported(m);
    expect(nodesOf(graph, foreign)).toHaveLength(1);
    expect(warnings).toEqual([expect.stringMatching(/"Transpose_y" .*bad-perm/)]);
  });

  it('read extents only they know when the model runs', () => {
    const { graph } = imported(
      model(
        {
          input: [value('x', 'f32', 'N')],
          node: [custom(['x'], ['a']), node('Shape', ['a'], ['s']), node('Reshape', ['x', 's'], ['y'])],
          valueInfo: [value('a', 'f32', 'unk', 'N')],
          output: [value('y')],
        },
        { opsetImport },
      ),
    );
    verify(graph);
    expect(types(graph)).toEqual(['f32[a_0,N]']);
    expect([...graph.bindings.keys()]).toEqual(['a_0']);
  });
});

describe('functions', () => {
  it('are inlined with their attributes, opsets and absent inputs', () => {
    const perm = { ...intsAttribute('perm', []), refAttrName: 'order' };
    const inner = makeFunction({
      name: 'turn',
      domain: 'my',
      input: ['a', 'unused'],
      output: ['b'],
      attribute: ['order'],
      node: [node('Transpose', ['a'], ['b'], perm)],
      opsetImport: [makeOpset('', 13)],
    });
    const outer = makeFunction({
      name: 'twice',
      domain: 'my',
      overload: 'v2',
      input: ['a'],
      output: ['c'],
      attributeProto: [intsAttribute('order', [1, 2, 0])],
      node: [
        makeNode({
          opType: 'turn',
          domain: 'my',
          input: ['a'],
          output: ['b'],
          name: 'first',
          attribute: [perm].map((p) => ({ ...p, name: 'order' })),
        }),
        makeNode({
          opType: 'turn',
          domain: 'my',
          input: ['b', ''],
          output: ['c'],
          attribute: [intsAttribute('order', [0, 2, 1])],
        }),
      ],
      opsetImport: [makeOpset('my', 1)],
    });
    const call = makeNode({
      opType: 'twice',
      domain: 'my',
      overload: 'v2',
      name: 'call',
      input: ['x'],
      output: ['y'],
    });
    const { graph } = imported(
      model(
        { input: [value('x', 'f32', 2, 3, 4)], node: [call], output: [value('y')] },
        { functions: [inner, outer], opsetImport: [makeOpset('', 21), makeOpset('my', 1)] },
      ),
    );
    verify(graph);
    expect(types(graph)).toEqual(['f32[3,2,4]']);
    expect(graph.outputs[0]!.node.origin.name).toBe('call/c/Transpose_b');
    expect(graph.outputs[0]!.node.inputs[0]!.node.origin.name).toBe('call/first/Transpose_b');
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
