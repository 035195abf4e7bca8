import { type Dim, eq, mul, type Shape, same, select } from '../../src/ir/dim.js';
import { denseStrides } from '../../src/ops/strides.js';

/** A loop nest over an output: extents, and for each operand the step in elements along each axis. */
export interface LoopNest {
  readonly extents: Shape;
  readonly strides: readonly Shape[];
}

/** The steps along the axes of a result of an operand broadcast to it, whose last axes have these extents and strides. */
export const broadcastSteps = (out: Shape, extents: Shape, strides: Shape): Shape =>
  out.map((d, i): Dim => {
    const at = i - (out.length - extents.length);
    const extent = at < 0 ? 1 : extents[at]!;
    if (extent === 1) return 0;
    return same(extent, d) ? strides[at]! : select(eq(extent, 1), 0, strides[at]!);
  });

/**
 * The loops that visit every element of `out` with operands broadcast to it, neighbouring axes merged
 * where every operand allows. An extent that is only known to be 1 or right at run time gets a stride
 * that is decided then.
 */
export function broadcastLoops(out: Shape, operands: readonly Shape[]): LoopNest {
  const strides = operands.map((shape) => broadcastSteps(out, shape, denseStrides(shape)));
  return mergeAxes(out, strides);
}

/** Drops axes of extent 1 and merges axis i into i+1 where stride[i] is stride[i+1] times its extent for all. */
export function mergeAxes(extents: Shape, strides: readonly Shape[]): LoopNest {
  const kept: { extent: Dim; strides: Dim[] }[] = [];
  extents.forEach((extent, i) => {
    if (extent === 1) return;
    const mine = strides.map((s) => s[i]!);
    const last = kept.at(-1);
    if (last?.strides.every((s, k) => same(s, mul(mine[k]!, extent)))) {
      kept[kept.length - 1] = { extent: mul(last.extent, extent), strides: mine };
    } else kept.push({ extent, strides: mine });
  });
  if (kept.length === 0) return { extents: [1], strides: strides.map(() => [0]) };
  return {
    extents: kept.map((k) => k.extent),
    strides: strides.map((_, k) => kept.map((axis) => axis.strides[k]!)),
  };
}
