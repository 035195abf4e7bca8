import { mul, type Shape, same, sameShape } from '../src/ir/dim.js';
import { emit, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import type { AttentionPart } from '../src/ops/attention-parts.js';
import { type MatmulAttrs, matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { composed, transposedBy } from './simplify-movement.js';
import { on } from './steps.js';

// PyTorch's attention has rows in front of samples. Products with a matrix of weights do not care, so that the
// transposes around them meet the attention's own, which cost nothing.

const swapped: readonly number[] = [1, 0, 2];

/** Whether a value is the same for all rows: all axes but its last have an extent of 1. */
const isPerColumn = (v: Value): boolean =>
  shapeOf(v)
    .slice(0, -1)
    .every((d) => d === 1);

interface Rows {
  readonly product: Node<MatmulAttrs>;
  /** What is computed of its result, row by row, the last first, and which operand it is there. */
  readonly then: readonly { readonly node: Node; readonly operand: number }[];
}

/** The product of a flat list of rows behind a value [L, B, N] that only the asker reads. */
function rowsBehind(v: Value, readers: Readers): Rows | undefined {
  const then: { node: Node; operand: number }[] = [];
  const rank = shapeOf(v).length;
  let flat = false;
  for (let at = v; readers(at) === 1; ) {
    const { node } = at;
    if (is(node, matmul)) return flat ? { product: node, then } : undefined;
    if (is(node, reshape) && !flat) {
      const [x] = node.inputs;
      const [l, b, n] = shapeOf(at);
      if (rank !== 3 || !sameShape(shapeOf(x!), [mul(l!, b!), n!])) return undefined;
      flat = true;
      at = x!;
    } else if (is(node, pointwise)) {
      const own = node.inputs.flatMap((x, i) => (sameShape(shapeOf(x), shapeOf(at)) ? [i] : []));
      const [operand] = own;
      const others = node.inputs.filter((_, i) => i !== operand);
      if (operand === undefined || own.length > 1 || !others.every(isPerColumn)) return undefined;
      then.push({ node: node as unknown as Node, operand });
      at = node.inputs[operand]!;
    } else return undefined;
  }
  return undefined;
}

/** [L * B, E] that was [L, B, ...], and before that a transpose of something. */
function transposedRows(v: Value, [l, b]: Shape, readers: Readers): Value | undefined {
  const [x] = v.node.inputs;
  if (!is(v.node, reshape) || readers(v) !== 1 || readers(x!) !== 1 || !is(x!.node, transpose))
    return undefined;
  const [first, second, ...rest] = shapeOf(x!);
  const whole = first !== undefined && second !== undefined && same(first, l!) && same(second, b!);
  return whole && same(mul(...rest), shapeOf(v)[1]!) ? x! : undefined;
}

/** Rows that a product's result is brought back to are those it is computed in. */
export const rowsOfProduct = on(transpose, (node, readers) => {
  const [v] = node.inputs;
  if (node.attrs.perm.join() !== swapped.join()) return undefined;
  const found = rowsBehind(v!, readers);
  if (!found) return undefined;
  const { inputs, attrs, origin } = found.product;
  const [left, weights, ...more] = inputs;
  if (attrs.transA || more.length > 0 || shapeOf(weights!).length !== 2) return undefined;
  const x = transposedRows(left!, shapeOf(v!), readers);
  if (!x) return undefined;
  const [l, b, ...rest] = shapeOf(x);
  const build = builder(origin);
  const perm = composed([1, 0, ...rest.map((_, i) => i + 2)], x.node.attrs.perm as readonly number[]);
  const turned = transposedBy(build, x.node.inputs[0]!, perm);
  const rows = build(reshape, [turned], { shape: [b!, l!, mul(...rest)] });
  return found.then.reduceRight(
    (y, { node: n, operand }) =>
      emit(
        n.op,
        n.inputs.map((w, i) => (i === operand ? y : w)),
        n.attrs,
        n.origin,
      ).outputs[0]!,
    build(matmul, [rows, weights!], attrs),
  );
});

/** Queries, keys and values that are parts of one product of turned rows are parts of that of the rows as they lie. */
export const rowsOfParts = on(attention, (node, readers) => {
  const [whole] = node.inputs;
  const parts = node.attrs.parts ?? [];
  const alone = [0, 1, 2].every((i) => node.inputs[i] === whole && parts[i]) && readers(whole!) === 3;
  const product = whole!.node;
  if (!alone || !is(product, matmul) || product.attrs.transA) return undefined;
  const [left, weights, ...more] = product.inputs;
  if (!is(left!.node, transpose) || shapeOf(weights!).length !== 2 || !more.every(isPerColumn))
    return undefined;
  const { perm } = left!.node.attrs;
  if (perm.at(-1) !== perm.length - 1) return undefined;
  const rows = emit(matmul, [left!.node.inputs[0]!, weights!, ...more], product.attrs, product.origin);
  const turned = parts.map(
    (p): AttentionPart | undefined => p && { ...p, moves: [{ kind: 'transpose', perm }, ...p.moves] },
  );
  const from = rows.outputs[0]!;
  return emit(
    attention,
    [from, from, from, ...node.inputs.slice(3)],
    { ...node.attrs, parts: turned },
    node.origin,
  ).outputs;
});
