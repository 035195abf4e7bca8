import type { Expr } from '../src/ir/expr.js';
import { dtypeOf, type Graph, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { rebuild } from './rebuild.js';
import {
  inlineRegion,
  isAffordable,
  isVectorWork,
  type Reads,
  readersOnly,
  readsOf,
  sameElements,
  sharedCost,
  yields,
} from './regions.js';
import { simplifyExpr } from './simplify-expr.js';
import { type Operation, tidied } from './simplify-pointwise.js';
import type { SyncPass } from './steps.js';

/**
 * Makes one pointwise node of several: a producer all of whose readers belong to the group joins it, if it
 * has the group's shape or is a cheap computation of one element. Each group then reads and writes memory
 * once. Readers join before producers, so diamonds such as x * sigmoid(x) close by themselves. Runs after
 * contractions have taken what fits their epilogues. An expression that would grow too large, or lose its
 * vector form because of operands of another type, is left as several.
 */
export const fusePointwise: SyncPass = {
  name: 'fuse-pointwise',
  run: (g) => {
    const groups = groupsOf(g);
    if (groups.size === 0) return g;
    return rebuild(g, (old, _, now) => {
      const group = groups.get(old);
      if (!group) return undefined;
      return [builder(old.origin)(pointwise, group.inputs.map(now), { expr: group.expr })];
    });
  },
};

/** Operations that stand for groups of nodes, by the group's last node. */
function groupsOf(g: Graph): ReadonlyMap<Node, Operation> {
  const reads = readsOf(g);
  const taken = new Set<Node>();
  const groups = new Map<Node, Operation>();
  for (const root of [...topological(g)].reverse()) {
    if (!is(root, pointwise) || taken.has(root)) continue;
    const group = grow(root, reads);
    if (group.members.size === 1) continue;
    for (const m of group.members) taken.add(m);
    groups.set(root, group.operation);
  }
  return groups;
}

function grow(
  root: Node<{ expr: Expr }>,
  reads: Reads,
): { readonly members: ReadonlySet<Node>; readonly operation: Operation } {
  const out = shapeOf(root.outputs[0]!);
  const members = new Set<Node>([root as unknown as Node]);
  const declined = new Set<Node>();
  let operation = inlineRegion(root, (n) => members.has(n));
  for (let more = true; more; ) {
    more = false;
    for (const v of operation.inputs) {
      const p = v.node;
      if (!is(p, pointwise) || declined.has(p) || !mayJoin(v, p, out, members, reads)) continue;
      const raw = inlineRegion(root, (n) => members.has(n) || n === (p as unknown as Node));
      const next = tidied({ inputs: raw.inputs, expr: simplifyExpr(raw.expr, raw.inputs.map(dtypeOf)) }, out);
      if (!isAffordable(next) || !yields(out, next.inputs) || slows(next, operation, p)) {
        declined.add(p);
        continue;
      }
      members.add(p);
      operation = next;
      more = true;
      break;
    }
  }
  return { members, operation };
}

function mayJoin(
  v: Value,
  p: Node<{ expr: Expr }>,
  out: ReturnType<typeof shapeOf>,
  members: ReadonlySet<Node>,
  reads: Reads,
): boolean {
  const readers = readersOnly(v, reads);
  if (!readers || ![...readers].every((n) => members.has(n))) return false;
  const shape = shapeOf(v);
  return sameElements(shape, out) || (shape.every((d) => d === 1) && sharedCost(p.attrs.expr).cost <= 8);
}

/** Whether one of the two has a vector form worth keeping and both together do not. */
function slows(together: Operation, consumer: Operation, producer: Node<{ expr: Expr }>): boolean {
  if (isVectorWork(together)) return false;
  const heavy = (o: Operation): boolean => isVectorWork(o) && sharedCost(o.expr).cost >= 8;
  return heavy(consumer) || heavy({ expr: producer.attrs.expr, inputs: producer.inputs });
}
