import { type Dim, floordiv, type Shape, same, sub } from '../ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../ir/graph.js';
import type { DType } from '../ir/type.js';
import { type AttentionAttrs, type AttentionWindow, headsFirst } from './attention.js';
import { dtype as dtypeAttr, int, ints, type OnnxEmitter } from './onnx-emitter.js';

/** Attention in single steps: the operator itself is younger than the fallback's opset. */
export function attentionToOnnx(
  { attrs, inputs: values }: Node<AttentionAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string {
  const t = dtypeOf(values[0]!);
  const shapes = values.slice(0, 3).map((v, i) => headsFirst(shapeOf(v), attrs.rowsFirst[i]!));
  const [q, k, v] = inputs.slice(0, 3).map((name, i) => turned(name, attrs.rowsFirst[i]!, e));
  const [batch, heads, rows, depth] = shapes[0] as readonly [Dim, Dim, Dim, Dim];
  const [, groups, keys] = shapes[1] as readonly [Dim, Dim, Dim, Dim];
  const width = shapes[2]![3]!;
  const like = (x: number): string => scalar(x, t, e);
  const reshape = (x: string, shape: Shape): string =>
    e.one('Reshape', [x, e.dims(shape)], { allowzero: int(1) });
  const perGroup = floordiv(heads, groups);
  const grouped = reshape(q!, [batch, groups, perGroup, rows, depth]);
  const columns = e.one('Transpose', [reshape(k!, [batch, groups, 1, keys, depth])], {
    perm: ints([0, 1, 2, 4, 3]),
  });
  let scores = e.one('Mul', [e.one('MatMul', [grouped, columns]), like(attrs.scale)]);
  if (attrs.softcap > 0) {
    const cap = like(attrs.softcap);
    scores = e.one('Mul', [e.one('Tanh', [e.one('Div', [scores, cap])]), cap]);
  }
  scores = reshape(scores, [batch, heads, rows, keys]);
  const lengths = attrs.lengths
    ? e.one('Reshape', [inputs[3 + Number(attrs.mask)], e.constant('i64', [4], [-1, 1, 1, 1])])
    : undefined;
  const masks = [
    attrs.mask ? additive(inputs[3]!, shapeOf(values[3]!), dtypeOf(values[3]!), keys, t, e) : undefined,
    attrs.window || lengths ? seenBias(attrs.window ?? {}, lengths, rows, keys, t, e) : undefined,
  ].filter((m) => m !== undefined);
  for (const m of masks) scores = e.one('Add', [scores, m]);
  let shares = e.one('Softmax', [scores], { axis: int(-1) });
  if (masks.length > 0) {
    const all = masks.reduce((a, m) => e.one('Add', [a, m]));
    const best = e.one('ReduceMax', [all, e.constant('i64', [1], [-1])], { keepdims: int(1) });
    const none = e.one('Equal', [best, like(Number.NEGATIVE_INFINITY)]);
    shares = e.one('Where', [none, like(0), shares]);
  }
  const wide = reshape(shares, [batch, groups, perGroup, rows, keys]);
  const out = e.one('MatMul', [wide, reshape(v!, [batch, groups, 1, keys, width])]);
  return turned(reshape(out, [batch, heads, rows, width]), attrs.rowsFirst[3], e);
}

const scalar = (x: number, t: DType, e: OnnxEmitter): string =>
  e.one('Cast', [e.constant('f32', [], [x])], { to: dtypeAttr(t) });

const turned = (x: string, turn: boolean, e: OnnxEmitter): string =>
  turn ? e.one('Transpose', [x], { perm: ints([0, 2, 1, 3]) }) : x;

/** A mask as what is added to the scores. */
function additive(x: string, shape: Shape, from: DType, keys: Dim, t: DType, e: OnnxEmitter): string {
  const none = scalar(Number.NEGATIVE_INFINITY, t, e);
  const added = from === 'bool' ? e.one('Where', [x, scalar(0, t, e), none]) : x;
  const missing = sub(keys, shape.at(-1)!);
  if (same(missing, 0)) return added;
  const before = shape.map(() => 0);
  return e.one('Pad', [added, e.dims([...before, ...before.slice(1), missing]), none]);
}

function seenBias(
  w: AttentionWindow,
  lengths: string | undefined,
  rows: Dim,
  keys: Dim,
  t: DType,
  e: OnnxEmitter,
): string {
  const range = (n: Dim): string => e.one('Range', [e.dim(0), e.dim(n), e.dim(1)]);
  const j = range(keys);
  const i = e.one('Unsqueeze', [range(rows), e.constant('i64', [1], [1])]);
  const offset = lengths ? e.one('Sub', [lengths, e.dim(rows)]) : e.dim(w.offset ?? 0);
  const distance = e.one('Sub', [j, e.one('Add', [i, offset])]);
  const limits = [
    lengths && e.one('Less', [j, lengths]),
    w.right === undefined ? undefined : e.one('LessOrEqual', [distance, e.dim(w.right)]),
    w.left === undefined ? undefined : e.one('GreaterOrEqual', [distance, e.dim(-w.left)]),
  ].filter((x) => x !== undefined);
  const seen = limits.reduce((a, b) => e.one('And', [a, b]));
  return e.one('Where', [seen, scalar(0, t, e), scalar(Number.NEGATIVE_INFINITY, t, e)]);
}
