import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { argReduce } from '../arg-reduce.js';
import { concatenated } from '../concat.js';
import { dims } from '../constant.js';
import { gatherElements } from '../gather.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { type PoolAttrs, pool } from '../pool.js';
import { reduce, reduced } from '../reduce.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { maximaWithPlaces } from './pooling.js';
import { batched } from './spatial.js';

type Kind = 'average' | 'max';

/** Averages or maxima over windows that divide the input as evenly as they can. */
const adaptive =
  (axes: number, kind: Kind): AtenConverter =>
  (n, b) =>
    batched(b, n.tensor('self'), axes, (x) => {
      const spatial = shapeOf(x).slice(2);
      const asked = n.dims('output_size');
      const sizes = spatial.map((d, i) => (asked.length === 1 ? asked[0]! : (asked[i] ?? d)));
      if (kind === 'max' && n.wants(1)) return withPlaces(n, b, x, sizes);
      let y = x;
      const ones = spatial.map((_, i) => i + 2).filter((_, i) => sizes[i] === 1);
      if (ones.length > 0) y = reduced(b, kind === 'max' ? 'max' : 'mean', y, ones);
      spatial.forEach((d, i) => {
        if (sizes[i] !== 1 && !D.same(d, sizes[i]!))
          y = divided(b, y, i + 2, windowsOf(n, d, sizes[i]!), kind);
      });
      return [y];
    });

interface Windows {
  readonly starts: D.Shape;
  readonly lengths: D.Shape;
  /** The length of all windows, where they are equal and lie side by side. */
  readonly equal: number | undefined;
}

function windowsOf(n: AtenNode, from: D.Dim, to: D.Dim): Windows {
  if (typeof to !== 'number') return n.refuse('the number of windows is known only when the model runs');
  const starts = Array.from({ length: to }, (_, i) => D.floordiv(D.mul(i, from), to));
  const lengths = starts.map((s, i) => D.sub(D.ceildiv(D.mul(i + 1, from), to), s));
  const equal = typeof from === 'number' && from % to === 0 ? from / to : undefined;
  return { starts, lengths, equal };
}

const side = (axes: number, length: (i: number) => number): PoolAttrs['kernel'] =>
  Array.from({ length: axes }, (_, i) => length(i));

const evenPool = (kind: Kind, kernel: readonly number[]): PoolAttrs => ({
  kernel,
  strides: kernel,
  pads: kernel.flatMap(() => [0, 0]),
  dilations: kernel.map(() => 1),
  kind,
  ceil: false,
  countPadding: true,
  p: 2,
  layout: 'NCX',
});

/** One axis; windows of one size are a pool, others are taken one by one. */
function divided(b: Build, x: Value, axis: number, { starts, lengths, equal }: Windows, kind: Kind): Value {
  const axes = shapeOf(x).length - 2;
  if (equal !== undefined)
    return b(
      pool,
      [x],
      evenPool(
        kind,
        side(axes, (i) => (i === axis - 2 ? equal : 1)),
      ),
    );
  const parts = starts.map((start, i) => {
    const part = slicedAxis(b, x, axis, start, lengths[i]!);
    return b(reduce, [part], { kind: kind === 'max' ? 'max' : 'mean', axes: [axis], keepdims: true });
  });
  return concatenated(b, parts, axis);
}

/** Axis by axis from the last: of equal maxima the one in the first row, and there the one in the first column. */
function withPlaces(n: AtenNode, b: Build, x: Value, sizes: D.Shape): readonly Value[] {
  const spatial = shapeOf(x).slice(2);
  const windows = spatial.map((d, i) => windowsOf(n, d, sizes[i]!));
  const equal = windows.flatMap((w) => w.equal ?? []);
  if (equal.length === spatial.length) return maximaWithPlaces(b, x, evenPool('max', equal));
  let values = x;
  let places: Value | undefined;
  for (let i = spatial.length - 1; i >= 0; i--) {
    const axis = i + 2;
    const below = D.numel(spatial.slice(i + 1));
    const { starts, lengths } = windows[i]!;
    const found = starts.map((start, k) => {
      const part = slicedAxis(b, values, axis, start, lengths[k]!);
      const at = b(argReduce, [part], { largest: true, axis, keepdims: true, last: false });
      const inner =
        places && b(gatherElements, [slicedAxis(b, places, axis, start, lengths[k]!), at], { axis });
      const extents = [start, below].map((d) => b(dims, [], { dims: [d], dtype: 'i64', shape: [] }));
      const own = call('mul', call('add', arg(0), arg(1)), arg(2));
      const place = inner
        ? b(pointwise, [at, ...extents, inner], { expr: call('add', own, arg(3)) })
        : b(pointwise, [at, ...extents], { expr: own });
      return { value: b(gatherElements, [part, at], { axis }), place };
    });
    values = concatenated(
      b,
      found.map((f) => f.value),
      axis,
    );
    places = concatenated(
      b,
      found.map((f) => f.place),
      axis,
    );
  }
  return [values, places!];
}

export const adaptivePooling: AtenMap = {
  adaptive_avg_pool1d: adaptive(1, 'average'),
  adaptive_avg_pool2d: adaptive(2, 'average'),
  adaptive_avg_pool3d: adaptive(3, 'average'),
  _adaptive_avg_pool2d: adaptive(2, 'average'),
  _adaptive_avg_pool3d: adaptive(3, 'average'),
  adaptive_max_pool1d: adaptive(1, 'max'),
  adaptive_max_pool2d: adaptive(2, 'max'),
  adaptive_max_pool3d: adaptive(3, 'max'),
};
