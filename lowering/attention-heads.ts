import { is } from '../src/ir/graph.js';
import { type AttentionAttrs, attention } from '../src/ops/attention.js';
import { builder } from '../src/ops/op.js';
import { transpose } from '../src/ops/transpose.js';
import { on } from './steps.js';

/** Whether a transpose exchanges heads and rows. */
export const swapsHeads = (perm: readonly number[]): boolean => perm.join() === '0,2,1,3';

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

/** Attention reads and writes heads or rows first: it needs no transposes around it. */
export const attentionHeads = [headsOfOperands, headsOfResult];
