import { isStatic, type Shape } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { isFloat, showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { channelsFirst, channelsLast } from './conv.js';
import type { Layout } from './epilogue.js';
import { int, ints, type OnnxAttrs, type OnnxEmitter } from './onnx-emitter.js';
import { type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { reduced } from './reduce.js';
import { channelsOf, spatialOf, type Window, windowCounts, windowOf, withSpatial } from './window.js';

export type PoolKind = 'max' | 'average' | 'lp';

export type PoolAttrs = Window & {
  readonly kind: PoolKind;
  /** Windows that hang over the end count where they start inside. */
  readonly ceil: boolean;
  /** Whether an average counts the padding. */
  readonly countPadding: boolean;
  /** The norm of `lp`. */
  readonly p: number;
  /** Also yields where each maximum lies in the whole input, its spatial axes in this order. */
  readonly indices?: 'row' | 'column' | undefined;
  readonly layout: Layout;
};

/** Combines the elements of a window that slides over the spatial axes. */
export const pool: OpDef<PoolAttrs> = defineOp({
  name: 'pool',

  infer: ([x], attrs) => {
    if (x!.shape.length < 3)
      throw new CompileError('bad-shape', `a pool of ${showType(x!)} has no spatial axes`);
    if (attrs.kind !== 'max' && !isFloat(x!.dtype))
      throw new CompileError('type-mismatch', `this pool does not take ${x!.dtype}`);
    const spatial = windowCounts(spatialOf(x!.shape, attrs.layout), attrs, attrs.ceil);
    const shape = withSpatial(x!.shape[0]!, channelsOf(x!.shape, attrs.layout), spatial, attrs.layout);
    const values = tensor(x!.dtype, shape);
    return attrs.indices ? [values, tensor('i64', shape)] : values;
  },

  onnx: {
    MaxPool: { 1: maxPool },
    AveragePool: {
      1: (n, b) =>
        convertPool(n, b, n.input(0), { kind: 'average', countPadding: n.int('count_include_pad', 0) === 1 }),
    },
    LpPool: {
      1: (n, b) => convertPool(n, b, n.input(0), { kind: 'lp', p: n.float('p', 2) }),
      2: (n, b) => convertPool(n, b, n.input(0), { kind: 'lp', p: n.int('p', 2) }),
    },
    GlobalAveragePool: { 1: (n, b) => overall(b, 'mean', n.input(0)) },
    GlobalMaxPool: { 1: (n, b) => overall(b, 'max', n.input(0)) },
    GlobalLpPool: {
      1: (n, b) => globalLp(n, b, n.float('p', 2)),
      2: (n, b) => globalLp(n, b, n.int('p', 2)),
    },
  },

  toOnnx: (node, [x], e) => {
    const { attrs } = node;
    const shape = shapeOf(node.inputs[0]!);
    const first = channelsFirst(x!, shape.length, attrs.layout, e);
    const spatial = spatialOf(shapeOf(node.outputs[0]!), attrs.layout);
    const own = spatialOf(shape, attrs.layout);
    const ends = endPads(attrs, own, spatial);
    const out = ends
      ? roundedUp(first, attrs, ends, e)
      : isStatic(attrs.pads)
        ? windows(first, attrs, attrs.pads, e)
        : [padded(first, attrs, spatial, e)];
    return out.map((y) => channelsLast(y, shape.length, attrs.layout, e));
  },
});

/**
 * Pads with which as many windows fit as there are when their number is rounded up: what a window reaches beyond the
 * end counts for nothing. Operator sets differ in which windows they drop there.
 */
function endPads(a: PoolAttrs, from: Shape, to: Shape): readonly number[] | undefined {
  if (!a.ceil || !isStatic(from) || !isStatic(to) || !isStatic(a.pads)) return undefined;
  return to.map((count, i) => {
    const reach = (count - 1) * a.strides[i]! + (a.kernel[i]! - 1) * a.dilations[i]! + 1;
    return Math.max(0, reach - from[i]! - Number(a.pads[i]!));
  });
}

/** Pads that count as elements of an average are elements first. */
function roundedUp(x: string, a: PoolAttrs, ends: readonly number[], e: OnnxEmitter): readonly string[] {
  const begins = a.pads.slice(0, ends.length).map(Number);
  // A maximum never counts the padding, whatever its attributes say.
  if (a.kind !== 'average' || !a.countPadding)
    return windows(x, { ...a, ceil: false }, [...begins, ...ends], e);
  const after = a.pads.slice(ends.length).map(Number);
  const whole = e.one('Pad', [x, e.dims([0, 0, ...begins, 0, 0, ...after])]);
  const beyond = ends.map((n, i) => Math.max(0, n - after[i]!));
  return windows(whole, { ...a, ceil: false, countPadding: false }, [...begins.map(() => 0), ...beyond], e);
}

const spatialAxes = (x: Value): readonly number[] =>
  shapeOf(x)
    .map((_, i) => i)
    .slice(2);

const overall = (b: Build, kind: 'mean' | 'max' | 'l1' | 'l2', x: Value): Value =>
  reduced(b, kind, x, spatialAxes(x));

function globalLp(n: SourceNode, b: Build, p: number): Value {
  if (p === 1 || p === 2) return overall(b, p === 1 ? 'l1' : 'l2', n.input(0));
  return n.decline(`a global pool of the ${p}-norm is rare`);
}

function maxPool(n: SourceNode, b: Build): ReturnType<Converter> {
  return convertPool(n, b, n.input(0), {
    kind: 'max',
    indices: n.wants(1) ? (n.int('storage_order', 0) === 1 ? 'column' : 'row') : undefined,
  });
}

export function convertPool(
  n: SourceNode,
  b: Build,
  x: Value,
  how: Pick<PoolAttrs, 'kind'> & Partial<Pick<PoolAttrs, 'countPadding' | 'p' | 'indices'>>,
): readonly Value[] {
  const spatial = shapeOf(x).slice(2);
  if (how.p !== undefined && (!Number.isInteger(how.p) || how.p < 1))
    n.decline(`a pool of the ${how.p}-norm is rare`);
  return b.all(pool, [x], {
    ...windowOf(n, spatial, n.ints('kernel_shape')),
    countPadding: false,
    p: 2,
    ...how,
    ceil: n.int('ceil_mode', 0) === 1,
    layout: 'NCX',
  });
}

const names = { max: 'MaxPool', average: 'AveragePool', lp: 'LpPool' } as const;

function windows(x: string, a: PoolAttrs, pads: readonly number[], e: OnnxEmitter): readonly string[] {
  const own: Readonly<Record<PoolKind, OnnxAttrs>> = {
    max: { storage_order: int(a.indices === 'column') },
    average: { count_include_pad: int(a.countPadding) },
    lp: { p: int(a.p) },
  };
  return e.node(
    names[a.kind],
    [x],
    {
      kernel_shape: ints(a.kernel),
      strides: ints(a.strides),
      dilations: ints(a.dilations),
      pads: ints(pads),
      ceil_mode: int(a.ceil),
      ...own[a.kind],
    },
    a.indices ? 2 : 1,
  );
}

/** With pads that only the running model knows: the input is padded first, and surplus windows cut off. */
function padded(x: string, a: PoolAttrs, out: Shape, e: OnnxEmitter): string {
  const rank = out.length;
  const none = a.pads.map(() => 0);
  const amounts = e.dims([0, 0, ...a.pads.slice(0, rank), 0, 0, ...a.pads.slice(rank)]);
  const sliding = (v: string): string => {
    const [y] = windows(v, { ...a, indices: undefined, countPadding: true }, none, e);
    const axes = out.map((_, i) => i + 2);
    const starts = out.map(() => 0);
    return e.one('Slice', [y, e.dims(starts), e.dims(out), e.constant('i64', [rank], axes)]);
  };
  if (a.kind === 'max') {
    const lowest = e.one('CastLike', [e.constant('f32', [], [Number.NEGATIVE_INFINITY]), x]);
    return sliding(e.one('Pad', [x, amounts, lowest]));
  }
  const values = sliding(e.one('Pad', [x, amounts]));
  if (a.kind === 'lp' || a.countPadding) return values;
  const one = e.one('CastLike', [e.constant('f32', [], [1]), x]);
  const ones = e.one('Expand', [one, e.one('Shape', [x])]);
  const share = sliding(e.one('Pad', [ones, amounts]));
  return e.one('Div', [values, share]);
}
