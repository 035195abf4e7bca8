import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import {
  difference,
  errorOf,
  f32,
  floats,
  imported,
  longs,
  model,
  node,
  run,
  value,
} from '../../fixtures/onnx-importer/material.js';
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import type { Attribute, Tensor } from '../../src/onnx/types.js';
import { operators } from '../../src/ops/index.js';
import { exportOnnx } from './export.js';

// Everything stays foreign.
const fewest = operators.filter((op) => ['constant', 'dims', 'shape_of'].includes(op.name));

interface Case {
  readonly op: string;
  readonly opset: number;
  readonly to: number;
  readonly attrs?: readonly Attribute[];
  readonly shape?: readonly number[];
  readonly more?: readonly Tensor[];
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  /** Written anew alone: as it is, there is no older form of the node. */
  readonly own?: boolean;
  readonly tolerance?: number;
}

const mode = (text: string): Attribute => stringAttribute('mode', text);
const keep = intAttribute('keepdims', 0);
const axes = (...values: readonly number[]): readonly Tensor[] => [longs('axes', [values.length], values)];
const ramp = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => 0.5 + Math.sin(i) / 3);
const noop = intAttribute('noop_with_empty_axes', 1);
const image = [1, 2, 4, 5];
const affine = [1, 0.2, -0.1, 0.3, 0.9, 0.4];

const cases: readonly Case[] = [
  { op: 'ReduceMean', opset: 21, to: 17, more: axes(1), attrs: [keep] },
  { op: 'ReduceMax', opset: 21, to: 17, more: axes(-1, 0) },
  { op: 'ReduceSum', opset: 21, to: 17, more: axes(1) },
  { op: 'ReduceL2', opset: 21, to: 17 },
  { op: 'ReduceMin', opset: 18, to: 17 },
  { op: 'ReduceL1', opset: 21, to: 17, attrs: [noop] },
  { op: 'ReduceL2', opset: 21, to: 17, attrs: [noop] },
  { op: 'ReduceLogSumExp', opset: 21, to: 17, attrs: [noop] },
  { op: 'ReduceSumSquare', opset: 21, to: 17, attrs: [noop] },
  {
    op: 'Split',
    opset: 21,
    to: 17,
    shape: [2, 3, 5],
    attrs: [intAttribute('num_outputs', 3), intAttribute('axis', 2)],
    outputs: ['a', 'b', 'c'],
  },
  {
    op: 'Pad',
    opset: 21,
    to: 17,
    more: [longs('pads', [4], [1, 0, 0, 2]), floats('v', [], [0.5]), ...axes(-1, 0)],
  },
  {
    op: 'Pad',
    opset: 21,
    to: 17,
    more: [longs('pads', [6], [1, 0, 2, 0, 3, 1])],
    attrs: [mode('wrap')],
    own: true,
  },
  {
    op: 'Resize',
    opset: 21,
    to: 17,
    shape: image,
    more: [floats('s', [2], [2, 1.5])],
    inputs: ['x', '', 's'],
    attrs: [intsAttribute('axes', [2, 3])],
  },
  {
    op: 'Resize',
    opset: 21,
    to: 17,
    shape: image,
    more: [longs('sizes', [2], [7, 6])],
    inputs: ['x', '', '', 'sizes'],
    attrs: [intsAttribute('axes', [-2, -1]), mode('linear')],
  },
  {
    op: 'Resize',
    opset: 19,
    to: 18,
    shape: image,
    more: [longs('sizes', [2], [2, 3])],
    inputs: ['x', '', '', 'sizes'],
    attrs: [intsAttribute('axes', [2, 3]), mode('linear'), intAttribute('antialias', 1)],
  },
  {
    op: 'DFT',
    opset: 21,
    to: 17,
    shape: [2, 5, 1],
    inputs: ['x', '', 'axis'],
    more: [longs('axis', [], [1])],
  },
  { op: 'DFT', opset: 20, to: 19, shape: [2, 5, 4, 2], inputs: ['x'] },
  {
    op: 'GridSample',
    opset: 20,
    to: 17,
    shape: [1, 1, 3, 3],
    more: [floats('g', [1, 1, 2, 2], [-0.5, 0, 0.3, 0.9])],
    attrs: [mode('cubic')],
  },
  { op: 'GridSample', opset: 22, to: 16, shape: [1, 1, 3, 3], more: [floats('g', [1, 1, 1, 2], [0.2, 0.1])] },
  {
    op: 'AffineGrid',
    opset: 20,
    to: 17,
    shape: [1],
    inputs: ['theta', 'size'],
    more: [floats('theta', [1, 2, 3], affine), longs('size', [4], [1, 1, 3, 4])],
    own: true,
  },
  {
    op: 'AffineGrid',
    opset: 20,
    to: 19,
    shape: [1],
    inputs: ['theta', 'size'],
    more: [floats('theta', [1, 3, 4], [...affine, ...affine]), longs('size', [5], [1, 1, 2, 3, 4])],
    attrs: [intAttribute('align_corners', 1)],
    own: true,
  },
  { op: 'Unique', opset: 21, to: 17, outputs: ['y', 'first', 'which', 'counts'] },
  { op: 'Unique', opset: 21, to: 17, attrs: [intAttribute('axis', 1)], outputs: ['y', 'first'] },
  {
    op: 'NonMaxSuppression',
    opset: 21,
    to: 17,
    shape: [1, 5, 4],
    more: [floats('scores', [1, 2, 5], ramp(10)), longs('most', [1], [3]), floats('overlap', [1], [0.4])],
  },
  { op: 'Mish', opset: 18, to: 17 },
  { op: 'Gelu', opset: 20, to: 19, own: true },
  { op: 'Gelu', opset: 20, to: 17, own: true, attrs: [stringAttribute('approximate', 'tanh')] },
  {
    op: 'GroupNormalization',
    opset: 21,
    to: 20,
    shape: [2, 6, 3],
    more: [floats('s', [6], ramp(6)), floats('b', [6], ramp(6))],
    attrs: [intAttribute('num_groups', 3)],
    own: true,
    tolerance: 1e-5,
  },
  { op: 'RMSNormalization', opset: 23, to: 17, more: [floats('s', [4], ramp(4))], own: true },
  {
    op: 'Attention',
    opset: 23,
    to: 22,
    shape: [1, 2, 4, 3],
    inputs: ['x', 'k', 'v'],
    more: [floats('k', [1, 2, 5, 3], ramp(30)), floats('v', [1, 2, 5, 2], ramp(20))],
    attrs: [floatAttribute('scale', 0.3)],
    own: true,
  },
  {
    op: 'QuantizeLinear',
    opset: 21,
    to: 17,
    more: [floats('s', [], [0.01])],
    attrs: [intAttribute('output_dtype', 3)],
  },
  { op: 'LpPool', opset: 18, to: 17, shape: image, attrs: [intsAttribute('kernel_shape', [2, 2])] },
  { op: 'AveragePool', opset: 19, to: 17, shape: image, attrs: [intsAttribute('kernel_shape', [2, 2])] },
  {
    op: 'ScatterElements',
    opset: 18,
    to: 17,
    more: [longs('i', [1, 1, 1], [0]), floats('u', [1, 1, 1], [9])],
    attrs: [stringAttribute('reduction', 'add')],
  },
];

