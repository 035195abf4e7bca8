import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { rankOf, reshaped } from './shapes.js';

/** Vectors without elements, which old code puts into lists, are left out. */
const cat: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const rank = n.result().shape.length;
  const values = n.tensors('tensors').filter((v) => rankOf(v) === rank);
  return concatenated(
    b,
    values.map((v) => castTo(b, v, t)),
    axisOf(n.int('dim', 0), rank),
  );
};

const stack: AtenConverter = (n, b) => {
  const values = n.tensors('tensors');
  const axis = axisOf(n.int('dim', 0), rankOf(values[0]!) + 1);
  const apart = values.map((v) =>
    reshaped(b, castTo(b, v, n.result().dtype), [...shapeOf(v).slice(0, axis), 1, ...shapeOf(v).slice(axis)]),
  );
  return concatenated(b, apart, axis);
};

/** Side by side, or one above another. */
function joined(n: AtenNode, b: Build, axis: 0 | 1): Value {
  const rank = n.result().shape.length;
  const values = n.tensors('tensors').map((v) => {
    const shape =
      shapeOf(v).length < rank
        ? [...Array.from({ length: rank - rankOf(v) }, () => 1), ...shapeOf(v)]
        : shapeOf(v);
    return castTo(b, reshaped(b, v, shape), n.result().dtype);
  });
  return concatenated(b, values, Math.min(axis, rank - 1));
}

/** Differences of neighbours along an axis, `n` times over. */
const diff: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const axis = axisOf(n.int('dim', -1), rankOf(given));
  const around = [n.optional('prepend'), given, n.optional('append')].filter((v) => v !== undefined);
  let x = concatenated(b, around, axis);
  for (let i = n.int('n', 1); i > 0; i--) {
    const rest = D.sub(shapeOf(x)[axis]!, 1);
    const [later, earlier] = [slicedAxis(b, x, axis, 1, rest), slicedAxis(b, x, axis, 0, rest)];
    const fn = dtypeOf(x) === 'bool' ? 'xor' : 'sub';
    x = b(pointwise, [later, earlier], { expr: call(fn, arg(0), arg(1)) });
  }
  return x;
};

export const joins: AtenMap = {
  cat,
  concat: cat,
  concatenate: cat,
  stack,
  hstack: (n, b) => joined(n, b, 1),
  vstack: (n, b) => joined(n, b, 0),
  diff,
};
