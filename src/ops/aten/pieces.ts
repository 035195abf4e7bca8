import * as D from '../../ir/dim.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { axisOf, type Build } from '../op.js';
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

export const pieces: AtenMap = {
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
};
