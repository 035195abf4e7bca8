import { type Dim, floordiv } from '../ir/dim.js';
import { arg, call, cast, type Expr, constant as konst } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import type { DType } from '../ir/type.js';
import { roundedTo } from './flex-attention.js';
import { matmul } from './matmul.js';
import type { Build } from './op.js';
import { pointwise } from './pointwise.js';
import { reduced } from './reduce.js';
import { reshape } from './reshape.js';
import { softmaxOf } from './softmax.js';

export interface Scores {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly bias: Value | undefined;
  readonly scale: number;
  readonly softcap: number;
  readonly precision: DType;
  /** Which stage of the scores is asked for: 0 products, 1 capped, 2 biased, 3 shares. */
  readonly mode: number;
}

/** Softmax over the keys; of narrow floats in the steps of the standard's function, each of which rounds. */
function steps(b: Build, x: Value): Value {
  const t = dtypeOf(x);
  if (t === 'f32' || t === 'f64') return softmaxOf(b, 'softmax', x, 3);
  const below = b(pointwise, [x, reduced(b, 'max', x, [3])], { expr: call('sub', arg(0), arg(1)) });
  const powers = b(pointwise, [below], { expr: call('exp', arg(0)) });
  return b(pointwise, [powers, reduced(b, 'sum', powers, [3])], { expr: call('div', arg(0), arg(1)) });
}

/** Attention in single steps, rounded to the element type where the standard's function rounds. */
export function writtenOut(b: Build, s: Scores): readonly [Value, Value] {
  const t = dtypeOf(s.q);
  const [batch, heads, rows, depth] = shapeOf(s.q) as readonly [Dim, Dim, Dim, Dim];
  const [, groups, keys] = shapeOf(s.k) as readonly [Dim, Dim, Dim];
  const width = shapeOf(s.v)[3]!;
  const perGroup = floordiv(heads, groups);
  const one = (x: Value, expr: Expr): Value => b(pointwise, [x], { expr });
  const factor = roundedTo(Math.sqrt(s.scale), t);
  const scaled = (x: Value): Value => one(x, call('mul', arg(0), factor));
  const plain = { transA: false, transB: false };

  const wide = b(reshape, [scaled(s.q)], { shape: [batch, groups, perGroup, rows, depth] });
  const narrow = b(reshape, [scaled(s.k)], { shape: [batch, groups, 1, keys, depth] });
  const products = b(reshape, [b(matmul, [wide, narrow], { ...plain, transB: true })], {
    shape: [batch, heads, rows, keys],
  });
  const cap = roundedTo(s.softcap, t);
  const capped =
    s.softcap > 0
      ? one(one(one(products, call('div', arg(0), cap)), call('tanh', arg(0))), call('mul', arg(0), cap))
      : products;
  const biased = s.bias ? b(pointwise, [capped, s.bias], { expr: call('add', arg(0), arg(1)) }) : capped;
  const exact = s.precision === t ? biased : one(biased, cast(s.precision, arg(0)));
  let shares = steps(b, exact);
  if (s.bias) {
    const best = reduced(b, 'max', s.bias, [shapeOf(s.bias).length - 1]);
    shares = b(pointwise, [shares, best], {
      expr: call(
        'select',
        call('eq', arg(1), konst(Number.NEGATIVE_INFINITY, t)),
        konst(0, s.precision),
        arg(0),
      ),
    });
  }
  if (s.precision !== t) shares = one(shares, cast(t, arg(0)));
  const left = b(reshape, [shares], { shape: [batch, groups, perGroup, rows, keys] });
  const values = dtypeOf(s.v) === t ? s.v : one(s.v, cast(t, arg(0)));
  const right = b(reshape, [values], { shape: [batch, groups, 1, keys, width] });
  const y = b(reshape, [b(matmul, [left, right], plain)], { shape: [batch, heads, rows, width] });
  return [y, [products, capped, biased, shares][s.mode] ?? products];
}
