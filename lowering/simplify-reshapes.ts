import { type Dim, type Shape, same, sameShape, substitute } from '../src/ir/dim.js';
import { dtypeOf, type Graph, is, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { dims } from '../src/ops/constant.js';
import { conv } from '../src/ops/conv.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import { matmul } from '../src/ops/matmul.js';
import { type Build, builder } from '../src/ops/op.js';
import { pad } from '../src/ops/pad.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { literalAt } from './literals.js';
import { isPerColumn, sameElements } from './regions.js';
import { axisGroups, mergedAxes, splitAxes } from './reshape-groups.js';
import { transposedBy } from './simplify-movement.js';
import { on, type Step } from './steps.js';

const from = (v: Value): Value => v.node.inputs[0]!;

/** transpose(reshape(transpose(x))) is one transpose, before or after the reshape. */
const transposeAroundReshape = (extent: (s: Shape) => Shape): Step =>
  on(transpose, (node, readers) => {
    const [x] = node.inputs;
    const { perm } = node.attrs;
    if (!is(x!.node, reshape) || readers(x!) !== 1) return undefined;
    const y = from(x!);
    if (!is(y.node, transpose)) return undefined;
    const b = builder(node.origin);
    const merged = mergedAxes(extent(shapeOf(y)), extent(shapeOf(x!)));
    if (merged) {
      const earlier = transposedBy(
        b,
        y,
        perm.flatMap((p) => merged[p]!),
      );
      return b(reshape, [earlier], { shape: shapeOf(node.outputs[0]!) });
    }
    const split = splitAxes(extent(shapeOf(y)), extent(shapeOf(x!)));
    if (!split) return undefined;
    // The axes that each axis of the innermost tensor becomes, in its own order.
    const inner = y.node.attrs.perm;
    const parts = inner.map((_, axis) => split[inner.indexOf(axis)]!);
    const flat = parts.flat();
    const apart = b(reshape, [from(y)], { shape: flat.map((axis) => shapeOf(x!)[axis]!) });
    return transposedBy(
      b,
      apart,
      perm.map((p) => flat.indexOf(p)),
    );
  });

/** Axes of extent 1 that a reshape drops need not be transposed. */
const squeezeFirst = on(reshape, (node, readers) => {
  const [x] = node.inputs;
  if (!is(x!.node, transpose) || readers(x!) !== 1) return undefined;
  const { perm } = x!.node.attrs;
  const shape = shapeOf(x!);
  const kept = shape.flatMap((d, i) => (d === 1 ? [] : [i]));
  const out = node.attrs.shape;
  // The result keeps some axes of extent 1 in places that all axes that are kept agree on.
  if (
    out.length >= shape.length ||
    !sameShape(
      out.filter((d) => d !== 1),
      kept.map((i) => shape[i]!),
    )
  )
    return undefined;
  const b = builder(node.origin);
  const axes = kept.map((i) => perm[i]!);
  const ordered = [...axes].sort((p, q) => p - q);
  const narrow = b(reshape, [from(x!)], { shape: ordered.map((a) => shapeOf(from(x!))[a]!) });
  const turned = transposedBy(
    b,
    narrow,
    axes.map((a) => ordered.indexOf(a)),
  );
  return sameShape(shapeOf(turned), out) ? turned : b(reshape, [turned], { shape: out });
});

/** Padding comes after a reshape that only adds or drops axes of extent 1, where a convolution may take it. */
const padAfterReshape = on(reshape, (node, readers) => {
  const [x] = node.inputs;
  if (!is(x!.node, pad) || readers(x!) !== 1) return undefined;
  const { before, after, mode } = x!.node.attrs;
  const [image, ...value] = x!.node.inputs;
  const [bare, padded, to] = [shapeOf(image!), shapeOf(x!), node.attrs.shape];
  const real = padded.flatMap((_, d) => (padded[d] === 1 && bare[d] === 1 ? [] : [d]));
  const places = to.flatMap((n, d) => (n === 1 ? [] : [d]));
  const extents = real.map((d) => padded[d]!);
  const kept = places.map((d) => to[d]!);
  if (!sameShape(extents, kept) || extents.includes(1)) return undefined;
  const spreadOver = (values: Shape, rest: Dim): Shape =>
    to.map((_, d) => (places.includes(d) ? values[real[places.indexOf(d)]!]! : rest));
  const b = builder(node.origin);
  const narrow = b(reshape, [image!], { shape: spreadOver(bare, 1) });
  return b(pad, [narrow, ...value], { before: spreadOver(before, 0), after: spreadOver(after, 0), mode });
});

/** How much work next to a value is worth: it can join a contraction, or a pointwise node. */
const worth = (v: Value, readers: Readers): number => {
  if (readers(v) !== 1) return 0;
  if (is(v.node, conv) || is(v.node, convTranspose) || is(v.node, matmul)) return 2;
  return is(v.node, pointwise) ? 1 : 0;
};

/** Pointwise work between a contraction and a reshape of its result can join the contraction. */
const pointwiseBeforeReshape = on(pointwise, (node, readers) => {
  const out = shapeOf(node.outputs[0]!);
  const full = node.inputs.map((v) => sameShape(shapeOf(v), out));
  const direct = Math.max(0, ...node.inputs.map((v, i) => (full[i] ? worth(v, readers) : 0)));
  const at = node.inputs.findIndex(
    (v, i) => full[i] && is(v.node, reshape) && readers(v) === 1 && worth(from(v), readers) > direct,
  );
  if (at < 0) return undefined;
  const b = builder(node.origin);
  const inner = shapeOf(from(node.inputs[at]!));
  const inputs = node.inputs.map((v, i) => (i === at ? from(v) : reshapedOperand(b, v, out, inner)));
  if (inputs.some((v) => v === undefined)) return undefined;
  const made = b(pointwise, inputs as readonly Value[], node.attrs);
  if (!sameShape(shapeOf(made), inner) || dtypeOf(made) !== dtypeOf(node.outputs[0]!)) return undefined;
  return b(reshape, [made], { shape: out });
});

/** An operand of a result of shape `out` as one of shape `inner`, which has the same elements. */
function reshapedOperand(b: Build, v: Value, out: Shape, inner: Shape): Value | undefined {
  const shape = shapeOf(v);
  if (shape.every((d) => d === 1)) return shape.length === 0 ? v : b(reshape, [v], { shape: [] });
  if (sameElements(shape, out)) return b(reshape, [v], { shape: inner });
  const last = shape.at(-1)!;
  if (!isPerColumn(v) || !sameShape([last, last], [out.at(-1)!, inner.at(-1) ?? 1])) return undefined;
  return shape.length === 1 ? v : b(reshape, [v], { shape: [last] });
}

/** An operand of a result of shape `out`, whatever it broadcasts, for one of shape `inner`, which has the same elements. */
function broadcastAnew(b: Build, v: Value, out: Shape, inner: Shape): Value | undefined {
  const groups = axisGroups(out, inner);
  const own = [...out.slice(shapeOf(v).length).map(() => 1), ...shapeOf(v)];
  const lengths = (s: Shape): Shape => s.filter((d) => d !== 1);
  const parts = groups?.map(({ from: [i, j], to: [k, l] }): Shape | undefined => {
    const [whole, part, next] = [out.slice(i, j), own.slice(i, j), inner.slice(k, l)];
    if (sameShape(whole, part)) return next;
    if (part.every((d) => d === 1)) return next.map(() => 1);
    if (!sameShape(lengths(whole), lengths(next))) return undefined;
    const left = part.filter((_, at) => whole[at] !== 1);
    return next.map((d) => (d === 1 ? 1 : left.shift()!));
  });
  if (!parts || parts.some((p) => p === undefined)) return undefined;
  const shape = (parts as readonly Shape[]).flat();
  return sameShape(shape, shapeOf(v)) ? v : b(reshape, [v], { shape });
}

/** Pointwise work between two reshapes, of which the second undoes the first, needs neither. */
const pointwiseBetweenReshapes = on(reshape, (node, readers) => {
  const [x] = node.inputs;
  if (!is(x!.node, pointwise) || readers(x!) !== 1) return undefined;
  const inner = node.attrs.shape;
  const out = shapeOf(x!);
  const b = builder(node.origin);
  const undone = (v: Value): boolean =>
    is(v.node, reshape) && sameShape(shapeOf(v), out) && sameShape(shapeOf(from(v)), inner);
  const whole = (v: Value): boolean => undone(v) || sameShape(shapeOf(v), inner);
  const free = (v: Value): boolean => literalAt(v) !== undefined || is(v.node, reshape);
  const { inputs, attrs } = x!.node;
  if (!inputs.some(whole) || !inputs.every((v) => whole(v) || free(v) || shapeOf(v).length < 2))
    return undefined;
  const anew = inputs.map((v) => (undone(v) ? from(v) : broadcastAnew(b, v, out, inner)));
  if (anew.some((v) => v === undefined)) return undefined;
  const made = b(pointwise, anew as readonly Value[], attrs);
  return sameShape(shapeOf(made), inner) ? made : undefined;
});

/** Shapes with the extents that the graph computes from others written out. */
function extentsOf(g: Graph): (shape: Shape) => Shape {
  const known = new Map<string, Dim>();
  for (const [symbol, { value, element }] of g.bindings) {
    const source = is(value.node, dims) ? value.node.attrs.dims[element] : undefined;
    if (source !== undefined) known.set(symbol, source);
  }
  const written = (d: Dim, depth: number): Dim => {
    const next = substitute(d, known);
    return same(next, d) || depth === 0 ? next : written(next, depth - 1);
  };
  return known.size === 0 ? (s) => s : (s) => s.map((d) => written(d, 8));
}

/** The steps for what lies around a reshape. */
export const simplifyReshapes = (g: Graph): readonly Step[] => [
  transposeAroundReshape(extentsOf(g)),
  squeezeFirst,
  padAfterReshape,
  pointwiseBetweenReshapes,
  pointwiseBeforeReshape,
];
