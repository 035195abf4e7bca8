import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { dims } from '../constant.js';
import { cumulate } from '../cumulate.js';
import { expanded } from '../expand.js';
import { gather, gatherNd } from '../gather.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { scatterNd } from '../scatter.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { maskExtent, placesOf } from './masks.js';
import { wholeIndex } from './operands.js';
import { permuted, rankOf, reshaped } from './shapes.js';

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
    if (v && isMask(v)) {
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

/** What is written, spread over the places that the mask may choose; several values go in order. */
function maskedPut(n: AtenNode, b: Build, mask: Value, axis: number): Value {
  const x = n.tensor('self');
  const t = dtypeOf(x);
  const values = castTo(b, n.tensor('values'), t);
  const covered = rankOf(mask);
  const rest = shapeOf(x).filter((_, i) => i < axis || i >= axis + covered);
  // The values' axes are those in front, one for the places, and those behind.
  const place = rankOf(values) - (rest.length - axis) - 1;
  const behind = Array.from({ length: rankOf(x) - axis - covered }, () => 1);
  const wideMask = reshaped(b, castTo(b, mask, 'bool'), [...shapeOf(mask), ...behind]);
  const several = place >= 0 && shapeOf(values)[place] !== 1;
  const own = shapeOf(values);
  const apart = (count: D.Shape): D.Shape =>
    place < 0 ? own : [...own.slice(0, place), ...count, ...own.slice(place + 1)];
  const chosen = several
    ? reshaped(b, b(gather, [values, orderOf(b, mask, own[place]!)], { axis: place }), apart(shapeOf(mask)))
    : reshaped(b, values, apart(shapeOf(mask).map(() => 1)));
  const written = n.flag('accumulate', false)
    ? t === 'bool'
      ? call('or', arg(2), arg(1))
      : call('add', arg(2), arg(1))
    : arg(1);
  return b(pointwise, [wideMask, chosen, x], { expr: call('select', arg(0), written, arg(2)) });
}

/** How many elements before each are true, as an index below a limit. */
function orderOf(b: Build, mask: Value, limit: D.Dim): Value {
  const count = reshaped(b, castTo(b, castTo(b, mask, 'bool'), 'i64'), [D.numel(shapeOf(mask))]);
  const before = b(cumulate, [count], { axis: 0, kind: 'sum', exclusive: true, reverse: false });
  const last = b(dims, [], { dims: [D.max(D.sub(limit, 1), 0)], dtype: 'i64', shape: [] });
  return b(pointwise, [before, last], { expr: call('min', arg(0), arg(1)) });
}

const isMask = (v: Value): boolean => dtypeOf(v) === 'bool' || dtypeOf(v) === 'u8';

const indexPut: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const t = dtypeOf(x);
  const given = n.optionalTensors('indices');
  const chosen = given.flatMap((v, i) => (v ? [i] : []));
  if (chosen.length === 0) return expanded(b, castTo(b, n.tensor('values'), t), shapeOf(x));
  const only = given[chosen[0]!]!;
  if (chosen.length === 1 && isMask(only)) return maskedPut(n, b, only, chosen[0]!);
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
  const numbers = t === 'bool' && reduction === 'add' ? 'i32' : t;
  const [old, by] = [castTo(b, front, numbers), castTo(b, updates, numbers)];
  const y = castTo(b, b(scatterNd, [old, coordinates, by], { reduction }), t);
  return permuted(
    b,
    y,
    order.map((_, i) => order.indexOf(i)),
  );
};

export const advancedIndexing: AtenMap = {
  'index.Tensor': index,
  index_put: indexPut,
  _unsafe_index_put: indexPut,
  '_unsafe_index.Tensor': index,
};
