import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { expanded } from '../expand.js';
import { gather } from '../gather.js';
import { axesOf, axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { reshape } from '../reshape.js';
import { sliced, slicedAxis, sliceRange } from '../slice.js';
import { transpose } from '../transpose.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';

const rankOf = (v: Value): number => shapeOf(v).length;

export const reshaped = (b: Build, x: Value, shape: D.Shape): Value =>
  D.sameShape(shapeOf(x), shape) ? x : b(reshape, [x], { shape });

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

const exchanged =
  (first: string, second: string): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    if (rankOf(x) === 0) return x;
    const [p, q] = [axisOf(n.int(first), rankOf(x)), axisOf(n.int(second), rankOf(x))];
    return permuted(
      b,
      x,
      shapeOf(x).map((_, i) => (i === p ? q : i === q ? p : i)),
    );
  };

const permute: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return permuted(
    b,
    x,
    n.ints('dims').map((d) => axisOf(d, rankOf(x))),
  );
};

const reversedAxes: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return permuted(
    b,
    x,
    shapeOf(x).map((_, i) => rankOf(x) - 1 - i),
  );
};

const lastTwo: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const rank = rankOf(x);
  return rank < 2
    ? x
    : permuted(
        b,
        x,
        shapeOf(x).map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i)),
      );
};

const movedim: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const from = n.ints('source').map((d) => axisOf(d, rankOf(x)));
  const to = n.ints('destination').map((d) => axisOf(d, rankOf(x)));
  const rest = shapeOf(x).flatMap((_, i) => (from.includes(i) ? [] : [i]));
  const perm = shapeOf(x).map((_, i) => (to.includes(i) ? from[to.indexOf(i)]! : rest.shift()!));
  return permuted(b, x, perm);
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

const slice: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const shape = shapeOf(x);
  const axis = axisOf(n.int('dim', 0), shape.length);
  const step = n.int('step', 1);
  const { start, length } = sliceRange(
    n.dim('start', 0),
    n.dim('end', Number.MAX_SAFE_INTEGER),
    step,
    shape[axis]!,
  );
  return sliced(
    b,
    x,
    shape.map((_, i) => (i === axis ? start : 0)),
    shape.map((_, i) => (i === axis ? step : 1)),
    shape.map((d, i) => (i === axis ? length : d)),
  );
};

const fromFront = (index: D.Dim, extent: D.Dim): D.Dim =>
  typeof index === 'number' && index < 0 ? D.add(index, extent) : index;

const select: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const shape = shapeOf(x);
  const axis = axisOf(n.int('dim'), shape.length);
  const part = slicedAxis(b, x, axis, fromFront(n.dim('index'), shape[axis]!), 1);
  return reshaped(
    b,
    part,
    shape.filter((_, i) => i !== axis),
  );
};

const narrow: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim'), rankOf(x));
  return slicedAxis(b, x, axis, fromFront(n.dim('start'), shapeOf(x)[axis]!), n.dim('length'));
};

function parts(b: Build, x: Value, axis: number, sizes: D.Shape): readonly Value[] {
  let start: D.Dim = 0;
  return sizes.map((size) => {
    const part = slicedAxis(b, x, axis, start, size);
    start = D.add(start, size);
    return part;
  });
}

const splitBy: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const name = n.has('split_sizes') ? 'split_sizes' : n.has('split_size') ? 'split_size' : 'sizes';
  const given = n.dims(name);
  if (n.target.includes('with_sizes') || n.target.endsWith('.sizes')) return parts(b, x, axis, given);
  return parts(b, x, axis, evenly(n, shapeOf(x)[axis]!, given[0]!));
};

/** Parts of one size; the last is what is left. */
function evenly(n: AtenNode, extent: D.Dim, size: D.Dim): D.Shape {
  const count = n.outputCount;
  const last = D.sub(extent, D.mul(count - 1, size));
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? last : size));
}

const chunk: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const extent = shapeOf(x)[axis]!;
  return parts(b, x, axis, evenly(n, extent, D.ceildiv(extent, n.int('chunks'))));
};

const tensorSplit: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const extent = shapeOf(x)[axis]!;
  const bounds: D.Dim[] = [0];
  if (n.has('indices'))
    bounds.push(...n.dims('indices').map((d) => D.min(fromFront(d, extent), extent)), extent);
  else {
    const sections = n.int('sections');
    const [size, more] = [D.floordiv(extent, sections), D.mod(extent, sections)];
    for (let i = 1; i <= sections; i++) bounds.push(D.add(D.mul(i, size), D.min(i, more)));
  }
  return parts(
    b,
    x,
    axis,
    bounds.slice(1).map((d, i) => D.sub(d, bounds[i]!)),
  );
};

