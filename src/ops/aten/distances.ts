import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { gather } from '../gather.js';
import { nonzero } from '../nonzero.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { reshaped } from './shapes.js';
import { normOver } from './vector-norms.js';

/** The norm of the differences along the last axis. */
function between(n: AtenNode, b: Build, x: Value, y: Value): Value {
  const gap = b(pointwise, [x, y], { expr: call('sub', arg(0), arg(1)) });
  return normOver(b, gap, [shapeOf(gap).length - 1], false, Number(n.number('p', 2)));
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
  const [count] = shapeOf(x) as [D.Dim];
  const pairs = D.floordiv(D.mul(count, D.sub(count, 1)), 2);
  const rows = b(iota, [], { start: 0, step: 1, count, dtype: 'i64' });
  const above = b(pointwise, [reshaped(b, rows, [count, 1]), rows], { expr: call('lt', arg(0), arg(1)) });
  const places = b(nonzero, [above], { count: pairs });
  const side = (i: number): Value =>
    b(gather, [x, reshaped(b, slicedAxis(b, places, 0, i, 1), [pairs])], { axis: 0 });
  return between(n, b, side(0), side(1));
};

export const distances: AtenMap = {
  cdist,
  _cdist_forward: cdist,
  pdist,
  _pdist_forward: pdist,
};
