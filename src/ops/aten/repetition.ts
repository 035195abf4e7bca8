import * as D from '../../ir/dim.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { concatenated } from '../concat.js';
import { expanded } from '../expand.js';
import { axesOf, axisOf, type Build } from '../op.js';
import { sliced, slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { rankOf, reshaped } from './shapes.js';

const flip: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const shape = shapeOf(x);
  const axes = axesOf(n.ints('dims'), shape.length);
  return sliced(
    b,
    x,
    shape.map((d, i) => (axes.includes(i) ? D.sub(d, 1) : 0)),
    shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
    shape,
  );
};

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

export const repetition: AtenMap = {
  flip,
  roll,
  repeat,
  tile: repeat,
  'repeat_interleave.self_int': repeatInterleave,
};
