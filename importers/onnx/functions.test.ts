import { describe, expect, it } from 'vitest';
import { imported, model, node, value } from '../../fixtures/onnx-importer/material.js';
import type { Graph as IrGraph } from '../../src/ir/graph.js';
import { showType } from '../../src/ir/type.js';
import { verifier } from '../../src/ir/verify.js';
import {
  graphAttribute,
  intsAttribute,
  makeFunction,
  makeGraph,
  makeNode,
  makeOpset,
} from '../../src/onnx/make.js';

const verify = verifier([])('imported');
const types = (g: IrGraph): readonly string[] => g.outputs.map((v) => showType(v.type));

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

  it('may hand their attributes to bodies', () => {
    const perm = { ...intsAttribute('perm', []), refAttrName: 'order' };
    const body = (name: string) =>
      makeGraph({
        name,
        node: [node('Transpose', ['a'], [`${name}_b`], perm)],
        output: [value(`${name}_b`)],
      });
    const fn = makeFunction({
      name: 'turn',
      domain: 'my',
      input: ['a', 'c'],
      output: ['b'],
      attribute: ['order'],
      node: [
        node(
          'If',
          ['c'],
          ['b'],
          graphAttribute('then_branch', body('t')),
          graphAttribute('else_branch', body('e')),
        ),
      ],
      opsetImport: [makeOpset('', 17)],
    });
    const call = makeNode({
      opType: 'turn',
      domain: 'my',
      input: ['x', 'c'],
      output: ['y'],
      attribute: [intsAttribute('order', [1, 0, 2])],
    });
    const { graph } = imported(
      model(
        { input: [value('x', 'f32', 2, 3, 4), value('c', 'bool')], node: [call], output: [value('y')] },
        { functions: [fn], opsetImport: [makeOpset('', 21), makeOpset('my', 1)] },
      ),
    );
    verify(graph);
    expect(types(graph)).toEqual(['f32[3,2,4]']);
  });
});
