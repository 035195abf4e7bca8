import { type Dim, floordiv, numel, sub } from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { isFloat } from '../../ir/type.js';
import { argReduce } from '../arg-reduce.js';
import { castTo } from '../cast.js';
import { gatherElements } from '../gather.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduce } from '../reduce.js';
import { slicedAxis } from '../slice.js';
import { topK } from '../top-k.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { limit, one, scalarValue } from './operands.js';
import { several } from './reductions.js';
import { rankOf, reshaped } from './shapes.js';

const topk: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const x = rankOf(given) === 0 ? reshaped(b, given, [1]) : given;
  const results = b.all(topK, [x], {
    axis: axisOf(n.int('dim', -1), rankOf(x)),
    k: n.dim('k'),
    largest: n.flag('largest', true),
    sorted: true,
  });
  return rankOf(given) === 0 ? results.map((v) => reshaped(b, v, [])) : results;
};

function sorted(n: AtenNode, b: Build, axis: number, descending: boolean): readonly Value[] {
  const given = n.tensor('self');
  const x = rankOf(given) === 0 ? reshaped(b, given, [1]) : given;
  const t = dtypeOf(x);
  const at = axisOf(axis, rankOf(x));
  const numbers = t === 'bool' ? castTo(b, x, 'u8') : x;
  const k: Dim = shapeOf(x)[at]!;
  const [values, places] = b.all(topK, [numbers], { axis: at, k, largest: descending, sorted: true });
  return [castTo(b, values!, t), places!].map((v) => reshaped(b, v, shapeOf(given)));
}

const sort: AtenConverter = (n, b) => sorted(n, b, n.int('dim', -1), n.flag('descending', false));

/** The lower of the two in the middle; what is no number is the median of all it is among. */
function medianOf(b: Build, x: Value, axis: number): readonly [value: Value, place: Value] {
  const k: Dim = shapeOf(x)[axis]!;
  const [values, places] = b.all(topK, [x], { axis, k, largest: false, sorted: true });
  const middle = floordiv(sub(k, 1), 2);
  const [value, place] = [values!, places!].map((v) => slicedAxis(b, v, axis, middle, 1));
  const t = dtypeOf(x);
  if (!isFloat(t)) return [value!, place!];
  const strange = castTo(b, one(b, x, call('isnan', arg(0))), 'i32');
  const first = b(argReduce, [strange], { largest: true, axis, keepdims: true, last: false });
  const any = castTo(b, b(reduce, [strange], { kind: 'max', axes: [axis], keepdims: true }), 'bool');
  const pick = (from: Value, otherwise: Value): Value =>
    b(pointwise, [any, from, otherwise], { expr: call('select', arg(0), arg(1), arg(2)) });
  return [pick(b(gatherElements, [x, first], { axis }), value!), pick(first, place!)];
}

const median: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  if (shapeOf(x).includes(0)) return n.refuse('of no elements');
  return reshaped(b, medianOf(b, reshaped(b, x, [numel(shapeOf(x))]), 0)[0], []);
};

const medianAlong: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  if (rankOf(x) === 0) return [x, scalarValue(b, 0, 'i64')];
  const found = medianOf(b, x, axisOf(n.int('dim'), rankOf(x)));
  return found.map((v, i) => reshaped(b, v, n.result(i).shape));
};

/** The most frequent element, of several the smallest, and where it is last. */
const mode: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  if (rankOf(given) === 0) return [given, scalarValue(b, 0, 'i64')];
  const axis = axisOf(n.int('dim', -1), rankOf(given));
  const t = dtypeOf(given);
  const x = t === 'bool' ? castTo(b, given, 'u8') : given;
  const shape = shapeOf(x);
  const column = reshaped(b, x, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const row = reshaped(b, x, [...shape.slice(0, axis), 1, ...shape.slice(axis)]);
  const equal = b(pointwise, [column, row], { expr: cast('i64', call('eq', arg(0), arg(1))) });
  const counts = b(reduce, [equal], { kind: 'sum', axes: [axis + 1], keepdims: false });
  const most = b(reduce, [counts], { kind: 'max', axes: [axis], keepdims: true });
  const frequent = b(pointwise, [counts, most, x], {
    expr: call('select', call('eq', arg(0), arg(1)), arg(2), limit(dtypeOf(x), 'highest')),
  });
  const value = b(reduce, [frequent], { kind: 'min', axes: [axis], keepdims: true });
  const where = b(pointwise, [x, value], { expr: cast('i32', call('eq', arg(0), arg(1))) });
  const place = b(argReduce, [where], { largest: true, axis, keepdims: true, last: true });
  return [castTo(b, value, t), place].map((v, i) => reshaped(b, v, n.result(i).shape));
};

/** How many of the sorted edges lie before each element. */
const bucketized =
  (edgesName: string): AtenConverter =>
  (n, b) => {
    const given = n.tensor(edgesName);
    const edges = n.has('sorter')
      ? b(gatherElements, [given, castTo(b, n.tensor('sorter'), 'i64')], { axis: rankOf(given) - 1 })
      : given;
    const x =
      n.scalarKind('self') === undefined
        ? n.tensor('self')
        : scalarValue(b, n.number('self'), dtypeOf(edges));
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

export const ordering: AtenMap = {
  topk,
  ...several('sort', ['', 'stable'], sort),
  ...several('argsort', ['', 'stable'], (n, b) => [sort(n, b)].flat()[1]!),
  msort: (n, b) => sorted(n, b, 0, false)[0]!,
  median,
  'median.dim': medianAlong,
  mode,
  ...several('bucketize', ['Tensor', 'Scalar'], bucketized('boundaries')),
  ...several('searchsorted', ['Tensor', 'Scalar'], bucketized('sorted_sequence')),
};
