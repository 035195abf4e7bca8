import { describe, expect, it } from 'vitest';
import {
  bool,
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
import type { Op } from '../../src/ir/graph.js';
import { nodesOf } from '../../src/ir/rewrite.js';
import { showType } from '../../src/ir/type.js';
import { verifier } from '../../src/ir/verify.js';
import {
  graphAttribute,
  intAttribute,
  intsAttribute,
  makeGraph,
  tensorTypeProto,
} from '../../src/onnx/make.js';
import type { Graph, Model } from '../../src/onnx/types.js';
import { if_, loop, scan } from '../../src/ops/control-flow.js';
import { operators } from '../../src/ops/index.js';
import { exportOnnx } from './export.js';

const fewest = operators.filter((op) => ['constant', 'dims', 'shape_of'].includes(op.name));

const bodyOf = (fields: Partial<Graph>): Graph => makeGraph({ name: 'body', ...fields });

/** The model and its copies, with and without converted operators, compute the same. */
async function expectSame(m: Model, feeds: readonly Feeds[]): Promise<void> {
  for (const table of [operators, fewest])
    for (const opset of [undefined, 23]) {
      const { graph } = imported(m, { operators: table });
      verifier([])('imported')(graph);
      const copy = exportOnnx(graph, { opset });
      for (const f of feeds) expect(await run(copy, f)).toEqual(await run(m, f));
    }
}

const nodes = (m: Model, op: Op) => nodesOf(imported(m).graph, op);

describe('If', () => {
  const branches = (condition: string, extra: Partial<Parameters<typeof model>[0]> = {}) =>
    model({
      input: [value('x', 'f32', 'N'), value('c', 'bool')],
      initializer: [floats('two', [], [2])],
      node: [
        node('Add', ['x', 'x'], ['xx']),
        node(
          'If',
          [condition],
          ['a', 'b'],
          graphAttribute(
            'then_branch',
            bodyOf({
              node: [
                node('Mul', ['xx', 'two'], ['t']),
                node('Shape', ['xx'], ['s']),
                node('Concat', ['t', 't'], ['tt'], intAttribute('axis', 0)),
              ],
              output: [value('tt', 'f32', undefined), value('s', 'i64', 1)],
            }),
          ),
          graphAttribute(
            'else_branch',
            bodyOf({
              node: [
                node('Constant', [], ['k'], intsAttribute('value_ints', [7])),
                node('Identity', ['xx'], ['same']),
              ],
              output: [value('same', 'f32', undefined), value('k', 'i64', 1)],
            }),
          ),
        ),
      ],
      output: [value('a', 'f32', undefined), value('b', 'i64', 1)],
      ...extra,
    });

  it('computes the same with captured values, extents and constants', async () => {
    const x = f32([3], [1, 2, 3]);
    await expectSame(branches('c'), [
      { x, c: bool(true) },
      { x, c: bool(false) },
    ]);
  });

  it('has results whose extents are known when it has run', () => {
    const { graph } = imported(branches('c'));
    expect(graph.outputs.map((v) => showType(v.type))).toEqual(['f32[a_0]', 'i64[1]']);
  });

  it('with a known condition is replaced by the branch', () => {
    const m = branches('never', {});
    const known = {
      ...m,
      graph: {
        ...m.graph,
        node: [
          node('Constant', [], ['f'], intAttribute('value_int', 0)),
          node('Cast', ['f'], ['never'], intAttribute('to', 9)),
          ...m.graph.node,
        ],
      },
    };
    const { graph } = imported(known);
    expect(nodesOf(graph, if_)).toEqual([]);
    expect(graph.outputs.map((v) => showType(v.type))).toEqual(['f32[N]', 'i64[1]']);
  });

  it('inside If captures through both', async () => {
    const inner = graphAttribute(
      'then_branch',
      bodyOf({ node: [node('Mul', ['x', 'y'], ['p'])], output: [value('p')] }),
    );
    const other = graphAttribute('else_branch', bodyOf({ output: [value('y')] }));
    const m = model({
      input: [value('x', 'f32', 'N'), value('y', 'f32', 'N'), value('c', 'bool'), value('d', 'bool')],
      node: [
        node(
          'If',
          ['c'],
          ['r'],
          graphAttribute(
            'then_branch',
            bodyOf({ node: [node('If', ['d'], ['q'], inner, other)], output: [value('q')] }),
          ),
          graphAttribute('else_branch', bodyOf({ node: [node('Neg', ['x'], ['n'])], output: [value('n')] })),
        ),
      ],
      output: [value('r', 'f32', 'N')],
    });
    const [x, y] = [f32([2], [1, 2]), f32([2], [3, 4])];
    // A body must not yield an outer value as it is, so onnxruntime cannot run the branch that does.
    for (const d of [true])
      for (const c of [true, false]) {
        const results = await run(exportOnnx(imported(m).graph), { x, y, c: bool(c), d: bool(d) });
        expect(results).toEqual({ r: { dims: [2], data: c ? [3, 8] : [-1, -2] } });
      }
  });
});

describe('Loop', () => {
  const body = bodyOf({
    input: [value('i', 'i64'), value('go', 'bool'), value('state', 'f32', undefined)],
    node: [
      node('Identity', ['go'], ['go_on']),
      node('Concat', ['state', 'x'], ['longer'], intAttribute('axis', 0)),
      node('ReduceSum', ['longer'], ['sum'], intAttribute('keepdims', 0)),
    ],
    output: [value('go_on', 'bool'), value('longer', 'f32', undefined), value('sum', 'f32')],
  });
  const looping = (inputs: readonly string[]) =>
    model({
      input: [value('x', 'f32', 'N'), value('n', 'i64')],
      initializer: [longs('three', [], [3])],
      node: [node('Loop', inputs, ['grown', 'sums'], graphAttribute('body', body))],
      output: [value('grown', 'f32', undefined), value('sums', 'f32', undefined)],
    });

  it('computes the same while its state grows', async () => {
    const x = f32([2], [1, 2]);
    await expectSame(looping(['n', '', 'x']), [
      { x, n: i64([], [0]) },
      { x, n: i64([], [4]) },
    ]);
    await expectSame(looping(['three', '', 'x']), [{ x, n: i64([], [0]) }]);
  });

  it('has states and results of open extents', () => {
    const { graph } = imported(looping(['n', '', 'x']));
    expect(graph.outputs.map((v) => showType(v.type))).toEqual(['f32[grown_0]', 'f32[sums_0]']);
    expect(nodes(looping(['n', '', 'x']), loop)[0]!.attrs).toMatchObject({
      hasCount: true,
      hasCondition: false,
    });
  });

  it('whose state changes its rank assumes none', () => {
    const turning = bodyOf({
      input: [value('i', 'i64'), value('go', 'bool'), { ...value('s'), type: undefined }],
      initializer: [longs('zero', [1], [0])],
      node: [node('Identity', ['go'], ['g']), node('Unsqueeze', ['s', 'zero'], ['t'])],
      output: [value('g', 'bool'), { ...value('t'), type: undefined }],
    });
    const m = model({
      input: [value('x', 'f32', 'N'), value('n', 'i64')],
      node: [node('Loop', ['n', '', 'x'], ['y'], graphAttribute('body', turning))],
      output: [{ ...value('y'), type: tensorTypeProto('f32') }],
    });
    expect(showType(imported(m).graph.outputs[0]!.type)).toBe('opaque<f32[*]>');
  });

  it('whose state grows from nothing is not what the first iteration sees', async () => {
    const appending = bodyOf({
      input: [value('i', 'i64'), value('go', 'bool'), value('rows', 'f32', 0, 2)],
      node: [
        node('Identity', ['go'], ['g']),
        node('Concat', ['rows', 'x'], ['more'], intAttribute('axis', 0)),
      ],
      output: [value('g', 'bool'), { ...value('more'), type: undefined }],
    });
    const m = model({
      input: [value('x', 'f32', 1, 2), value('none', 'f32', 0, 2), value('n', 'i64')],
      node: [node('Loop', ['n', '', 'none'], ['y'], graphAttribute('body', appending))],
      output: [value('y', 'f32', 'K', 2)],
    });
    await expectSame(m, [{ x: f32([1, 2], [1, 2]), none: f32([0, 2], []), n: i64([], [3]) }]);
  });
});

describe('Scan', () => {
  it('computes the same over any axis and direction', async () => {
    const body = bodyOf({
      input: [value('sum', 'f32', 2), value('slice', 'f32', 2)],
      node: [node('Add', ['sum', 'slice'], ['next']), node('Mul', ['next', 'x0'], ['out'])],
      output: [value('next', 'f32', 2), value('out', 'f32', 2)],
    });
    const m = model({
      input: [value('x0', 'f32', 2), value('x', 'f32', 2, 'T')],
      node: [
        node(
          'Scan',
          ['x0', 'x'],
          ['last', 'all'],
          graphAttribute('body', body),
          intAttribute('num_scan_inputs', 1),
          intsAttribute('scan_input_axes', [1]),
          intsAttribute('scan_input_directions', [1]),
          intsAttribute('scan_output_axes', [-1]),
        ),
      ],
      output: [value('last', 'f32', 2), value('all', 'f32', 2, 'T')],
    });
    await expectSame(m, [{ x0: f32([2], [1, 2]), x: f32([2, 3], [1, 2, 3, 4, 5, 6]) }]);
    expect(imported(m).graph.outputs.map((v) => showType(v.type))).toEqual(['f32[2]', 'f32[2,T]']);
    expect(nodes(m, scan)).toHaveLength(1);
  });

  it('of opset 8 runs for each sample', async () => {
    const body = bodyOf({
      input: [value('sum', 'f32', 2), value('slice', 'f32', 2)],
      node: [node('Add', ['sum', 'slice'], ['next']), node('Identity', ['next'], ['out'])],
      output: [value('next', 'f32', 2), value('out', 'f32', 2)],
    });
    const m = model(
      {
        input: [value('start', 'f32', 'B', 2), value('x', 'f32', 'B', 3, 2)],
        node: [
          node(
            'Scan',
            ['', 'start', 'x'],
            ['last', 'all'],
            graphAttribute('body', body),
            intAttribute('num_scan_inputs', 1),
            intsAttribute('directions', [1]),
          ),
        ],
        output: [value('last', 'f32', 'B', 2), value('all', 'f32', 'B', 3, 2)],
      },
      { opset: 8, irVersion: 3 },
    );
    const x = f32(
      [2, 3, 2],
      Array.from({ length: 12 }, (_, i) => i),
    );
    await expectSame(m, [{ start: f32([2, 2], [1, 2, 3, 4]), x }]);
    expect(imported(m).graph.outputs.map((v) => showType(v.type))).toEqual(['f32[B,2]', 'f32[B,3,2]']);
  });
});
