import type { Dim } from '../../ir/dim.js';
import { numel } from '../../ir/dim.js';
import { arg, call, type Expr, constant as konst } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { attention } from '../attention.js';
import { castTo } from '../cast.js';
import { matmul } from '../matmul.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { softmaxOf } from '../softmax.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf } from './operands.js';
import { reshaped } from './shapes.js';

function scaleOf(n: AtenNode, depth: Dim): number {
  if (n.has('scale')) return Number(n.number('scale'));
  return typeof depth === 'number'
    ? 1 / Math.sqrt(depth)
    : n.refuse('the size of a head is not known before the model runs');
}

/** Tensors [..., L, D] as [B, H, L, D]. */
function fourAxes(b: Build, v: Value): Value {
  const shape = shapeOf(v);
  if (shape.length === 4) return v;
  if (shape.length === 3) return reshaped(b, v, [1, ...shape]);
  if (shape.length === 2) return reshaped(b, v, [1, 1, ...shape]);
  return reshaped(b, v, [numel(shape.slice(0, -3)), ...shape.slice(-3)]);
}

const scaledDotProduct: AtenConverter = (n, b) => {
  if (Number(n.number('dropout_p', 0)) > 0) return n.refuse('it drops out: call .eval() first');
  const t = n.result().dtype;
  const [q, k, v] = (['query', 'key', 'value'] as const).map((name) => castTo(b, n.tensor(name), t));
  const scale = scaleOf(n, shapeOf(q!).at(-1)!);
  const causal = n.flag('is_causal', false);
  const mask = n.optional('attn_mask') ?? n.optional('attn_bias');
  const rank = shapeOf(q!).length;
  if (t === 'f32' && rank <= 4) {
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
  if (n.flag('enable_gqa', false)) return n.refuse('heads share keys in another type than float32');
  const factor = numberOf(scale, t);
  let scores = b(matmul, [q!, k!], { transA: false, transB: true, epilogue: call('mul', arg(0), factor) });
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
