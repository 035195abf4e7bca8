import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { dims } from '../constant.js';
import { cumulate } from '../cumulate.js';
import { expanded } from '../expand.js';
import { gather, gatherElements, gatherNd } from '../gather.js';
import { nonzero, nonzeroCount } from '../nonzero.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { type Reduction, scatterElements, scatterNd } from '../scatter.js';
import { slicedAxis, sliceRange } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { scalarValue as tensorOf, tensorOperand } from './operands.js';
import { permuted, reshaped } from './shapes.js';

const rankOf = (v: Value): number => shapeOf(v).length;
const wholeIndex = (b: Build, v: Value): Value => (dtypeOf(v) === 'i32' ? v : castTo(b, v, 'i64'));

const embedding: AtenConverter = (n, b) =>
  b(gather, [n.tensor('weight'), wholeIndex(b, n.tensor('indices'))], { axis: 0 });

const indexSelect: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const index = wholeIndex(b, n.tensor('index'));
  const flat = rankOf(index) === 0 ? reshaped(b, index, [1]) : index;
  if (rankOf(x) === 0) return reshaped(b, b(gather, [reshaped(b, x, [1]), flat], { axis: 0 }), []);
  return b(gather, [x, flat], { axis: axisOf(n.int('dim'), rankOf(x)) });
};

const take: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return b(gather, [reshaped(b, x, [D.numel(shapeOf(x))]), wholeIndex(b, n.tensor('index'))], { axis: 0 });
};

const gatherAlong: AtenConverter = (n, b) => {
  const [x, index] = [n.tensor('self'), wholeIndex(b, n.tensor('index'))];
  const { shape } = n.result();
  if (shape.length > 0 && rankOf(x) === rankOf(index))
    return b(gatherElements, [x, index], { axis: axisOf(n.int('dim'), rankOf(x)) });
  // A scalar is a vector of one element; indices without elements may have any rank.
  if (D.numel(shape) === 0) return expanded(b, tensorOf(b, 0, dtypeOf(x)), shape);
  const flat = (v: Value): Value => reshaped(b, v, [D.numel(shapeOf(v))]);
  return reshaped(b, b(gatherElements, [flat(x), flat(index)], { axis: 0 }), shape);
};

/** Takes along an axis; the indices broadcast over the other axes. */
const takeAlongDim: AtenConverter = (n, b) => {
  const [x, index] = [n.tensor('self'), wholeIndex(b, n.tensor('indices'))];
  if (!n.has('dim'))
    return b(gather, [reshaped(b, x, [D.numel(shapeOf(x))]), reshaped(b, index, [D.numel(shapeOf(index))])], {
      axis: 0,
    });
  const axis = axisOf(n.int('dim'), rankOf(x));
  const at = (v: Value, other: Value): D.Shape =>
    shapeOf(v).map((d, i) => (i === axis ? d : D.broadcast([d], [shapeOf(other)[i]!])![0]!));
  return b(gatherElements, [expanded(b, x, at(x, index)), expanded(b, index, at(index, x))], { axis });
};

const reductions: Readonly<Record<string, Reduction>> = {
  sum: 'add',
  add: 'add',
  prod: 'mul',
  multiply: 'mul',
  amax: 'max',
  amin: 'min',
};

/** Only as many elements of the source count as there are indices. */
const scatter =
  (source: string, fixed?: Reduction): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    const index = wholeIndex(b, n.tensor('index'));
    const t = dtypeOf(x);
    const given = tensorOperand(n, b, source, t);
    const named = n.has('reduce')
      ? (reductions[n.text('reduce')] ?? n.refuse(`there is no reduction "${n.text('reduce')}"`))
      : 'none';
    if (n.target.includes('reduce.two') && !n.flag('include_self', true))
      return n.refuse('the old elements do not count');
    let updates = rankOf(given) === 0 ? expanded(b, given, shapeOf(index)) : given;
    shapeOf(index).forEach((d, axis) => {
      if (!D.same(d, shapeOf(updates)[axis]!)) updates = slicedAxis(b, updates, axis, 0, d);
    });
    return b(scatterElements, [x, index, updates], {
      axis: axisOf(n.int('dim'), rankOf(x)),
      reduction: fixed ?? named,
    });
  };

/** Whole slices along an axis are added or replaced. */
const indexed =
  (source: string, reduction: Reduction): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    const axis = axisOf(n.int('dim'), rankOf(x));
    const index = castTo(b, n.tensor('index'), 'i64');
    const count = D.numel(shapeOf(index));
    const shape = shapeOf(x).map((d, i) => (i === axis ? count : d));
    const t = dtypeOf(x);
    const given = tensorOperand(n, b, source, t);
    const alpha = n.has('alpha') ? Number(n.number('alpha')) : 1;
    if (alpha !== 1) return n.refuse('with a factor');
    const wide = expanded(
      b,
      reshaped(
        b,
        index,
        shape.map((d, i) => (i === axis ? d : 1)),
      ),
      shape,
    );
    return b(scatterElements, [x, wide, expanded(b, given, shape)], { axis, reduction });
  };

