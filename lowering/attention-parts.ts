import { emit, is, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import type { AttentionPart } from '../src/ops/attention-parts.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * Lets attention read queries, keys and values where one product has written them side by side, instead of
 * slices of it, where the target's kernel can. Runs last: nothing else need know of it.
 */
export const attentionParts = (compiles: (n: Node) => boolean): SyncPass => ({
  name: 'attention-parts',
  run: (g) =>
    settle(g, [
      on(attention, (node) => {
        const found = node.inputs.map((v, i) => (i < 3 && !node.attrs.parts?.[i] ? partOf(v) : undefined));
        if (found.every((p) => p === undefined)) return undefined;
        const inputs = node.inputs.map((v, i) => found[i]?.whole ?? v);
        const parts = [0, 1, 2].map((i) => found[i]?.part ?? node.attrs.parts?.[i]);
        const made = emit(attention, inputs, { ...node.attrs, parts }, node.origin);
        return compiles(made as unknown as Node) ? made.outputs : undefined;
      }),
    ]),
});

/** A slice of steps of one, and what reshapes it. */
function partOf(v: Value): { readonly whole: Value; readonly part: AttentionPart } | undefined {
  const cut = is(v.node, reshape) ? v.node.inputs[0]! : v;
  if (!is(cut.node, slice) || cut.node.attrs.steps.some((s) => s !== 1)) return undefined;
  const { starts, shape } = cut.node.attrs;
  return { whole: cut.node.inputs[0]!, part: { starts, sizes: shape, shape: shapeOf(v) } };
}
