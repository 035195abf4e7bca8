import type { Shape } from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { dims } from '../constant.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduce } from '../reduce.js';
import { scatterElements } from '../scatter.js';
import { slicedAxis } from '../slice.js';
import { unique } from '../unique.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { evenlyBetween } from './creation.js';
import { overloads } from './formulas.js';
import { numberOf, one, promoted, scalarValue, tensorOperand } from './operands.js';
import { flat, rankOf, reshaped } from './shapes.js';

/** The distinct elements or slices, which of them each was, and how often each occurs. */
function distinct(n: AtenNode, b: Build, x: Value, axis: number, inverse: Shape): readonly Value[] {
  const [number, values, , which, counts] = b.all(unique, [x], { axis, sorted: true });
  const extent = n.result().shape[axis]!;
  if (typeof extent !== 'number') n.bind(extent, number!, 0);
  // Some are computed though nobody asked; those that are not have no elements.
  const asked = (i: number, shape: Shape): boolean =>
    n.result(i).shape.length === shape.length && (n.result(i).shape[0] !== 0 || shape[0] === 0);
  const none = (): Value => expanded(b, scalarValue(b, 0, 'i64'), [0]);
  return [
    slicedAxis(b, values!, axis, 0, extent),
    asked(1, inverse) ? reshaped(b, which!, inverse) : none(),
    asked(2, [extent]) ? slicedAxis(b, counts!, 0, 0, extent) : none(),
  ];
}

const uniqueElements: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return distinct(n, b, flat(b, x), 0, shapeOf(x));
};

const uniqueSlices: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim'), rankOf(x));
  return distinct(n, b, x, axis, [shapeOf(x)[axis]!]);
};

/** Whether each element is among others. */
const among: AtenConverter = (n, b) => {
  const names = ['element', 'test_element'].map((name) => (n.has(`${name}s`) ? `${name}s` : name));
  const t = promoted(n, names);
  const [x, others] = names.map((name) => tensorOperand(n, b, name, t));
  const invert = n.flag('invert', false);
  const tests = flat(b, others!);
  const equal = b(pointwise, [reshaped(b, x!, [...shapeOf(x!), 1]), tests], {
    expr: cast('i32', call('eq', arg(0), arg(1))),
  });
  const count = b(reduce, [equal], { kind: 'sum', axes: [rankOf(x!)], keepdims: false });
  return one(b, count, call(invert ? 'eq' : 'ne', arg(0), numberOf(0, 'i32')));
};

/** How often each whole number occurs, or how much its occurrences weigh. */
const bincount: AtenConverter = (n, b) => {
  const { dtype, shape } = n.result();
  const given = castTo(b, n.tensor('self'), 'i64');
  const extent = shape[0]!;
  if (shapeOf(given)[0] === 0) return expanded(b, scalarValue(b, 0, dtype), shape);
  if (typeof extent !== 'number') {
    const largest = b(reduce, [given], { kind: 'max', axes: [0], keepdims: true });
    const least = b(dims, [], { dims: [n.dim('minlength', 0)], dtype: 'i64', shape: [] });
    const size = call('max', call('add', arg(0), numberOf(1, 'i64')), arg(1));
    n.bind(extent, b(pointwise, [largest, least], { expr: size }), 0);
  }
  const by = n.has('weights')
    ? castTo(b, n.tensor('weights'), dtype)
    : expanded(b, scalarValue(b, 1, dtype), shapeOf(given));
  const zeros = expanded(b, scalarValue(b, 0, dtype), shape);
  return b(scatterElements, [zeros, given, by], { axis: 0, reduction: 'add' });
};

/** How many elements lie between neighbouring edges; the last edge belongs to the last bin. */
const histogram: AtenConverter = (n, b) => {
  const { dtype } = n.result();
  const t = dtype === 'f64' ? dtype : 'f32';
  const x = flat(b, castTo(b, n.tensor('self'), t));
  const bins = n.int('bins', 100);
  const count = shapeOf(x)[0]!;
  if (count === 0) return expanded(b, scalarValue(b, 0, dtype), [bins]);
  const given = [n.number('min', 0), n.number('max', 0)].map(Number);
  const own = given[0] === given[1];
  const ends = (['min', 'max'] as const).map((kind, i) =>
    own && given[0] === 0
      ? b(reduce, [x], { kind, axes: [0], keepdims: false })
      : scalarValue(b, given[i]!, t),
  );
  const apart = (by: number): Value =>
    b(pointwise, [ends[0]!, ends[1]!], {
      expr: call(
        'select',
        call('eq', arg(0), arg(1)),
        call('add', arg(0), numberOf(by, t)),
        arg(by < 0 ? 0 : 1),
      ),
    });
  const [low, high] = [apart(-1), apart(1)];
  const edges = evenlyBetween(b, low, high, bins + 1);
  const above = (v: Value, fn: 'ge' | 'gt'): Value =>
    b(
      reduce,
      [b(pointwise, [v, reshaped(b, x, [count, 1])], { expr: cast('i64', call(fn, arg(1), arg(0))) })],
      {
        kind: 'sum',
        axes: [0],
        keepdims: false,
      },
    );
  const beyond = concatenated(
    b,
    [above(slicedAxis(b, edges, 0, 1, bins - 1), 'ge'), above(reshaped(b, high, [1]), 'gt')],
    0,
  );
  const y = b(pointwise, [above(slicedAxis(b, edges, 0, 0, bins), 'ge'), beyond], {
    expr: call('sub', arg(0), arg(1)),
  });
  return castTo(b, y, dtype);
};

export const sets: AtenMap = {
  _unique2: uniqueElements,
  unique_dim: uniqueSlices,
  bincount,
  histc: histogram,
  ...overloads('isin', ['Tensor_Tensor', 'Tensor_Scalar', 'Scalar_Tensor'], among),
};
