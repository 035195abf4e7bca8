import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { isStatic, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { type ConvTranspose, convTransposeTraits, convUse } from '../shared/contractions.js';
import { padFront, tapsOf, windowExtents } from '../shared/window.js';
import { alignedOutput, withCopies } from './aligned.js';
import { directConv } from './conv-direct.js';
import { imageOf } from './conv-image.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { int } from './index-text.js';
import { packedPhases } from './packed-weights.js';
import { chooseTile, sharedBytes, threadsOf, tilingText } from './tiles.js';
import { unitOf } from './unit.js';
import { storeWidth, typical } from './vector-width.js';

export const convTransposeKernel = defineGpuKernel({
  ...convTransposeTraits,

  refuse: (node) =>
    node.attrs.kernel.length > 6 ? 'it has more than six spatial axes' : refuseFunctor(node, convUse(node)),

  emit: (node, k) => {
    const { attrs, inputs } = node;
    const epilogue = epilogueFunctor(node, k, convUse(node));
    const literal = constantOf(inputs[1]!);
    const t = dtypeOf(inputs[0]!);
    const phases =
      literal &&
      attrs.layout === 'NXC' &&
      attrs.kernel.length <= 2 &&
      isStatic(attrs.pads) &&
      t !== 'f64' &&
      literal.size > 0;
    return withCopies(
      k,
      phases ? byPhases(node, k, literal, attrs.pads, epilogue) : [directConv(node, k, epilogue, true)],
    );
  },
});

/** Every phase of the strides is a convolution of its own. */
function byPhases(
  node: ConvTranspose,
  k: GpuBuilder,
  literal: Literal,
  pads: readonly number[],
  epilogue: Cpp,
): readonly Launch[] {
  k.include('ait/gpu/conv.h');
  const { attrs, inputs, outputs } = node;
  const [x, y] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  const t = dtypeOf(inputs[0]!);
  const { groups } = attrs;
  const [c, n] = [literal.shape[0]! / groups, literal.shape[1]!];
  // Weights follow one another without gaps, so channels have whole accesses.
  const image = imageOf(node, k, groups, c, true);
  const [sh, sw] = padFront(attrs.strides, 2, 1) as readonly [number, number];
  const sizes = [x[0]!, ...windowExtents(node, 2).flat(), groups, image.channels, n].map((d) => k.fresh(d));
  const [batch, , , oh, ow] = sizes as [Cpp, Cpp, Cpp, Cpp, Cpp];
  const unit = unitOf(t, k);
  const taps = tapsOf(attrs);
  const problem = {
    rows: Math.ceil(typical(numel(y.slice(0, -1))) / (sh * sw)),
    columns: n,
    depth: Math.ceil(taps / (sh * sw)) * image.channels,
    count: groups * sh * sw,
    element: t,
    mostSplits: 1,
  };
  const { tile } = chooseTile(unit.tiles, problem, k.target, unit.sums);
  const width = storeWidth(dtypeOf(outputs[0]!), n);
  const weights = k.weight(packedPhases(literal, { ...attrs, pads }, image.channels));
  const launch: Launch = {
    body: cpp`
      using Unit = ${unit.text};
      using Tiling = ${tilingText(tile, t)};
      const ait::gpu::TransposedShape shape = {${join(sizes.map(int), ', ')}, ${k.fresh(groups * image.channels)}};
      ait::gpu::conv_transpose<Unit, Tiling, ait::gpu::ImageOperands<Unit, Tiling, ${image.vector}>, ${width}>(${image.text}, ${weights}, ${alignedOutput(k)}, shape, ${epilogue});
    `,
    grid: [
      cpp`${groups * Math.ceil(n / tile.columns)} * ait::gpu::blocks(${batch} * ait::gpu::blocks(${oh}, ${sh}) * ait::gpu::blocks(${ow}, ${sw}), ${tile.rows})`,
      cpp`1`,
      cpp`${sh * sw}`,
    ],
    threads: threadsOf(tile, k.target),
    shared: cpp`${sharedBytes(tile, unit.sums, k.target)}`,
  };
  return [...image.before, launch];
}
