import { type Dim, mul, type Shape } from '../../src/ir/dim.js';
import { denseStrides } from '../../src/ops/strides.js';
import { broadcastSteps, mergeAxes } from './loop.js';

/** An axis that products lie along: its extent, and the steps of A in elements, of B in matrices. */
export interface BatchAxis {
  readonly extent: Dim;
  readonly a: Dim;
  readonly b: Dim;
}

/** How products of matrices with broadcast batch axes are run: loops around a batch of equal products. */
export interface ProductSchedule {
  readonly outer: readonly BatchAxis[];
  readonly batch: Dim;
  readonly m: Dim;
  readonly aRow: Dim;
  readonly aBatch: Dim;
  readonly bBatch: Dim;
}

/** Steps of an operand's matrices along the batch axes of the result. */
const batchSteps = (out: Shape, own: Shape, unit: Dim): Shape =>
  broadcastSteps(
    out,
    own,
    denseStrides(own).map((stride) => mul(stride, unit)),
  );

export interface ProductShapes {
  readonly a: Shape;
  readonly b: Shape;
  readonly out: Shape;
  /** Rows of a product, and the extent it contracts. */
  readonly m: Dim;
  readonly k: Dim;
}

/** Joins axes: rows that B does not tell apart become rows of one product. `aRow` is A's step from row to row. */
export function scheduleProducts({ a, b, out, m, k }: ProductShapes, aRow: Dim): ProductSchedule {
  const batch = out.slice(0, -2);
  const aSteps = [...batchSteps(batch, a.slice(0, -2), mul(m, k)), aRow];
  const bSteps = [...batchSteps(batch, b.slice(0, -2), 1), 0];
  const rows = denseStrides([...batch, m]);
  const nest = mergeAxes([...batch, m], [aSteps, bSteps, rows]);
  const axes = nest.extents.map((extent, i) => ({
    extent,
    a: nest.strides[0]![i]!,
    b: nest.strides[1]![i]!,
  }));
  const last = axes.at(-1)!;
  const rowAxis = last.b === 0 ? axes.pop()! : { extent: 1, a: 0, b: 0 };
  const batchAxis = axes.pop() ?? { extent: 1, a: 0, b: 0 };
  return {
    outer: axes,
    batch: batchAxis.extent,
    m: rowAxis.extent,
    aRow: rowAxis.a,
    aBatch: batchAxis.a,
    bBatch: batchAxis.b,
  };
}

/** Every axis of more than one product, the batch's own among them. */
export const batchAxes = (s: ProductSchedule): readonly BatchAxis[] =>
  [...s.outer, { extent: s.batch, a: s.aBatch, b: s.bBatch }].filter((axis) => axis.extent !== 1);
