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
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from '../../src/onnx/make.js';
import type { Attribute, Tensor } from '../../src/onnx/types.js';
import { operators } from '../../src/ops/index.js';
import { exportOnnx } from './export.js';

// Everything stays foreign.
const fewest = operators.filter((op) => ['constant', 'dims', 'shape_of'].includes(op.name));

interface Case {
  readonly op: string;
  readonly opset: number;
  readonly attrs?: readonly Attribute[];
  readonly shape?: readonly number[];
  readonly more?: readonly Tensor[];
  readonly outputs?: readonly string[];
}

const ints = (name: string, ...values: readonly number[]) => intsAttribute(name, values);

const cases: readonly Case[] = [
  { op: 'Softmax', opset: 11 },
  { op: 'Softmax', opset: 11, attrs: [intAttribute('axis', 2)] },
  { op: 'LogSoftmax', opset: 11, attrs: [intAttribute('axis', -2)] },
  { op: 'Hardmax', opset: 9, attrs: [intAttribute('axis', 0)] },
  { op: 'Clip', opset: 7, attrs: [floatAttribute('min', -0.2), floatAttribute('max', 0.3)] },
  { op: 'Clip', opset: 10, attrs: [floatAttribute('max', 0.1)] },
  { op: 'Clip', opset: 7 },
  { op: 'Pad', opset: 7, attrs: [ints('pads', 0, 1, 0, 2, 0, 1), floatAttribute('value', 0.5)] },
  { op: 'Pad', opset: 7, attrs: [ints('pads', 0, 1, 0, 0, 0, 1), stringAttribute('mode', 'reflect')] },
  { op: 'Slice', opset: 9, attrs: [ints('starts', 1, 0), ints('ends', 3, -1), ints('axes', 1, 2)] },
  { op: 'Slice', opset: 7, attrs: [ints('starts', 1), ints('ends', 9)] },
  { op: 'TopK', opset: 7, attrs: [intAttribute('k', 2)], outputs: ['y', 'i'] },
  { op: 'Upsample', opset: 7, attrs: [floatsAttribute('scales', [1, 1, 2, 2])], shape: [1, 2, 3, 3] },
  {
    op: 'Upsample',
    opset: 9,
    more: [floats('s', [4], [1, 1, 2, 1.5])],
    shape: [1, 2, 3, 4],
    attrs: [stringAttribute('mode', 'linear')],
  },
  { op: 'Resize', opset: 10, more: [floats('s', [4], [1, 1, 1.5, 0.5])], shape: [1, 2, 4, 4] },
  { op: 'Squeeze', opset: 11, attrs: [ints('axes', 0)], shape: [1, 3] },
  { op: 'Squeeze', opset: 7, shape: [1, 3, 1] },
  { op: 'Unsqueeze', opset: 11, attrs: [ints('axes', 0, -1)] },
  { op: 'ReduceSum', opset: 11, attrs: [ints('axes', 1), intAttribute('keepdims', 0)] },
  { op: 'ReduceMean', opset: 13, attrs: [ints('axes', -1, 0)] },
  { op: 'ReduceMax', opset: 8 },
  { op: 'Split', opset: 11, attrs: [intAttribute('axis', 2)], outputs: ['a', 'b'] },
  { op: 'Split', opset: 7, attrs: [intAttribute('axis', 2), ints('split', 1, 3)], outputs: ['a', 'b'] },
  { op: 'Split', opset: 13, attrs: [intAttribute('axis', 2)], outputs: ['a', 'b'] },
  { op: 'Dropout', opset: 7, attrs: [floatAttribute('ratio', 0.9)] },
  { op: 'Scatter', opset: 9, more: [longs('i', [1, 1, 1], [0]), floats('u', [1, 1, 1], [9])] },
  {
    op: 'BatchNormalization',
    opset: 7,
    more: ['s', 'b', 'm'].map((n) => floats(n, [3], [1, 2, 3])).concat(floats('v', [3], [1, 4, 9])),
    attrs: [floatAttribute('momentum', 0.5)],
  },
  {
    op: 'GridSample',
    opset: 16,
    shape: [1, 1, 3, 3],
    more: [floats('g', [1, 1, 2, 2], [-0.5, 0, 0.3, 0.9])],
    attrs: [stringAttribute('mode', 'bicubic')],
  },
  { op: 'DFT', opset: 17, shape: [1, 4, 1] },
  {
    op: 'RoiAlign',
    opset: 10,
    shape: [1, 1, 4, 4],
    more: [floats('r', [1, 4], [0, 0, 3, 3]), longs('b', [1], [0])],
    attrs: [intAttribute('output_height', 2), intAttribute('output_width', 2)],
  },
];

