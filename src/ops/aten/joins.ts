import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { rankOf, reshaped, withRank } from './shapes.js';

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
  if (n.int('n', 1) === 0) return given;
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

/** Vectors as columns. */
const columns: AtenConverter = (n, b) => {
  const values = n.tensors('tensors').map((v) => castTo(b, v, n.result().dtype));
  return concatenated(
    b,
    values.map((v) => (rankOf(v) < 2 ? reshaped(b, v, [D.numel(shapeOf(v)), 1]) : v)),
    1,
  );
};

const inDepth: AtenConverter = (n, b) =>
  concatenated(
    b,
    n.tensors('tensors').map((v) => withRank(b, castTo(b, v, n.result().dtype), 3)),
    2,
  );

/** Matrices along the diagonal of one that is 0 elsewhere. */
const blocks: AtenConverter = (n, b) => {
  const matrices = n.tensors('tensors').map((v) => withRank(b, castTo(b, v, n.result().dtype), 2));
  const width = D.add(...matrices.map((v) => shapeOf(v)[1]!));
  let left: D.Dim = 0;
  const rows = matrices.map((v) => {
    const own = shapeOf(v)[1]!;
    const before = [0, left];
    left = D.add(left, own);
    return b(pad, [v], { before, after: [0, D.sub(width, left)], mode: 'constant' });
  });
  return concatenated(b, rows, 0);
};

/** Every combination of elements, one from each vector. */
const product: AtenConverter = (n, b) => {
  const vectors = n.tensors('tensors');
  if (vectors.length === 1) return vectors[0]!;
  const shape = vectors.map((v) => shapeOf(v)[0]!);
  const axes = vectors.map((v, i) =>
    expanded(
      b,
      reshaped(
        b,
        v,
        shape.map((d, k) => (k === i ? d : 1)),
      ),
      shape,
    ),
  );
  const columnsOf = axes.map((v) => reshaped(b, v, [D.numel(shape), 1]));
  return concatenated(b, columnsOf, 1);
};

export const joins: AtenMap = {
  cat,
  concat: cat,
  concatenate: cat,
  stack,
  hstack: (n, b) => joined(n, b, 1),
  vstack: (n, b) => joined(n, b, 0),
  diff,
  column_stack: columns,
  dstack: inDepth,
  block_diag: blocks,
  cartesian_prod: product,
};
