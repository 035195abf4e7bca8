import { describe, expect, it } from 'vitest';
import { errorOf, floats, imported, model, node, value } from '../../fixtures/onnx-importer/material.js';
import { floatAttribute, graphAttribute, makeGraph, makeNode, makeOpset } from '../../src/onnx/make.js';
import type { Graph } from '../../src/onnx/types.js';
import { closest } from './malformed.js';

const x = value('x', 'f32', 2);
const y = value('y', 'f32', 2);

const cases: readonly (readonly [what: string, graph: Partial<Graph>, code: string, says: RegExp])[] = [
  [
    'a value that two nodes define',
    { input: [x], output: [y], node: [node('Relu', ['x'], ['y']), node('Abs', ['x'], ['y'])] },
    'duplicate-value',
    /"y" is defined more than once/,
  ],
  [
    'a node that defines an input again',
    { input: [x], output: [x], node: [node('Relu', ['x'], ['x'])] },
    'duplicate-value',
    /"x"/,
  ],
  [
    'two initializers of one name',
    { initializer: [floats('w', [1], [1]), floats('w', [1], [2])], output: [y] },
    'duplicate-value',
    /"w"/,
  ],
  [
    'a cycle',
    {
      input: [x],
      output: [y],
      node: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Abs', ['b'], ['y'])],
    },
    'cyclic-graph',
    /"Add_a" \(Add\), "Relu_b" \(Relu\)|"Relu_b" \(Relu\), "Add_a" \(Add\)/,
  ],
  [
    'a node that reads its own result',
    { input: [x], output: [y], node: [node('Add', ['x', 'y'], ['y'])] },
    'cyclic-graph',
    /"Add_y"/,
  ],
  [
    'a missing input',
    { input: [value('hidden_state', 'f32', 2)], output: [y], node: [node('Relu', ['hiden_state'], ['y'])] },
    'unknown-value',
    /onnx node "Relu_y" \(Relu\)[\s\S]*closest names are "hidden_state"/,
  ],
  [
    'a missing result',
    { input: [x], output: [value('z', 'f32', 2)], node: [node('Relu', ['x'], ['y'])] },
    'unknown-value',
    /"z"/,
  ],
  [
    'an attribute of another type',
    {
      input: [value('x', 'f32', 2, 3)],
      output: [y],
      node: [node('Flatten', ['x'], ['y'], floatAttribute('axis', 1))],
    },
    'bad-attribute',
    /attribute "axis" holds float where int belongs[\s\S]*"Flatten_y" \(Flatten\)/,
  ],
  [
    'a negative extent',
    { input: [value('x', 'f32', -7)], output: [x] },
    'bad-extent',
    /axis 0 of the input "x" is -7/,
  ],
  ['an absurd extent', { input: [value('x', 'f32', 2 ** 50)], output: [x] }, 'bad-extent', /hint/],
  ['an input without a type', { input: [{ ...x, type: undefined }], output: [x] }, 'untyped-input', /"x"/],
  ['two results of one name', { input: [x], output: [x, x] }, 'duplicate-value', /"x"/],
  [
    'If without a branch',
    {
      input: [value('c', 'bool')],
      output: [y],
      node: [node('If', ['c'], ['y'], graphAttribute('then_branch', makeGraph({})))],
    },
    'missing-attribute',
    /"else_branch"/,
  ],
];

describe('a broken model', () => {
  it.each(cases)('with %s is refused', (_, graph, code, says) => {
    const error = errorOf(() => imported(model(graph)));
    expect(error.code, error.text).toBe(code);
    expect(error.text).toMatch(says);
  });

  it('with a recursive function is refused', () => {
    const call = (domain: string) =>
      makeNode({ opType: 'f', domain, name: 'call', input: ['x'], output: ['y'] });
    const fn = {
      ...model({}).functions,
      name: 'f',
      domain: 'my',
      overload: '',
      input: ['x'],
      output: ['y'],
      attribute: [],
      attributeProto: [],
      node: [call('my')],
      docString: '',
      opsetImport: [makeOpset('my', 1)],
      valueInfo: [],
      metadataProps: [],
    };
    const m = model(
      { input: [x], output: [y], node: [call('my')] },
      { functions: [fn], opsetImport: [makeOpset('', 21), makeOpset('my', 1)] },
    );
    expect(errorOf(() => imported(m))).toMatchObject({ code: 'recursive-function' });
  });

  it('with unsorted nodes is sorted', () => {
    const nodes = [node('Abs', ['a'], ['y']), node('Relu', ['x'], ['a'])];
    expect(imported(model({ input: [x], output: [y], node: nodes })).graph.outputs).toHaveLength(1);
  });
});

describe('closest', () => {
  it('orders by distance and leaves out what is far', () => {
    expect(closest('weight', ['height', 'weigth', 'weight1', 'bias'])).toEqual([
      'height',
      'weight1',
      'weigth',
    ]);
    expect(closest('x', ['conv1.weight'])).toEqual([]);
  });
});