const build = ({ op, opset, attrs = [], shape = [2, 3, 4], more = [], outputs = ['y'] }: Case) =>
  model(
    {
      input: [value('x', 'f32', ...shape)],
      initializer: more,
      node: [node(op, ['x', ...more.map((t) => t.name)], outputs, ...attrs)],
      output: outputs.map((name) => ({ ...value(name), type: undefined })),
    },
    { opset, irVersion: 8 },
  );

const noise = (shape: readonly number[]) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return f32(
    shape,
    Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + 0.3)),
  );
};

describe('a foreign node in the form of opset 21', () => {
  it.each(cases.map((c) => [`${c.op} as of opset ${c.opset}`, c] as const))(
    '%s computes the same',
    async (_, c) => {
      const original = build(c);
      const copy = exportOnnx(imported(original, { operators: fewest }).graph, { opset: 21 });
      expect(copy.opsetImport).toEqual([{ domain: '', version: 21 }]);
      const feeds = { x: noise(c.shape ?? [2, 3, 4]) };
      const [expected, actual] = [await run(original, feeds), await run(copy, feeds)];
      for (const [name, result] of Object.entries(expected))
        expect(difference(result, actual[name]!), name).toBeLessThan(1e-6);
    },
  );

  const upgradedNodes = (
    op: string,
    opset: number,
    attrs: readonly Attribute[],
    ...inputs: readonly [string, readonly number[]][]
  ) => {
    const m = model(
      {
        input: inputs.map(([name, shape]) => value(name, 'f32', ...shape)),
        node: [
          node(
            op,
            inputs.map(([name]) => name),
            ['y'],
            ...attrs,
          ),
        ],
        output: [{ ...value('y'), type: undefined }],
      },
      { opset },
    );
    return exportOnnx(imported(m, { operators: fewest }).graph, { opset: 21 }).graph.node;
  };

  // onnxruntime does not run operator sets before 7: here the form itself is what is expected.
  it('broadcasts from the axis that nodes before opset 7 give', () => {
    const attrs = [intAttribute('broadcast', 1), intAttribute('axis', 1)];
    const nodes = upgradedNodes('Add', 6, attrs, ['a', [2, 3, 4, 5]], ['b', [3, 4]]);
    expect(nodes.map((n) => n.opType)).toEqual(['Unsqueeze', 'Add']);
    expect(nodes[1]!.attribute).toEqual([]);
    const plain = upgradedNodes('Mul', 6, [intAttribute('broadcast', 1)], ['a', [2, 3]], ['b', [3]]);
    expect(plain.map((n) => n.opType)).toEqual(['Mul']);
  });

  it('applies the slopes of PRelu before opset 7 by channel', () => {
    const nodes = upgradedNodes('PRelu', 6, [], ['a', [2, 3, 4, 5]], ['s', [3]]);
    expect(nodes.map((n) => n.opType)).toEqual(['Unsqueeze', 'PRelu']);
  });

  it('names the type of a cast by number, and the axis of a concatenation', () => {
    expect(
      upgradedNodes('Cast', 5, [stringAttribute('to', 'INT64')], ['a', [2]])[0]!.attribute[0],
    ).toMatchObject({ name: 'to', i: 7n });
    expect(upgradedNodes('Concat', 3, [], ['a', [2, 2]], ['b', [2, 2]])[0]!.attribute[0]).toMatchObject({
      name: 'axis',
      i: 1n,
    });
  });

  it('is refused where there is none', () => {
    const error = errorOf(() => upgradedNodes('Upsample', 6, [], ['a', [1, 1, 2, 2]]));
    expect(error.code).toBe('no-newer-form');
    expect(error.text).toMatch(/hint/);
  });
});
