import * as D from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { cumulate } from '../cumulate.js';
import { expanded } from '../expand.js';
import { gather } from '../gather.js';
import { axesOf, axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { reduce } from '../reduce.js';
import { sliced, slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { flat, permuted, rankOf, reshaped } from './shapes.js';

const flip: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return mirrored(b, x, axesOf(n.ints('dims'), rankOf(x)));
};

function mirrored(b: Build, x: Value, axes: readonly number[]): Value {
  const shape = shapeOf(x);
  return sliced(
    b,
    x,
    shape.map((d, i) => (axes.includes(i) ? D.sub(d, 1) : 0)),
    shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
    shape,
  );
}

const roll: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const axes = n.ints('dims', []);
  const shifts = n.ints('shifts');
  const flat = axes.length === 0;
  let x = flat ? reshaped(b, given, [D.numel(shapeOf(given))]) : given;
  shifts.forEach((shift, i) => {
    const axis = axisOf(flat ? 0 : axes[i]!, rankOf(x));
    const extent = shapeOf(x)[axis]!;
    const by = D.mod(shift, extent);
    const start = D.sub(extent, by);
    x = concatenated(b, [slicedAxis(b, x, axis, start, by), slicedAxis(b, x, axis, 0, start)], axis);
  });
  return reshaped(b, x, shapeOf(given));
};

/** New axes in front come from repeats that the tensor has no axis for. */
const repeat: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const repeats = n.dims(n.has('repeats') ? 'repeats' : 'dims');
  return tiled(b, x, repeats);
};

export function tiled(b: Build, x: Value, asked: D.Shape): Value {
  const own = shapeOf(x);
  const rank = Math.max(own.length, asked.length);
  const front = (s: D.Shape): D.Shape => [...Array.from({ length: rank - s.length }, () => 1), ...s];
  const [shape, repeats] = [front(own), front(asked)];
  const wide = shape.flatMap((d, i) => [repeats[i]!, d]);
  const apart = shape.flatMap((d) => [1, d]);
  const out = shape.map((d, i) => D.mul(d, repeats[i]!));
  return repeats.every((r) => r === 1)
    ? reshaped(b, x, out)
    : reshaped(b, expanded(b, reshaped(b, x, apart), wide), out);
}

const repeatInterleave: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const flat = !n.has('dim');
  const x = flat ? reshaped(b, given, [D.numel(shapeOf(given))]) : given;
  const shape = shapeOf(x);
  const axis = axisOf(n.int('dim', 0), shape.length);
  const times = n.dim('repeats');
  const [before, after] = [shape.slice(0, axis + 1), shape.slice(axis + 1)];
  const wide = expanded(b, reshaped(b, x, [...before, 1, ...after]), [...before, times, ...after]);
  return reshaped(b, wide, [...shape.slice(0, axis), D.mul(shape[axis]!, times), ...after]);
};

/** Quarter turns in the plane of two axes, from the first towards the second. */
const rot90: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const rank = rankOf(x);
  const [p, q] = n.ints('dims', [0, 1]).map((d) => axisOf(d, rank)) as [number, number];
  const exchange = (v: Value): Value =>
    permuted(
      b,
      v,
      shapeOf(v).map((_, i) => (i === p ? q : i === q ? p : i)),
    );
  switch (((n.int('k', 1) % 4) + 4) % 4) {
    case 1:
      return exchange(mirrored(b, x, [q]));
    case 2:
      return mirrored(b, x, [p, q]);
    case 3:
      return mirrored(b, exchange(x), [q]);
    default:
      return x;
  }
};

/** As often as a tensor says, element by element along an axis. */
const repeatByTensor: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const x = n.has('dim') ? given : flat(b, given);
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  return b(gather, [x, sourcesOf(n, b, n.tensor('repeats'), shapeOf(x)[axis]!, axis)], { axis });
};

/** Of which element each place of the result is a copy: the number of elements whose copies end before it. */
function sourcesOf(n: AtenNode, b: Build, repeats: Value, from: D.Dim, axis: number): Value {
  const counts = expanded(b, castTo(b, repeats, 'i64'), [from]);
  const count = n.result().shape[axis]!;
  if (typeof count !== 'number')
    n.bind(count, b(reduce, [counts], { kind: 'sum', axes: [0], keepdims: true }), 0);
  const ends = b(cumulate, [counts], { axis: 0, kind: 'sum', exclusive: false, reverse: false });
  const places = b(iota, [], { start: 0, step: 1, count, dtype: 'i64' });
  const ended = b(pointwise, [ends, reshaped(b, places, [count, 1])], {
    expr: cast('i64', call('le', arg(0), arg(1))),
  });
  return b(reduce, [ended], { kind: 'sum', axes: [1], keepdims: false });
}

export const repetition: AtenMap = {
  flip,
  roll,
  repeat,
  tile: repeat,
  'repeat_interleave.self_int': repeatInterleave,
  'repeat_interleave.self_Tensor': repeatByTensor,
  'repeat_interleave.Tensor': (n, b) =>
    sourcesOf(n, b, n.tensor('repeats'), shapeOf(n.tensor('repeats'))[0]!, 0),
  fliplr: (n, b) => mirrored(b, n.tensor('self'), [1]),
  flipud: (n, b) => mirrored(b, n.tensor('self'), [0]),
  rot90,
};
