import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { flag } from '../shared/elements.js';
import { alignedInput, alignedOutput } from './aligned.js';
import type { Conv } from './conv.js';
import { packedTaps } from './packed-weights.js';
import { int, typical, vectorOf } from './product.js';
import { manyBlocks } from './vector-width.js';

/** Windows whose loops are unrolled have at most so many taps. */
const mostTaps = 81;
const threads = 128;
/** As kDepthwiseLanes. */
const lanes = 8;

/** One filter a channel, of at most two spatial axes. */
export const isDepthwise = ({ inputs, attrs }: Conv): boolean => {
  const w = shapeOf(inputs[1]!);
  const taps = attrs.kernel.reduce((a, b) => a * b, 1);
  return (
    w[1] === 1 && w[0] === attrs.groups && attrs.groups > 1 && attrs.kernel.length <= 2 && taps <= mostTaps
  );
};

export function depthwiseLaunch(node: Conv, k: GpuBuilder, literal: Literal, epilogue: Cpp): Launch {
  k.include('ait/gpu/depthwise.h');
  const { attrs, inputs, outputs } = node;
  const [x, y] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  const t = dtypeOf(inputs[0]!);
  const channels = literal.shape[0]!;
  const two = <T>(xs: readonly T[], fill: T): readonly T[] => (xs.length === 2 ? xs : [fill, xs[0]!]);
  const [kernel, strides, dilations] = [attrs.kernel, attrs.strides, attrs.dilations].map((d) =>
    two(d, 1),
  ) as [readonly number[], readonly number[], readonly number[]];
  const dilated = dilations.some((d, i) => d !== 1 && kernel[i] !== 1);
  const places = typical(numel(y.slice(0, -1)));
  // Small images need every thread they can get.
  const enough = (results: number): boolean => (places * channels) / results >= manyBlocks * threads * 4;
  const vector = Math.min(vectorOf(t, channels), enough(4) ? 4 : 2);
  const most = strides.every((d) => d === 1) ? ([2, 4] as const) : ([1, 2] as const);
  const [tall, wide] = enough(vector * 8) ? most : [1, enough(vector * 2) ? 2 : 1];
  const fields = [
    x[0]!,
    ...two<Shape[number]>(x.slice(1, -1), 1),
    channels,
    ...two<Shape[number]>(y.slice(1, -1), 1),
    ...two<Shape[number]>(attrs.pads.slice(0, attrs.kernel.length), 0),
    ...dilations,
  ].map((d) => int(k.fresh(d)));
  const form = [...kernel, ...strides, vector, tall, wide].map((n) => cpp`${n}`);
  const [batch, oh, ow] = [
    x[0]!,
    two<Shape[number]>(y.slice(1, -1), 1)[0]!,
    two<Shape[number]>(y.slice(1, -1), 1)[1]!,
  ].map((d) => k.fresh(d));
  return {
    body: cpp`ait::gpu::depthwise<${join(form, ', ')}, ${flag(dilated)}, ${threads}>(ait::gpu::DepthwiseShape{${join(fields, ', ')}}, ${alignedInput(k, 0)}, ${k.weight(packedTaps(literal))}, ${alignedOutput(k)}, ${epilogue});`,
    grid: [
      cpp`ait::gpu::blocks(${batch} * ait::gpu::blocks(${oh}, ${tall}) * ait::gpu::blocks(${ow}, ${wide}), ${threads / lanes})`,
      cpp`${Math.ceil(channels / (lanes * vector))}`,
    ],
    threads,
  };
}
