import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import type { Conv } from '../shared/contractions.js';
import { flag } from '../shared/elements.js';
import { isDepthwise, padFront, tapsOf, windowExtents } from '../shared/window.js';
import { alignedInput, alignedOutput } from './aligned.js';
import { int } from './index-text.js';
import { packedTaps } from './packed-weights.js';
import { manyBlocks, typical, vectorWidth } from './vector-width.js';

/** Windows whose loops are unrolled have at most so many taps. */
const mostTaps = 81;
const threads = 128;
/** As kDepthwiseLanes. */
const lanes = 8;

/** One filter a channel, of at most two spatial axes. */
export const isSmallDepthwise = (node: Conv): boolean =>
  isDepthwise(node) && node.attrs.kernel.length <= 2 && tapsOf(node.attrs) <= mostTaps;

export function depthwiseLaunch(node: Conv, k: GpuBuilder, literal: Literal, epilogue: Cpp): Launch {
  k.include('ait/gpu/depthwise.h');
  const { attrs, inputs, outputs } = node;
  const [x, y] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  const t = dtypeOf(inputs[0]!);
  const channels = literal.shape[0]!;
  const [kernel, strides, dilations] = [attrs.kernel, attrs.strides, attrs.dilations].map((d) =>
    padFront(d, 2, 1),
  ) as [readonly number[], readonly number[], readonly number[]];
  const dilated = dilations.some((d, i) => d !== 1 && kernel[i] !== 1);
  const places = typical(numel(y.slice(0, -1)));
  // Small images need every thread they can get.
  const enough = (results: number): boolean => (places * channels) / results >= manyBlocks * threads * 4;
  const vector = Math.min(vectorWidth([t], channels), enough(4) ? 4 : 2);
  const most = strides.every((d) => d === 1) ? ([2, 4] as const) : ([1, 2] as const);
  const [tall, wide] = enough(vector * 8) ? most : [1, enough(vector * 2) ? 2 : 1];
  const [from, to, , , , pads] = windowExtents(node, 2);
  const fields = [...[x[0]!, ...from, channels], ...[...to, ...pads, ...dilations]].map((d) =>
    int(k.fresh(d)),
  );
  const form = [...kernel, ...strides, vector, tall, wide].map((n) => cpp`${n}`);
  const [batch, oh, ow] = [x[0]!, ...to].map((d) => k.fresh(d));
  return {
    body: cpp`ait::gpu::depthwise<${join(form, ', ')}, ${flag(dilated)}, ${threads}>(ait::gpu::DepthwiseShape{${join(fields, ', ')}}, ${alignedInput(k, 0)}, ${k.weight(packedTaps(literal))}, ${alignedOutput(k)}, ${epilogue});`,
    grid: [
      cpp`ait::gpu::blocks(${batch} * ait::gpu::blocks(${oh}, ${tall}) * ait::gpu::blocks(${ow}, ${wide}), ${threads / lanes})`,
      cpp`${Math.ceil(channels / (lanes * vector))}`,
    ],
    threads,
  };
}
