import { type Dim, numel } from '../../ir/dim.js';
import { arg, call, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { isFloat } from '../../ir/type.js';

import { argReduce } from '../arg-reduce.js';
import { castTo } from '../cast.js';
import { cumulate } from '../cumulate.js';
import { gatherElements } from '../gather.js';
import { axesOf, axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { type ReduceKind, reduce } from '../reduce.js';
import { topK } from '../top-k.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one, scalarValue } from './operands.js';
import { reshaped } from './shapes.js';

const rankOf = (v: Value): number => shapeOf(v).length;

/** The axes given by `dim`; none or an empty list means all. */
function axesIn(n: AtenNode, x: Value): readonly number[] {
  const given = n.ints('dim', []);
  return given.length === 0 ? shapeOf(x).map((_, i) => i) : axesOf(given, Math.max(1, rankOf(x)));
}

function reducedBy(n: AtenNode, b: Build, kind: ReduceKind, x: Value, axes = axesIn(n, x)): Value {
  if (rankOf(x) === 0) return x;
  return b(reduce, [x], { kind, axes, keepdims: n.flag('keepdim', false) });
}

const reduction =
  (kind: ReduceKind): AtenConverter =>
  (n, b) =>
    reducedBy(n, b, kind, castTo(b, n.tensor('self'), n.result().dtype));

/** The largest or smallest; truth values are compared as numbers. */
const extreme =
  (kind: 'max' | 'min'): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    const t = dtypeOf(x);
    return castTo(b, reducedBy(n, b, kind, t === 'bool' ? castTo(b, x, 'i32') : x), t);
  };

/** Whether any or all elements are true. */
const quantifier =
  (kind: 'max' | 'min'): AtenConverter =>
  (n, b) =>
    castTo(b, reducedBy(n, b, kind, castTo(b, castTo(b, n.tensor('self'), 'bool'), 'i32')), n.result().dtype);

/** The extreme and where it is. */
const extremeAt =
  (largest: boolean): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    if (rankOf(x) === 0) return [x, scalarValue(b, 0, 'i64')];
    const axis = axisOf(n.int('dim'), rankOf(x));
    const keepdims = n.flag('keepdim', false);
    const place = b(argReduce, [x], { largest, axis, keepdims: true, last: false });
    const value = b(gatherElements, [x, place], { axis });
    const shape = shapeOf(x).filter((_, i) => i !== axis);
    return keepdims ? [value, place] : [reshaped(b, value, shape), reshaped(b, place, shape)];
  };

const argExtreme =
  (largest: boolean): AtenConverter =>
  (n, b) => {
    const given = n.tensor('self');
    const flat = !n.has('dim');
    const x = flat ? reshaped(b, given, [numel(shapeOf(given))]) : given;
    if (rankOf(x) === 0) return scalarValue(b, 0, 'i64');
    const y = b(argReduce, [x], {
      largest,
      axis: axisOf(n.int('dim', 0), rankOf(x)),
      keepdims: !flat && n.flag('keepdim', false),
      last: false,
    });
    return reshaped(b, y, n.result().shape);
  };

/** The mean of squared distances from the mean, over n - correction. */
function variance(n: AtenNode, b: Build): { readonly variance: Value; readonly mean: Value } {
  const x = n.tensor('self');
  const t = dtypeOf(x);
  const axes = axesIn(n, x);
  const count = numel(axes.map((a) => shapeOf(x)[a]!));
  const correction = n.has('correction') ? Number(n.number('correction')) : n.flag('unbiased', true) ? 1 : 0;
  const mean = b(reduce, [x], { kind: 'mean', axes, keepdims: true });
  const gap = call('sub', arg(0), arg(1));
  const squares = b(pointwise, [x, mean], { expr: call('mul', gap, gap) });
  const keepdims = n.flag('keepdim', false);
  if (correction === 0) return { variance: b(reduce, [squares], { kind: 'mean', axes, keepdims }), mean };
  if (typeof count !== 'number') n.refuse('the number of elements is not known before the model runs');
  const total = b(reduce, [squares], { kind: 'sum', axes, keepdims });
  const divisor = numberOf(Math.max(0, (count as number) - correction), t);
  return { variance: one(b, total, call('div', arg(0), divisor)), mean };
}

