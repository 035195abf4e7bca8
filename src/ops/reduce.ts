import * as D from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { isInteger, tensor } from '../ir/type.js';
import { type Content, content, forEachIndex, stridesOf } from './content.js';
import { int } from './onnx-emitter.js';
import {
  axesOf,
  type Build,
  type Converter,
  defineOp,
  type OpDef,
  reducedShape,
  type SourceNode,
} from './op.js';
import { equal } from './requirements.js';

const kinds = {
  sum: 'ReduceSum',
  mean: 'ReduceMean',
  max: 'ReduceMax',
  min: 'ReduceMin',
  prod: 'ReduceProd',
  l1: 'ReduceL1',
  l2: 'ReduceL2',
  sumsquare: 'ReduceSumSquare',
  logsum: 'ReduceLogSum',
  logsumexp: 'ReduceLogSumExp',
} as const;

export type ReduceKind = keyof typeof kinds;

/**
 * Combines all elements along some axes. Axes that only the running model knows are dims; the result's
 * extents then depend on them. Without axes every element is reduced by itself.
 */
export const reduce: OpDef<{ kind: ReduceKind; axes: D.Shape; keepdims: boolean }> = defineOp({
  name: 'reduce',

  infer: ([x], { axes, keepdims }) => {
    const shape = D.isStatic(axes)
      ? reducedShape(x!.shape, axesOf(axes, x!.shape.length), keepdims)
      : shapeAtRunTime(x!.shape, axes, keepdims);
    return tensor(x!.dtype, shape);
  },

  requires: ([x], { axes }) => {
    if (D.isStatic(axes)) return [];
    const found = D.add(...reducedFlags(x!.shape.length, axes));
    return [equal(found, axes.length, 'the axes are not different axes of the tensor')];
  },

  evaluate: ([x], { kind, axes }, [type]) => {
    if (!x || !D.isStatic(axes) || !isInteger(x.dtype)) return undefined;
    return evaluate(x, kind, axes, type!.shape as readonly number[]);
  },

  onnx: Object.fromEntries(
    Object.entries(kinds).map(([kind, op]) => [
      op,
      versions(kind as ReduceKind, op === 'ReduceSum' ? 13 : 18),
    ]),
  ),

  toOnnx: ({ attrs: { kind, axes, keepdims } }, [x], e) =>
    e.one(kinds[kind], [x, axes.length === 0 ? undefined : e.dims(axes)], {
      keepdims: int(keepdims),
      noop_with_empty_axes: int(axes.length === 0),
    }),
});

/** For each axis whether it is reduced: 0, 1, or a dim that is one of them. */
export function reducedFlags(rank: number, axes: D.Shape): readonly D.Dim[] {
  const front = axes.map((a) => D.select(D.lt(a, 0), D.add(a, rank), a));
  return Array.from({ length: rank }, (_, i) => front.reduce<D.Dim>((any, a) => D.max(any, D.eq(a, i)), 0));
}

function shapeAtRunTime(shape: D.Shape, axes: D.Shape, keepdims: boolean): D.Shape {
  const reduced = reducedFlags(shape.length, axes);
  if (keepdims) return shape.map((d, i) => D.select(reduced[i]!, 1, d));
  // How many axes before each one stay tells where it goes.
  const kept = reduced.map((r) => D.sub(1, r));
  const position = kept.map((_, i) => D.add(...kept.slice(0, i)));
  return Array.from({ length: Math.max(0, shape.length - axes.length) }, (_, j) =>
    D.add(...shape.map((d, i) => D.mul(kept[i]!, D.select(D.eq(position[i]!, j), d, 0)))),
  );
}

function evaluate(
  x: Content,
  kind: ReduceKind,
  axes: readonly number[],
  result: readonly number[],
): Content | undefined {
  const combine = { sum: D.add, prod: D.mul, max: D.max, min: D.min }[kind as 'sum'] as
    | ((a: D.Dim, b: D.Dim) => D.Dim)
    | undefined;
  if (!combine) return undefined;
  const dropped = axesOf(axes, x.shape.length);
  const strides = stridesOf(reducedShape(x.shape, dropped, true) as readonly number[]);
  const totals: (D.Dim | undefined)[] = result.length === 0 ? [undefined] : [];
  forEachIndex(x.shape, (index, flat) => {
    const at = index.reduce((sum, i, d) => sum + (dropped.includes(d) ? 0 : i * strides[d]!), 0);
    const old = totals[at];
    totals[at] = old === undefined ? x.data[flat]! : combine(old, x.data[flat]!);
  });
  const data = totals.filter((t) => t !== undefined);
  const size = result.reduce((a, b) => a * b, 1);
  const exact = data.every((d) => typeof d !== 'number' || Number.isSafeInteger(d));
  return data.length === size && exact ? content(x.dtype, result, data) : undefined;
}

function versions(kind: ReduceKind, asInput: number): Readonly<Record<number, Converter>> {
  const convert =
    (axesIn: (n: SourceNode, rank: number) => D.Shape): Converter =>
    (n, b) => {
      const x = n.input(0);
      const axes = axesIn(n, shapeOf(x).length);
      const keepdims = n.int('keepdims', 1) === 1;
      // Nothing is combined, and nothing is done to the elements either.
      if (axes.length === 0 && ['sum', 'mean', 'max', 'min', 'prod'].includes(kind)) return x;
      return b(reduce, [x], { kind, axes, keepdims });
    };
  const all = (rank: number): readonly number[] => Array.from({ length: rank }, (_, i) => i);
  return {
    1: convert((n, rank) => {
      const given = n.ints('axes', []);
      return given.length === 0 ? all(rank) : axesOf(given, rank);
    }),
    [asInput]: convert((n, rank) => {
      const input = n.optional(1);
      const given = input ? n.dims(input) : [];
      if (given.length === 0) return n.int('noop_with_empty_axes', 0) === 1 ? [] : all(rank);
      return D.isStatic(given) ? axesOf(given, rank) : given;
    }),
  };
}

/** A reduction that keeps the axes, for operators that are made of several. */
export const reduced = (b: Build, kind: ReduceKind, x: Value, axes: readonly number[]): Value =>
  b(reduce, [x], { kind, axes, keepdims: true });
