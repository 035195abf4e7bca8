import { call, type Expr, constant as konst, type ScalarFunction, sameExpr } from '../src/ir/expr.js';
import { emit, type Graph, is, type Node, usersOf } from '../src/ir/graph.js';
import { isInteger } from '../src/ir/type.js';
import { pointwise } from '../src/ops/pointwise.js';
import { dequantize, quantize } from '../src/ops/quantize.js';
import { rebuild } from './rebuild.js';
import type { SyncPass } from './steps.js';

/** Functions that turn an error of one ULP into an error of one. */
const steps: ReadonlySet<ScalarFunction> = new Set([
  'floor',
  'ceil',
  'round',
  'trunc',
  'mod',
  'fmod',
  'sign',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
]);

/**
 * Spells what is left more cheaply where it costs less than two ULP: a quotient by a constant becomes a
 * product, and two constant factors one. Not where the quotient is rounded to a whole number, compared, or read by a node that does so:
 * 3 / 3 must stay 1. Runs last, when expressions are no longer matched.
 */
export const decompose: SyncPass = {
  name: 'decompose',
  run: (g) => {
    const exact = exactNodes(g);
    return rebuild(g, (old, copy) => {
      const key = is(copy, pointwise) ? 'expr' : 'epilogue';
      const expr = copy.attrs[key] as Expr | undefined;
      if (!expr || exact.has(old)) return undefined;
      const next = products(expr);
      if (sameExpr(next, expr)) return undefined;
      return emit(copy.op, copy.inputs, { ...copy.attrs, [key]: next }, copy.origin).outputs;
    });
  },
};

/** The nodes whose results somebody rounds or compares. */
function exactNodes(g: Graph): ReadonlySet<Node> {
  const users = usersOf(g);
  const isExact = (n: Node): boolean =>
    is(n, quantize) || is(n, dequantize) || (is(n, pointwise) && hasSteps(n.attrs.expr));
  const exact = new Set<Node>();
  for (const [v, nodes] of users) if (nodes.some(isExact)) exact.add(v.node);
  return exact;
}

const hasSteps = (e: Expr): boolean =>
  e.kind === 'call'
    ? steps.has(e.fn) || e.args.some(hasSteps)
    : e.kind === 'cast' && (isInteger(e.to) || hasSteps(e.arg));

function products(e: Expr): Expr {
  if (e.kind === 'cast') return isInteger(e.to) ? e : { ...e, arg: products(e.arg) };
  if (e.kind !== 'call' || steps.has(e.fn)) return e;
  const args = e.args.map((a) => products(a));
  const [x, by] = args;
  if (e.fn === 'div' && by?.kind === 'const' && by.dtype === 'f32') {
    const inverse = Math.fround(1 / Number(by.value));
    if (Math.abs(inverse) >= 2 ** -126 && Number.isFinite(inverse))
      return call('mul', x!, konst(inverse, 'f32'));
  }
  // Two factors are one, where neither product leaves the normal numbers.
  if (e.fn === 'mul' && by?.kind === 'const' && by.dtype === 'f32' && x?.kind === 'call' && x.fn === 'mul') {
    const inner = x.args[1]!;
    const both = inner.kind === 'const' ? Math.fround(Number(inner.value) * Number(by.value)) : Number.NaN;
    if (Math.abs(both) >= 2 ** -126 && Number.isFinite(both))
      return call('mul', x.args[0]!, konst(both, 'f32'));
  }
  return { ...e, args };
}
