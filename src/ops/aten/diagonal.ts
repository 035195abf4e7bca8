import * as D from '../../ir/dim.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { gather } from '../gather.js';
import { axisOf, type Build } from '../op.js';
import { iota } from '../range.js';
import { permuted, rankOf, reshaped } from './shapes.js';

interface Diagonal {
  /** The tensor with the two axes at the end, which `back` undoes. */
  readonly front: Value;
  readonly back: readonly number[];
  /** The two axes as one, and the places of the diagonal on it. */
  readonly flat: Value;
  readonly places: Value;
  readonly values: Value;
}

export function diagonalFrom(b: Build, x: Value, offset: number, dim1: number, dim2: number): Diagonal {
  const rank = rankOf(x);
  const [p, q] = [axisOf(dim1, rank), axisOf(dim2, rank)];
  const rest = shapeOf(x).flatMap((_, i) => (i === p || i === q ? [] : [i]));
  const [rows, columns] = [shapeOf(x)[p]!, shapeOf(x)[q]!];
  const count = D.max(D.min(D.sub(rows, Math.max(0, -offset)), D.sub(columns, Math.max(0, offset))), 0);
  const order = [...rest, p, q];
  const front = permuted(b, x, order);
  const flat = reshaped(b, front, [...rest.map((i) => shapeOf(x)[i]!), D.mul(rows, columns)]);
  const start = D.add(D.mul(Math.max(0, -offset), columns), Math.max(0, offset));
  const places = b(iota, [], { start, step: D.add(columns, 1), count, dtype: 'i64' });
  const values = b(gather, [flat, places], { axis: rest.length });
  return { front, back: order.map((_, i) => order.indexOf(i)), flat, places, values };
}