const build = ({ op, opset, attrs = [], shape = [2, 3, 4], more = [], outputs = ['y'], ...c }: Case) =>
  model(
    {
      input: [value('x', 'f32', ...shape)],
      initializer: more,
      node: [node(op, c.inputs ?? ['x', ...more.map((t) => t.name)], outputs, ...attrs)],
      output: outputs.map((name) => ({ ...value(name), type: undefined })),
    },
    { opset },
  );

const noise = (shape: readonly number[]) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return f32(
    shape,
    Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + 0.3)),
  );
};

describe.each([
  ['written anew', operators, cases],
  ['foreign', fewest, cases.filter((c) => !c.own)],
] as const)('a node that is %s', (_, table, those) => {
  it.each(those.map((c) => [c.op, c.opset, c.to, c] as const))(
    '%s of opset %i computes the same in opset %i',
    async (_op, _opset, to, c) => {
      const original = build(c);
      const copy = exportOnnx(imported(original, { operators: table }).graph, { opset: to });
      expect(copy.opsetImport).toEqual([{ domain: '', version: to }]);
      const feeds = { x: noise(c.shape ?? [2, 3, 4]) };
      const [expected, actual] = [await run(original, feeds), await run(copy, feeds)];
      expect(Object.keys(actual)).toEqual(Object.keys(expected));
      for (const [name, result] of Object.entries(expected))
        expect(difference(result, actual[name]!), name).toBeLessThan(c.tolerance ?? 1e-6);
    },
  );
});

describe('whole numbers', () => {
  const wide = [0n, 5n, -1n, -123456789012345n, 2n ** 62n + 12345n, -(2n ** 63n), 255n, -7n];
  const other = [3n, 6n, -1n, 98765432109876n, 2n ** 40n - 1n, -(2n ** 63n), -256n, 12n];
  const both = (['i64', 'i32', 'u8'] as const).flatMap((t) =>
    (['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'] as const).map((op) => [op, t] as const),
  );

  it.each(both)('%s of %s in opset 17', async (op, t) => {
    const m = model({
      input: [value('a', 'i64', 8), value('b', 'i64', 8)],
      node: [
        node('Cast', ['a'], ['x'], intAttribute('to', { i64: 7, i32: 6, u8: 2 }[t])),
        node('Cast', ['b'], ['y'], intAttribute('to', { i64: 7, i32: 6, u8: 2 }[t])),
        node(op, ['x', 'y'], ['z']),
        node('Cast', ['z'], ['r'], intAttribute('to', 7)),
      ],
      output: [value('r', 'i64', 8)],
    });
    const copy = exportOnnx(imported(m).graph, { opset: 17 });
    expect(copy.graph.node.map((n) => n.opType)).not.toContain(op);
    const of = (v: readonly bigint[]) => new ort.Tensor('int64', BigInt64Array.from(v), [8]);
    const feeds = { a: of(wide), b: of(other) };
    expect(await run(copy, feeds)).toEqual(await run(m, feeds));
  });
});

