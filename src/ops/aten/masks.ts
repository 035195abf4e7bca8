import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { dims } from '../constant.js';
import { cumulate } from '../cumulate.js';
import { expanded } from '../expand.js';
import { gather } from '../gather.js';
import { nonzero, nonzeroCount } from '../nonzero.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { scalarValue } from './operands.js';
import { permuted, rankOf, reshaped } from './shapes.js';

/** How many elements of a mask are true: the extent that the program declares in their place. */
export function maskExtent(n: AtenNode, mask: Value, x: Value): D.Dim {
  const declared = n.result().shape;
  const grown = declared.length - (rankOf(x) - rankOf(mask));
  const unknown = declared.find((d) => typeof d !== 'number' && (D.bareSymbol(d) ?? '').startsWith('u'));
  if (grown !== 1 || unknown === undefined) return n.refuse('a mask among indices changes elements in place');
  return unknown;
}

export function placesOf(n: AtenNode, b: Build, mask: Value, extent: D.Dim): Value {
  const truth = castTo(b, mask, 'bool');
  n.bind(extent, b(nonzeroCount, [truth], {}), 0);
  return b(nonzero, [truth], { count: extent });
}

const nonzeroOf: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const extent = n.result().shape[0]!;
  if (rankOf(x) === 0) {
    // One row without columns, or none.
    n.bind(extent, b(nonzeroCount, [reshaped(b, x, [1])], {}), 0);
    return expanded(b, scalarValue(b, 0, 'i64'), [extent, 0]);
  }
  n.bind(extent, b(nonzeroCount, [x], {}), 0);
  return permuted(b, b(nonzero, [x], { count: extent }), [1, 0]);
};

const maskedSelect: AtenConverter = (n, b) => {
  const [x, mask] = [n.tensor('self'), n.tensor('mask')];
  const shape = D.broadcast(shapeOf(x), shapeOf(mask))!;
  const flat = (v: Value): Value => reshaped(b, expanded(b, v, shape), [D.numel(shape)]);
  const extent = n.result().shape[0]!;
  const places = placesOf(n, b, flat(mask), extent);
  return b(gather, [flat(x), reshaped(b, places, [extent])], { axis: 0 });
};

/** True elements of the mask are replaced by the source's, in order. */
const maskedScatter: AtenConverter = (n, b) => {
  const [x, mask, source] = [n.tensor('self'), n.tensor('mask'), n.tensor('source')];
  const { shape } = n.result();
  const count = D.numel(shape);
  const given = D.numel(shapeOf(source));
  if (given === 0 || count === 0) return expanded(b, x, shape);
  const flat = reshaped(b, expanded(b, castTo(b, mask, 'bool'), shape), [count]);
  const places = b(cumulate, [castTo(b, flat, 'i64')], {
    axis: 0,
    kind: 'sum',
    exclusive: true,
    reverse: false,
  });
  const last = b(dims, [], { dims: [D.sub(given, 1)], dtype: 'i64', shape: [] });
  const within = b(pointwise, [places, last], { expr: call('min', arg(0), arg(1)) });
  const taken = b(gather, [reshaped(b, source, [given]), within], { axis: 0 });
  return b(pointwise, [reshaped(b, flat, shape), reshaped(b, taken, shape), expanded(b, x, shape)], {
    expr: call('select', arg(0), arg(1), arg(2)),
  });
};

/** The same, as one vector an axis. */
const nonzeroByAxis: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const x = rankOf(given) === 0 ? reshaped(b, given, [1]) : given;
  const extent = n.result().shape[0]!;
  const places = placesOf(n, b, x, extent);
  return shapeOf(x).map((_, axis) => reshaped(b, slicedAxis(b, places, 0, axis, 1), [extent]));
};

export const masks: AtenMap = {
  nonzero: nonzeroOf,
  argwhere: nonzeroOf,
  nonzero_numpy: nonzeroByAxis,
  masked_select: maskedSelect,
  masked_scatter: maskedScatter,
};
