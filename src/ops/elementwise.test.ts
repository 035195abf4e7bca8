import { describe, expect, test } from 'vitest';
import { floats, imported, longs, model, node, value } from '../../fixtures/onnx-importer/material.js';
import { symbol } from '../ir/dim.js';
import { arg, call, cast, constant, showExpr } from '../ir/expr.js';
import { emit, type Graph, inputValue } from '../ir/graph.js';
import { nodesOf } from '../ir/rewrite.js';
import { type DType, showType, tensor } from '../ir/type.js';
import { floatAttribute, intAttribute, stringAttribute } from '../onnx/make.js';
import type { Attribute } from '../onnx/types.js';
import { evaluateExpr } from './evaluate-expr.js';
import { foreign } from './foreign.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';

const one = (
  opset: number,
  opType: string,
  inputs: readonly (readonly [DType, ...number[]])[],
  ...attributes: readonly Attribute[]
): Graph =>
  imported(
    model(
      {
        input: inputs.map(([t, ...dims], i) => value(`x${i}`, t, ...dims)),
        node: [
          node(
            opType,
            inputs.map((_, i) => `x${i}`),
            ['y'],
            ...attributes,
          ),
        ],
        output: [value('y')],
      },
      { opset },
    ),
  ).graph;

const exprs = (g: Graph): readonly string[] => nodesOf(g, pointwise).map((n) => showExpr(n.attrs.expr));
const typeOf = (g: Graph): string => showType(g.outputs[0]!.type);

describe('fractional constants among integers', () => {
  const reasons = (g: Graph): readonly string[] => nodesOf(g, foreign).map((n) => n.attrs.reason);

  test.each<[string, number, DType]>([
    ['HardSwish', 14, 'i32'],
    ['HardSwish', 14, 'i64'],
    ['LeakyRelu', 16, 'i64'],
    ['HardSigmoid', 6, 'u8'],
  ])('%s of opset %i takes floats alone: that of %s is left to onnxruntime', (op, opset, t) => {
    expect(reasons(one(opset, op, [[t, 4]]))).toEqual([expect.stringMatching(`is not a value of ${t}`)]);
    expect(reasons(one(opset, op, [['f32', 4]]))).toEqual([]);
  });

  test('Shrink takes integers and compares them with fractions', () => {
    const g = one(9, 'Shrink', [['i64', 4]], floatAttribute('lambd', 1.5));
    expect(reasons(g)).toEqual([]);
    expect(exprs(g)).toEqual([expect.stringContaining('f64($0)')]);
  });
});

describe('broadcasting before opset 7', () => {
  test('puts the second operand at the axis', () => {
    const attributes = [intAttribute('broadcast', 1), intAttribute('axis', 1)];
    const g = one(
      6,
      'Add',
      [
        ['f32', 2, 3, 4],
        ['f32', 3],
      ],
      ...attributes,
    );
    expect(nodesOf(g, reshape).map((n) => n.attrs.shape)).toEqual([[3, 1]]);
    expect(typeOf(g)).toBe('f32[2,3,4]');
  });

  test('without an axis aligns the last axes', () => {
    const g = one(
      6,
      'Mul',
      [
        ['f32', 2, 3, 4],
        ['f32', 4],
      ],
      intAttribute('broadcast', 1),
    );
    expect(nodesOf(g, reshape)).toEqual([]);
    expect(typeOf(g)).toBe('f32[2,3,4]');
  });

  test('the slope of PRelu has one element a channel', () => {
    const g = one(6, 'PRelu', [
      ['f32', 2, 3, 4, 5],
      ['f32', 3],
    ]);
    expect(nodesOf(g, reshape).map((n) => n.attrs.shape)).toEqual([[3, 1, 1]]);
  });
});

