import { emit, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { type AttentionAttrs, attention } from '../src/ops/attention.js';
import type { AttentionMove, AttentionPart } from '../src/ops/attention-parts.js';
import { matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { keepsLast } from './permutations.js';
import { productOfRows } from './row-products.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * Lets attention read queries, keys and values where one product has written them side by side, in whatever order
 * of heads and rows, instead of slices and transposes of it, where the target's kernel can. Runs last: nothing
 * else need know of it.
 */
export const attentionParts = (compiles: (n: Node) => boolean): SyncPass => ({
  name: 'attention-parts',
  run: (g) =>
    settle(g, [
      on(attention, (node) => withPart(node, compiles)),
      on(attention, (node, readers) => {
        const made = onRowsAsTheyLie(node, readers);
        return made && compiles(made.node) ? made : undefined;
      }),
    ]),
});

/** The node with every operand that can be a part as one. */
export function withParts(node: Node<AttentionAttrs>, compiles: (n: Node) => boolean): Node<AttentionAttrs> {
  const [made] = withPart(node, compiles) ?? [];
  return made ? withParts(made.node as unknown as Node<AttentionAttrs>, compiles) : node;
}

/** The node with one operand more that is a part, which begins as far back as the kernel can read it. */
function withPart(node: Node<AttentionAttrs>, compiles: (n: Node) => boolean): readonly Value[] | undefined {
  for (const i of [0, 1, 2]) {
    if (node.attrs.parts?.[i]) continue;
    const v = node.inputs[i]!;
    for (const { whole, moves } of chain(v).reverse()) {
      const parts = [0, 1, 2].map((j) => (j === i ? { moves, shape: shapeOf(v) } : node.attrs.parts?.[j]));
      const inputs = node.inputs.map((x, j) => (j === i ? whole : x));
      const made = emit(attention, inputs, { ...node.attrs, parts }, node.origin);
      if (compiles(made as unknown as Node)) return made.outputs;
    }
  }
  return undefined;
}

/** Where a value comes from by moves of elements alone, and those moves in order, the nearest first. */
function chain(v: Value): { readonly whole: Value; readonly moves: readonly AttentionMove[] }[] {
  const found: { whole: Value; moves: readonly AttentionMove[] }[] = [];
  for (let at = v, moves: readonly AttentionMove[] = []; ; ) {
    const move = moveOf(at);
    if (!move) break;
    moves = [move, ...moves];
    at = at.node.inputs[0]!;
    // A reshape alone costs nothing.
    if (moves.some((m) => m.kind !== 'reshape')) found.push({ whole: at, moves });
  }
  return found;
}

export function moveOf({ node }: Value): AttentionMove | undefined {
  if (is(node, reshape)) return { kind: 'reshape', shape: node.attrs.shape };
  if (is(node, transpose)) return { kind: 'transpose', perm: node.attrs.perm };
  return is(node, slice) && node.attrs.steps.every((s) => s === 1)
    ? { kind: 'slice', starts: node.attrs.starts, sizes: node.attrs.shape }
    : undefined;
}

/** Queries, keys and values that are parts of one product of turned rows as parts of that of the rows as they lie. */
function onRowsAsTheyLie(node: Node<AttentionAttrs>, readers: Readers): Value | undefined {
  const [whole, ...others] = node.inputs;
  const parts = node.attrs.parts ?? [];
  const alone = others[0] === whole && others[1] === whole && readers(whole!) === 3;
  const product = productOfRows(whole!);
  const turn = product?.inputs[0]?.node;
  if (!alone || ![0, 1, 2].every((i) => parts[i]) || !turn || !is(turn, transpose)) return undefined;
  const { perm } = turn.attrs;
  if (!keepsLast(perm)) return undefined;
  const rows = builder(product.origin)(matmul, [turn.inputs[0]!, ...product.inputs.slice(1)], product.attrs);
  const first: AttentionMove = { kind: 'transpose', perm };
  const turned = parts.map((p): AttentionPart | undefined => p && { ...p, moves: [first, ...p.moves] });
  const inputs = [rows, rows, rows, ...others.slice(2)];
  return builder(node.origin)(attention, inputs, { ...node.attrs, parts: turned });
}
