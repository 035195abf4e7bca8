import { add, type Dim, eq, lt, mod, mul, type Shape, select } from '../ir/dim.js';

/** Row-major strides of a shape, in elements. */
export function denseStrides(shape: Shape): Shape {
  const strides: Dim[] = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = mul(strides[i + 1]!, shape[i + 1]!);
  return strides;
}

/** The value that belongs to an axis which may only be known at run time, counted from the front. */
export const atAxis = (axis: Dim, values: Shape): Dim =>
  values.reduceRight<Dim>((rest, value, i) => select(eq(axis, i), value, rest), values.at(-1) ?? 1);

/** An axis counted from the front, for a dim. */
export const frontAxis = (axis: Dim, rank: number): Dim =>
  typeof axis === 'number' ? (axis < 0 ? axis + rank : axis) : mod(axis, rank);

/**
 * Spreads values that are given for some axes over all of them. Axes may be dims: which axis a value is
 * for is then decided at run time.
 */
export function spread(values: Shape, axes: Shape, fallback: Shape): Shape {
  const rank = fallback.length;
  return fallback.map((rest, d) =>
    axes.reduce<Dim>((found, axis, i) => select(eq(frontAxis(axis, rank), d), values[i]!, found), rest),
  );
}

/** An index counted from the front of n elements. */
export const fromFront = (i: Dim, n: Dim): Dim =>
  typeof i === 'number' ? (i < 0 ? add(i, n) : i) : select(lt(i, 0), add(i, n), i);
