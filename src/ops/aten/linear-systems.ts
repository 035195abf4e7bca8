import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { argReduce } from '../arg-reduce.js';
import { concatenated } from '../concat.js';
import { expanded } from '../expand.js';
import { gatherElements } from '../gather.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { slicedAxis } from '../slice.js';
import { eye } from '../triangular.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one } from './operands.js';
import { reshaped } from './shapes.js';

const largest = 16;

/** Gauss and Jordan, the largest element of what is left of a column as the pivot: [A | B] becomes [1 | A⁻¹ B]. */
function solved(n: AtenNode, b: Build, a: Value, right: Value): Value {
  const lead = shapeOf(a).slice(0, -2);
  const size = shapeOf(a).at(-1)!;
  const columns = shapeOf(right).at(-1)!;
  if (typeof size !== 'number' || size > largest)
    return n.refuse(`of matrices of more than ${largest} rows, or of a number that is not known`);
  const count = D.numel(lead);
  const flatly = (v: Value, width: D.Dim): Value => reshaped(b, v, [count, size, width]);
  let rows = concatenated(b, [flatly(a, size), flatly(right, columns)], 2);
  const index = reshaped(b, b(iota, [], { start: 0, step: 1, count: size, dtype: 'i64' }), [size, 1]);
  for (let k = 0; k < size; k++) rows = step(b, rows, index, k, size);
  return reshaped(b, slicedAxis(b, rows, 2, size, columns), shapeOf(right));
}

/** Exchanges rows so that the pivot stands at k, and clears its column everywhere else. */
function step(b: Build, given: Value, index: Value, k: number, size: number): Value {
  const here = numberOf(k, 'i64');
  const open = one(b, slicedAxis(b, slicedAxis(b, given, 2, k, 1), 1, k, size - k), call('abs', arg(0)));
  const found = b(argReduce, [open], { largest: true, axis: 1, keepdims: true, last: false });
  const pivot = call('add', arg(1), here);
  const source = b(pointwise, [index, found], {
    expr: call(
      'select',
      call('eq', arg(0), here),
      pivot,
      call('select', call('eq', arg(0), pivot), here, arg(0)),
    ),
  });
  const rows = b(gatherElements, [given, expanded(b, source, shapeOf(given))], { axis: 1 });
  const row = slicedAxis(b, rows, 1, k, 1);
  const unit = b(pointwise, [row, slicedAxis(b, row, 2, k, 1)], { expr: call('div', arg(0), arg(1)) });
  const cleared = call('sub', arg(0), call('mul', arg(1), arg(2)));
  return b(pointwise, [rows, slicedAxis(b, rows, 2, k, 1), unit, index], {
    expr: call('select', call('eq', arg(3), here), arg(2), cleared),
  });
}

const inverse: AtenConverter = (n, b) => {
  const a = n.tensor(n.has('A') ? 'A' : 'self');
  const size = shapeOf(a).at(-1)!;
  const unit = b(eye, [], { rows: size, columns: size, k: 0, dtype: dtypeOf(a) });
  return solved(n, b, a, expanded(b, unit, shapeOf(a)));
};

/** A right side of one axis less is a vector for each matrix. */
const solve: AtenConverter = (n, b) => {
  const [a, right] = [n.tensor('A'), n.tensor('B')];
  if (!n.flag('left', true)) return n.refuse('from the right');
  const vector = shapeOf(right).length === 1 || D.sameShape(shapeOf(right), shapeOf(a).slice(0, -1));
  const column = vector ? reshaped(b, right, [...shapeOf(right), 1]) : right;
  const lead =
    D.broadcast(shapeOf(a).slice(0, -2), shapeOf(column).slice(0, -2)) ?? n.refuse('they do not fit');
  const wide = (v: Value): Value => expanded(b, v, [...lead, ...shapeOf(v).slice(-2)]);
  return reshaped(b, solved(n, b, wide(a), wide(column)), n.result().shape);
};

export const linearSystems: AtenMap = {
  linalg_inv: inverse,
  inverse,
  linalg_solve: solve,
};
