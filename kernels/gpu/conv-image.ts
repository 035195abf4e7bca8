import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { type Spatial, windowExtents } from '../shared/window.js';
import { alignedInput } from './aligned.js';
import { int } from './index-text.js';
import { roundUp } from './packed-weights.js';
import { vectorWidth } from './vector-width.js';

export interface Image {
  readonly text: Cpp;
  /** Channels of a group, and elements that a copy may move. */
  readonly channels: number;
  readonly vector: number;
  readonly before: readonly Launch[];
}

/** The image as it lies, or with the channels of each group filled up so that whole accesses, or halves, read them. */
export function imageOf(node: Node, k: GpuBuilder, groups: number, c: number, inWhole = false): Image {
  const x = node.inputs[0]!;
  const t = dtypeOf(x);
  const whole = 128 / bitsOf[t];
  const vector = vectorWidth([t], c);
  if (vector === whole || (!inWhole && 2 * vector === whole))
    return { text: alignedInput(k, 0), channels: c, vector, before: [] };
  const channels = roundUp(c, !inWhole && c <= whole / 2 ? whole / 2 : whole);
  k.include('ait/gpu/conv.h');
  const pixels = k.fresh(numel(shapeOf(x).slice(0, -1)));
  const filled = k.scratch(ctype[t], cpp`${pixels} * ${groups * channels * (bitsOf[t] / 8)}`);
  const width = channels % whole === 0 ? whole : whole / 2;
  const one = (name: string, d: Dim) => ({ type: cpp`int64_t`, name: new Cpp(name), value: k.fresh(d) });
  const before: Launch = {
    body: cpp`ait::gpu::spread_channels<${width}>(from, to, pixels, pixels, ${int(cpp`groups`)}, ${int(cpp`own`)}, ${int(cpp`padded`)}, 0, groups * own, 1);`,
    grid: [cpp`ait::gpu::blocks(${pixels} * ${(groups * channels) / width}, 256)`],
    threads: 256,
    values: [
      { type: cpp`const ${ctype[t]}*`, name: cpp`from`, value: k.input(0) },
      { type: cpp`${ctype[t]}*`, name: cpp`to`, value: filled },
      { type: cpp`int64_t`, name: cpp`pixels`, value: pixels },
      one('groups', groups),
      one('own', c),
      one('padded', channels),
    ],
    alone: ['ait/gpu/conv.h'],
  };
  return { text: filled, channels, vector: width, before: [before] };
}

/** Extents of the windows, as ImageWindows lists them. */
export function windowsText(node: Spatial, k: GpuBuilder, channels: number, pixel: Dim, outside?: Cpp): Cpp {
  const fields = [
    ...windowExtents(node, 3)
      .flat()
      .map((d) => int(k.fresh(d))),
    int(k.fresh(channels)),
    k.fresh(pixel),
    ...(outside ? [outside] : []),
  ];
  return cpp`ait::gpu::ImageWindows{${join(fields, ', ')}}`;
}
