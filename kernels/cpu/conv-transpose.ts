import { type Cpp, cpp } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { gemmTile } from '../../codegen/target.js';
import { isStatic, mul, same } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { type ConvTranspose, convTransposeTraits, convUse } from '../shared/contractions.js';
import { tapsOf } from '../shared/window.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { packedPhaseWeights, transposedMatrix } from './packed-weights.js';
import { ChannelsLast, imageShape, volumeShape } from './spatial.js';

export const convTransposeKernel = defineKernel({
  ...convTransposeTraits,

  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    if (computeType(t) !== 'f32' || /^f[48]/.test(t)) return `${t} has no transposed convolution`;
    if (node.attrs.kernel.length > 6) return 'it has more than six spatial axes';
    return refuseFunctor(node, convUse(node));
  },

  emit: (node, k) => {
    if (node.attrs.kernel.length > 2) return spread(node, k);
    return upscale(node, k) ?? byPhases(node, k);
  },
});

/** One channel out and windows side by side: every pixel becomes a block of its own. */
function upscale(node: ConvTranspose, k: KernelBuilder): Cpp | undefined {
  const { attrs, inputs, outputs } = node;
  const { kernel, strides, dilations, pads, groups, layout } = attrs;
  const literal = constantOf(inputs[1]!);
  const [x, y] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  const apart = kernel.every((size, i) => size === strides[i] && dilations[i] === 1);
  const exact = kernel.every((size, i) => same(y[i + 1]!, mul(size, x[i + 1]!)));
  const plain = [inputs[0]!, inputs[1]!, outputs[0]!].every((v) => dtypeOf(v) === 'f32');
  const scalars = inputs.slice(2).every((v) => shapeOf(v).every((d) => d === 1));
  const one = y.at(-1) === 1 && groups === 1;
  if (layout !== 'NXC' || !literal || !plain || !one || !apart || !exact || !scalars) return undefined;
  if (pads.some((p) => p !== 0)) return undefined;
  k.include('ait/conv_upscale.h');
  const [c, places] = [literal.shape[0]!, tapsOf(attrs)];
  const weights = transposedMatrix(literal, c, places);
  return cpp`
    ${imageShape(node, k)}
    ait::upscale_conv_transpose2d(ctx, s, ${k.input(0)}, s.c, ${k.weight(weights)}, ${k.output()}, ${epilogueFunctor(node, k, convUse(node))});
  `;
}

/** One product for each phase of the stride. The template's row of zeros is what is reserved first. */
function byPhases(node: ConvTranspose, k: KernelBuilder): Cpp {
  k.include('ait/matmul.h', 'ait/conv_transpose.h');
  const { attrs, inputs } = node;
  const shape = imageShape(node, k);
  const operands = new ChannelsLast(node, k);
  const { scratch, before, after } = operands;
  scratch.floats('zeros', cpp`s.c`);
  const image = operands.image();
  const literal = constantOf(inputs[1]!);
  let w: Cpp;
  if (literal && isStatic(attrs.pads))
    w = k.weight(packedPhaseWeights(literal, { ...attrs, pads: attrs.pads }, gemmTile(k.target).columns));
  else {
    const source = operands.wide(1);
    w = scratch.floats('panels', cpp`ait::packed_conv_transpose_size(s)`);
    before.push(cpp`ait::pack_conv_transpose_weights(s, ${source}, ${w});`);
  }
  const result = operands.result();
  return cpp`
    ${shape}
    ${scratch.text()}
    ${before}
    ait::conv_transpose2d(ctx, s, ${image}, s.c, ${w}, ${result}, s.k, ${epilogueFunctor(node, k, convUse(node))});
    ${after}
  `;
}

function spread(node: ConvTranspose, k: KernelBuilder): Cpp {
  k.include('ait/matmul.h', 'ait/conv_spread.h');
  const shape = volumeShape(node, k);
  const taps = k.fresh(tapsOf(node.attrs));
  const operands = new ChannelsLast(node, k);
  const { scratch, before, after } = operands;
  scratch.floats('products', cpp`ait::spread_size(s)`);
  const image = operands.image();
  const moved = scratch.floats('moved', cpp`s.c * ${taps} * (s.k / s.groups)`);
  const w = scratch.floats(
    'panels',
    cpp`s.groups * ait::packed_b_size(s.c / s.groups, ${taps} * (s.k / s.groups))`,
  );
  before.push(
    cpp`ait::transpose_matrices(ctx, s.c, s.k / s.groups, ${taps}, ${k.input(1)}, ${moved});`,
    cpp`ait::pack_spread_weights(ctx, s, ${moved}, ${w});`,
  );
  const result = operands.result();
  return cpp`
    ${shape}
    ${scratch.text()}
    ${before}
    ait::conv_transpose_nd(ctx, s, ${image}, ${w}, products, ${result}, ${epilogueFunctor(node, k, convUse(node))});
    ${after}
  `;
}
