import { sameShape } from '../src/ir/dim.js';
import { arg, call, type Expr, constant as konst } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { isFloat } from '../src/ir/type.js';
import { matmul } from '../src/ops/matmul.js';
import { pointwise } from '../src/ops/pointwise.js';
import { softmax } from '../src/ops/softmax.js';
import { inlineRegion } from './regions.js';
import { simplifyExpr } from './simplify-expr.js';
import { operandsOf } from './simplify-pointwise.js';

/** The softmax over the last axis behind casts and a guard against what is not a number. */
export function softmaxBehind(v: Value, readers: Readers): Value | undefined {
  if (readers(v) !== 1) return undefined;
  const nodes = new Set<Node>();
  const reading = new Map<Value, number>();
  const gather = (x: Value): void => {
    if (!is(x.node, pointwise) || nodes.size > 4 || nodes.has(x.node as unknown as Node)) return;
    nodes.add(x.node as unknown as Node);
    for (const i of x.node.inputs) {
      reading.set(i, (reading.get(i) ?? 0) + 1);
      gather(i);
    }
  };
  gather(v);
  const region = is(v.node, pointwise)
    ? inlineRegion(v.node, (n) => nodes.has(n))
    : { expr: arg(0), inputs: [v] };
  const [soft, more] = region.inputs;
  if (!soft || more || !is(soft.node, softmax)) return undefined;
  // Nobody outside may read what becomes part of the attention.
  const closed = [soft, ...[...nodes].flatMap((n) => n.outputs)].every(
    (x) => x === v || readers(x) === reading.get(x),
  );
  const { form, axis } = soft.node.attrs;
  const plain = withoutCasts(region.expr);
  const harmless = isGuard(plain) || plain.kind === 'in';
  return closed && harmless && form === 'softmax' && axis === shapeOf(soft).length - 1 ? soft : undefined;
}

/** isnan(x) ? 0 : x */
const isGuard = (e: Expr): boolean => {
  if (e.kind !== 'call' || e.fn !== 'select') return false;
  const [c, zero, x] = e.args;
  return (
    c?.kind === 'call' &&
    c.fn === 'isnan' &&
    c.args[0]?.kind === 'in' &&
    zero?.kind === 'const' &&
    Number(zero.value) === 0 &&
    x?.kind === 'in'
  );
};

/** Attention computes in f32 whatever the types in between. */
export const withoutCasts = (e: Expr): Expr =>
  e.kind === 'cast' && isFloat(e.to)
    ? withoutCasts(e.arg)
    : e.kind === 'call'
      ? { ...e, args: e.args.map(withoutCasts) }
      : e;

export interface Scores {
  readonly q: Value;
  readonly k: Value;
  readonly transB: boolean;
  readonly scale: number;
  readonly mask: { readonly expr: Expr; readonly inputs: readonly Value[] } | undefined;
}

/** The product behind a softmax, and what is done to it in between. */
export function scoresOf(soft: Value, readers: Readers): Scores | undefined {
  const nodes = new Set<Node>();
  const gather = (v: Value): void => {
    if (!is(v.node, pointwise) || nodes.size > 6 || !sameShape(shapeOf(v), shapeOf(soft)) || readers(v) !== 1)
      return;
    nodes.add(v.node as unknown as Node);
    v.node.inputs.forEach(gather);
  };
  const [x] = soft.node.inputs;
  gather(x!);
  const region = is(x!.node, pointwise)
    ? inlineRegion(x!.node, (n) => nodes.has(n))
    : { expr: arg(0), inputs: [x!] };
  const at = region.inputs.findIndex(
    (v) =>
      is(v.node, matmul) &&
      v.node.attrs.epilogue === undefined &&
      readers(v) === 1 &&
      sameShape(shapeOf(v), shapeOf(soft)),
  );
  const product = region.inputs[at]?.node;
  if (!product || !is(product, matmul) || product.attrs.transA) return undefined;
  const affine = scoreTerms(withoutCasts(region.expr), at);
  if (!affine) return undefined;
  // One number added to all scores does not change their softmax.
  const shift = affine.mask && simplifyExpr(affine.mask, region.inputs.map(dtypeOf));
  const shifts = shift?.kind === 'const' && Number.isFinite(Number(shift.value));
  const [q, k] = product.inputs as [Value, Value];
  return {
    q,
    k,
    transB: product.attrs.transB,
    scale: affine.scale,
    mask: shifts || !affine.mask ? undefined : { expr: affine.mask, inputs: region.inputs },
  };
}

interface Terms {
  readonly scale: number;
  readonly mask: Expr | undefined;
}

const plus = (a: Expr | undefined, b: Expr): Expr => (a ? call('add', a, b) : b);
const reads = (e: Expr, index: number): boolean => operandsOf(e).has(index);

/** So negative that no score shows beside it in f32. */
const hides = (e: Expr): e is Extract<Expr, { kind: 'const' }> =>
  e.kind === 'const' && Number(e.value) <= -1e8;

/** An expression as scale * operand + mask. */
export function scoreTerms(e: Expr, scores: number): Terms | undefined {
  if (e.kind === 'in') return e.index === scores ? { scale: 1, mask: undefined } : undefined;
  if (e.kind !== 'call') return undefined;
  const [a, c, d] = e.args as [Expr, Expr | undefined, Expr | undefined];
  const inner = e.args.find((x) => reads(x, scores));
  if (!inner || e.args.filter((x) => reads(x, scores)).length > 1) return undefined;
  const terms = scoreTerms(inner, scores);
  if (!terms) return undefined;
  const by = (factor: number): Terms | undefined => {
    if (!Number.isFinite(factor)) return undefined;
    const mask = terms.mask && call('mul', terms.mask, konst(factor, 'f32'));
    return { scale: terms.scale * factor, mask };
  };
  const other = a === inner ? c : a;
  switch (e.fn) {
    case 'mul':
      return other?.kind === 'const' ? by(Number(other.value)) : undefined;
    case 'div':
      return a === inner && other?.kind === 'const' ? by(1 / Number(other.value)) : undefined;
    case 'neg':
      return by(-1);
    case 'add':
      return { ...terms, mask: plus(terms.mask, other!) };
    case 'sub':
      return a === inner ? { ...terms, mask: plus(terms.mask, call('neg', other!)) } : undefined;
    case 'select': {
      const zero = konst(0, 'f32');
      if (inner === c && d && hides(d))
        return { ...terms, mask: plus(terms.mask, call('select', a, zero, d)) };
      if (inner === d && c && hides(c))
        return { ...terms, mask: plus(terms.mask, call('select', a, c, zero)) };
      return undefined;
    }
    default:
      return undefined;
  }
}
