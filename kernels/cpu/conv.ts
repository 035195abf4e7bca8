import { Cpp, cpp } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { gemmTile } from '../../codegen/target.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import type { ConvAttrs } from '../../src/ops/conv.js';
import { type Conv, convTraits, convUse } from '../shared/contractions.js';
import { isDepthwise, tapsOf } from '../shared/window.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import {
  channelsLastWeights,
  lineWeights,
  packedConvWeights,
  packedDepthwiseWeights,
  packedGroupWeights,
  planeWeights,
  winogradWeights,
} from './packed-weights.js';
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

/** A template for channels-last images with constant weights: how it is called and how its weights lie. */
interface Algorithm {
  readonly header: string;
  readonly call: Cpp;
  readonly weights: Literal;
}

function algorithmOf(node: Conv, w: Literal, columns: number): Algorithm {
  if (isDepthwise(node))
    return { header: 'ait/depthwise.h', call: depthwiseCall(node.attrs), weights: packedDepthwiseWeights(w) };
  if (linesWin(node, w))
    return {
      header: 'ait/conv_lines.h',
      call: cpp`ait::line_conv2d<${w.shape[0]!}>`,
      weights: lineWeights(w),
    };
  if (planesWin(node, w)) {
    const along = w.shape[0] === 1 && node.inputs.slice(2).every((v) => shapeOf(v).every((d) => d === 1));
    return {
      header: 'ait/conv_planes.h',
      call: cpp`ait::plane_conv2d<${w.shape[0]!}, ${new Cpp(String(along))}>`,
      weights: planeWeights(w),
    };
  }
  if (hasFewOutputs(node, w))
    return {
      header: 'ait/conv_few.h',
      call: cpp`ait::few_conv2d<${w.shape[0]!}>`,
      weights: channelsLastWeights(w),
    };
  if (hasFewChannelsAGroup(node, w))
    return { header: 'ait/depthwise.h', call: cpp`ait::grouped_conv2d`, weights: packedGroupWeights(w) };
  if (winogradWins(node, w))
    return {
      header: 'ait/winograd.h',
      call: cpp`ait::winograd_conv2d`,
      weights: winogradWeights(w, columns),
    };
  const weights = packedConvWeights(w, node.attrs.groups, columns);
  return { header: 'ait/conv.h', call: cpp`ait::conv2d`, weights };
}

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

/** Panels would leave most lanes empty; sums along the window fill them where the window is long enough. */
function hasFewOutputs({ attrs }: Conv, { shape }: Literal): boolean {
  const window = shape.slice(1).reduce((a, b) => a * b, 1);
  return attrs.groups === 1 && shape[0]! <= 4 && window >= 24 * shape[0]!;
}

const isPlain3x3 = ({ kernel, dilations }: ConvAttrs): boolean =>
  kernel.length === 2 && kernel.every((d) => d === 3) && dilations.every((d) => d === 1);

/** As ait::grouped_conv_fits: conv2d would spend most of its lanes on padding. */
function hasFewChannelsAGroup({ attrs }: Conv, { shape }: Literal): boolean {
  const group = shape[1]!;
  const square = attrs.strides[0] === attrs.strides[1] && attrs.strides[0]! <= 2;
  return (
    isPlain3x3(attrs) &&
    square &&
    attrs.groups > 1 &&
    shape[0] === group * attrs.groups &&
    [2, 4, 8].includes(group)
  );
}

/** As ait::winograd_wins; extents that are not known yet are taken to be those of an image. */
function winogradWins({ attrs, outputs }: Conv, { shape }: Literal): boolean {
  const [m, c] = [shape[0]!, shape[1]!];
  const [, oh, ow] = shapeOf(outputs[0]!);
  const large = [oh!, ow!].every((d) => typeof d !== 'number' || d >= 4);
  const pixels = typeof oh === 'number' && typeof ow === 'number' ? oh * ow : 4096;
  const once = attrs.groups === 1 && attrs.strides.every((s) => s === 1);
  return isPlain3x3(attrs) && once && large && c >= 8 && m >= 8 && (c * m <= 1 << 17 || pixels >= 100);
}

/**
 * Whether lanes along the lines of the image do better than lanes along few channels: estimated cycles for sixty-four
 * pixels of a line, of the products alone against products and transforms.
 */
function linesWin(node: Conv, w: Literal): boolean {
  const { kernel, strides, dilations, groups } = node.attrs;
  const [m, c, kh] = w.shape as [number, number, number];
  const three = kernel.length === 2 && kernel[1] === 3 && strides[1] === 1 && dilations[1] === 1;
  const wide = shapeOf(node.outputs[0]!)[2]!;
  return (
    three &&
    groups === 1 &&
    m >= 4 &&
    m <= 12 &&
    c <= 32 &&
    (typeof wide !== 'number' || wide >= 32) &&
    192 * kh * c > 2400 + 8 * kh * c * m &&
    !winogradWins(node, w)
  );
}

/** Whether lanes along the image's lines do better than what is next: again cycles for sixty-four pixels, estimated. */
function planesWin(node: Conv, w: Literal): boolean {
  const { kernel, strides, groups } = node.attrs;
  if (kernel.length !== 2 || groups !== 1 || strides[1] !== 1) return false;
  const [m, c, kh, kw] = w.shape as [number, number, number, number];
  const wide = shapeOf(node.outputs[0]!)[2]!;
  if (m > 8 || c > 64 || kh * kw < 3 || (typeof wide === 'number' && wide < 32)) return false;
  const planes = 4 * kh * kw * c * m + 480 * Math.ceil(c / 16) + 1000;
  const panels = 64 * kh * kw * c;
  const few = 64 * m * (kh * Math.ceil((kw * c) / 16) + 70);
  return planes < 0.7 * (hasFewOutputs(node, w) ? few : panels) && !winogradWins(node, w);
}

/** Square windows that have a template of their own are named, so that only that one is compiled. */
function depthwiseCall({ kernel, strides, dilations }: ConvAttrs): Cpp {
  const [size, stride] = [kernel[0]!, strides[0]!];
  const square = kernel.length === 2 && kernel[1] === size && strides[1] === stride;
  const known = square && dilations.every((d) => d === 1) && [3, 5].includes(size) && [1, 2].includes(stride);
  return known ? cpp`ait::depthwise_conv2d<${size}, ${stride}>` : cpp`ait::detail::depthwise_run<0, 0>`;
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
