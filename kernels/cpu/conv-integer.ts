import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import { mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { convInteger } from '../../src/ops/conv-integer.js';
import { spatialOf } from '../../src/ops/window.js';
import { isDepthwise, tapsOf } from '../shared/window.js';
import { type ConvInteger, isOne, refuseConvPoints } from '../shared/zero-points.js';
import { integerFunctor, refuseIntegerFunctor } from './integer-epilogue.js';
import { depthwiseBytes, packedByteConvWeights, qGroup } from './packed-bytes.js';
import { Scratch } from './scratch.js';
import { imageShape } from './spatial.js';

export const convIntegerKernel = defineKernel({
  op: convInteger,

  refuse: (node) => {
    if (node.attrs.kernel.length > 2) return 'it has more than two spatial axes';
    return refuseConvPoints(node) ?? refuseIntegerFunctor(node, node.attrs.layout);
  },

  work: ({ inputs, outputs }) => mul(numel(shapeOf(outputs[0]!)), numel(shapeOf(inputs[1]!).slice(1))),

  emit: (node, k) => convolution(node, k),
});

function convolution(node: ConvInteger, k: KernelBuilder): Cpp {
  k.include('ait/q_operands.h');
  const { inputs, outputs, attrs } = node;
  const shape = imageShape(node, k);
  const taps = k.fresh(tapsOf(attrs));
  const scratch = new Scratch();
  const before: Cpp[] = [];
  const after: Cpp[] = [];
  const first = attrs.layout === 'NCX';
  const [tx, tw, ty] = [inputs[0]!, inputs[1]!, outputs[0]!].map((v) => ctype[dtypeOf(v)]);

  let image = k.input(0);
  if (first) {
    const pixels = k.fresh(numel(spatialOf(shapeOf(inputs[0]!), 'NCX')));
    const room = scratch.floats('image', cpp`(s.batch * s.c * ${pixels} + 3) / 4`);
    image = cpp`reinterpret_cast<${tx}*>(${room})`;
    before.push(cpp`ait::transpose_elements(ctx, s.batch, s.c, ${pixels}, ${k.input(0)}, ${image});`);
  }
  const perChannel = !isOne(shapeOf(inputs[3]!));
  const channelPoints = perChannel ? scratch.floats('w_points', cpp`s.k`) : undefined;

  const literal = constantOf(inputs[1]!);
  const depthwise = literal !== undefined && isDepthwise(node);
  let weights: Cpp;
  if (depthwise) weights = k.weight(depthwiseBytes(literal));
  else if (literal) {
    const how = { width: gemmTile(k.target).columns, group: qGroup(k.target) };
    weights = k.weight(packedByteConvWeights(literal, attrs.groups, how));
  } else {
    const each = cpp`ait::packed_qb_bytes(${taps} * (s.c / s.groups), s.k / s.groups)`;
    const room = scratch.floats('panels', cpp`s.groups * ${each} / 4`);
    weights = cpp`reinterpret_cast<uint8_t*>(${room})`;
    before.push(
      cpp`ait::pack_qconv_weights(s.k, s.c / s.groups, ${taps}, s.groups, ${k.input(1)}, ${weights});`,
    );
  }
  let result = k.output();
  if (first) {
    const pixels = k.fresh(numel(spatialOf(shapeOf(outputs[0]!), 'NCX')));
    const room = scratch.floats('sums', cpp`s.batch * s.k * ${pixels}`);
    result = cpp`reinterpret_cast<${ty}*>(${room})`;
    after.push(cpp`ait::transpose_elements(ctx, s.batch, ${pixels}, s.k, ${result}, ${k.output()});`);
  }
  const zeros = [
    cpp`static_cast<int32_t>(${k.input(2)}[0])`,
    perChannel ? cpp`0` : cpp`static_cast<int32_t>(${k.input(3)}[0])`,
    cpp`nullptr`,
    channelPoints ? cpp`ait::widen_points(${k.input(3)}, s.k, ${channelPoints})` : cpp`nullptr`,
  ];
  const call = new Cpp(depthwise ? 'qdepthwise_conv2d' : 'qconv2d');
  return cpp`
    ${shape}
    ${scratch.text()}
    ${before}
    const ait::QZeros zeros{${join(zeros, ', ')}};
    ait::${call}<${tw}>(ctx, s, ${image}, s.c, ${weights}, zeros, ${result}, s.k, ${integerFunctor(node, k, attrs.layout)});
    ${after}
  `;
}
