import type { Dim, Shape } from '../../src/ir/dim.js';
import { type Node, shapeOf } from '../../src/ir/graph.js';
import type { Layout } from '../../src/ops/epilogue.js';
import { spatialOf, type Window } from '../../src/ops/window.js';
import type { Ends } from './elements.js';

/** A convolution of some kind. */
export type Spatial = Node<Window & { readonly groups: number; readonly layout: Layout }>;

/** So many axes, those in front filled up. */
export const padFront = <T>(xs: readonly T[], rank: number, fill: T): readonly T[] => [
  ...Array.from({ length: rank - xs.length }, () => fill),
  ...xs,
];

/**
 * Extents of the image and of the result, then kernel, strides, dilations and pads in front, each of so many axes: a
 * window has more when those in front do nothing.
 */
export function windowExtents(
  { inputs, outputs, attrs }: Ends & { readonly attrs: Window & { readonly layout: Layout } },
  rank = attrs.kernel.length,
): readonly [Shape, Shape, Shape, Shape, Shape, Shape] {
  const all = (xs: Shape, fill: Dim = 1): Shape => padFront(xs, rank, fill);
  return [
    all(spatialOf(shapeOf(inputs[0]!), attrs.layout)),
    all(spatialOf(shapeOf(outputs[0]!), attrs.layout)),
    all(attrs.kernel),
    all(attrs.strides),
    all(attrs.dilations),
    all(attrs.pads.slice(0, attrs.kernel.length), 0),
  ];
}

/** Places of a window. */
export const tapsOf = ({ kernel }: Window): number => kernel.reduce((a, b) => a * b, 1);

/** One filter a channel. */
export function isDepthwise({ inputs, attrs }: Pick<Spatial, 'inputs' | 'attrs'>): boolean {
  const w = shapeOf(inputs[1]!);
  return w[1] === 1 && w[0] === attrs.groups && attrs.groups > 1;
}
