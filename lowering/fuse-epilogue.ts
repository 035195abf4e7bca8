import { type Shape, sameShape } from '../src/ir/dim.js';
import { arg, type Expr, mapOperands } from '../src/ir/expr.js';
import {
  dtypeOf,
  emit,
  type Graph,
  is,
  type Node,
  shapeOf,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { epilogueOperand } from '../src/ops/epilogue.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { type Contraction, contractionOf } from './contractions.js';
import { rebuild } from './rebuild.js';
import { inlineRegion, isAffordable, type Reads, readersOnly, readsOf } from './regions.js';
import { simplifyExpr } from './simplify-expr.js';
import { on, type SyncPass, settle } from './steps.js';

/** What a contraction becomes: its operands, and the pointwise node whose place it takes. */
interface Fused {
  readonly contraction: Node;
  readonly inputs: readonly Value[];
  readonly epilogue: Expr;
}

/**
 * Moves pointwise nodes into the epilogue of the contraction they follow: bias, activation, residual, scale,
 * clip. The result then is written once, from registers. A node joins when nobody else reads the
 * contraction's result and a kernel can read its other operands as an epilogue does; several nodes join
 * together when they meet again, as in x * sigmoid(x). Of two contractions that are added the later one
 * takes the sum. Runs once layouts are settled and before pointwise nodes are fused with one another.
 */
export const fuseEpilogue = (compiles: (n: Node) => boolean): SyncPass => ({
  name: 'fuse-epilogue',
  run: (before) => {
    const g = settle(before, [withoutLeadingOnes]);
    const plans = planned(g, compiles);
    if (plans.size === 0) return g;
    return rebuild(g, (old, _, now) => {
      const plan = plans.get(old);
      if (!plan) return undefined;
      const { op, attrs, origin } = plan.contraction;
      return emit(op, plan.inputs.map(now), { ...attrs, epilogue: plan.epilogue }, origin).outputs;
    });
  },
});

/** A pointwise node over a contraction of lower rank, whose result has axes of extent 1 in front, without them. */
const withoutLeadingOnes = on(pointwise, (node) => {
  const out = shapeOf(node.outputs[0]!);
  const sums = node.inputs.find((v) => contractionOf(v.node) && shapeOf(v).length < out.length);
  const extra = sums === undefined ? 0 : out.length - shapeOf(sums).length;
  if (sums === undefined || !sameShape(out, [...out.slice(0, extra).map(() => 1), ...shapeOf(sums)]))
    return undefined;
  const b = builder(node.origin);
  const lower = node.inputs.map((v) => {
    const shape = shapeOf(v);
    const over = Math.max(0, shape.length - shapeOf(sums).length);
    return over === 0 ? v : b(reshape, [v], { shape: shape.slice(over) });
  });
  return b(reshape, [b(pointwise, lower, node.attrs)], { shape: out });
});

function planned(g: Graph, compiles: (n: Node) => boolean): ReadonlyMap<Node, Fused> {
  const reads = readsOf(g);
  const plans = new Map<Node, Fused>();
  const taken = new Set<Node>();
  for (const node of [...topological(g)].reverse()) {
    const kind = contractionOf(node);
    if (!kind || !compiles(node)) continue;
    let last = node;
    let fused: Fused = {
      contraction: node,
      inputs: node.inputs,
      epilogue: (node.attrs.epilogue as Expr | undefined) ?? arg(0),
    };
    for (;;) {
      const region = regionAfter(last.outputs[0]!, reads, taken);
      const next = region && absorbed(fused, last.outputs[0]!, region, kind);
      if (!next || !compiles(asNode(next))) break;
      for (const n of region.members) taken.add(n);
      last = region.exit;
      fused = next;
    }
    if (last !== node) plans.set(last, fused);
  }
  return plans;
}

const asNode = ({ contraction: { op, attrs, origin }, inputs, epilogue }: Fused): Node =>
  emit(op, inputs, { ...attrs, epilogue }, origin);

interface Region {
  readonly members: ReadonlySet<Node>;
  readonly exit: Node<{ expr: Expr }>;
}

/** The pointwise nodes between a value and the first node that alone carries on what they compute. */
function regionAfter(v: Value, reads: Reads, taken: ReadonlySet<Node>): Region | undefined {
  const first = readersOnly(v, reads);
  if (!first || first.size === 0) return undefined;
  const shape = shapeOf(v);
  const members = new Set(first);
  const fits = (n: Node): boolean =>
    is(n, pointwise) && !taken.has(n) && sameShape(shapeOf(n.outputs[0]!), shape);
  for (let i = 0; i < 16; i++) {
    if (![...members].every(fits)) return undefined;
    const exits = [...members].filter((n) => {
      const readers = readersOnly(n.outputs[0]!, reads);
      return !readers || readers.size === 0 || ![...readers].every((r) => members.has(r));
    });
    const [exit] = exits;
    if (exits.length === 1 && is(exit!, pointwise)) return { members, exit };
    // The first of them cannot be the last node that all ways lead to.
    const next = exits.reduce((a, n) => (reads.position.get(n)! < reads.position.get(a)! ? n : a), exit!);
    const readers = readersOnly(next.outputs[0]!, reads);
    if (!readers) return undefined;
    for (const r of readers) members.add(r);
  }
  return undefined;
}

/** The contraction with a region in its epilogue, when a kernel can read all that the region reads. */
function absorbed(
  { contraction, inputs, epilogue }: Fused,
  result: Value,
  { members, exit }: Region,
  { own, layout, sums }: Contraction,
): Fused | undefined {
  const region = inlineRegion(exit, (n) => members.has(n));
  const out: Shape = shapeOf(result);
  const where = layout(contraction.attrs);
  const all = [...inputs];
  const indices = region.inputs.map((v) => {
    if (v === result) return undefined;
    const known = all.indexOf(v, own);
    return known >= 0 ? known - own + 1 : all.push(v) - own;
  });
  const fits = all.slice(own).every((v) => epilogueOperand(out, shapeOf(v), where) !== undefined);
  if (!fits) return undefined;
  const types = [sums(contraction), ...all.slice(own).map(dtypeOf)];
  const joined = mapOperands(region.expr, (i) => (region.inputs[i] === result ? epilogue : arg(indices[i]!)));
  const expr = simplifyExpr(joined, types);
  if (!isAffordable({ expr, inputs: all.slice(own) })) return undefined;
  return { contraction, inputs: all, epilogue: expr };
}
