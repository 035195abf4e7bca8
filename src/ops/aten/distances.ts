import { arg, call, cast } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { literalOf } from '../../ir/literal.js';
import { constant } from '../constant.js';
import { gather } from '../gather.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { type ReduceKind, reduce } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one } from './operands.js';
import { reshaped } from './shapes.js';

/** The norm along the last axis. */
function norm(b: Build, x: Value, order: number): Value {
  const t = dtypeOf(x);
  const over = (kind: ReduceKind, v: Value): Value =>
    b(reduce, [v], { kind, axes: [shapeOf(v).length - 1], keepdims: false });
  if (order === 2) return over('l2', x);
  if (order === 1) return over('l1', x);
  const size = call('abs', arg(0));
  if (order === Number.POSITIVE_INFINITY) return over('max', one(b, x, size));
  if (order === 0) return over('sum', one(b, x, cast(t, call('ne', arg(0), numberOf(0, t)))));
  const sum = over('sum', one(b, x, call('pow', size, numberOf(order, t))));
  return one(b, sum, call('pow', arg(0), numberOf(1 / order, t)));
}

/** The norm of the differences along the last axis. */
function between(n: AtenNode, b: Build, x: Value, y: Value): Value {
  const gap = b(pointwise, [x, y], { expr: call('sub', arg(0), arg(1)) });
  return norm(b, gap, Number(n.number('p', 2)));
}

/** Of every row of one matrix to every row of another. */
const cdist: AtenConverter = (n, b) => {
  const [x, y] = [n.tensor(n.has('x1') ? 'x1' : 'self'), n.tensor(n.has('x2') ? 'x2' : 'other')];
  const rows = reshaped(b, x, [...shapeOf(x).slice(0, -1), 1, shapeOf(x).at(-1)!]);
  const columns = reshaped(b, y, [...shapeOf(y).slice(0, -2), 1, ...shapeOf(y).slice(-2)]);
  return between(n, b, rows, columns);
};

/** Of each pair of rows of one matrix. */
const pdist: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const count = shapeOf(x)[0]!;
  if (typeof count !== 'number') return n.refuse('the number of rows is not known');
  const pairs = Array.from({ length: count }, (_, i) => i).flatMap((i) =>
    Array.from({ length: count - i - 1 }, (_, k) => [i, i + k + 1] as const),
  );
  const rows = (side: 0 | 1): Value =>
    b(
      gather,
      [
        x,
        b(constant, [], {
          value: literalOf(
            'i64',
            [pairs.length],
            pairs.map((p) => p[side]),
          ),
        }),
      ],
      { axis: 0 },
    );
  return between(n, b, rows(0), rows(1));
};

export const distances: AtenMap = {
  cdist,
  _cdist_forward: cdist,
  pdist,
  _pdist_forward: pdist,
};
