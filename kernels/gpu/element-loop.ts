import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import type { Dim, Shape } from '../../src/ir/dim.js';
import { shapeOf, type Value } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { carrier } from '../shared/elements.js';
import { indexText, indexType } from './index-text.js';

const threads = 256;

export const carrierBytes = (t: DType): number =>
  ({ uint8_t: 1, uint16_t: 2, uint32_t: 4, uint64_t: 8 })[carrier(t).text] ?? 16;

/** The largest power of two up to 16 that divides all of these. */
export function dividing(steps: readonly Dim[]): number {
  let width = 16;
  for (const d of steps) while (width > 1 && !(typeof d === 'number' && d % width === 0)) width /= 2;
  return width;
}

export const sumOf = (terms: readonly Cpp[]): Cpp => (terms.length === 0 ? cpp`0` : join(terms, ' + '));

/**
 * One thread for each item of `shape`, `width` neighbours of the last axis being one item. The body has the
 * item's number and the type of numbers, which it is given, and its indices i0, i1, …; `values` are the tensors that numbers index.
 */
export function elementLoop(
  k: GpuBuilder,
  shape: Shape,
  width: number,
  values: readonly Value[],
  body: (item: Cpp, type: Cpp) => Cpp,
): Launch {
  const type = indexType(shape, ...values.map(shapeOf));
  const last = shape.length - 1;
  const extents = shape.map((d, i) => (i === last && width > 1 ? cpp`(${k.dim(d)} / ${width})` : k.dim(d)));
  const count = extents.length === 0 ? cpp`1` : join(extents, ' * ');
  return {
    body: cpp`
      const ${type} i = static_cast<${type}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread();
      if (i >= ${count}) return;
      ${indexText(extents, type)}
      ${body(cpp`i`, type)}
    `,
    grid: [cpp`ait::gpu::blocks(${count}, ${threads})`],
    threads,
  };
}