const root = (b: Build, x: Value): Value => one(b, x, call('sqrt', arg(0)));
const withMean =
  (finish: (b: Build, v: Value) => Value): AtenConverter =>
  (n, b) => {
    const found = variance(n, b);
    return [finish(b, found.variance), reshaped(b, found.mean, n.result(1).shape)];
  };

/** Vector norms by their order. */
function normed(n: AtenNode, b: Build, order: number): Value {
  const x = castTo(b, n.tensor('self'), n.result().dtype);
  const t = dtypeOf(x);
  const abs = (): Value => one(b, x, call('abs', arg(0)));
  if (order === 2) return reducedBy(n, b, 'l2', x);
  if (order === 1) return reducedBy(n, b, 'l1', x);
  if (order === Number.POSITIVE_INFINITY) return reducedBy(n, b, 'max', abs());
  if (order === Number.NEGATIVE_INFINITY) return reducedBy(n, b, 'min', abs());
  if (order === 0) return reducedBy(n, b, 'sum', castTo(b, one(b, x, call('ne', arg(0), numberOf(0, t))), t));
  const powers = one(b, x, call('pow', call('abs', arg(0)), numberOf(order, t)));
  return one(b, reducedBy(n, b, 'sum', powers), call('pow', arg(0), numberOf(1 / order, t)));
}

const norm =
  (name: string): AtenConverter =>
  (n, b) =>
    normed(n, b, Number(n.number(name, 2)));

const running =
  (kind: 'sum' | 'product'): AtenConverter =>
  (n, b) => {
    const x = castTo(b, n.tensor('self'), n.result().dtype);
    if (rankOf(x) === 0) return x;
    return b(cumulate, [x], {
      axis: axisOf(n.int('dim'), rankOf(x)),
      kind,
      exclusive: false,
      reverse: false,
    });
  };

const topk: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return b.all(topK, [x], {
    axis: axisOf(n.int('dim', -1), rankOf(x)),
    k: n.dim('k'),
    largest: n.flag('largest', true),
    sorted: true,
  });
};

function sorted(n: AtenNode, b: Build): readonly Value[] {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', -1), rankOf(x));
  const k: Dim = shapeOf(x)[axis]!;
  return b.all(topK, [x], { axis, k, largest: n.flag('descending', false), sorted: true });
}

const logSumExp: AtenConverter = (n, b) =>
  reducedBy(n, b, 'logsumexp', castTo(b, n.tensor('self'), n.result().dtype));

const counted: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return reducedBy(n, b, 'sum', castTo(b, castTo(b, x, 'bool'), 'i64'));
};

/** Products of vectors of the length 1; very short ones keep their direction only. */
const cosineSimilarity: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const [x, y] = (['x1', 'x2'] as const).map((name) => castTo(b, n.tensor(name), t));
  const rank = Math.max(rankOf(x!), rankOf(y!));
  const axis = axisOf(n.int('dim', 1), rank);
  const shortest = numberOf(Number(n.number('eps', 1e-8)), t);
  const unit = (v: Value): Value => {
    const axes = [axis - (rank - rankOf(v))];
    const length = b(reduce, [v], { kind: 'l2', axes, keepdims: true });
    return b(pointwise, [v, length], { expr: call('div', arg(0), call('max', arg(1), shortest)) });
  };
  const products = b(pointwise, [unit(x!), unit(y!)], { expr: call('mul', arg(0), arg(1)) });
  return b(reduce, [products], { kind: 'sum', axes: [axis], keepdims: false });
};

