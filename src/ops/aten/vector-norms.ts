import { broadcast } from '../../ir/dim.js';
import { arg, call, cast, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { type ReduceKind, reduce } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one } from './operands.js';
import { axesIn, several } from './reductions.js';
import { rankOf, reshaped } from './shapes.js';

/** Vector norms by their order. */
export function normOver(
  b: Build,
  x: Value,
  axes: readonly number[],
  keepdims: boolean,
  order: number,
): Value {
  const t = dtypeOf(x);
  const over = (kind: ReduceKind, v: Value): Value => b(reduce, [v], { kind, axes, keepdims });
  const size = call('abs', arg(0));
  switch (order) {
    case 2:
      return over('l2', x);
    case 1:
      return over('l1', x);
    case Number.POSITIVE_INFINITY:
      return over('max', one(b, x, size));
    case Number.NEGATIVE_INFINITY:
      return over('min', one(b, x, size));
    case 0:
      return over('sum', one(b, x, cast(t, call('ne', arg(0), numberOf(0, t)))));
    default: {
      // Powers leave the range of half precision soon.
      const wide = t === 'f64' ? t : 'f32';
      const powers = one(b, castTo(b, x, wide), call('pow', size, numberOf(order, wide)));
      return castTo(b, one(b, over('sum', powers), call('pow', arg(0), numberOf(1 / order, wide))), t);
    }
  }
}

function normed(n: AtenNode, b: Build, order: number): Value {
  const given = castTo(b, n.tensor('self'), n.result().dtype);
  const x = rankOf(given) === 0 ? reshaped(b, given, [1]) : given;
  const y = normOver(b, x, axesIn(n, x), n.flag('keepdim', false), order);
  return reshaped(b, y, n.result().shape);
}

const norm =
  (name: string): AtenConverter =>
  (n, b) =>
    normed(n, b, Number(n.number(name, 2)));

/** Of rows or columns the largest or smallest sum of sizes; the others need singular values. */
function matrixNormed(n: AtenNode, b: Build, order: number | string): Value {
  const x = castTo(b, n.tensor('self'), n.result().dtype);
  const [row, column] = n.ints('dim', [-2, -1]).map((d) => axisOf(d, rankOf(x))) as [number, number];
  const keepdims = n.flag('keepdim', false);
  if (order === 'fro') return b(reduce, [x], { kind: 'l2', axes: [row, column], keepdims });
  if (order === 'nuc' || Math.abs(Number(order)) === 2) return n.refuse('it needs singular values');
  const [over, among] = Math.abs(Number(order)) === 1 ? [row, column] : [column, row];
  const sums = b(reduce, [x], { kind: 'l1', axes: [over], keepdims: true });
  const kind = Number(order) > 0 ? 'max' : 'min';
  const y = b(reduce, [sums], { kind, axes: [among], keepdims: true });
  return reshaped(b, y, n.result().shape);
}

const linalgNorm: AtenConverter = (n, b) => {
  const order = n.has('ord') ? Number(n.number('ord')) : 2;
  const axes = n.has('dim') ? n.ints('dim').length : rankOf(n.tensor('self'));
  return n.has('ord') && axes === 2 ? matrixNormed(n, b, order) : normed(n, b, order);
};

/** The norm of differences that are never quite 0. */
const pairwise: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const [x, y] = (['x1', 'x2'] as const).map((name) => castTo(b, n.tensor(name), t));
  const eps = numberOf(Number(n.number('eps', 1e-6)), t);
  const gap = b(pointwise, [x!, y!], { expr: call('add', call('sub', arg(0), arg(1)), eps) });
  const length = normOver(b, gap, [rankOf(gap) - 1], false, Number(n.number('p', 2)));
  return reshaped(b, length, n.result().shape);
};

/** Products of vectors of the length 1; very short ones keep their direction only. */
const cosineSimilarity: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const given = (['x1', 'x2'] as const).map((name) => castTo(b, n.tensor(name), t));
  const shape = broadcast(...given.map(shapeOf)) ?? n.refuse('their extents do not fit');
  const shortest = numberOf(Number(n.number('eps', 1e-8)), t);
  if (shape.length === 0) return scalarCosine(b, given[0]!, given[1]!, shortest);
  const axis = axisOf(n.int('dim', 1), shape.length);
  const [x, y] = given.map((v) => {
    const whole = expanded(b, v, shape);
    const length = b(reduce, [whole], { kind: 'l2', axes: [axis], keepdims: true });
    return b(pointwise, [whole, length], { expr: call('div', arg(0), call('max', arg(1), shortest)) });
  });
  const products = b(pointwise, [x!, y!], { expr: call('mul', arg(0), arg(1)) });
  return b(reduce, [products], { kind: 'sum', axes: [axis], keepdims: false });
};

function scalarCosine(b: Build, x: Value, y: Value, shortest: Expr): Value {
  const unit = (e: Expr): Expr => call('div', e, call('max', call('abs', e), shortest));
  return b(pointwise, [x, y], { expr: call('mul', unit(arg(0)), unit(arg(1))) });
}

/** Vectors of the length 1 along an axis. */
const weightNorm: AtenConverter = (n, b) => {
  const [v, g] = [n.tensor('v'), n.tensor('g')];
  const axis = axisOf(n.int('dim', 0), rankOf(v));
  const axes = shapeOf(v).flatMap((_, i) => (i === axis ? [] : [i]));
  const length = b(reduce, [v], { kind: 'l2', axes, keepdims: true });
  const expr: Expr = call('mul', arg(0), call('div', arg(1), arg(2)));
  return b(pointwise, [v, g, length], { expr });
};

export const vectorNorms: AtenMap = {
  ...several('norm', ['Scalar', 'ScalarOpt_dim', 'ScalarOpt_dtype'], norm('p')),
  linalg_vector_norm: norm('ord'),
  linalg_norm: linalgNorm,
  'linalg_norm.ord_str': (n, b) => matrixNormed(n, b, n.text('ord')),
  linalg_matrix_norm: (n, b) => matrixNormed(n, b, Number(n.number('ord'))),
  'linalg_matrix_norm.str_ord': (n, b) => matrixNormed(n, b, n.text('ord', 'fro')),
  'frobenius_norm.dim': (n, b) => normed(n, b, 2),
  cosine_similarity: cosineSimilarity,
  pairwise_distance: pairwise,
  _weight_norm: weightNorm,
};
