import { add, ceildiv, type Dim, floordiv, isStatic, lt, max, mul, type Shape, sub } from '../ir/dim.js';
import { CompileError } from '../support/diagnostic.js';
import type { Layout } from './epilogue.js';
import type { OnnxEmitter } from './onnx-emitter.js';
import type { SourceNode } from './op.js';

/** Windows that slide over the spatial axes. `pads` has the begins of all axes, then the ends. */
export type Window = {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: Shape;
  readonly dilations: readonly number[];
};

/** The spatial extents of a tensor [N, C, …] or [N, …, C]. */
export const spatialOf = (shape: Shape, layout: Layout): Shape =>
  layout === 'NCX' ? shape.slice(2) : shape.slice(1, -1);

export const channelsOf = (shape: Shape, layout: Layout): Dim =>
  layout === 'NCX' ? shape[1]! : shape.at(-1)!;

export const withSpatial = (batch: Dim, channels: Dim, spatial: Shape, layout: Layout): Shape =>
  layout === 'NCX' ? [batch, channels, ...spatial] : [batch, ...spatial, channels];

/** Axes that take NCX to NXC, and back. */
export const toChannelsLast = (rank: number): readonly number[] => [
  0,
  ...Array.from({ length: rank - 2 }, (_, i) => i + 2),
  1,
];
export const toChannelsFirst = (rank: number): readonly number[] => [
  0,
  rank - 1,
  ...Array.from({ length: rank - 2 }, (_, i) => i + 1),
];

/** Elements a dilated kernel spans. */
const span = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** The number of windows along each axis; with `ceil`, of those that start inside the input or its beginning. */
export function windowCounts(spatial: Shape, w: Window, ceil = false): Shape {
  const rank = spatial.length;
  if (
    w.kernel.length !== rank ||
    w.strides.length !== rank ||
    w.dilations.length !== rank ||
    w.pads.length !== 2 * rank
  )
    throw new CompileError('bad-window', `the window does not have ${rank} axes`);
  return spatial.map((d, i) => {
    const begin = w.pads[i]!;
    const room = add(d, begin, w.pads[i + rank]!, -span(w.kernel[i]!, w.dilations[i]!));
    const stride = w.strides[i]!;
    if (!ceil) return max(0, add(floordiv(room, stride), 1));
    const count = add(ceildiv(room, stride), 1);
    // The last window is dropped when it would start in the padding at the end.
    return max(0, sub(count, lt(add(d, begin, -1), mul(add(count, -1), stride))));
  });
}

/** The window attributes of a node, with auto_pad resolved for this input. */
export function windowOf(n: SourceNode, spatial: Shape, kernel: readonly number[]): Window {
  const ones = spatial.map(() => 1);
  const strides = n.ints('strides', ones);
  const dilations = n.ints('dilations', ones);
  return { kernel, strides, dilations, pads: padsOf(n, spatial, kernel, strides, dilations) };
}

function padsOf(
  n: SourceNode,
  spatial: Shape,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Shape {
  const zeros = spatial.flatMap(() => [0, 0]);
  const mode = n.string('auto_pad', 'NOTSET');
  switch (mode) {
    case 'NOTSET':
    case '':
      return n.ints('pads', zeros);
    case 'VALID':
      return zeros;
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const totals = spatial.map((d, i) => {
        const stride = strides[i]!;
        const windows = ceildiv(d, stride);
        return max(0, add(mul(add(windows, -1), stride), span(kernel[i]!, dilations[i]!), mul(-1, d)));
      });
      const small = totals.map((t) => floordiv(t, 2));
      const large = totals.map((t, i) => sub(t, small[i]!));
      return mode === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
    }
    default:
      throw new CompileError(
        'bad-attribute',
        `auto_pad ${mode}`,
        'use NOTSET, SAME_UPPER, SAME_LOWER or VALID',
      );
  }
}

/**
 * For ONNX operators whose `pads` attribute takes numbers only: the padded input and no pads when the
 * padding is a matter of run-time extents. The input is NCX.
 */
export function paddedInput(
  x: string,
  pads: Shape,
  fill: string | undefined,
  e: OnnxEmitter,
): { readonly x: string; readonly pads: readonly number[] } {
  if (isStatic(pads)) return { x, pads };
  const rank = pads.length / 2;
  const amounts = e.dims([0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
  return { x: e.one('Pad', [x, amounts, fill]), pads: pads.map(() => 0) };
}
