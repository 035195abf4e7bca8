import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import type { Conv } from '../shared/contractions.js';
import { tapsOf } from '../shared/window.js';
import { alignedOutput } from './aligned.js';
import { int } from './index-text.js';
import { packedStem } from './packed-weights.js';
import { atMost, manyBlocks, storeWidth, typical } from './vector-width.js';

const threads = 128;

/** More products a pixel than this are faster in tiles, whatever they leave empty. */
const mostProducts = 1700;

/** Few channels in, few out, as the first convolution of many networks has them. */
export function isStem({ inputs, outputs, attrs }: Conv): boolean {
  const [m, c] = shapeOf(inputs[1]!) as readonly number[];
  const taps = tapsOf(attrs);
  return (
    attrs.groups === 1 &&
    attrs.kernel.length === 2 &&
    attrs.dilations.every((d) => d === 1) &&
    c! <= 4 &&
    m! % 8 === 0 &&
    taps * c! * m! <= mostProducts &&
    atMost(shapeOf(outputs[0]!)[1]!) > 1
  );
}

export function stemLaunch(node: Conv, k: GpuBuilder, literal: Literal, epilogue: Cpp): Launch {
  k.include('ait/gpu/conv_stem.h');
  const { attrs, inputs, outputs } = node;
  const [x, y] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  const [m, c] = literal.shape as readonly [number, number];
  const pixels = typical(y[0]!) * typical(y[1]!) * typical(y[2]!);
  // Small images need every thread they can get.
  const columns = pixels * m < 32 * 1024 * manyBlocks || m % 16 !== 0 ? 8 : 16;
  const wide = pixels * m < 16 * columns * 256 * manyBlocks ? 1 : 2;
  const [batch, oh, ow] = [y[0]!, y[1]!, y[2]!].map((d) => k.fresh(d)) as [Cpp, Cpp, Cpp];
  const extents = [x[1]!, x[2]!].map((d) => int(k.fresh(d)));
  const pads = attrs.pads.slice(0, 2).map((d) => int(k.fresh(d)));
  const shape = [int(batch), ...extents, int(oh), int(ow), cpp`${m}`, ...pads];
  const width = Math.min(8, storeWidth(dtypeOf(outputs[0]!), m));
  const form = [c, ...attrs.kernel, ...attrs.strides, columns, wide, width, threads].map((n) => cpp`${n}`);
  return {
    body: cpp`ait::gpu::stem_conv<${join(form, ', ')}>(ait::gpu::StemShape{${join(shape, ', ')}}, ${k.input(0)}, ${k.weight(packedStem(literal))}, ${alignedOutput(k)}, ${epilogue});`,
    grid: [
      cpp`ait::gpu::blocks(${batch} * ${oh} * ait::gpu::blocks(${ow}, ${wide}), ${threads})`,
      cpp`${m / columns}`,
    ],
    threads,
  };
}
