import * as D from '../../ir/dim.js';
import { arg, call, constant as konst } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { dims } from '../constant.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { sliced, slicedAxis, sliceRange } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { rankOf, reshaped } from './shapes.js';

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

/** In equal numbers, the first ones larger by one where they do not divide; or at indices. */
function splitAt(n: AtenNode, b: Build, axis: number): readonly Value[] {
  const x = n.tensor('self');
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
    bounds.slice(1).map((d, i) => D.max(D.sub(d, bounds[i]!), 0)),
  );
}

const tensorSplit: AtenConverter = (n, b) => splitAt(n, b, axisOf(n.int('dim', 0), rankOf(n.tensor('self'))));

/** Along the axis that hsplit, vsplit and dsplit have; a vector has only one. */
const along = (name: string, axis: number): AtenMap => {
  const split: AtenConverter = (n, b) => splitAt(n, b, Math.min(axis, rankOf(n.tensor('self')) - 1));
  return { [`${name}.int`]: split, [`${name}.array`]: split };
};

/** The bounds are elements of a tensor: how large the pieces are shows when the model runs. */
const splitByTensor: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const bounds = n.tensor('tensor_indices_or_sections');
  if (rankOf(bounds) !== 1) return n.refuse('the number of pieces is an element of a tensor');
  const extents = Array.from({ length: n.outputCount }, (_, i) => n.result(i).shape[axis]!);
  const whole = shapeOf(x)[axis]!;
  const [first, last] = [0, whole].map((d) => b(dims, [], { dims: [d], dtype: 'i64', shape: [1] }));
  const front = b(pointwise, [castTo(b, bounds, 'i64'), last!], {
    expr: call('min', call('select', call('lt', arg(0), zero), call('add', arg(0), arg(1)), arg(0)), arg(1)),
  });
  const sizes = b(pointwise, [concatenated(b, [front, last!], 0), concatenated(b, [first!, front], 0)], {
    expr: call('max', call('sub', arg(0), arg(1)), zero),
  });
  extents.forEach((d, i) => {
    if (typeof d !== 'number') n.bind(d, sizes, i);
  });
  return parts(b, x, axis, extents);
};
const zero = konst(0n, 'i64');

const unbind: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const rest = shapeOf(x).filter((_, i) => i !== axis);
  return Array.from({ length: n.outputCount }, (_, i) => reshaped(b, slicedAxis(b, x, axis, i, 1), rest));
};

export const pieces: AtenMap = {
  'slice.Tensor': slice,
  'select.int': select,
  narrow,
  'split.Tensor': splitBy,
  'split.sizes': splitBy,
  split_with_sizes: splitBy,
  split_with_sizes_copy: splitBy,
  chunk,
  'tensor_split.sections': tensorSplit,
  'tensor_split.indices': tensorSplit,
  'tensor_split.tensor_indices_or_sections': splitByTensor,
  ...along('hsplit', 1),
  ...along('vsplit', 0),
  ...along('dsplit', 2),
  unsafe_chunk: chunk,
  'unsafe_split.Tensor': splitBy,
  unsafe_split_with_sizes: splitBy,
  'unbind.int': unbind,
};
