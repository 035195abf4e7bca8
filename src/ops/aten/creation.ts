import * as D from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { literalOf } from '../../ir/literal.js';
import { type DType, isInteger } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { constant, dims } from '../constant.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { eye, trilu } from '../triangular.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { overloads } from './formulas.js';
import { numberOf, scalarValue, tensorOperand } from './operands.js';
import { reshaped } from './shapes.js';

/** A tensor of one number. */
const filled =
  (value: (n: AtenNode, b: Build, t: DType) => Value, shape: (n: AtenNode) => D.Shape): AtenConverter =>
  (n, b) =>
    expanded(b, value(n, b, n.result().dtype), shape(n));

const number =
  (x: number) =>
  (_: AtenNode, b: Build, t: DType): Value =>
    scalarValue(b, x, t);
const given = (n: AtenNode, b: Build, t: DType): Value => tensorOperand(n, b, 'fill_value', t);
const size = (n: AtenNode): D.Shape => n.dims('size');
const like = (n: AtenNode): D.Shape => shapeOf(n.tensor('self'));

/** start, start + step, … below end. */
const arange: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const whole = (['start', 'end', 'step'] as const).every(
    (name) => !n.has(name) || n.scalarKind(name) === 'int',
  );
  if (whole) {
    const [start, end, step] = [n.dim('start', 0), n.dim('end'), n.dim('step', 1)];
    const span = D.sub(end, start);
    const count =
      typeof step === 'number' && step > 0
        ? D.ceildiv(span, step)
        : D.mul(-1, D.floordiv(D.mul(-1, span), step));
    const numbers = { start, step, count: D.max(count, 0) };
    if (isInteger(t)) return b(iota, [], { ...numbers, dtype: t });
    return castTo(b, b(iota, [], { ...numbers, dtype: 'i64' }), t);
  }
  const [start, end, step] = [n.number('start', 0), n.number('end'), n.number('step', 1)].map(Number) as [
    number,
    number,
    number,
  ];
  // Whole numbers begin and go on by whole numbers, though their count follows from what was given.
  const own = (x: number): number => (isInteger(t) ? Math.trunc(x) : x);
  const [declared] = n.result().shape;
  const count = typeof declared === 'number' ? declared : Math.max(0, Math.ceil((end - start) / step));
  const values = Array.from({ length: count }, (_, i) => own(start) + i * own(step));
  return b(constant, [], { value: literalOf(t, [count], values) });
};

const linspace: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  if (n.target.includes('Tensor')) return between(n, b);
  const [start, end, steps] = [Number(n.number('start')), Number(n.number('end')), n.int('steps')];
  const step = steps > 1 ? (end - start) / (steps - 1) : 0;
  // From both ends, so that the last is exact.
  const values = Array.from({ length: steps }, (_, i) =>
    i < steps / 2 ? start + i * step : end - (steps - 1 - i) * step,
  );
  return b(constant, [], { value: literalOf(t, [steps], values) });
};

/** Between ends that are elements of tensors, from both so that the last is exact. */
export function evenlyBetween(b: Build, start: Value, end: Value, steps: number): Value {
  const t = dtypeOf(start);
  if (steps < 2) return expanded(b, start, [steps]);
  const index = b(iota, [], { start: 0, step: 1, count: steps, dtype: 'i64' });
  const step = call('div', call('sub', arg(2), arg(1)), numberOf(steps - 1, t));
  const place = cast(t, arg(0));
  const up = call('add', arg(1), call('mul', step, place));
  const down = call('sub', arg(2), call('mul', step, call('sub', numberOf(steps - 1, t), place)));
  const lower = call('lt', arg(0), numberOf(Math.floor(steps / 2), 'i64'));
  return b(pointwise, [index, start, end], { expr: call('select', lower, up, down) });
}

function between(n: AtenNode, b: Build): Value {
  const t = n.result().dtype;
  const [start, end] = ['start', 'end'].map((name) => tensorOperand(n, b, name, isInteger(t) ? 'f32' : t));
  return castTo(b, evenlyBetween(b, start!, end!, n.int('steps')), t);
}

const triangle =
  (upper: boolean): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    const t = dtypeOf(x);
    const k = n.dim('diagonal', 0);
    // Truth values go through numbers, as the operator has it.
    return t === 'bool'
      ? castTo(b, b(trilu, [castTo(b, x, 'i32')], { k, upper }), t)
      : b(trilu, [x], { k, upper });
  };

const identityMatrix: AtenConverter = (n, b) => {
  const rows = n.dim('n');
  return b(eye, [], { rows, columns: n.dim('m', rows), k: 0, dtype: n.result().dtype });
};

const numberAsTensor: AtenConverter = (n, b) =>
  tensorOperand(n, b, n.has('s') ? 's' : 'scalar', n.result().dtype);

/** Two vectors as the coordinates of a grid. */
const meshgrid: AtenConverter = (n, b) => {
  const values = n.tensors('tensors');
  const swap = n.text('indexing', 'ij') === 'xy' && values.length > 1;
  const order = values.map((_, i) => (swap && i < 2 ? 1 - i : i));
  const extents = values.map((v) => shapeOf(v)[0] ?? 1);
  const shape = order.map((i) => extents[i]!);
  return values.map((v, i) => {
    const axis = order.indexOf(i);
    return expanded(
      b,
      reshaped(
        b,
        v,
        shape.map((_, d) => (d === axis ? extents[i]! : 1)),
      ),
      shape,
    );
  });
};

const oneHot: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const classes = n.int('num_classes', -1);
  if (classes < 0) return n.refuse('the number of classes follows from the data');
  const index = b(iota, [], { start: 0, step: 1, count: classes, dtype: dtypeOf(x) });
  const equal = b(pointwise, [reshaped(b, x, [...shapeOf(x), 1]), index], {
    expr: call('eq', arg(0), arg(1)),
  });
  return castTo(b, equal, n.result().dtype);
};

const sizeOfAxis: AtenConverter = (n, b) => {
  const shape = shapeOf(n.tensor('self'));
  return b(dims, [], { dims: [shape[axisOf(n.int('dim'), shape.length)]!], dtype: 'i64', shape: [] });
};

/** Noise cannot be compared with anything, and a model that runs does not need it. */
const random: AtenConverter = (n) => n.refuse('random numbers differ between runs');

export const creation: AtenMap = {
  full: filled(given, size),
  full_like: filled(given, like),
  new_full: filled(given, size),
  ones: filled(number(1), size),
  ones_like: filled(number(1), like),
  new_ones: filled(number(1), size),
  zeros: filled(number(0), size),
  zeros_like: filled(number(0), like),
  new_zeros: filled(number(0), size),
  'empty.memory_format': filled(number(0), size),
  empty_like: filled(number(0), like),
  new_empty: filled(number(0), size),
  empty_permuted: filled(number(0), size),
  scalar_tensor: numberAsTensor,
  arange,
  'arange.start': arange,
  'arange.start_step': arange,
  ...overloads('linspace', ['', 'Tensor_Tensor', 'Tensor_Scalar', 'Scalar_Tensor'], linspace),
  tril: triangle(false),
  triu: triangle(true),
  eye: identityMatrix,
  'eye.m': identityMatrix,
  meshgrid,
  'meshgrid.indexing': meshgrid,
  one_hot: oneHot,
  'size.int': sizeOfAxis,
  rand: random,
  randn: random,
  rand_like: random,
  randn_like: random,
  bernoulli: random,
};
