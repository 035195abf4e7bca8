import { sameShape } from '../src/ir/dim.js';
import { is, shapeOf, type Value } from '../src/ir/graph.js';
import { type AttentionAttrs, attention } from '../src/ops/attention.js';
import { builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { swapsHeads } from './permutations.js';
import { on } from './steps.js';

/** Operands whose heads are brought in front are read with their rows in front. */
const headsOfOperands = on(attention, (node) => {
  const swaps = node.inputs.map((v, i) => i < 3 && is(v.node, transpose) && swapsHeads(v.node.attrs.perm));
  if (!swaps.includes(true)) return undefined;
  const inputs = node.inputs.map((v, i) => (swaps[i] === true ? v.node.inputs[0]! : v));
  const rowsFirst = node.attrs.rowsFirst.map((r, i) => r !== (swaps[i] === true && i < 3));
  return builder(node.origin)(attention, inputs, {
    ...node.attrs,
    rowsFirst: rowsFirst as unknown as AttentionAttrs['rowsFirst'],
  });
});

/** A result whose rows are brought in front is written so. */
const headsOfResult = on(transpose, (node, readers) => {
  const [x] = node.inputs;
  if (!is(x!.node, attention) || readers(x!) !== 1 || !swapsHeads(node.attrs.perm)) return undefined;
  const { attrs, inputs, origin } = x!.node;
  const [q, k, v, out] = attrs.rowsFirst;
  return builder(origin)(attention, inputs, { ...attrs, rowsFirst: [q, k, v, !out] });
});

/** A value [1, H, L, D] made by exchanging the first axes of one [L, H, D]: that one, as [1, L, H, D]. */
function unbatched(v: Value): Value | undefined {
  const [swap] = v.node.inputs;
  if (!is(v.node, reshape) || !is(swap!.node, transpose)) return undefined;
  const [x] = swap!.node.inputs;
  const isSwap = swap!.node.attrs.perm.join() === '1,0,2';
  if (!isSwap || !sameShape(shapeOf(v), [1, ...shapeOf(swap!)])) return undefined;
  return builder(v.node.origin)(reshape, [x!], { shape: [1, ...shapeOf(x!)] });
}

/** The same for a batch of one that lost its axis on the way. */
const headsOfOneSample = on(attention, (node) => {
  const found = node.inputs.map((v, i) => (i < 3 ? unbatched(v) : undefined));
  if (found.every((v) => v === undefined)) return undefined;
  const rowsFirst = node.attrs.rowsFirst.map((r, i) => (i < 3 && found[i] !== undefined ? !r : r));
  return builder(node.origin)(
    attention,
    node.inputs.map((v, i) => found[i] ?? v),
    { ...node.attrs, rowsFirst: rowsFirst as unknown as AttentionAttrs['rowsFirst'] },
  );
});

const rowsOfOneSample = on(transpose, (node, readers) => {
  const [x] = node.inputs;
  if (!is(x!.node, attention) || readers(x!) !== 1 || node.attrs.perm.join() !== '2,0,1,3') return undefined;
  if (shapeOf(x!)[0] !== 1) return undefined;
  const { attrs, inputs, origin } = x!.node;
  const [q, k, v, out] = attrs.rowsFirst;
  const b = builder(origin);
  return b(reshape, [b(attention, inputs, { ...attrs, rowsFirst: [q, k, v, !out] })], {
    shape: shapeOf(node.outputs[0]!),
  });
});

/** Attention reads and writes heads or rows first: it needs no transposes around it. */
export const attentionHeads = [headsOfOperands, headsOfResult, headsOfOneSample, rowsOfOneSample];