/** How many of the sorted edges lie before each element. */
const bucketized =
  (edgesName: string): AtenConverter =>
  (n, b) => {
    const edges = n.tensor(edgesName);
    const x =
      n.scalarKind('self') === undefined
        ? n.tensor('self')
        : scalarValue(b, n.number('self'), dtypeOf(edges));
    if (n.has('sorter')) return n.refuse('edges in another order');
    if (rankOf(edges) > 1 && rankOf(edges) !== rankOf(x)) return n.refuse('edges of another rank');
    const right = n.flag('right', false) || (n.has('side') && n.text('side') === 'right');
    const t = isFloat(dtypeOf(x)) || !isFloat(dtypeOf(edges)) ? dtypeOf(x) : dtypeOf(edges);
    const many =
      rankOf(edges) === 1
        ? edges
        : reshaped(b, edges, [...shapeOf(edges).slice(0, -1), 1, shapeOf(edges).at(-1)!]);
    const wide = castTo(b, reshaped(b, x, [...shapeOf(x), 1]), t);
    const before = b(pointwise, [castTo(b, many, t), wide], {
      expr: call(right ? 'le' : 'lt', arg(0), arg(1)),
    });
    const count = b(reduce, [castTo(b, before, 'i64')], {
      kind: 'sum',
      axes: [rankOf(before) - 1],
      keepdims: false,
    });
    return castTo(b, count, n.result().dtype);
  };

/** Vectors of the length 1 along an axis. */
const weightNorm: AtenConverter = (n, b) => {
  const [v, g] = [n.tensor('v'), n.tensor('g')];
  const axis = axisOf(n.int('dim', 0), rankOf(v));
  const axes = shapeOf(v).flatMap((_, i) => (i === axis ? [] : [i]));
  const length = b(reduce, [v], { kind: 'l2', axes, keepdims: true });
  const expr: Expr = call('mul', arg(0), call('div', arg(1), arg(2)));
  return b(pointwise, [v, g, length], { expr });
};

const several = (base: string, names: readonly string[], c: AtenConverter): AtenMap =>
  Object.fromEntries(names.map((name) => [name === '' ? base : `${base}.${name}`, c]));

export const reductions: AtenMap = {
  ...several('sum', ['', 'dim_IntList'], reduction('sum')),
  ...several('mean', ['', 'dim'], reduction('mean')),
  ...several('prod', ['', 'dim_int'], reduction('prod')),
  amax: extreme('max'),
  amin: extreme('min'),
  max: extreme('max'),
  min: extreme('min'),
  'max.dim': extremeAt(true),
  'min.dim': extremeAt(false),
  argmax: argExtreme(true),
  argmin: argExtreme(false),
  ...several('any', ['', 'dim', 'dims'], quantifier('max')),
  ...several('all', ['', 'dim', 'dims'], quantifier('min')),
  ...several('var', ['', 'dim', 'correction'], (n, b) => variance(n, b).variance),
  ...several('std', ['', 'dim', 'correction'], (n, b) => root(b, variance(n, b).variance)),
  ...several(
    'var_mean',
    ['', 'dim', 'correction'],
    withMean((_, v) => v),
  ),
  ...several('std_mean', ['', 'dim', 'correction'], withMean(root)),
  ...several('norm', ['Scalar', 'ScalarOpt_dim', 'ScalarOpt_dtype'], norm('p')),
  linalg_vector_norm: norm('ord'),
  'frobenius_norm.dim': (n, b) => normed(n, b, 2),
  logsumexp: logSumExp,
  cumsum: running('sum'),
  cumprod: running('product'),
  topk,
  ...several('sort', ['', 'stable'], sorted),
  ...several('argsort', ['', 'stable'], (n, b) => sorted(n, b)[1]!),
  ...several('count_nonzero', ['', 'dim_IntList'], counted),
  ...several('bucketize', ['Tensor', 'Scalar'], bucketized('boundaries')),
  ...several('searchsorted', ['Tensor', 'Scalar'], bucketized('sorted_sequence')),
  cosine_similarity: cosineSimilarity,
  _weight_norm: weightNorm,
};
