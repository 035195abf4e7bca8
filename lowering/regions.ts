import { broadcast, type Shape, sameShape } from '../src/ir/dim.js';
import { arg, type Expr, mapOperands, scalarFunctions, showExpr, typeOfExpr } from '../src/ir/expr.js';
import {
  dtypeOf,
  type Graph,
  is,
  type Node,
  shapeOf,
  topological,
  usersOf,
  type Value,
} from '../src/ir/graph.js';
import { type DType, isFloat, isInteger } from '../src/ir/type.js';
import { pointwise } from '../src/ops/pointwise.js';
import type { Operation } from './simplify-pointwise.js';

/** Larger expressions keep too many values in registers at once. */
export const limits = { cost: 64, operands: 12, nodes: 400 } as const;

/** The nodes that read each value, each once, and the values that somebody besides nodes reads. */
export interface Reads {
  /** Where a node comes in the order of the graph. */
  readonly position: ReadonlyMap<Node, number>;
  readonly users: ReadonlyMap<Value, ReadonlySet<Node>>;
  readonly kept: ReadonlySet<Value>;
}

export function readsOf(g: Graph): Reads {
  const users = new Map([...usersOf(g)].map(([v, nodes]) => [v, new Set(nodes)]));
  const position = new Map(topological(g).map((n, i) => [n, i]));
  return { position, users, kept: new Set([...g.outputs, ...[...g.bindings.values()].map((b) => b.value)]) };
}

/** The nodes that read a value, or undefined when its elements are wanted for themselves. */
export const readersOnly = (v: Value, { users, kept }: Reads): ReadonlySet<Node> | undefined =>
  kept.has(v) ? undefined : (users.get(v) ?? new Set());

/** The expression of `root` over the values that enter a region of pointwise nodes. */
export function inlineRegion(root: Node<{ expr: Expr }>, inside: (n: Node) => boolean): Operation {
  const inputs: Value[] = [];
  const enter = (v: Value): Expr => {
    if (is(v.node, pointwise) && inside(v.node)) return over(v.node);
    let at = inputs.indexOf(v);
    if (at < 0) at = inputs.push(v) - 1;
    return arg(at);
  };
  const over = (n: Node<{ expr: Expr }>): Expr => mapOperands(n.attrs.expr, (i) => enter(n.inputs[i]!));
  return { expr: over(root), inputs };
}

/** The work of an expression when equal parts are computed once, as compilers do. */
export function sharedCost(e: Expr): { readonly cost: number; readonly nodes: number } {
  const seen = new Set<string>();
  let cost = 0;
  let nodes = 0;
  const visit = (x: Expr): void => {
    nodes++;
    if (x.kind !== 'call' && x.kind !== 'cast') return;
    const key = showExpr(x);
    if (seen.has(key)) {
      nodes += key.length >> 4;
      return;
    }
    seen.add(key);
    cost += x.kind === 'cast' ? 1 : 1 + scalarFunctions[x.fn].ulp * 4;
    for (const a of x.kind === 'cast' ? [x.arg] : x.args) visit(a);
  };
  visit(e);
  return { cost, nodes };
}

export const isAffordable = (o: Operation): boolean => {
  if (o.inputs.length > limits.operands) return false;
  const { cost, nodes } = sharedCost(o.expr);
  return cost <= limits.cost && nodes <= limits.nodes;
};

/** Whether a shape is `out` when axes of extent 1 in front do not count. */
export function sameElements(shape: Shape, out: Shape): boolean {
  const lead = out.length - shape.length;
  return lead >= 0 && out.slice(0, lead).every((d) => d === 1) && sameShape(out.slice(lead), shape);
}

/** Whether a value is the same for all rows: all axes but its last have an extent of 1. */
export const isPerColumn = (v: Value): boolean =>
  shapeOf(v)
    .slice(0, -1)
    .every((d) => d === 1);

/** Whether the operands alone broadcast to a shape. */
export function yields(out: Shape, inputs: readonly Value[]): boolean {
  const shape = broadcast(...inputs.map(shapeOf));
  return shape !== undefined && sameShape(shape, out);
}

/** Whether vectors of f32 compute an expression: operands of other types are cast at once. */
export function isVectorWork({ expr, inputs }: Operation): boolean {
  const types = inputs.map(dtypeOf);
  const lane = (t: DType): boolean => t === 'bool' || (isFloat(t) && t !== 'f64');
  const visit = (e: Expr): boolean => {
    if (e.kind === 'cast' && e.arg.kind === 'in') return lane(e.to);
    if (!lane(typeOfExpr(e, types))) return false;
    return e.kind === 'call' ? e.args.every(visit) : e.kind === 'cast' ? visit(e.arg) : true;
  };
  return visit(expr.kind === 'cast' && isInteger(expr.to) ? expr.arg : expr);
}
