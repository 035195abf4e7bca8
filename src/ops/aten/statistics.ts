import { numel } from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { dims } from '../constant.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduce } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one } from './operands.js';
import { axesIn, several } from './reductions.js';
import { reshaped } from './shapes.js';

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
  const total = b(reduce, [squares], { kind: 'sum', axes, keepdims });
  if (typeof count === 'number') {
    const divisor = numberOf(Math.max(0, count - correction), t);
    return { variance: one(b, total, call('div', arg(0), divisor)), mean };
  }
  const size = b(dims, [], { dims: [count], dtype: 'i64', shape: [] });
  const divisor = call('max', call('sub', cast(t, arg(1)), numberOf(correction, t)), numberOf(0, t));
  return { variance: b(pointwise, [total, size], { expr: call('div', arg(0), divisor) }), mean };
}

const root = (b: Build, x: Value): Value => one(b, x, call('sqrt', arg(0)));

const withMean =
  (finish: (b: Build, v: Value) => Value): AtenConverter =>
  (n, b) => {
    const found = variance(n, b);
    return [finish(b, found.variance), reshaped(b, found.mean, n.result(1).shape)];
  };

export const statistics: AtenMap = {
  ...several('var', ['', 'dim', 'correction'], (n, b) => variance(n, b).variance),
  ...several('std', ['', 'dim', 'correction'], (n, b) => root(b, variance(n, b).variance)),
  ...several(
    'var_mean',
    ['', 'dim', 'correction'],
    withMean((_, v) => v),
  ),
  ...several('std_mean', ['', 'dim', 'correction'], withMean(root)),
};
