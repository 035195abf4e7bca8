import type * as D from '../../ir/dim.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { concatenated } from '../concat.js';
import type { Build } from '../op.js';
import { pad } from '../pad.js';
import { sliced } from '../slice.js';
import { type Window, windowCounts } from '../window.js';
import type { AtenNode } from './aten-node.js';
import { reshaped } from './shapes.js';

/** One number for all axes, or one for each. */
export function perAxis(
  n: AtenNode,
  name: string,
  axes: number,
  fallback: readonly number[],
): readonly number[] {
  const given = n.ints(name, []);
  if (given.length === 0) return fallback;
  return given.length === 1 ? Array.from({ length: axes }, () => given[0]!) : given;
}

/** Tensors without a batch get one for the time being. */
export function batched(
  b: Build,
  x: Value,
  axes: number,
  f: (x: Value) => readonly Value[],
): readonly Value[] {
  const shape = shapeOf(x);
  if (shape.length === axes + 2) return f(x);
  return f(reshaped(b, x, [1, ...shape])).map((y) => reshaped(b, y, shapeOf(y).slice(1)));
}

/** The places of a kernel, row by row. */
export const offsetsIn = (kernel: readonly number[]): readonly (readonly number[])[] =>
  kernel.reduce<readonly (readonly number[])[]>(
    (all, k) => all.flatMap((at) => Array.from({ length: k }, (_, i) => [...at, i])),
    [[]],
  );

/** [N, C, …] as [N, C, K, …]: for each place of the kernel what lies under it. */
export function unfolded(b: Build, x: Value, w: Window): Value {
  const rank = w.kernel.length;
  const out = windowCounts(shapeOf(x).slice(2), w);
  const padded = w.pads.every((p) => p === 0)
    ? x
    : b(pad, [x], {
        before: [0, 0, ...w.pads.slice(0, rank)],
        after: [0, 0, ...w.pads.slice(rank)],
        mode: 'constant',
      });
  const [batch, channels] = shapeOf(x) as [D.Dim, D.Dim];
  const parts = offsetsIn(w.kernel).map((at) => {
    const starts = at.map((i, axis) => i * w.dilations[axis]!);
    const part = sliced(b, padded, [0, 0, ...starts], [1, 1, ...w.strides], [batch, channels, ...out]);
    return reshaped(b, part, [batch, channels, 1, ...out]);
  });
  return concatenated(b, parts, 2);
}
