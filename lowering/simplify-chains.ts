import { isStatic, type Shape } from '../src/ir/dim.js';
import { is, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { constant, dims } from '../src/ops/constant.js';
import { type ConvAttrs, conv } from '../src/ops/conv.js';
import { gather } from '../src/ops/gather.js';
import { matmul } from '../src/ops/matmul.js';
import { matmulInteger } from '../src/ops/matmul-integer.js';
import { builder } from '../src/ops/op.js';
import { pad } from '../src/ops/pad.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { elementCount } from '../src/support/tensor-data.js';
import { literalAt } from './literals.js';
import { composed, isIdentity, keepsLast, lastTwo } from './permutations.js';
import { on } from './steps.js';

const from = (v: Value): Value => v.node.inputs[0]!;

/**
 * An operand of a product whose last two axes are exchanged for it: the product does that itself. Where a
 * transpose remains, it then moves whole rows instead of elements.
 */
function unswapped(v: Value, readers: Readers): Value | undefined {
  if (!is(v.node, transpose)) return undefined;
  const { perm } = v.node.attrs;
  const rank = perm.length;
  if (rank < 2) return undefined;
  const swapped = composed(lastTwo(rank), perm);
  const b = builder(v.node.origin);
  if (isIdentity(swapped)) return from(v);
  const rows = keepsLast(swapped) && !keepsLast(perm) && readers(v) === 1;
  return rows ? b(transpose, [from(v)], { perm: swapped }) : undefined;
}

const transposedOperands = on(matmul, (node, readers) => {
  const [a, c] = node.inputs.slice(0, 2).map((v) => unswapped(v, readers));
  if (!a && !c) return undefined;
  const inputs = [a ?? node.inputs[0]!, c ?? node.inputs[1]!, ...node.inputs.slice(2)];
  const { transA, transB } = node.attrs;
  const flags = { transA: transA !== (a !== undefined), transB: transB !== (c !== undefined) };
  return builder(node.origin)(matmul, inputs, { ...node.attrs, ...flags });
});

const transposedBytes = on(matmulInteger, (node, readers) => {
  const c = unswapped(node.inputs[1]!, readers);
  if (!c) return undefined;
  const inputs = [node.inputs[0]!, c, ...node.inputs.slice(2)];
  return builder(node.origin)(matmulInteger, inputs, { ...node.attrs, transB: !node.attrs.transB });
});

/** A convolution pads with zeros itself. */
const padInConv = on(conv, (node) => {
  const [x, ...rest] = node.inputs;
  if (!is(x!.node, pad) || x!.node.inputs.length > 1) return undefined;
  const { before, after, mode } = x!.node.attrs;
  const { layout, pads }: ConvAttrs = node.attrs;
  const spatial = (d: Shape): Shape => (layout === 'NCX' ? d.slice(2) : d.slice(1, -1));
  const others = (d: Shape): Shape => (layout === 'NCX' ? d.slice(0, 2) : [d[0]!, d.at(-1)!]);
  if (mode !== 'constant' || !isStatic(before) || !isStatic(after)) return undefined;
  if ([...others(before), ...others(after)].some((d) => d !== 0)) return undefined;
  const more = [...spatial(before), ...spatial(after)] as readonly number[];
  if (!isStatic(pads) || more.some((d) => d < 0)) return undefined;
  const total = pads.map((p, i) => p + more[i]!);
  return builder(node.origin)(conv, [from(x!), ...rest], { ...node.attrs, pads: total });
});

const alone: ReadonlySet<string> = new Set(['sum', 'mean', 'max', 'min', 'prod']);

/** A reduction over axes of one element combines nothing. */
const reduceNothing = on(reduce, (node) => {
  const [x] = node.inputs;
  const { axes, kind } = node.attrs;
  const shape = shapeOf(x!);
  if (!alone.has(kind) || !isStatic(axes) || axes.some((a) => shape.at(a) !== 1)) return undefined;
  return builder(node.origin)(reshape, [x!], { shape: shapeOf(node.outputs[0]!) });
});

/** A reduction leaves its axes in place: taking them away moves nothing, and transposes pass it then. */
const reduceInPlace = on(reduce, (node) => {
  const [x] = node.inputs;
  const { axes, keepdims } = node.attrs;
  if (keepdims || !isStatic(axes) || axes.length === 0) return undefined;
  const b = builder(node.origin);
  const kept = b(reduce, [x!], { ...node.attrs, keepdims: true });
  return b(reshape, [kept], { shape: shapeOf(node.outputs[0]!) });
});

/** Extents that became numbers. */
const knownDims = on(dims, (node) => {
  const { dims: values, dtype, shape } = node.attrs;
  if (!isStatic(values)) return undefined;
  return builder(node.origin)(constant, [], { value: literalOf(dtype, shape, values) });
});

/** Rows of a table that is computed from constants are picked first: what is not picked is not computed. */
const gatherFirst = on(gather, (node) => {
  const [table, indices] = node.inputs;
  const { axis } = node.attrs;
  const p = table!.node;
  if (!is(p, pointwise) || literalAt(indices!) || !p.inputs.every((v) => literalAt(v))) return undefined;
  const shape = shapeOf(table!);
  const size = isStatic(shape) ? elementCount(shape) : 0;
  if (size < 1 << 16 || !p.inputs.every((v) => shapeOf(v).length === shape.length)) return undefined;
  const b = builder(node.origin);
  const ones = shapeOf(indices!).map(() => 1);
  const picked = p.inputs.map((v) => {
    const own = shapeOf(v);
    return own[axis] === 1
      ? b(reshape, [v], { shape: [...own.slice(0, axis), ...ones, ...own.slice(axis + 1)] })
      : b(gather, [v, indices!], { axis });
  });
  return b(pointwise, picked, p.attrs);
});

/** The steps for short chains of different operators that are better said with one of them. */
export const simplifyChains = [
  transposedOperands,
  transposedBytes,
  padInConv,
  reduceNothing,
  reduceInPlace,
  knownDims,
  gatherFirst,
];
