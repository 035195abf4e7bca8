import { type Dim, eq, lt, max, mul, numel, type Shape, sub } from '../ir/dim.js';
import type { Requirement } from '../ir/graph.js';

/** Extents that a computation takes to be equal. */
export const equal = (a: Dim, b: Dim, otherwise: string): Requirement => ({
  condition: eq(a, b),
  otherwise,
});

/** Every extent is 1 or that of the result. */
export function broadcasts(shapes: readonly Shape[], out: Shape): readonly Requirement[] {
  const fits = (shape: Shape): readonly Requirement[] =>
    shape.map((d, i) => ({
      condition: max(eq(d, 1), eq(d, out[i + out.length - shape.length]!)),
      otherwise: 'the shapes do not broadcast',
    }));
  return shapes.flatMap(fits);
}

/** As many elements under both shapes, and no extent below zero. */
export const sameElements = (from: Shape, to: Shape): readonly Requirement[] => [
  equal(numel(from), numel(to), 'the new shape is for another number of elements'),
  ...to.map((d) => ({ condition: sub(1, lt(d, 0)), otherwise: 'an extent of the new shape is negative' })),
];

/** Weights have the channels of an image for each of their groups. */
export const sameChannels = (channels: Dim, perGroup: Dim, groups: number): Requirement =>
  equal(channels, mul(perGroup, groups), 'the weights are for another number of channels');
