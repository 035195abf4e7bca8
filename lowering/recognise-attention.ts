import { broadcast, type Shape, same, sameShape } from '../src/ir/dim.js';
import { arg, type Expr, mapOperands } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { type DType, isFloat } from '../src/ir/type.js';
import { type AttentionAttrs, attention } from '../src/ops/attention.js';
import { matmul } from '../src/ops/matmul.js';
import { type Build, builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { attentionHeads } from './attention-heads.js';
import { scoresOf, scoreTerms, softmaxBehind, withoutCasts } from './attention-scores.js';
import { composed, isIdentity, keepsLast, lastTwo, swapsHeads } from './permutations.js';
import { simplifyExpr } from './simplify-expr.js';
import { transposedBy } from './simplify-movement.js';
import { operandsOf, tidied } from './simplify-pointwise.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * Finds attention in its parts: softmax(scale * Q Kᵀ + mask) V, where the scale may lie on the queries, the
 * keys or the scores, the mask may be added or selected with a very negative number, and what is not a number
 * may be made zero after the softmax. One operator then keeps the scores in the cache instead of writing them
 * three times. Transposes that bring heads in front of rows become flags of it. Runs on the model's own
 * nodes, after simplification.
 */
export const recogniseAttention = (compiles: (n: Node) => boolean): SyncPass => ({
  name: 'recognise-attention',
  run: (g) => settle(g, [on(matmul, (n, readers) => asAttention(n, readers, compiles)), ...attentionHeads]),
});

type Matmul = Node<{ transA: boolean; transB: boolean; epilogue?: Expr | undefined }>;

function asAttention(node: Matmul, readers: Readers, compiles: (n: Node) => boolean): Value | undefined {
  const [weights, v] = node.inputs;
  const out = shapeOf(node.outputs[0]!);
  const rank = out.length;
  if (node.attrs.transA || node.attrs.transB || node.attrs.epilogue || (rank !== 4 && rank !== 3))
    return undefined;
  const soft = softmaxBehind(weights!, readers);
  if (!soft || !isFloat(dtypeOf(v!)) || shapeOf(v!).length !== rank) return undefined;
  const scores = scoresOf(soft, readers);
  if (!scores) return undefined;
  const [q, k] = [unscaled(scores.q, readers), keysOf(scores.k, scores.transB, readers)];
  if (!k) return undefined;
  const b = builder(node.origin);
  const rows = [...out.slice(0, -1)];
  const mask = scores.mask && maskValue(b, scores.mask, rows, shapeOf(k.value).at(-2)!, dtypeOf(v!));
  if (scores.mask && !mask) return undefined;
  const batches = [q.value, k.value, v!].map((x) => shapeOf(x).slice(0, -2));
  // Broadcast batches are left to the products.
  if (!batches.every((s) => sameShape(s, out.slice(0, -2)))) return undefined;
  if (dtypeOf(q.value) !== dtypeOf(v!) || dtypeOf(k.value) !== dtypeOf(v!)) return undefined;
  const scale = scores.scale * q.scale * k.scale;
  if (!Number.isFinite(scale)) return undefined;
  const four = (x: Value): Value => (rank === 4 ? x : b(reshape, [x], { shape: withHead(shapeOf(x)) }));
  const attrs: AttentionAttrs = {
    scale,
    softcap: 0,
    mask: mask !== undefined,
    lengths: false,
    rowsFirst: [false, false, false, false],
  };
  const parts = [four(q.value), four(transposedBy(b, k.value, k.perm)), four(v!)];
  const masks = mask ? [rank === 4 || shapeOf(mask).length < 3 ? mask : four(mask)] : [];
  const made = b(attention, [...parts, ...masks], attrs);
  if (!compiles(made.node)) return undefined;
  return rank === 4 ? made : b(reshape, [made], { shape: out });
}

/** [B, L, D] as one head of [B, 1, L, D]. */
const withHead = ([first, ...rest]: Shape): Shape => [first!, 1, ...rest];

/** The mask as a value of its own, when it can be broadcast as attention does. */
function maskValue(
  b: Build,
  { expr, inputs }: { readonly expr: Expr; readonly inputs: readonly Value[] },
  rows: Shape,
  keys: Shape[number],
  dtype: DType,
): Value | undefined {
  const used = [...operandsOf(expr)];
  const own = used.map((i) => inputs[i]!);
  const types = own.map(dtypeOf);
  const narrowed = mapOperands(expr, (i) => arg(used.indexOf(i)));
  if (own.length === 0) return undefined;
  const wanted = dtype === 'f32' ? narrowed : undefined;
  const direct = narrowed.kind === 'in' && types[narrowed.index] === dtype ? own[narrowed.index] : undefined;
  const shape = broadcast(...own.map(shapeOf));
  if (!shape || (!direct && !wanted)) return undefined;
  const operation = tidied({ inputs: own, expr: simplifyExpr(wanted ?? narrowed, types) }, shape);
  const mask =
    direct ??
    (types.every((t) => t === 'f32' || !isFloat(t))
      ? b(pointwise, operation.inputs, { expr: operation.expr })
      : undefined);
  if (!mask || dtypeOf(mask) !== dtype || shape.length === 0 || !same(shape.at(-1)!, keys)) return undefined;
  const lead = broadcast(rows, shape.slice(0, -1));
  return lead && sameShape(lead, rows) && shape.length <= rows.length + 1 ? mask : undefined;
}

/** A value before it is multiplied by a number. */
function unscaled(v: Value, readers: Readers): { readonly value: Value; readonly scale: number } {
  if (!is(v.node, pointwise) || v.node.inputs.length !== 1 || readers(v) !== 1) return { value: v, scale: 1 };
  const terms = scoreTerms(withoutCasts(v.node.attrs.expr), 0);
  const [x] = v.node.inputs;
  if (!terms || terms.mask || !sameShape(shapeOf(x!), shapeOf(v))) return { value: v, scale: 1 };
  const inner = unscaled(x!, readers);
  return { value: inner.value, scale: inner.scale * terms.scale };
}

interface Keys {
  readonly value: Value;
  readonly scale: number;
  /** What brings them to [.., S, D]. */
  readonly perm: readonly number[];
}

/** Keys as [.., S, D]. Exchanging their axes must be free, or it is better left to the product. */
function keysOf(v: Value, transB: boolean, readers: Readers): Keys | undefined {
  const stay = shapeOf(v).map((_, i) => i);
  const { value, scale } = unscaled(v, readers);
  if (transB) return { value, scale, perm: stay };
  const split = is(value.node, reshape) && keysOfBatches(value, value.node.inputs[0]!);
  if (split) return { value: split, scale, perm: stay };
  if (!is(value.node, transpose)) return undefined;
  const perm = composed(lastTwo(stay.length), value.node.attrs.perm);
  const cheap = isIdentity(perm) || swapsHeads(perm);
  if (!cheap) return undefined;
  const b = builder(value.node.origin);
  const direct = transposedBy(b, value.node.inputs[0]!, perm);
  return { value: direct, scale: scale * unscaled(direct, readers).scale, perm: stay };
}

/** Transposed keys whose leading axis is divided into samples and heads behind the transpose, as [.., S, D]. */
function keysOfBatches(v: Value, whole: Value): Value | undefined {
  const [d, s] = shapeOf(v).slice(-2);
  const turn = whole.node;
  if (!is(turn, transpose) || !sameShape(shapeOf(whole).slice(-2), [d!, s!])) return undefined;
  const { perm } = turn.attrs;
  const turned = composed(lastTwo(perm.length), perm);
  // Elements of a key must lie together, or exchanging their axes is left to the product.
  if (!keepsLast(turned)) return undefined;
  const b = builder(v.node.origin);
  const shape = [...shapeOf(v).slice(0, -2), s!, d!];
  return b(reshape, [transposedBy(b, turn.inputs[0]!, turned)], { shape });
}
