import { bounds, symbol } from '../src/ir/dim.js';
import { dtypeOf, type Graph, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import { isInteger } from '../src/ir/type.js';
import { concat } from '../src/ops/concat.js';
import { evaluateExpr } from '../src/ops/evaluate-expr.js';
import { expand } from '../src/ops/expand.js';
import { gather, gatherElements } from '../src/ops/gather.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';

/**
 * For each integer input that indexes tables: the size of the smallest one, so that made-up inputs stay
 * inside. Looks through operators that only move elements and through arithmetic that stays inside as well.
 */
export function inputBounds(g: Graph): ReadonlyMap<Value, number> {
  const below = new Map<Value, number>();
  const lower = (v: Value, bound: number): void => {
    below.set(v, Math.min(below.get(v) ?? Number.POSITIVE_INFINITY, bound));
  };
  for (const n of [...topological(g)].reverse()) {
    if (is(n, gather) || is(n, gatherElements)) {
      const rows = shapeOf(n.inputs[0]!)[n.attrs.axis];
      if (typeof rows === 'number') lower(n.inputs[1]!, rows);
    }
    const bound = n.outputs[0] && below.get(n.outputs[0]);
    if (bound !== undefined && handsOn(n, bound)) for (const v of n.inputs) lower(v, bound);
  }
  return new Map(g.inputs.flatMap((v) => (below.has(v) ? [[v, below.get(v)!] as const] : [])));
}

/** Whether results lie within the bound, from either end of a table, when the inputs lie in [0, bound). */
function handsOn(n: Node, bound: number): boolean {
  if (!is(n, pointwise)) return [concat, expand, reshape, slice, transpose].some((op) => is(n, op as never));
  const [x] = n.inputs;
  if (n.inputs.length !== 1 || !isInteger(dtypeOf(x!)) || bound < 1) return false;
  const result = evaluateExpr(n.attrs.expr, [{ value: symbol('index', 0, bound - 1), dtype: dtypeOf(x!) }]);
  if (result === undefined) return false;
  const [lo, hi] = bounds(result);
  return lo >= -bound && hi < bound;
}
