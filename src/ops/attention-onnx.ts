import { type Dim, floordiv, mul as mulDims, type Shape, same, sub } from '../ir/dim.js';
import { arg, call, cast, type Expr, constant as konst } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import type { DType } from '../ir/type.js';
import { type AttentionWindow, attention } from './attention.js';
import { writtenOut } from './attention-steps.js';
import { concat } from './concat.js';
import { constant } from './constant.js';
import { dtypeAttr } from './onnx-dtype.js';
import type { Build, SourceNode } from './op.js';
import { pad } from './pad.js';
import { pointwise } from './pointwise.js';
import { iota } from './range.js';
import { reshape } from './reshape.js';
import { transpose } from './transpose.js';

const lowest = (t: DType): Expr => konst(Number.NEGATIVE_INFINITY, t);
const zero = (t: DType): Expr => konst(0, t);

/** ONNX Attention. What wants intermediate results, or softmax in f64, is written out with simpler operators. */
export function convertAttention(n: SourceNode, b: Build): readonly Value[] {
  const flat = shapeOf(n.input(0)).length === 3;
  const [pastKey, pastValue] = [n.optional(4), n.optional(5)];
  const t = dtypeOf(n.input(0));
  const precision = dtypeAttr(n, 'softmax_precision') ?? t;
  const typed = [1, 2].every((i) => dtypeOf(n.input(i)) === t);
  const simple = [t, precision].every((x) => /^(f32|f16|bf16)$/.test(x)) && typed && !n.wants(3);
  // Rows need not be brought behind heads where nobody asks for keys and values in that order.
  const rowsFirst = flat && simple && !pastKey && !n.wants(1) && !n.wants(2);
  const split = rowsFirst ? apartHeads : splitHeads;
  const heads = (i: number, attr: string): Value => (flat ? split(b, n.input(i), n.int(attr)) : n.input(i));
  const q = heads(0, 'q_num_heads');
  const join = (past: Value | undefined, now: Value): Value =>
    past ? b(concat, [past, now], { axis: 2 }) : now;
  const k = join(pastKey, heads(1, 'kv_num_heads'));
  const v = join(pastValue, heads(2, 'kv_num_heads'));

  const depth = shapeOf(q)[3]!;
  const scale = n.has('scale')
    ? n.float('scale')
    : typeof depth === 'number'
      ? 1 / Math.sqrt(depth)
      : n.decline('the size of a head is not known before the model runs');
  // What is no number caps nothing.
  const softcap = n.float('softcap', 0) || 0;
  const lengths = pastKey ? undefined : n.optional(6);
  const window = windowOf(n, lengths ? undefined : pastKey ? shapeOf(pastKey)[2]! : 0);
  const given = n.optional(3);

  if (simple) {
    const mask = given && (dtypeOf(given) === 'bool' || dtypeOf(given) === t ? given : additive(b, given, t));
    const y = b(attention, [q, k, v, ...(mask ? [mask] : []), ...(lengths ? [lengths] : [])], {
      scale,
      softcap,
      window,
      mask: mask !== undefined,
      lengths: lengths !== undefined,
      rowsFirst: [rowsFirst, rowsFirst, rowsFirst, rowsFirst],
    });
    return [flat ? (rowsFirst ? sideBySide(b, y) : joinHeads(b, y)) : y, k, v];
  }
  const seen = lengths
    ? lengthBias(b, q, k, lengths, window, t)
    : window && windowBias(b, shapeOf(q)[2]!, shapeOf(k)[2]!, window, t);
  const bias = sum(b, given && filled(b, additive(b, given, t), shapeOf(k)[2]!), seen);
  const mode = n.int('qk_matmul_output_mode', 0);
  const [y, scores] = writtenOut(b, { q, k, v, bias, scale, softcap, precision, mode });
  return [flat ? joinHeads(b, y) : y, k, v, scores];
}

/** [B, L, H * D] to [B, L, H, D]. */
function apartHeads(b: Build, x: Value, heads: number): Value {
  const [batch, rows, hidden] = shapeOf(x);
  return b(reshape, [x], { shape: [batch!, rows!, heads, floordiv(hidden!, heads)] });
}

/** [B, L, H, D] to [B, L, H * D]. */
function sideBySide(b: Build, x: Value): Value {
  const [batch, rows, heads, depth] = shapeOf(x);
  return b(reshape, [x], { shape: [batch!, rows!, mulDims(heads!, depth!)] });
}

