import { type Dim, floordiv, numel, type Shape, sameShape } from '../../ir/dim.js';
import { arg, call, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import type { DType } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { expanded } from '../expand.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduced } from '../reduce.js';
import type { AtenNode } from './aten-node.js';
import { numberOf, scalarValue } from './operands.js';
import { reshaped } from './shapes.js';

export const wide = (t: DType): DType => (t === 'f64' ? 'f64' : 'f32');

/** In the precision that the statistics have. */
export const epsilonOf = (n: AtenNode, t: DType): Expr => {
  const epsilon = Number(n.number('eps', 1e-5));
  return numberOf(t === 'f64' ? epsilon : Math.fround(epsilon), t);
};

/** A parameter that may be left out, in a type and a shape. */
export function parameter(
  n: AtenNode,
  b: Build,
  name: string,
  fallback: number,
  t: DType,
  shape: Shape,
): Value {
  const v = n.has(name) ? castTo(b, n.tensor(name), t) : scalarValue(b, fallback, t);
  return sameShape(shapeOf(v), shape) ? v : expanded(b, v, shape);
}

/** Results beyond the first are statistics that only training reads; outside of it they have no elements. */
export function alone(n: AtenNode, b: Build, y: Value): readonly Value[] {
  const rest: Value[] = [];
  for (let i = 1; i < n.outputCount && n.wants(i); i++) {
    const { dtype, shape } = n.result(i);
    if (!shape.includes(0)) n.refuse('its statistics are read');
    rest.push(expanded(b, scalarValue(b, 0, dtype), shape));
  }
  return [y, ...rest];
}

/** Statistics in the types and shapes that the program declares. */
export const declared = (n: AtenNode, b: Build, results: readonly Value[]): readonly Value[] =>
  results.map((v, i) => {
    if (i === 0 || i >= n.outputCount) return v;
    const { dtype, shape } = n.result(i);
    return reshaped(b, castTo(b, v, dtype), shape);
  });

export const rowsOf = (b: Build, x: Value, groups: Dim): Value => {
  const [batch, ...rest] = shapeOf(x);
  return reshaped(b, x, [batch!, groups, floordiv(numel(rest), groups)]);
};

/** The mean and 1 / the deviation of groups of elements that are rows of a matrix of three axes. */
export function rowStatistics(n: AtenNode, b: Build, rows: Value): readonly Value[] {
  const t = dtypeOf(rows);
  const mean = reduced(b, 'mean', rows, [2]);
  const gap = call('sub', arg(0), arg(1));
  const spread = reduced(b, 'mean', b(pointwise, [rows, mean], { expr: call('mul', gap, gap) }), [2]);
  const epsilon = epsilonOf(n, t);
  return [mean, b(pointwise, [spread], { expr: call('rsqrt', call('add', arg(0), epsilon)) })];
}