const unbind: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const rest = shapeOf(x).filter((_, i) => i !== axis);
  return Array.from({ length: n.outputCount }, (_, i) => reshaped(b, slicedAxis(b, x, axis, i, 1), rest));
};

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

/** A window of a dense tensor's memory, by places in it. */
const asStrided: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const [size, stride] = [n.dims('size'), n.dims('stride')];
  const rank = size.length;
  const flat = reshaped(b, x, [D.numel(shapeOf(x))]);
  const start = n.dim('storage_offset', 0);
  if (rank === 0) return reshaped(b, slicedAxis(b, flat, 0, start, 1), []);
  const along = size.map((count, i) => {
    const numbers = b(iota, [], { start: i === 0 ? start : 0, step: stride[i]!, count, dtype: 'i64' });
    return reshaped(
      b,
      numbers,
      size.map((_, d) => (d === i ? count : 1)),
    );
  });
  const places = b(pointwise, along, {
    expr: along.map((_, i) => arg(i)).reduce((p, q) => call('add', p, q)),
  });
  return b(gather, [flat, places], { axis: 0 });
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

const atLeast =
  (rank: number): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    return reshaped(b, x, [...Array.from({ length: Math.max(0, rank - rankOf(x)) }, () => 1), ...shapeOf(x)]);
  };

/** Blocks of axes 2 and 3 become channels, or channels become blocks. */
const pixelShuffle: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const r = n.int('upscale_factor');
  const lead = shapeOf(x).slice(0, -3);
  const [c, h, w] = shapeOf(x).slice(-3) as [D.Dim, D.Dim, D.Dim];
  const out = D.floordiv(c, r * r);
  const at = lead.length;
  const apart = reshaped(b, x, [...lead, out, r, r, h, w]);
  const front = lead.map((_, i) => i);
  const turned = permuted(b, apart, [...front, ...[0, 3, 1, 4, 2].map((i) => i + at)]);
  return reshaped(b, turned, [...lead, out, D.mul(h, r), D.mul(w, r)]);
};

const pixelUnshuffle: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const r = n.int('downscale_factor');
  const lead = shapeOf(x).slice(0, -3);
  const [c, h, w] = shapeOf(x).slice(-3) as [D.Dim, D.Dim, D.Dim];
  const [rows, columns] = [D.floordiv(h, r), D.floordiv(w, r)];
  const at = lead.length;
  const apart = reshaped(b, x, [...lead, c, rows, r, columns, r]);
  const front = lead.map((_, i) => i);
  const turned = permuted(b, apart, [...front, ...[0, 2, 4, 1, 3].map((i) => i + at)]);
  return reshaped(b, turned, [...lead, D.mul(c, r * r), rows, columns]);
};

const channelShuffle: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const [batch, channels, ...rest] = shapeOf(x) as [D.Dim, D.Dim, ...D.Dim[]];
  const groups = n.int('groups');
  const apart = reshaped(b, x, [batch, groups, D.floordiv(channels, groups), ...rest]);
  return reshaped(b, permuted(b, apart, [0, 2, 1, ...rest.map((_, i) => i + 3)]), shapeOf(x));
};

export const movement: AtenMap = {
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
  'transpose.int': exchanged('dim0', 'dim1'),
  swapaxes: exchanged('axis0', 'axis1'),
  swapdims: exchanged('dim0', 'dim1'),
  permute,
  t: lastTwo,
  mT: lastTwo,
  adjoint: lastTwo,
  numpy_T: reversedAxes,
  'movedim.int': movedim,
  'movedim.intlist': movedim,
  'moveaxis.int': movedim,
  'moveaxis.intlist': movedim,
  expand,
  broadcast_to: expand,
  'slice.Tensor': slice,
  'select.int': select,
  narrow,
  'split.Tensor': splitBy,
  'split.sizes': splitBy,
  split_with_sizes: splitBy,
  split_with_sizes_copy: splitBy,
  split_copy: splitBy,
  chunk,
  'tensor_split.sections': tensorSplit,
  'tensor_split.indices': tensorSplit,
  'unbind.int': unbind,
  cat,
  concat: cat,
  concatenate: cat,
  stack,
  diff,
  as_strided: asStrided,
  hstack: (n, b) => joined(n, b, 1),
  vstack: (n, b) => joined(n, b, 0),
  flip,
  roll,
  repeat,
  tile: repeat,
  'repeat_interleave.self_int': repeatInterleave,
  atleast_1d: atLeast(1),
  atleast_2d: atLeast(2),
  pixel_shuffle: pixelShuffle,
  pixel_unshuffle: pixelUnshuffle,
  channel_shuffle: channelShuffle,
  native_channel_shuffle: channelShuffle,
};
