import { add, type Dim, eq, lt, max, mul, type Shape, sub } from '../ir/dim.js';
import { atAxis, frontAxis } from './strides.js';

/** The shape with extents of 1 put in at axes that only the run knows. */
export function unsqueezedShape(shape: Shape, axes: Shape): Shape {
  const rank = shape.length + axes.length;
  const at = axes.map((a) => frontAxis(a, rank));
  return Array.from({ length: rank }, (_, d) => {
    const isNew = anyOf(at.map((a) => eq(a, d)));
    const before = add(...at.map((a) => lt(a, d)));
    const old = shape.length === 0 ? 1 : atAxis(sub(d, before), shape);
    return add(isNew, mul(sub(1, isNew), old));
  });
}

/** The shape without the axes that only the run knows. */
export function squeezedShape(shape: Shape, axes: Shape): Shape {
  const at = axes.map((a) => frontAxis(a, shape.length));
  const gone = shape.map((_, d) => anyOf(at.map((a) => eq(a, d))));
  const place = shape.map((_, d) => sub(d, add(...gone.slice(0, d))));
  return Array.from({ length: shape.length - axes.length }, (_, j) =>
    add(...shape.map((n, d) => mul(sub(1, gone[d]!), eq(place[d]!, j), n))),
  );
}

const anyOf = (truths: Shape): Dim => truths.reduce<Dim>((a, b) => max(a, b), 0);