it.each([
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
])('running products, exclusive %i, reverse %i, step by step', async (exclusive, reverse) => {
  const attrs = [intAttribute('exclusive', exclusive), intAttribute('reverse', reverse)];
  const m = model(
    {
      input: [value('x', 'f32', 2, 'N')],
      initializer: [longs('axis', [], [1])],
      node: [node('CumProd', ['x', 'axis'], ['y'], ...attrs)],
      output: [value('y', 'f32', 2, 'N')],
    },
    { opset: 26 },
  );
  const { y } = await run(exportOnnx(imported(m).graph, { opset: 17 }), {
    x: f32([2, 3], [2, 3, 5, 7, 11, 13]),
  });
  const rows = [
    [2, 3, 5],
    [7, 11, 13],
  ].map((row) => {
    const given = reverse ? row.toReversed() : row;
    const made = given.map((_, i) => given.slice(0, i + 1 - exclusive).reduce((p, v) => p * v, 1));
    return reverse ? made.toReversed() : made;
  });
  expect(y).toEqual({ dims: [2, 3], data: rows.flat() });
});

it('computes in f32 what took no bfloat16 yet', async () => {
  const to = (t: number) => intAttribute('to', t);
  const weights = floats('w', [4, 3, 3], ramp(36));
  const narrow = imported(
    model(
      {
        input: [value('x', 'f32', 1, 3, 8)],
        initializer: [weights],
        node: [
          node('Cast', ['x'], ['a'], to(16)),
          node('Cast', ['w'], ['b'], to(16)),
          node('Conv', ['a', 'b'], ['c']),
          node('Sin', ['c'], ['d']),
          node('MaxPool', ['d'], ['e'], intsAttribute('kernel_shape', [2])),
          node('Cast', ['e'], ['y'], to(1)),
        ],
        output: [value('y', 'f32', 1, 4, 5)],
      },
      { opset: 22 },
    ),
  ).graph;
  const wide = model({
    input: [value('x', 'f32', 1, 3, 8)],
    initializer: [weights],
    node: [
      node('Conv', ['x', 'w'], ['c']),
      node('Sin', ['c'], ['d']),
      node('MaxPool', ['d'], ['y'], intsAttribute('kernel_shape', [2])),
    ],
    output: [value('y', 'f32', 1, 4, 5)],
  });
  const feeds = { x: noise([1, 3, 8]) };
  const [expected, actual] = [await run(wide, feeds), await run(exportOnnx(narrow, { opset: 17 }), feeds)];
  // Sums of 9 products near 1, rounded to 8 bits.
  expect(difference(expected.y!, actual.y!)).toBeLessThan(0.05);
});

describe('what an operator set lacks', () => {
  const graphOf = (m: ReturnType<typeof model>) => imported(m, { operators: fewest }).graph;
  const several = graphOf(
    model({
      input: [value('x', 'f32', 2, 3, 4), value('s', 'string', 2)],
      node: [
        node('Gelu', ['x'], ['g']),
        node('Pad', ['g', 'p'], ['y'], mode('wrap')),
        node('StringConcat', ['s', 's'], ['t']),
      ],
      initializer: [longs('p', [6], [1, 0, 0, 1, 0, 0])],
      output: [value('y', 'f32', 4, 3, 4), value('t', 'string', 2)],
    }),
  );

  it('is told at once, with where it is and which one has it', () => {
    const { code, text } = errorOf(() => exportOnnx(several, { opset: 17 }));
    expect(code).toBe('not-in-opset');
    expect(text).toBe(
      [
        'error[not-in-opset]: 3 parts of the model cannot be written in opset 17:',
        '    Gelu ("Gelu_g"): opset 20',
        '    Pad that wraps around ("Pad_y"): opset 19',
        '    StringConcat ("StringConcat_t"): opset 20',
        '  hint: write it in opset 20',
      ].join('\n'),
    );
  });

  it('is nothing from there on', () => {
    expect(exportOnnx(several, { opset: 20 }).opsetImport).toEqual([{ domain: '', version: 20 }]);
  });

  it('are element types as well', () => {
    const g = graphOf(
      model({
        input: [value('x', 'f32', 2)],
        node: [node('Cast', ['x'], ['y'], intAttribute('to', 17))],
        output: [value('y', 'f8e4m3fn', 2)],
      }),
    );
    expect(errorOf(() => exportOnnx(g, { opset: 18 })).text).toMatch(
      /elements of type f8e4m3fn .*: opset 19/,
    );
  });
});
