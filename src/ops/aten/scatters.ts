import * as D from '../../ir/dim.js';
import { arg, call, cast, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { type DType, isInteger } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { type Reduction, scatterElements } from '../scatter.js';
import { slicedAxis } from '../slice.js';
import { floorDivided } from './arithmetic.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { limit, numberOf, one, scalarValue, tensorOperand, wholeIndex } from './operands.js';
import { rankOf, reshaped } from './shapes.js';

const reductions: Readonly<Record<string, Reduction>> = {
  sum: 'add',
  add: 'add',
  mean: 'add',
  prod: 'mul',
  multiply: 'mul',
  amax: 'max',
  amin: 'min',
};

interface Scattering {
  readonly x: Value;
  readonly index: Value;
  readonly updates: Value;
  readonly axis: number;
}

/** Only as many elements of the source count as there are indices; a scalar is a vector of one element. */
function scattering(n: AtenNode, b: Build, source: string): Scattering {
  const given = n.tensor('self');
  const spread = (v: Value): Value => (rankOf(v) === 0 ? reshaped(b, v, [1]) : v);
  const [x, index] = [spread(given), spread(wholeIndex(b, n.tensor('index')))];
  let updates = tensorOperand(n, b, source, dtypeOf(x));
  updates = rankOf(updates) === 0 ? expanded(b, updates, shapeOf(index)) : updates;
  shapeOf(index).forEach((d, axis) => {
    if (!D.same(d, shapeOf(updates)[axis]!)) updates = slicedAxis(b, updates, axis, 0, d);
  });
  return { x, index, updates, axis: axisOf(n.int('dim'), rankOf(x)) };
}

/** Truth values are combined as numbers. */
function combined(b: Build, { x, index, updates, axis }: Scattering, reduction: Reduction): Value {
  if (dtypeOf(x) !== 'bool' || reduction === 'none')
    return b(scatterElements, [x, index, updates], { axis, reduction });
  const [numbers, by] = [castTo(b, x, 'i32'), castTo(b, updates, 'i32')];
  return castTo(b, b(scatterElements, [numbers, index, by], { axis, reduction }), 'bool');
}

const scatter =
  (source: string, fixed?: Reduction): AtenConverter =>
  (n, b) => {
    const named = n.has('reduce')
      ? (reductions[n.text('reduce')] ?? n.refuse(`there is no reduction "${n.text('reduce')}"`))
      : 'none';
    const y = combined(b, scattering(n, b, source), fixed ?? named);
    return reshaped(b, y, shapeOf(n.tensor('self')));
  };

/** What changes nothing when it is combined with an element. */
const neutral = (reduction: Reduction, t: DType): Expr =>
  reduction === 'mul'
    ? numberOf(1, t)
    : reduction === 'add'
      ? numberOf(0, t)
      : limit(t, reduction === 'max' ? 'lowest' : 'highest');

/** Where the old elements do not count, those that are hit begin with what changes nothing. */
const scatterReduce: AtenConverter = (n, b) => {
  const name = n.text('reduce');
  const reduction = reductions[name] ?? n.refuse(`there is no reduction "${name}"`);
  const given = scattering(n, b, 'src');
  const t = dtypeOf(given.x);
  const included = n.flag('include_self', true);
  const hits = (start: number): Value =>
    b(
      scatterElements,
      [
        expanded(b, scalarValue(b, start, 'i64'), shapeOf(given.x)),
        given.index,
        expanded(b, scalarValue(b, 1, 'i64'), shapeOf(given.index)),
      ],
      { axis: given.axis, reduction: 'add' },
    );
  const start = included
    ? given.x
    : b(pointwise, [given.x, hits(0)], {
        expr: call('select', call('gt', arg(1), numberOf(0, 'i64')), neutral(reduction, t), arg(0)),
      });
  let y = combined(b, { ...given, x: start }, reduction);
  if (name === 'mean') {
    const count = cast(t, call('max', arg(1), numberOf(1, 'i64')));
    const mean = isInteger(t) ? floorDivided(arg(0), count, t) : call('div', arg(0), count);
    y = b(pointwise, [y, hits(included ? 1 : 0)], { expr: mean });
  }
  return reshaped(b, y, shapeOf(n.tensor('self')));
};

/** Whole slices along an axis are added or replaced. */
const indexed =
  (source: string, reduction: Reduction): AtenConverter =>
  (n, b) => {
    const given = n.tensor('self');
    const x = rankOf(given) === 0 ? reshaped(b, given, [1]) : given;
    const axis = axisOf(n.int('dim'), rankOf(x));
    const index = castTo(b, n.tensor('index'), 'i64');
    const count = D.numel(shapeOf(index));
    const shape = shapeOf(x).map((d, i) => (i === axis ? count : d));
    const t = dtypeOf(x);
    const alpha = n.number('alpha', 1);
    const unscaled = tensorOperand(n, b, source, t);
    const by = Number(alpha) === 1 ? unscaled : one(b, unscaled, call('mul', arg(0), numberOf(alpha, t)));
    const wide = expanded(
      b,
      reshaped(
        b,
        index,
        shape.map((d, i) => (i === axis ? d : 1)),
      ),
      shape,
    );
    const updates = rankOf(by) === 0 ? expanded(b, by, shape) : reshaped(b, by, shape);
    return reshaped(b, combined(b, { x, index: wide, updates, axis }, reduction), shapeOf(given));
  };

export const scatters: AtenMap = {
  'scatter.src': scatter('src'),
  'scatter.value': scatter('value'),
  'scatter.reduce': scatter('src'),
  'scatter.value_reduce': scatter('value'),
  scatter_add: scatter('src', 'add'),
  'scatter_reduce.two': scatterReduce,
  index_add: indexed('source', 'add'),
  index_copy: indexed('source', 'none'),
  'index_fill.int_Scalar': indexed('value', 'none'),
  'index_fill.int_Tensor': indexed('value', 'none'),
};
