import { describe, expect, it } from 'vitest';
import { imported, model, node, value } from '../../fixtures/onnx-importer/material.js';
import type { Graph as IrGraph } from '../../src/ir/graph.js';
import { nodesOf } from '../../src/ir/rewrite.js';
import { showType } from '../../src/ir/type.js';
import { verifier } from '../../src/ir/verify.js';
import { intAttribute, intsAttribute, makeAttribute, makeNode, makeOpset } from '../../src/onnx/make.js';
import { type Attribute, attributeType } from '../../src/onnx/types.js';
import { foreign } from '../../src/ops/foreign.js';

const verify = verifier([])('imported');
const types = (g: IrGraph): readonly string[] => g.outputs.map((v) => showType(v.type));

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
