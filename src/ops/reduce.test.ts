import { describe, expect, test } from 'vitest';
import { imported, longs, model, node, value } from '../../fixtures/onnx-importer/material.js';
import { bounds, isStatic, type Shape, substitute, symbol } from '../ir/dim.js';
import { emit, type Graph, inputValue, shapeOf } from '../ir/graph.js';
import { nodesOf } from '../ir/rewrite.js';
import { showType, tensor } from '../ir/type.js';
import { intAttribute, intsAttribute } from '../onnx/make.js';
import type { Attribute } from '../onnx/types.js';
import { content } from './content.js';
import { reduce } from './reduce.js';

const from = { format: 'pass', name: 'test' } as const;
const shapeFor = (shape: Shape, axes: Shape, keepdims: boolean): Shape =>
  shapeOf(
    emit(reduce, [inputValue('x', tensor('f32', shape))], { kind: 'sum', axes, keepdims }, from).outputs[0]!,
  );

describe('axes that only the running model knows', () => {
  const a = symbol('a', -3, 2);
  const at = (shape: Shape, axis: number): Shape => shape.map((d) => substitute(d, new Map([['a', axis]])));

  test('give the extents that the same axes known beforehand give', () => {
    for (const keepdims of [true, false]) {
      const symbolic = shapeFor([2, 3, 5], [a], keepdims);
      for (let axis = -3; axis < 3; axis++)
        expect(at(symbolic, axis)).toEqual(shapeFor([2, 3, 5], [axis], keepdims));
    }
  });

  test('leave a rank that is known', () => {
    const shape = shapeFor([2, 3, 5], [a], false);
    expect(shape).toHaveLength(2);
    expect(isStatic(shape)).toBe(false);
    expect(bounds(shapeFor([2, 3, 5], [a], true)[0]!)).toEqual([1, 2]);
  });
});

test('an axis outside the tensor is an error', () => {
  expect(() => shapeFor([2, 3], [2], true)).toThrow('axis 2');
});

test('extents are combined while importing', () => {
  const n = symbol('n');
  const x = content('i64', [2, 2], [n, 3, 4, 5]);
  const run = (kind: 'sum' | 'prod' | 'mean', axes: readonly number[], shape: readonly number[]) =>
    reduce.evaluate?.([x], { kind, axes, keepdims: false }, [tensor('i64', shape)])?.data;
  expect(run('prod', [1], [2])).toEqual([expect.objectContaining({ key: '3*n' }), 20]);
  expect(run('sum', [0, 1], [])).toEqual([expect.objectContaining({ key: 'n+12' })]);
  expect(run('mean', [0], [2])).toBeUndefined();
});

describe('opsets', () => {
  const one = (
    opset: number,
    opType: string,
    axes: readonly number[] | undefined,
    ...attributes: readonly Attribute[]
  ) =>
    imported(
      model(
        {
          input: [value('x', 'f32', 2, 3, 4)],
          initializer: axes ? [longs('axes', [axes.length], axes)] : [],
          node: [node(opType, axes ? ['x', 'axes'] : ['x'], ['y'], ...attributes)],
          output: [value('y')],
        },
        { opset },
      ),
    ).graph;
  const axesOf = (g: Graph) => nodesOf(g, reduce).map((n) => n.attrs.axes);

  test('axes are an attribute, later an input', () => {
    expect(axesOf(one(11, 'ReduceSum', undefined, intsAttribute('axes', [-1, 0])))).toEqual([[0, 2]]);
    expect(axesOf(one(13, 'ReduceSum', [-1, 0]))).toEqual([[0, 2]]);
    expect(axesOf(one(13, 'ReduceMax', undefined, intsAttribute('axes', [1])))).toEqual([[1]]);
    expect(axesOf(one(18, 'ReduceMax', [1]))).toEqual([[1]]);
  });

  test('no axes are all axes, or none when the model says so', () => {
    expect(axesOf(one(18, 'ReduceMean', undefined))).toEqual([[0, 1, 2]]);
    expect(axesOf(one(18, 'ReduceMean', []))).toEqual([[0, 1, 2]]);
    const noop = intAttribute('noop_with_empty_axes', 1);
    expect(axesOf(one(18, 'ReduceMean', [], noop))).toEqual([]);
    expect(axesOf(one(18, 'ReduceSumSquare', [], noop))).toEqual([[]]);
    expect(showType(one(18, 'ReduceSumSquare', [], noop).outputs[0]!.type)).toBe('f32[2,3,4]');
  });
});