/** Tensor-valued indices of consecutive axes, broadcast against one another. */
interface Picked {
  readonly axes: readonly number[];
  readonly indices: readonly Value[];
}

/** A mask stands for the indices of its true elements, one tensor an axis. */
function picked(n: AtenNode, b: Build, x: Value): Picked {
  const axes: number[] = [];
  const indices: Value[] = [];
  let axis = 0;
  for (const v of n.optionalTensors('indices')) {
    if (v && (dtypeOf(v) === 'bool' || dtypeOf(v) === 'u8')) {
      const rank = rankOf(v);
      const extent = maskExtent(n, v, x);
      const places = placesOf(n, b, v, extent);
      for (let d = 0; d < rank; d++, axis++) {
        axes.push(axis);
        indices.push(reshaped(b, slicedAxis(b, places, 0, d, 1), [extent]));
      }
      continue;
    }
    if (v) {
      axes.push(axis);
      indices.push(wholeIndex(b, v));
    }
    axis++;
  }
  return { axes, indices };
}

/** How many elements of a mask are true: the extent that the program declares in their place. */
function maskExtent(n: AtenNode, mask: Value, x: Value): D.Dim {
  const declared = n.result().shape;
  const grown = declared.length - (rankOf(x) - rankOf(mask));
  const unknown = declared.find((d) => typeof d !== 'number' && (D.bareSymbol(d) ?? '').startsWith('u'));
  if (grown !== 1 || unknown === undefined) return n.refuse('a mask among indices changes elements in place');
  return unknown;
}

function placesOf(n: AtenNode, b: Build, mask: Value, extent: D.Dim): Value {
  const truth = castTo(b, mask, 'bool');
  n.bind(extent, b(nonzeroCount, [truth], {}), 0);
  return b(nonzero, [truth], { count: extent });
}

/** `x[i, :, j]` with tensors: one axis is a gather, several are gathered together. */
const index: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const { axes, indices } = picked(n, b, x);
  if (axes.length === 0) return x;
  const consecutive = axes.every((a, i) => i === 0 || a === axes[i - 1]! + 1);
  if (axes.length === 1) return b(gather, [x, indices[0]!], { axis: axes[0]! });
  const rank = rankOf(x);
  const rest = shapeOf(x).flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const front = permuted(b, x, [...axes, ...rest]);
  const y = b(gatherNd, [front, together(b, indices)], { batch: 0 });
  if (!consecutive || axes[0] === 0) return y;
  // The picked axes belong where the first of them was.
  const count = rankOf(y) - (rank - axes.length);
  const before = axes[0]!;
  const perm = [
    ...Array.from({ length: before }, (_, i) => count + i),
    ...Array.from({ length: count }, (_, i) => i),
    ...Array.from({ length: rankOf(y) - count - before }, (_, i) => count + before + i),
  ];
  return permuted(b, y, perm);
};

/** Indices of several axes as one tensor of coordinates. */
function together(b: Build, indices: readonly Value[]): Value {
  const shape = D.broadcast(...indices.map(shapeOf))!;
  const columns = indices.map((v) => reshaped(b, expanded(b, castTo(b, v, 'i64'), shape), [...shape, 1]));
  return concatenated(b, columns, shape.length);
}

const indexPut: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const t = dtypeOf(x);
  const given = n.optionalTensors('indices');
  const [only] = given;
  if (given.length === 1 && only && dtypeOf(only) === 'bool' && rankOf(n.tensor('values')) === 0) {
    // A number written where a mask is true.
    const mask = reshaped(b, only, [
      ...shapeOf(only),
      ...Array.from({ length: rankOf(x) - rankOf(only) }, () => 1),
    ]);
    if (n.flag('accumulate', false)) return n.refuse('it adds to the elements under a mask');
    return b(pointwise, [x, mask, castTo(b, n.tensor('values'), t)], {
      expr: call('select', arg(1), arg(2), arg(0)),
    });
  }
  const { axes, indices } = picked(n, b, x);
  const rest = shapeOf(x).flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const order = [...axes, ...rest];
  const front = permuted(b, x, order);
  const coordinates = together(b, indices);
  const consecutive = axes.every((a, i) => i === 0 || a === axes[i - 1]! + 1);
  const places = shapeOf(coordinates).slice(0, -1);
  const kept = rest.map((a) => shapeOf(x)[a]!);
  // Values have the picked axes where the first of them was in the tensor, or in front.
  const before = consecutive ? axes[0]! : 0;
  const shape = [...kept.slice(0, before), ...places, ...kept.slice(before)];
  const values = expanded(b, castTo(b, n.tensor('values'), t), shape);
  const all = shape.map((_, i) => i);
  const [head, middle, tail] = [
    all.slice(0, before),
    all.slice(before, before + places.length),
    all.slice(before + places.length),
  ];
  const updates = permuted(b, values, [...middle, ...head, ...tail]);
  const reduction = n.flag('accumulate', false) ? 'add' : 'none';
  const y = b(scatterNd, [front, coordinates, updates], { reduction });
  return permuted(
    b,
    y,
    order.map((_, i) => order.indexOf(i)),
  );
};