/** [B, L, H * D] to [B, H, L, D]. */
export const splitHeads = (b: Build, x: Value, heads: number): Value =>
  b(transpose, [apartHeads(b, x, heads)], { perm: [0, 2, 1, 3] });

/** [B, H, L, D] to [B, L, H * D]. */
export const joinHeads = (b: Build, x: Value): Value =>
  sideBySide(b, b(transpose, [x], { perm: [0, 2, 1, 3] }));

/** The window that is_causal and the window sizes make, for `offset` keys in front of the queries. */
function windowOf(n: SourceNode, offset: Dim | undefined): AttentionWindow | undefined {
  const bound = (attr: string): number | undefined => {
    const size = n.int(attr, -1);
    return size < 0 ? undefined : size;
  };
  const left = bound('left_window_size');
  const right = n.int('is_causal', 0) === 1 ? 0 : bound('right_window_size');
  return left === undefined && right === undefined ? undefined : { offset, left, right };
}

const sum = (b: Build, x: Value | undefined, y: Value | undefined): Value | undefined =>
  x && y ? b(pointwise, [x, y], { expr: call('add', arg(0), arg(1)) }) : (x ?? y);

/** A mask as what is added to scores. */
function additive(b: Build, mask: Value, t: DType): Value {
  if (dtypeOf(mask) === 'bool')
    return b(pointwise, [mask], { expr: call('select', arg(0), zero(t), lowest(t)) });
  return dtypeOf(mask) === t ? mask : b(pointwise, [mask], { expr: cast(t, arg(0)) });
}

/** A mask filled up to `keys` with -inf. */
function filled(b: Build, mask: Value, keys: Dim): Value {
  const shape = shapeOf(mask);
  const missing = sub(keys, shape.at(-1)!);
  if (same(missing, 0)) return mask;
  const none = shape.map(() => 0);
  const fill = b(constant, [], { value: scalarLiteral(dtypeOf(mask), Number.NEGATIVE_INFINITY) });
  return b(pad, [mask, fill], { before: none, after: [...none.slice(1), missing], mode: 'constant' });
}

const counter = (b: Build, count: Dim, shape: Shape): Value =>
  b(reshape, [b(iota, [], { start: 0, step: 1, count, dtype: 'i64' })], { shape });

/** i + offset - left <= j <= i + offset + right, where `start` is i + offset. */
function inWindow(start: Expr, j: Expr, w: AttentionWindow): readonly Expr[] {
  const at = (by: number): Expr => (by === 0 ? start : call('add', start, konst(BigInt(by), 'i64')));
  return [
    ...(w.left === undefined ? [] : [call('ge', j, at(-w.left))]),
    ...(w.right === undefined ? [] : [call('le', j, at(w.right))]),
  ];
}

const masked = (conditions: readonly Expr[], t: DType): Expr =>
  call(
    'select',
    conditions.reduce((x, y) => call('and', x, y)),
    zero(t),
    lowest(t),
  );

function windowBias(b: Build, rows: Dim, keys: Dim, w: AttentionWindow, t: DType): Value {
  const start = b(reshape, [b(iota, [], { start: w.offset ?? 0, step: 1, count: rows, dtype: 'i64' })], {
    shape: [rows, 1],
  });
  const expr = masked(inWindow(arg(0), arg(1), w), t);
  return b(pointwise, [start, counter(b, keys, [keys])], { expr });
}

/** The mask of keys beyond each sample's length; the window counts from there. */
function lengthBias(
  b: Build,
  q: Value,
  k: Value,
  lengths: Value,
  window: AttentionWindow | undefined,
  t: DType,
): Value {
  const [batch, , rows] = shapeOf(q);
  const keys = shapeOf(k)[2]!;
  const perSample = b(reshape, [lengths], { shape: [batch!, 1, 1, 1] });
  const j = counter(b, keys, [keys]);
  if (!window) return b(pointwise, [perSample, j], { expr: masked([call('lt', arg(1), arg(0))], t) });
  // Row i stands at length - rows + i.
  const i = b(reshape, [b(iota, [], { start: mulDims(-1, rows!), step: 1, count: rows!, dtype: 'i64' })], {
    shape: [rows!, 1],
  });
  const start = call('add', arg(0), arg(2));
  const expr = masked([call('lt', arg(1), arg(0)), ...inWindow(start, arg(1), window)], t);
  return b(pointwise, [perSample, j, i], { expr });
}