describe('constants of an expression', () => {
  test('take the type of the operand', () => {
    expect(exprs(one(14, 'Relu', [['i64', 3]]))).toEqual(['max($0, 0:i64)']);
    expect(exprs(one(14, 'Relu', [['f16', 3]]))).toEqual(['max($0, 0:f16)']);
  });

  test('Clip takes bounds as attributes first, then as inputs, of which it keeps what is unknown', () => {
    expect(exprs(one(6, 'Clip', [['f32', 3]], floatAttribute('max', 6)))).toEqual(['min($0, 6:f32)']);
    expect(exprs(one(13, 'Clip', [['f32', 3], ['f32'], ['f32']]))).toEqual(['min(max($0, $1), $2)']);
    const { graph } = imported(
      model({
        input: [value('x', 'f32', 3)],
        initializer: [floats('low', [], [0]), floats('high', [], [6])],
        node: [node('Clip', ['x', 'low', 'high'], ['y'])],
        output: [value('y', 'f32', 3)],
      }),
    );
    expect(exprs(graph)).toEqual(['min(max($0, 0:f32), 6:f32)']);
  });

  test('directions and modes are attributes', () => {
    const two = [
      ['i32', 3],
      ['i32', 3],
    ] as const;
    expect(exprs(one(11, 'BitShift', two, stringAttribute('direction', 'RIGHT')))).toEqual(['shr($0, $1)']);
    expect(exprs(one(10, 'Mod', two))).toEqual(['mod($0, $1)']);
    expect(exprs(one(10, 'Mod', two, intAttribute('fmod', 1)))).toEqual(['fmod($0, $1)']);
  });
});

test('an operator of one operand that does nothing leaves no node', () => {
  for (const opType of ['Identity', 'Sum', 'Max', 'Mean'])
    expect(exprs(one(13, opType, [['f32', 3]]))).toEqual([]);
});

test('shapes that do not broadcast are an error, extents that are not known are not', () => {
  const make = (a: Parameters<typeof tensor>[1], b: Parameters<typeof tensor>[1]) => {
    const inputs = [inputValue('a', tensor('f32', a)), inputValue('b', tensor('f32', b))];
    return emit(pointwise, inputs, { expr: call('add', arg(0), arg(1)) }, { format: 'pass', name: 'test' });
  };
  expect(() => make([2, 3], [2])).toThrow('do not broadcast');
  expect(showType(make([symbol('n'), 3], [1, 3]).outputs[0]!.type)).toBe('f32[n,3]');
});

test('shape arithmetic is done while importing', () => {
  const { graph } = imported(
    model({
      input: [value('x', 'f32', 'n', 6)],
      initializer: [longs('two', [], [2])],
      node: [
        node('Shape', ['x'], ['s']),
        node('Mul', ['s', 'two'], ['t']),
        node('Sub', ['t', 's'], ['u']),
        node('Expand', ['x', 'u'], ['y']),
      ],
      output: [value('y', 'f32', undefined, undefined)],
    }),
  );
  expect(typeOf(graph)).toBe('f32[n,6]');
  expect(exprs(graph)).toEqual([]);
});

describe('evaluating an expression', () => {
  const n = symbol('n', 1, 100);
  const value64 = (value: Parameters<typeof evaluateExpr>[1][number]['value']) => ({
    dtype: 'i64' as const,
    value,
  });

  test('of dims gives dims', () => {
    const half = call('div', arg(0), constant(2n, 'i64'));
    expect(evaluateExpr(half, [value64(7)])).toBe(3);
    expect(evaluateExpr(half, [value64(-7)])).toBe(-3);
    expect(evaluateExpr(call('sub', arg(0), arg(0)), [value64(n)])).toBe(0);
    expect(evaluateExpr(call('lt', arg(0), constant(0n, 'i64')), [value64(n)])).toBe(0);
  });

  test('rounds to the type at every step', () => {
    const third = call('div', constant(1, 'f16'), constant(3, 'f16'));
    expect(evaluateExpr(third, [])).toBe(0.333251953125);
    expect(evaluateExpr(cast('f32', constant(0.1, 'f64')), [])).toBe(Math.fround(0.1));
  });

  test('gives up where the result is not exact', () => {
    expect(evaluateExpr(call('mul', arg(0), arg(0)), [value64(2 ** 40)])).toBeUndefined();
    expect(evaluateExpr(call('div', arg(0), constant(0n, 'i64')), [value64(1)])).toBeUndefined();
    expect(evaluateExpr(call('exp', constant(1, 'f32')), [])).toBeUndefined();
  });
});
