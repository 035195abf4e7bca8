import { numel } from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { isFloat } from '../../ir/type.js';
import { argReduce } from '../arg-reduce.js';
import { castTo } from '../cast.js';
import { gatherElements } from '../gather.js';
import { axesOf, axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { type ReduceKind, reduce } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one, scalarValue } from './operands.js';
import { rankOf, reshaped } from './shapes.js';

/** The axes given by `dim`; none or an empty list means all. */
export function axesIn(n: AtenNode, x: Value): readonly number[] {
  const given = n.ints('dim', []);
  return given.length === 0 ? shapeOf(x).map((_, i) => i) : axesOf(given, Math.max(1, rankOf(x)));
}

export function reducedBy(n: AtenNode, b: Build, kind: ReduceKind, x: Value, axes = axesIn(n, x)): Value {
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

const logSumExp: AtenConverter = (n, b) =>
  reducedBy(n, b, 'logsumexp', castTo(b, n.tensor('self'), n.result().dtype));

const counted: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return reducedBy(n, b, 'sum', castTo(b, castTo(b, x, 'bool'), 'i64'));
};

/** The smallest and the largest, of all elements or along one axis. */
const bothExtremes: AtenConverter = (n, b) => [extreme('min')(n, b), extreme('max')(n, b)].flat();

/** What is no number does not count. */
const present = (n: AtenNode, b: Build): Value => {
  const x = castTo(b, n.tensor('self'), n.result().dtype);
  const t = dtypeOf(x);
  return isFloat(t) ? one(b, x, call('select', call('isnan', arg(0)), numberOf(0, t), arg(0))) : x;
};

const nanMean: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const x = castTo(b, n.tensor('self'), t);
  const counts = castTo(b, one(b, x, call('not', call('isnan', arg(0)))), t);
  const [sum, count] = [present(n, b), counts].map((v) => reducedBy(n, b, 'sum', v));
  return b(pointwise, [sum!, count!], { expr: call('div', arg(0), arg(1)) });
};

export const several = (base: string, names: readonly string[], c: AtenConverter): AtenMap =>
  Object.fromEntries(names.map((name) => [name === '' ? base : `${base}.${name}`, c]));

export const reductions: AtenMap = {
  ...several('sum', ['', 'dim_IntList'], reduction('sum')),
  ...several('mean', ['', 'dim'], reduction('mean')),
  ...several('prod', ['', 'dim_int'], reduction('prod')),
  nansum: (n, b) => reducedBy(n, b, 'sum', present(n, b)),
  nanmean: nanMean,
  amax: extreme('max'),
  amin: extreme('min'),
  aminmax: bothExtremes,
  max: extreme('max'),
  min: extreme('min'),
  'max.dim': extremeAt(true),
  'min.dim': extremeAt(false),
  argmax: argExtreme(true),
  argmin: argExtreme(false),
  ...several('any', ['', 'dim', 'dims'], quantifier('max')),
  ...several('all', ['', 'dim', 'dims'], quantifier('min')),
  logsumexp: logSumExp,
  ...several('count_nonzero', ['', 'dim_IntList'], counted),
};
