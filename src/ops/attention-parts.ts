import { add, type Dim, mul, type Shape, same } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { int, type OnnxEmitter } from './onnx-emitter.js';
import { denseStrides } from './strides.js';

/** An operand that is a part of a tensor: elements from `starts` on, `sizes` of them, seen as `shape`. */
export type AttentionPart = {
  readonly starts: Shape;
  readonly sizes: Shape;
  readonly shape: Shape;
};

export type AttentionParts = readonly (AttentionPart | undefined)[];

/** The shapes of q, k and v, given those of the tensors they may be parts of. */
export const operandShapes = (
  shapes: readonly Shape[],
  parts: AttentionParts | undefined,
): readonly [Shape, Shape, Shape] => {
  const of = (i: number): Shape => parts?.[i]?.shape ?? shapes[i]!;
  return [of(0), of(1), of(2)];
};

/** The part as a tensor of its own. */
export function partToOnnx(name: string, { starts, sizes, shape }: AttentionPart, e: OnnxEmitter): string {
  const ends = starts.map((s, d) => add(s, sizes[d]!));
  const axes = e.dims(starts.map((_, d) => d));
  const cut = e.one('Slice', [name, e.dims(starts), e.dims(ends), axes]);
  return e.one('Reshape', [cut, e.dims(shape)], { allowzero: int(1) });
}

/** Where the part begins, in elements, and the step along each of its axes; undefined where an axis has no one step. */
export function partLayout(
  v: Value,
  { starts, sizes, shape }: AttentionPart,
): { readonly offset: Dim; readonly strides: Shape } | undefined {
  const whole = denseStrides(shapeOf(v));
  const offset = add(...starts.map((s, d) => mul(s, whole[d]!)));
  const axes = sizes.flatMap((size, d) => (size === 1 ? [] : [{ size, stride: whole[d]! }]));
  const strides: Dim[] = shape.map(() => 0);
  let at = 0;
  for (const { size, stride } of axes) {
    // Axes of the shape that together make this one.
    const first = at;
    let product: Dim = 1;
    while (at < shape.length && !(product !== 1 && same(product, size))) product = mul(product, shape[at++]!);
    if (!same(product, size)) return undefined;
    let step = stride;
    for (let d = at - 1; d >= first; d--) {
      strides[d] = step;
      step = mul(step, shape[d]!);
    }
  }
  return shape.slice(at).every((d) => d === 1) ? { offset, strides } : undefined;
}
