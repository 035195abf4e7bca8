import { type Cpp, cpp } from '../../codegen/cpp.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import type { ConvAttrs } from '../../src/ops/conv.js';
import type { Conv } from '../shared/contractions.js';
import { flag } from '../shared/elements.js';
import { isDepthwise } from '../shared/window.js';
import {
  channelsLastWeights,
  packedConvWeights,
  packedDepthwiseWeights,
  packedGroupWeights,
  planeWeights,
} from './packed-weights.js';
import { lineWeights, winogradWeights } from './packed-winograd.js';

/** A template for channels-last images with constant weights: how it is called and how its weights lie. */
export interface Algorithm {
  readonly header: string;
  readonly call: Cpp;
  readonly weights: Literal;
}

export function algorithmOf(node: Conv, w: Literal, columns: number): Algorithm {
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
      call: cpp`ait::plane_conv2d<${w.shape[0]!}, ${flag(along)}>`,
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
