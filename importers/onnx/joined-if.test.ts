import { expect, test } from 'vitest';
import {
  f32,
  floats,
  imported,
  longs,
  model,
  node,
  run,
  value,
} from '../../fixtures/onnx-importer/material.js';
import { nodesOf } from '../../src/ir/rewrite.js';
import { showType } from '../../src/ir/type.js';
import { verifier } from '../../src/ir/verify.js';
import { graphAttribute, intAttribute, intsAttribute, makeGraph, makeNode } from '../../src/onnx/make.js';
import type { Graph, Node } from '../../src/onnx/types.js';
import { if_ } from '../../src/ops/control-flow.js';
import { foreign } from '../../src/ops/foreign.js';
import { exportOnnx } from './export.js';

const untyped = (name: string) => ({ ...value(name), type: undefined });
const branch = (name: string, ...nodes: readonly Node[]) =>
  graphAttribute(
    name,
    makeGraph({ name, node: nodes, output: nodes.at(-1)!.output.map((output) => untyped(output)) }),
  );

/** What exporters write for x.squeeze(axis). */
const squeezed = (x: string, y: string, axis: number): readonly Node[] => [
  node('Shape', [x], [`${y}_shape`]),
  node('Constant', [], [`${y}_axis`], intsAttribute('value_ints', [axis])),
  node('Gather', [`${y}_shape`, `${y}_axis`], [`${y}_extent`], intAttribute('axis', 0)),
  node('Constant', [], [`${y}_one`], intsAttribute('value_ints', [1])),
  node('Equal', [`${y}_extent`, `${y}_one`], [`${y}_is_one`]),
  node(
    'If',
    [`${y}_is_one`],
    [y],
    branch('then_branch', node('Squeeze', [x, `${y}_axis`], [`${y}_less`])),
    branch('else_branch', node('Identity', [x], [`${y}_same`])),
  ),
];

const build = (nodes: readonly Node[], fields: Partial<Graph> = {}) =>
  model({
    input: [value('x', 'f32', 'N', 3, 'L')],
    initializer: [floats('w', [3], [1, 10, 100]), longs('last', [1], [-1])],
    node: nodes,
    output: [value('y', 'f32', undefined), value('z', 'f32', undefined, 3)],
    ...fields,
  });

const once = build([
  node('Exp', ['x'], ['e']),
  ...squeezed('e', 's', 2),
  node('Abs', ['x'], ['a']),
  node('ReduceMax', ['s', 'last'], ['m'], intAttribute('keepdims', 0)),
  node('Flatten', ['m'], ['flat']),
  node('ReduceSum', ['flat', 'last'], ['y'], intAttribute('keepdims', 0)),
  node('ReduceMean', ['a', 'last'], ['z'], intAttribute('keepdims', 0)),
]);

const x = (n: number, l: number) =>
  f32(
    [n, 3, l],
    Array.from({ length: 3 * n * l }, (_, i) => ((i * 7) % 11) / 8),
  );

test('what depends on a rank that a branch decides is compiled for each branch', async () => {
  const { graph, warnings } = imported(once);
  verifier([])('imported')(graph);
  expect(warnings).toEqual([]);
  expect(nodesOf(graph, foreign)).toEqual([]);
  expect(nodesOf(graph, if_)).toHaveLength(1);
  expect(graph.outputs.map((v) => showType(v.type))).toEqual(['f32[N]', 'f32[N,3]']);
  const copy = exportOnnx(graph);
  for (const feeds of [{ x: x(2, 1) }, { x: x(2, 4) }, { x: x(1, 1) }])
    expect(await run(copy, feeds)).toEqual(await run(once, feeds));
});

test('one behind another', async () => {
  const m = build(
    [
      ...squeezed('x', 's', 2),
      ...squeezed('s', 't', 0),
      node('ReduceSum', ['t'], ['sum'], intAttribute('keepdims', 0)),
      node('Unsqueeze', ['sum', 'last'], ['y']),
    ],
    { output: [value('y', 'f32', 1)] },
  );
  const { graph } = imported(m);
  verifier([])('imported')(graph);
  expect(nodesOf(graph, foreign)).toEqual([]);
  expect(nodesOf(graph, if_)).toHaveLength(1);
  for (const [n, l] of [
    [1, 1],
    [1, 2],
    [2, 1],
    [3, 2],
  ] as const)
    expect(await run(exportOnnx(graph), { x: x(n, l) })).toEqual(await run(m, { x: x(n, l) }));
});

test('a graph whose result has another rank in each branch stays as it is', async () => {
  const m = build(squeezed('x', 'y', 2), { output: [untyped('y')] });
  const { graph } = imported(m);
  expect(showType(graph.outputs[0]!.type)).toBe('opaque<f32[*]>');
  for (const feeds of [{ x: x(2, 1) }, { x: x(2, 4) }])
    expect(await run(exportOnnx(graph), feeds)).toEqual(await run(m, feeds));
});

test('a node that nobody compiles is not copied into branches', () => {
  const m = build(
    [
      ...squeezed('x', 's', 2),
      makeNode({ opType: 'Mystery', domain: 'some.where', name: 'mystery', input: ['s'], output: ['t'] }),
      node('ReduceSum', ['t'], ['y'], intAttribute('keepdims', 0)),
    ],
    { output: [value('y', 'f32')] },
  );
  const { graph } = imported(m);
  const [mystery, ...more] = nodesOf(graph, foreign).filter((n) => n.attrs.opType === 'Mystery');
  expect([mystery?.origin.name, more.length]).toEqual(['mystery', 0]);
});

test('branches whose names are those of what follows are left alone', () => {
  const clash = [
    node('ReduceMax', ['s', 'last'], ['s_less'], intAttribute('keepdims', 0)),
    node('Flatten', ['s_less'], ['y']),
  ];
  const m = build([...squeezed('x', 's', 2), ...clash], {
    output: [value('y', 'f32', undefined, undefined)],
  });
  expect(nodesOf(imported(m).graph, if_)[0]!.outputs.map((v) => showType(v.type))).toEqual([
    'opaque<f32[*]>',
  ]);
});

test('branches of branches are copied only so often', () => {
  const many = Array.from({ length: 12 }, (_, i) =>
    squeezed(i === 0 ? 'x' : `s${i}`, `s${i + 1}`, -1),
  ).flat();
  const m = build([...many, node('ReduceSum', ['s12'], ['y'], intAttribute('keepdims', 0))], {
    output: [value('y', 'f32')],
  });
  expect(nodesOf(imported(m).graph, if_).length).toBeGreaterThan(0);
});
