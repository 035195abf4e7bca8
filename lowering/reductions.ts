import { isStatic, type Shape } from '../src/ir/dim.js';
import { arg, mapOperands } from '../src/ir/expr.js';
import { is, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import type { Build } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { inlineRegion } from './regions.js';
import type { Operation } from './simplify-pointwise.js';

/** How to build a recognised operator, and the nodes it stands for. */
export interface Made {
  readonly covers: ReadonlySet<Node>;
  build(b: Build, now: (v: Value) => Value): Value;
}

/** An expression and the pointwise nodes that it is made of. */
interface Covering extends Operation {
  readonly covers: ReadonlySet<Node>;
}

/** The largest number of pointwise nodes an expression is gathered from. */
const reach = 16;

/** What a value is of the values in `stops` and of those that pointwise nodes do not make. */
export function expressionOf(v: Value, stops: readonly Value[]): Covering | undefined {
  const covers = new Set<Node>();
  const gather = (n: Node): void => {
    if (covers.has(n) || covers.size > reach) return;
    covers.add(n);
    for (const x of n.inputs)
      if (is(x.node, pointwise) && !stops.includes(x)) gather(x.node as unknown as Node);
  };
  if (!is(v.node, pointwise)) return undefined;
  gather(v.node as unknown as Node);
  if (covers.size > reach) return undefined;
  return { ...inlineRegion(v.node, (n) => covers.has(n)), covers };
}

/** The expression over operands in a given order; undefined when it reads anything else. */
export function over(v: Value, operands: readonly Value[]): Covering | undefined {
  const e = expressionOf(v, operands);
  if (!e?.inputs.every((x) => operands.includes(x))) return undefined;
  const expr = mapOperands(e.expr, (i) => arg(operands.indexOf(e.inputs[i]!)));
  return { expr, inputs: operands, covers: e.covers };
}

export type Reduction = Node<{ kind: string; axes: Shape; keepdims: boolean }>;

/** A reduction over known axes that leaves them in place. */
export const reductionAt = (v: Value, ...kinds: readonly string[]): Reduction | undefined =>
  is(v.node, reduce) &&
  v.node.attrs.keepdims &&
  isStatic(v.node.attrs.axes) &&
  kinds.includes(v.node.attrs.kind)
    ? (v.node as unknown as Reduction)
    : undefined;

export const axesOf = (r: Reduction): readonly number[] => {
  const rank = shapeOf(r.inputs[0]!).length;
  return (r.attrs.axes as readonly number[]).map((a) => (a < 0 ? a + rank : a)).sort((p, q) => p - q);
};
/** Whether two reductions combine the same elements. */
export const sameAxes = (a: Reduction, b: Reduction): boolean => axesOf(a).join() === axesOf(b).join();