const nonzeroOf: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const extent = n.result().shape[0]!;
  if (rankOf(x) === 0) {
    // One row without columns, or none.
    n.bind(extent, b(nonzeroCount, [reshaped(b, x, [1])], {}), 0);
    return expanded(b, tensorOf(b, 0, 'i64'), [extent, 0]);
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

const diagonal: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const rank = rankOf(x);
  const [p, q] = [axisOf(n.int('dim1', 0), rank), axisOf(n.int('dim2', 1), rank)];
  const rest = shapeOf(x).flatMap((_, i) => (i === p || i === q ? [] : [i]));
  const [rows, columns] = [shapeOf(x)[p]!, shapeOf(x)[q]!];
  const offset = n.int('offset', 0);
  const count = D.max(D.min(D.sub(rows, Math.max(0, -offset)), D.sub(columns, Math.max(0, offset))), 0);
  const flat = reshaped(b, permuted(b, x, [...rest, p, q]), [
    ...rest.map((i) => shapeOf(x)[i]!),
    D.mul(rows, columns),
  ]);
  const start = D.add(D.mul(Math.max(0, -offset), columns), Math.max(0, offset));
  const places = b(iota, [], { start, step: D.add(columns, 1), count, dtype: 'i64' });
  return b(gather, [flat, places], { axis: rest.length });
};

/** A copy in which a part is replaced. */
const sliceScatter: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const extent = shapeOf(x)[axis]!;
  const step = n.int('step', 1);
  const { start, length } = sliceRange(
    n.dim('start', 0),
    n.dim('end', Number.MAX_SAFE_INTEGER),
    step,
    extent,
  );
  const by = castTo(b, n.tensor('src'), dtypeOf(x));
  if (step !== 1) {
    const places = b(iota, [], { start, step, count: length, dtype: 'i64' });
    const shape = shapeOf(by);
    const wide = expanded(
      b,
      reshaped(
        b,
        places,
        shape.map((d, i) => (i === axis ? d : 1)),
      ),
      shape,
    );
    return b(scatterElements, [x, wide, by], { axis, reduction: 'none' });
  }
  return replacedPart(b, x, by, axis, start, length);
};

const selectScatter: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim'), rankOf(x));
  const index = n.dim('index');
  const start = typeof index === 'number' && index < 0 ? D.add(index, shapeOf(x)[axis]!) : index;
  const by = reshaped(
    b,
    castTo(b, n.tensor('src'), dtypeOf(x)),
    shapeOf(x).map((d, i) => (i === axis ? 1 : d)),
  );
  return replacedPart(b, x, by, axis, start, 1);
};

function replacedPart(b: Build, x: Value, by: Value, axis: number, start: D.Dim, length: D.Dim): Value {
  const extent = shapeOf(x)[axis]!;
  const end = D.add(start, length);
  const parts = [slicedAxis(b, x, axis, 0, start), by, slicedAxis(b, x, axis, end, D.sub(extent, end))];
  return concatenated(b, parts, axis);
}

export const indexing: AtenMap = {
  embedding,
  index_select: indexSelect,
  take,
  gather: gatherAlong,
  take_along_dim: takeAlongDim,
  'scatter.src': scatter('src'),
  'scatter.value': scatter('value'),
  'scatter.reduce': scatter('src'),
  'scatter.value_reduce': scatter('value'),
  scatter_add: scatter('src', 'add'),
  'scatter_reduce.two': scatter('src'),
  index_add: indexed('source', 'add'),
  index_copy: indexed('source', 'none'),
  'index_fill.int_Scalar': indexed('value', 'none'),
  'index_fill.int_Tensor': indexed('value', 'none'),
  'index.Tensor': index,
  index_put: indexPut,
  _unsafe_index_put: indexPut,
  '_unsafe_index.Tensor': index,
  nonzero: nonzeroOf,
  masked_select: maskedSelect,
  masked_scatter: maskedScatter,
  diagonal,
  slice_scatter: sliceScatter,
  select_scatter: selectScatter,
};
