import * as D from '../../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { expanded } from '../expand.js';
import { axesOf, axisOf, type Build } from '../op.js';
import { reshape } from '../reshape.js';
import { transpose } from '../transpose.js';
import type { AtenConverter, AtenMap } from './aten-node.js';

export const rankOf = (v: Value): number => shapeOf(v).length;

export const reshaped = (b: Build, x: Value, shape: D.Shape): Value =>
  D.sameShape(shapeOf(x), shape) ? x : b(reshape, [x], { shape });

export const flat = (b: Build, x: Value): Value => reshaped(b, x, [D.numel(shapeOf(x))]);

export const permuted = (b: Build, x: Value, perm: readonly number[]): Value =>
  perm.every((p, i) => p === i) ? x : b(transpose, [x], { perm });

/** The shape asked for, with what -1 stands for. */
function resolved(x: Value, asked: D.Shape): D.Shape {
  if (!asked.includes(-1)) return asked;
  const rest = D.numel(asked.filter((d) => d !== -1));
  return asked.map((d) => (d === -1 ? D.floordiv(D.numel(shapeOf(x)), rest) : d));
}

const view: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return reshaped(b, x, resolved(x, n.dims(n.has('size') ? 'size' : 'shape')));
};

const flatten: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const shape = shapeOf(x);
  if (shape.length === 0) return reshaped(b, x, [1]);
  const [from, to] = [
    axisOf(n.int('start_dim', 0), shape.length),
    axisOf(n.int('end_dim', -1), shape.length),
  ];
  return reshaped(b, x, [
    ...shape.slice(0, from),
    D.numel(shape.slice(from, to + 1)),
    ...shape.slice(to + 1),
  ]);
};

const unflatten: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const shape = shapeOf(x);
  const axis = axisOf(n.int('dim'), shape.length);
  const sizes = n.dims('sizes');
  const rest = D.numel(sizes.filter((d) => d !== -1));
  const parts = sizes.map((d) => (d === -1 ? D.floordiv(shape[axis]!, rest) : d));
  return reshaped(b, x, [...shape.slice(0, axis), ...parts, ...shape.slice(axis + 1)]);
};

const unsqueeze: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const at = axisOf(n.int('dim'), rankOf(x) + 1);
  return reshaped(b, x, [...shapeOf(x).slice(0, at), 1, ...shapeOf(x).slice(at)]);
};

/** Axes that are not 1 stay; the program declares which are left. */
const squeeze: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const shape = shapeOf(x);
  if (shape.length === 0) return x;
  const axes = n.has('dim') ? axesOf(n.ints('dim'), shape.length) : shape.map((_, i) => i);
  return reshaped(
    b,
    x,
    shape.filter((d, i) => !(axes.includes(i) && d === 1)),
  );
};

/** -1 keeps an axis. */
const expand: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const asked = n.dims('size');
  const lead = asked.length - rankOf(x);
  return expanded(
    b,
    x,
    asked.map((d, i) => (d === -1 ? shapeOf(x)[i - lead]! : d)),
  );
};

const shapedLike =
  (change: (b: Build, x: Value, shape: D.Shape) => Value): AtenConverter =>
  (n, b) =>
    change(b, n.tensor('self'), shapeOf(n.tensor('other')));

/** A vector becomes a row, and of three axes a row one deep. */
export function withRank(b: Build, x: Value, rank: number): Value {
  const missing = Math.max(0, rank - rankOf(x));
  const before = rank === 3 && rankOf(x) > 0 ? missing - 1 : missing;
  const ones = (count: number): D.Shape => Array.from({ length: Math.max(0, count) }, () => 1);
  return reshaped(b, x, [...ones(before), ...shapeOf(x), ...ones(missing - Math.max(0, before))]);
}

const atLeast = (rank: number): AtenMap => ({
  [`atleast_${rank}d`]: (n, b) => withRank(b, n.tensor('self'), rank),
  [`atleast_${rank}d.Sequence`]: (n, b) => n.tensors('tensors').map((x) => withRank(b, x, rank)),
});

const ravel: AtenConverter = (n, b) => flat(b, n.tensor('self'));

const broadcastTensors: AtenConverter = (n, b) => {
  const values = n.tensors('tensors');
  const shape = D.broadcast(...values.map(shapeOf)) ?? n.refuse('their extents do not fit');
  return values.map((v) => expanded(b, v, shape));
};

export const shapes: AtenMap = {
  view,
  _unsafe_view: view,
  reshape: view,
  'view.dtype': (n) =>
    n.result().dtype === dtypeOf(n.tensor('self'))
      ? n.tensor('self')
      : n.refuse('the bits are read as another type'),
  view_as: shapedLike(reshaped),
  reshape_as: shapedLike(reshaped),
  expand_as: shapedLike(expanded),
  'flatten.using_ints': flatten,
  'unflatten.int': unflatten,
  unsqueeze,
  squeeze,
  'squeeze.dim': squeeze,
  'squeeze.dims': squeeze,
  expand,
  broadcast_to: expand,
  ...atLeast(1),
  ...atLeast(2),
  ...atLeast(3),
  ravel,
  broadcast_tensors: broadcastTensors,
};
