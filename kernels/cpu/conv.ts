import { type Cpp, cpp } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { gemmTile } from '../../codegen/target.js';
import { dtypeOf } from '../../src/ir/graph.js';
import { type Conv, convTraits, convUse } from '../shared/contractions.js';
import { tapsOf } from '../shared/window.js';
import { algorithmOf } from './conv-algorithm.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { packedConvWeights } from './packed-weights.js';
import { ChannelsLast, imageShape, volumeShape } from './spatial.js';

export const convKernel = defineKernel({
  ...convTraits,

  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    if (computeType(t) !== 'f32' || /^f[48]/.test(t)) return `${t} has no convolution`;
    if (node.attrs.kernel.length > 6) return 'it has more than six spatial axes';
    return refuseFunctor(node, convUse(node));
  },

  emit: (node, k) => {
    const { inputs, outputs, attrs } = node;
    const plain = [inputs[0]!, inputs[1]!, outputs[0]!].every((v) => dtypeOf(v) === 'f32');
    const fast = plain && attrs.layout === 'NXC' && attrs.kernel.length <= 2 && constantOf(inputs[1]!);
    return fast ? imageConv(node, k) : anyConv(node, k);
  },
});

function imageConv(node: Conv, k: KernelBuilder): Cpp {
  const { header, call, weights } = algorithmOf(
    node,
    constantOf(node.inputs[1]!)!,
    gemmTile(k.target).columns,
  );
  k.include(header);
  const shape = imageShape(node, k);
  return cpp`
    ${shape}
    if (s.batch * s.oh * s.ow == 0) return;
    ${call}(ctx, s, ${k.input(0)}, s.c, ${k.weight(weights)}, ${k.output()}, s.k, ${epilogueFunctor(node, k, convUse(node))});
  `;
}

/**
 * Any other convolution. The templates ask for scratch memory for a row of zeros themselves: what is reserved
 * first is what they get.
 */
function anyConv(node: Conv, k: KernelBuilder): Cpp {
  const volume = node.attrs.kernel.length > 2;
  k.include('ait/matmul.h', volume ? 'ait/conv_nd.h' : 'ait/conv.h');
  const shape = volume ? volumeShape(node, k) : imageShape(node, k);
  const taps = k.fresh(tapsOf(node.attrs));
  const operands = new ChannelsLast(node, k);
  const { scratch, before, after } = operands;
  scratch.floats('zeros', cpp`${taps} * s.c`);
  const image = operands.image();
  const literal = constantOf(node.inputs[1]!);
  let w: Cpp;
  if (literal) w = k.weight(packedConvWeights(literal, node.attrs.groups, gemmTile(k.target).columns));
  else {
    const source = operands.wide(1);
    w = scratch.floats(
      'panels',
      cpp`s.groups * ait::packed_b_size(${taps} * (s.c / s.groups), s.k / s.groups)`,
    );
    before.push(cpp`ait::pack_conv_weights(ctx, s.k, s.c / s.groups, ${taps}, s.groups, ${source}, ${w});`);
  }
  const result = operands.result();
  const call = volume ? cpp`ait::conv_nd` : cpp`ait::conv2d`;
  return cpp`
    ${shape}
    ${scratch.text()}
    ${before}
    ${call}(ctx, s, ${image}, s.c, ${w}, ${result}, s.k, ${epilogueFunctor(node, k, convUse(node))});
    ${after}
  `;
}
