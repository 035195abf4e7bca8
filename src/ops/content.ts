import { type Dim, isStatic, type Shape } from '../ir/dim.js';
import type { DType } from '../ir/type.js';

/**
 * The elements of a small tensor, known while importing: numbers, or dims where they come from shapes.
 * Shape arithmetic is evaluated on these, so `Shape → Gather → Concat → Reshape` leaves a plain reshape.
 */
export interface Content {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly Dim[];
}

/** Tensors larger than this are not tracked: no shape has as many elements, and few layers as many channels. */
export const maxContent = 4096;

export const content = (dtype: DType, shape: readonly number[], data: readonly Dim[]): Content => ({
  dtype,
  shape,
  data,
});

/** The shape a content's tensor has, when every extent is known and it is small enough to track. */
export function contentShape(shape: Shape): readonly number[] | undefined {
  if (!isStatic(shape)) return undefined;
  return shape.reduce((a, b) => a * b, 1) <= maxContent ? shape : undefined;
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Calls `f` with every multi-index of a shape, in row-major order. */
export function forEachIndex(
  shape: readonly number[],
  f: (index: readonly number[], flat: number) => void,
): void {
  const index = shape.map(() => 0);
  const size = shape.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < size; flat++) {
    f(index, flat);
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d]!++;
      if (index[d]! < shape[d]!) break;
      index[d] = 0;
    }
  }
}

/** Elements picked by a map from output index to a flat input position. */
export function pick(
  x: Content,
  shape: readonly number[],
  from: (index: readonly number[]) => number,
): Content {
  const data: Dim[] = [];
  forEachIndex(shape, (index) => {
    data.push(x.data[from(index)]!);
  });
  return content(x.dtype, shape, data);
}
