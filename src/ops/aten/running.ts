import { arg, call, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { argReduce } from '../arg-reduce.js';
import { castTo } from '../cast.js';
import { cumulate } from '../cumulate.js';
import { gatherElements } from '../gather.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { reduce } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { limit, scalarValue } from './operands.js';
import { permuted, rankOf, reshaped } from './shapes.js';

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

/** For each element those up to it, along a new axis at the end; the others are what never counts. */
function upTo(n: AtenNode, b: Build, x: Value, axis: number, neutral: Expr): Value {
  const shape = shapeOf(x);
  const extent = shape[axis]!;
  if (typeof extent === 'number' && extent > longest) return n.refuse(`along more than ${longest} elements`);
  const order = [...shape.keys()].filter((i) => i !== axis);
  const rows = reshaped(b, permuted(b, x, [...order, axis]), [...order.map((i) => shape[i]!), 1, extent]);
  const index = b(iota, [], { start: 0, step: 1, count: extent, dtype: 'i64' });
  return b(pointwise, [rows, reshaped(b, index, [extent, 1]), index], {
    expr: call('select', call('le', arg(2), arg(1)), arg(0), neutral),
  });
}
const longest = 4096;

/** The axis that was taken behind the others goes back to its place. */
const restored = (b: Build, y: Value, axis: number): Value => {
  const rank = rankOf(y);
  const perm = Array.from({ length: rank }, (_, i) => (i < axis ? i : i === axis ? rank - 1 : i - 1));
  return permuted(b, y, perm);
};

/** The extreme so far and where it is; of equals the last. */
const runningExtreme =
  (largest: boolean): AtenConverter =>
  (n, b) => {
    const given = n.tensor('self');
    if (rankOf(given) === 0) return [given, scalarValue(b, 0, 'i64')];
    const axis = axisOf(n.int('dim'), rankOf(given));
    const x = dtypeOf(given) === 'bool' ? castTo(b, given, 'u8') : given;
    const seen = upTo(n, b, x, axis, limit(dtypeOf(x), largest ? 'lowest' : 'highest'));
    const at = b(argReduce, [seen], { largest, axis: rankOf(x), keepdims: false, last: true });
    const place = restored(b, at, axis);
    return [b(gatherElements, [given, place], { axis }), place];
  };

const runningLogSumExp: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  if (rankOf(x) === 0) return x;
  const axis = axisOf(n.int('dim'), rankOf(x));
  const seen = upTo(n, b, x, axis, limit(dtypeOf(x), 'lowest'));
  return restored(b, b(reduce, [seen], { kind: 'logsumexp', axes: [rankOf(x)], keepdims: false }), axis);
};

export const runningTotals: AtenMap = {
  cumsum: running('sum'),
  cumprod: running('product'),
  cummax: runningExtreme(true),
  cummin: runningExtreme(false),
  logcumsumexp: runningLogSumExp,
};
