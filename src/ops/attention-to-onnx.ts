import { type Dim, floordiv, type Shape, same, sub } from '../ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../ir/graph.js';
import type { DType } from '../ir/type.js';
import { type AttentionAttrs, type AttentionWindow, headsFirst } from './attention.js';
import { operandShapes } from './attention-parts.js';
import { dtype as dtypeAttr, float, int, ints, type OnnxEmitter } from './onnx-emitter.js';

/** The operator itself since opset 23 where it means the same, otherwise attention in single steps. */
export function attentionToOnnx(
  node: Node<AttentionAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string {
  const whole = e.opset >= 23 ? asOperator(node, inputs, e) : undefined;
  if (whole !== undefined) return whole;
  const { attrs, inputs: values } = node;
  const t = dtypeOf(values[0]!);
  const shapes = operandShapes(values.map(shapeOf), attrs.parts).map((s, i) =>
    headsFirst(s, attrs.rowsFirst[i]!),
  );
  const [q, k, v] = inputs.slice(0, 3).map((name, i) => turned(name, attrs.rowsFirst[i]!, e));
  const [batch, heads, rows, depth] = shapes[0] as readonly [Dim, Dim, Dim, Dim];
  const [, groups, keys] = shapes[1] as readonly [Dim, Dim, Dim, Dim];
  const width = shapes[2]![3]!;
  const like = (x: number): string => scalar(x, t, e);
  const reshape = (x: string, shape: Shape): string =>
    e.one('Reshape', [x, e.dims(shape)], { allowzero: int(1) });
  const isShared = !same(heads, groups);
  const perGroup = floordiv(heads, groups);
  const grouped = (x: string, shape: Shape): string => (isShared ? reshape(x, shape) : x);
  const columns = e.one('Transpose', [grouped(k!, [batch, groups, 1, keys, depth])], {
    perm: ints(isShared ? [0, 1, 2, 4, 3] : [0, 1, 3, 2]),
  });
  const products = e.one('MatMul', [grouped(q!, [batch, groups, perGroup, rows, depth]), columns]);
  let scores = e.one('Mul', [products, like(attrs.scale)]);
  if (attrs.softcap > 0) {
    const cap = like(attrs.softcap);
    scores = e.one('Mul', [e.one('Tanh', [e.one('Div', [scores, cap])]), cap]);
  }
  scores = grouped(scores, [batch, heads, rows, keys]);
  const lengths = attrs.lengths
    ? e.one('Reshape', [inputs[3 + Number(attrs.mask)], e.constant('i64', [4], [-1, 1, 1, 1])])
    : undefined;
  const masks = [
    attrs.mask ? additive(inputs[3]!, shapeOf(values[3]!), dtypeOf(values[3]!), keys, t, e) : undefined,
    attrs.window || lengths ? seenBias(attrs.window ?? {}, lengths, rows, keys, t, e) : undefined,
  ].filter((m) => m !== undefined);
  for (const m of masks) scores = e.one('Add', [scores, m]);
  let shares = e.one('Softmax', [scores], { axis: int(-1) });
  if (masks.length > 0 && !isCausal(attrs)) {
    const all = masks.reduce((a, m) => e.one('Add', [a, m]));
    const best = e.one('ReduceMax', [all, e.constant('i64', [1], [-1])], { keepdims: int(1) });
    const none = e.one('Equal', [best, like(Number.NEGATIVE_INFINITY)]);
    shares = e.one('Where', [none, like(0), shares]);
  }
  const wide = grouped(shares, [batch, groups, perGroup, rows, keys]);
  const out = e.one('MatMul', [wide, grouped(v!, [batch, groups, 1, keys, width])]);
  return turned(grouped(out, [batch, heads, rows, width]), attrs.rowsFirst[3], e);
}

/** Every query sees itself and what is before it, so that none is left without keys. */
const isCausal = ({ window: w, mask, lengths }: AttentionAttrs): boolean =>
  !mask && !lengths && w !== undefined && w.left === undefined && w.right === 0 && w.offset === 0;

/** The operator yields no zeros where a query is left no key: those are put in behind it. */
function asOperator(
  { attrs, inputs: values }: Node<AttentionAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string | undefined {
  const mask = attrs.mask ? values[3]! : undefined;
  const keys = headsFirst(operandShapes(values.map(shapeOf), attrs.parts)[1], attrs.rowsFirst[1])[2]!;
  const isPlain = !attrs.lengths && attrs.softcap === 0 && (!attrs.window || isCausal(attrs));
  if (!isPlain || dtypeOf(values[0]!) !== 'f32') return undefined;
  if (mask && (shapeOf(mask).length < 2 || !same(shapeOf(mask).at(-1)!, keys))) return undefined;
  const given = inputs.slice(0, 3).map((name, i) => turned(name, attrs.rowsFirst[i]!, e));
  const y = e.one('Attention', [...given, mask && inputs[3]], {
    scale: float(attrs.scale),
    is_causal: int(attrs.window !== undefined),
  });
  return turned(mask ? zeroWhereUnseen(y, inputs[3]!, dtypeOf(mask), e) : y, attrs.rowsFirst[3], e);
}

function zeroWhereUnseen(y: string, mask: string, from: DType, e: OnnxEmitter): string {
  const best = e.one('ReduceMax', [mask, e.constant('i64', [1], [-1])], { keepdims: int(1) });
  const none = scalar(Number.NEGATIVE_INFINITY, 'f32', e);
  const seen = from === 'bool' ? best : e.one('Greater', [best, none]);
  return e.one('Where', [seen, y, scalar(0, 'f32', e)]);
}

const scalar = (x: number, t: DType, e: OnnxEmitter): string =>
  t === 'f32' || t === 'f64'
    ? e.constant(t, [], [x])
    : e.one('Cast', [e.constant('f32', [], [x])], { to: dtypeAttr(t) });

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
