import { add, type Dim, sub } from '../../src/ir/dim.js';
import { shapeOf, type Value } from '../../src/ir/graph.js';
import type { AtenNode } from '../../src/ops/aten/aten-node.js';
import { concatenated } from '../../src/ops/concat.js';
import { axisOf, type Build } from '../../src/ops/op.js';
import { reshape } from '../../src/ops/reshape.js';
import { slicedAxis, sliceRange } from '../../src/ops/slice.js';
import { transpose } from '../../src/ops/transpose.js';
import type { Size, TensorMeta } from './schema.js';

/** Operators whose result is the same memory as their input, seen in another way. */
const viewing = new Set(
  `alias detach view _unsafe_view reshape view_as flatten unflatten unsqueeze squeeze contiguous expand expand_as
   select slice narrow transpose t permute numpy_T movedim moveaxis swapaxes swapdims unbind split split_with_sizes
   chunk tensor_split diagonal unfold to _to_copy dropout`.split(/\s+/),
);

export const isView = (target: string): boolean => viewing.has(target.split('.')[0]!);

/**
 * Whether a tensor under another shape is the same memory: every new axis lies within one run of old axes that follow
 * one another without gaps. Nobody can tell for sizes that are not known.
 */
export function isViewOf({ sizes, strides }: TensorMeta, shape: readonly Size[]): 'yes' | 'no' | 'unknown' {
  const known = (list: readonly Size[]): list is readonly number[] =>
    list.every((d) => typeof d === 'number');
  if (strides.length !== sizes.length || !known(sizes) || !known(strides) || !known(shape)) return 'unknown';
  if (sizes.includes(0)) return 'yes';
  let axis = shape.length - 1;
  let innermost = strides.at(-1) ?? 1;
  let [run, within] = [1, 1];
  for (let d = sizes.length - 1; d >= 0; d--) {
    run *= sizes[d]!;
    const ends = d === 0 || (sizes[d - 1] !== 1 && strides[d - 1] !== run * innermost);
    if (!ends) continue;
    while (axis >= 0 && (within < run || shape[axis] === 1)) within *= shape[axis--]!;
    if (within !== run) return 'no';
    if (d > 0) innermost = strides[d - 1]!;
    [run, within] = [1, 1];
  }
  return 'yes';
}

/**
 * The tensor with the part that a view shows replaced by what was written to the view. Undefined for views through
 * which nothing can be written here. `result` counts the views that the node yields.
 */
export function writtenThrough(
  n: AtenNode,
  base: Value,
  update: Value,
  result: number,
  b: Build,
): Value | undefined {
  const shape = shapeOf(base);
  const rank = shape.length;
  switch (n.target.split('.')[0]) {
    case 'select': {
      const axis = axisOf(n.int('dim'), rank);
      const index = n.dim('index');
      const start = typeof index === 'number' && index < 0 ? add(index, shape[axis]!) : index;
      const one = b(reshape, [update], { shape: shape.map((d, i) => (i === axis ? 1 : d)) });
      return replaced(b, base, one, axis, start, 1);
    }
    case 'slice': {
      const axis = axisOf(n.int('dim', 0), rank);
      if (n.int('step', 1) !== 1) return undefined;
      const { start, length } = sliceRange(
        n.dim('start', 0),
        n.dim('end', Number.MAX_SAFE_INTEGER),
        1,
        shape[axis]!,
      );
      return replaced(b, base, update, axis, start, length);
    }
    case 'narrow': {
      const axis = axisOf(n.int('dim'), rank);
      return replaced(b, base, update, axis, n.dim('start'), n.dim('length'));
    }
    case 'split':
    case 'split_with_sizes':
    case 'chunk': {
      const axis = axisOf(n.int('dim', 0), rank);
      const extent = (i: number): Dim => n.result(i).shape[axis]!;
      const before = Array.from({ length: result }, (_, i) => extent(i));
      return replaced(b, base, update, axis, add(...before), extent(result));
    }
    case 'unbind': {
      const axis = axisOf(n.int('dim', 0), rank);
      const one = b(reshape, [update], { shape: shape.map((d, i) => (i === axis ? 1 : d)) });
      return replaced(b, base, one, axis, result, 1);
    }
    case 'to':
      return update;
    case 'alias':
    case 'detach':
    case 'contiguous':
    case 'view':
    case '_unsafe_view':
    case 'reshape':
    case 'view_as':
    case 'flatten':
    case 'unflatten':
    case 'unsqueeze':
    case 'squeeze':
    case 'dropout':
      return b(reshape, [update], { shape });
    case 't':
      return rank < 2 ? update : b(transpose, [update], { perm: [1, 0] });
    case 'transpose': {
      const [p, q] = [axisOf(n.int('dim0'), rank), axisOf(n.int('dim1'), rank)];
      const perm = shape.map((_, i) => (i === p ? q : i === q ? p : i));
      return b(transpose, [update], { perm });
    }
    case 'permute': {
      const dims = n.ints('dims').map((d) => axisOf(d, rank));
      return b(transpose, [update], { perm: shape.map((_, i) => dims.indexOf(i)) });
    }
    default:
      return undefined;
  }
}

/** A tensor with the part [start, start + length) of an axis replaced. */
export function replaced(b: Build, x: Value, by: Value, axis: number, start: Dim, length: Dim): Value {
  const extent = shapeOf(x)[axis]!;
  const end = add(start, length);
  const before = slicedAxis(b, x, axis, 0, start);
  const after = slicedAxis(b, x, axis, end, sub(extent, end));
  return concatenated(b, [before, by, after], axis);
}
