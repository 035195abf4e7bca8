import { broadcast, type Dim, floordiv, numel, same } from '../../ir/dim.js';
import { arg, call, cast, type Expr, constant as konst } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { attention } from '../attention.js';
import { castTo } from '../cast.js';
import { dims } from '../constant.js';
import { expanded } from '../expand.js';
import { matmul } from '../matmul.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { softmaxOf } from '../softmax.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf } from './operands.js';
import { reshaped } from './shapes.js';

/** What the scores are multiplied by; where the size of a head is not known, nothing. */
function scaleOf(n: AtenNode, depth: Dim): number | undefined {
  if (n.has('scale')) return Number(n.number('scale'));
  return typeof depth === 'number' ? 1 / Math.sqrt(depth) : undefined;
}

/** Of the axes before the last two every operand has all; keys may be shared by several heads. */
function sameHeads(n: AtenNode, b: Build, given: readonly Value[]): readonly Value[] {
  const rank = Math.max(...given.map((v) => shapeOf(v).length));
  const values = given.map((v) =>
    reshaped(b, v, [...Array.from({ length: rank - shapeOf(v).length }, () => 1), ...shapeOf(v)]),
  );
  const grouped = n.flag('enable_gqa', false);
  const heads = shapeOf(values[0]!).at(-3) ?? 1;
  const lead = rank > 2 ? rank - 3 : 0;
  const batch = broadcast(...values.map((v) => shapeOf(v).slice(0, lead))) ?? [];
  return values.map((v) => {
    const own = shapeOf(v);
    if (rank < 3) return v;
    const few = own.at(-3)!;
    const many = grouped ? heads : broadcast(...values.map((x) => [shapeOf(x).at(-3)!]))![0]!;
    const tail = own.slice(-2);
    if (!grouped || same(few, many) || few === 1) return expanded(b, v, [...batch, many, ...tail]);
    const apart = reshaped(b, v, [...own.slice(0, lead), few, 1, ...tail]);
    const wide = expanded(b, apart, [...batch, few, floordiv(many, few), ...tail]);
    return reshaped(b, wide, [...batch, many, ...tail]);
  });
}

/** Tensors [..., L, D] as [B, H, L, D]. */
function fourAxes(b: Build, v: Value): Value {
  const shape = shapeOf(v);
  if (shape.length === 4) return v;
  if (shape.length === 3) return reshaped(b, v, [1, ...shape]);
  if (shape.length === 2) return reshaped(b, v, [1, 1, ...shape]);
  return reshaped(b, v, [numel(shape.slice(0, -3)), ...shape.slice(-3)]);
}

function scaledScores(b: Build, q: Value, k: Value, scale: number | undefined): Value {
  const t = dtypeOf(q);
  const attrs = { transA: false, transB: true };
  if (scale !== undefined)
    return b(matmul, [q, k], { ...attrs, epilogue: call('mul', arg(0), numberOf(scale, t)) });
  const depth = b(dims, [], { dims: [shapeOf(q).at(-1)!], dtype: 'i64', shape: [] });
  return b(pointwise, [b(matmul, [q, k], attrs), depth], {
    expr: call('mul', arg(0), call('rsqrt', cast(t, arg(1)))),
  });
}

const scaledDotProduct: AtenConverter = (n, b) => {
  if (Number(n.number('dropout_p', 0)) > 0) return n.refuse('it drops out: call .eval() first');
  const t = n.result().dtype;
  const given = (['query', 'key', 'value'] as const).map((name) => castTo(b, n.tensor(name), t));
  const uneven = given.some((x) => shapeOf(x).length !== shapeOf(given[0]!).length);
  const scale = scaleOf(n, shapeOf(given[0]!).at(-1)!);
  const causal = n.flag('is_causal', false);
  const mask = n.optional('attn_mask') ?? n.optional('attn_bias');
  const rank = shapeOf(given[0]!).length;
  const known = t === 'f32' && rank <= 4 && scale !== undefined;
  const [q, k, v] = known && !uneven ? given : sameHeads(n, b, given);
  if (known) {
    const given = mask && (dtypeOf(mask) === 'bool' ? mask : castTo(b, mask, t));
    const [lq, lk, lv] = [q!, k!, v!].map((x) => fourAxes(b, x));
    const window = causal ? { offset: 0, left: undefined, right: 0 } : undefined;
    const y = b(attention, [lq!, lk!, lv!, ...(given ? [given] : [])], {
      scale,
      softcap: 0,
      window,
      mask: given !== undefined,
      lengths: false,
      rowsFirst: [false, false, false, false],
    });
    return reshaped(b, y, n.result().shape);
  }
  let scores = scaledScores(b, q!, k!, scale);
  const lowest: Expr = konst(Number.NEGATIVE_INFINITY, t);
  if (mask) {
    const bias =
      dtypeOf(mask) === 'bool' ? call('select', arg(1), arg(0), lowest) : call('add', arg(0), arg(1));
    scores = b(pointwise, [scores, dtypeOf(mask) === 'bool' ? mask : castTo(b, mask, t)], { expr: bias });
  }
  if (causal) {
    const [rows, keys] = shapeOf(scores).slice(-2) as [Dim, Dim];
    const index = (count: Dim): Value => b(iota, [], { start: 0, step: 1, count, dtype: 'i64' });
    const seen = call('ge', arg(1), arg(2));
    scores = b(pointwise, [scores, reshaped(b, index(rows), [rows, 1]), index(keys)], {
      expr: call('select', seen, arg(0), lowest),
    });
  }
  const shares = softmaxOf(b, 'softmax', scores, shapeOf(scores).length - 1);
  return b(matmul, [shares, v!], { transA: false, transB: false });
};

/** The forms after decomposition give statistics for training as well. */
const withStatistics: AtenConverter = (n, b) => {
  for (let i = 1; i < n.outputCount; i++) if (n.wants(i)) return n.refuse('its statistics are read');
  return [scaledDotProduct(n, b)].flat().slice(0, 1);
};

export const attentions: AtenMap = {
  scaled_dot_product_attention: scaledDotProduct,
  _scaled_dot_product_flash_attention_for_cpu: withStatistics,
  _scaled_dot_product_efficient_attention: withStatistics,
};
