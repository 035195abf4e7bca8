import type { Shape } from '../ir/dim.js';
import { arg, call, cast, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { channelOperand, channelsFirst, channelsLast, kernelOf } from './conv.js';
import { epilogueToOnnx, epilogueType, fitsEpilogue, type Layout } from './epilogue.js';
import { isByte, multiplier, requantise, requireBytes, zeroPoint } from './matmul-integer.js';
import { int, ints } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { equal, sameChannels } from './requirements.js';
import { reshape } from './reshape.js';
import { channelsOf, spatialOf, type Window, windowCounts, windowOf, withSpatial } from './window.js';

export type ConvIntegerAttrs = Window & {
  readonly groups: number;
  readonly layout: Layout;
  /** Applied to the 32-bit sums ($0) and the inputs after the zero points ($1, …). */
  readonly epilogue?: Expr | undefined;
};

/**
 * Convolution of 8-bit integers, summed modulo 2^32. Inputs: x, the weights [M, C / groups, kernel…], x's zero
 * point (one, which is what padding holds) and that of the weights (one, or one an output channel).
 */
export const convInteger: OpDef<ConvIntegerAttrs> = defineOp({
  name: 'conv_integer',

  infer: ([x, w, xZero, wZero, ...extras], attrs) => {
    requireBytes([x!, xZero!], [w!, wZero!]);
    if (x!.shape.length < 3 || w!.shape.length !== x!.shape.length)
      throw new CompileError('bad-shape', `a convolution of ${showType(x!)} with ${showType(w!)}`);
    const spatial = windowCounts(spatialOf(x!.shape, attrs.layout), attrs);
    const shape = withSpatial(x!.shape[0]!, w!.shape[0]!, spatial, attrs.layout);
    return epilogueType(tensor('i32', shape), extras, attrs.epilogue);
  },

  requires: ([x, w], { layout, groups, kernel }) => [
    sameChannels(channelsOf(x!.shape, layout), w!.shape[1]!, groups),
    ...kernel.map((d, i) => equal(w!.shape[i + 2]!, d, 'the weights are for another kernel')),
  ],

  onnx: { ConvInteger: { 10: (n, b) => sums(n, b) }, QLinearConv: { 10: quantised } },

  toOnnx: (node, inputs, e) => {
    const { attrs } = node;
    const rank = shapeOf(node.inputs[0]!).length;
    const points = [2, 3].map((i) =>
      shapeOf(node.inputs[i]!).every((d) => d === 1)
        ? e.one('Reshape', [inputs[i], e.constant('i64', [0], [])])
        : e.one('Reshape', [inputs[i], e.constant('i64', [1], [-1])]),
    );
    let x = channelsFirst(inputs[0]!, rank, attrs.layout, e);
    let pads = attrs.pads;
    if (pads.some((d) => typeof d !== 'number')) {
      const half = pads.length / 2;
      const amounts = e.dims([0, 0, ...pads.slice(0, half), 0, 0, ...pads.slice(half)]);
      x = e.one('Pad', [x, amounts, points[0]]);
      pads = pads.map(() => 0);
    }
    const y = e.one('ConvInteger', [x, inputs[1], ...points], {
      kernel_shape: ints(attrs.kernel),
      strides: ints(attrs.strides),
      dilations: ints(attrs.dilations),
      group: int(attrs.groups),
      pads: ints(pads.map(Number)),
    });
    return epilogueToOnnx(node, 4, channelsLast(y, rank, attrs.layout, e), 'i32', inputs, e);
  },
});

function attrsOf(n: SourceNode, x: Value, w: Value): ConvIntegerAttrs {
  return {
    ...windowOf(n, shapeOf(x).slice(2), kernelOf(n, w)),
    groups: n.int('group', 1),
    layout: 'NCX',
  };
}

function sums(n: SourceNode, b: Build): Value {
  const [x, w] = [n.input(0), n.input(1)];
  const points = [zeroPoint(b, n.optional(2), x), zeroPoint(b, n.optional(3), w)];
  return b(convInteger, [x, w, ...points], attrsOf(n, x, w));
}

function quantised(n: SourceNode, b: Build): Value {
  const [x, w] = [n.input(0), n.input(3)];
  if (!isByte(dtypeOf(x)) || !isByte(dtypeOf(w))) n.decline(`convolutions of ${dtypeOf(x)} are rare`);
  const attrs = attrsOf(n, x, w);
  const rank = shapeOf(x).length;
  const perChannel = (v: Value): Value => (shapeOf(v).length === 1 ? channelOperand(v, rank, b) : v);
  const scales = [n.input(1), perChannel(n.input(4)), n.input(6)].map((v) =>
    shapeOf(v).length === 1 && shapeOf(v)[0] === 1 ? b(reshape, [v], { shape: [] }) : v,
  );
  const [zero, bias] = [n.input(7), n.optional(8)];
  const scalarZero = shapeOf(zero).length === 0 ? zero : b(reshape, [zero], { shape: [] });
  const extras = [multiplier(b, scales), scalarZero, ...(bias ? [channelOperand(bias, rank, b)] : [])];
  const total = bias ? call('add', arg(0), arg(3)) : arg(0);
  const epilogue = requantise(call('mul', cast('f32', total), arg(1)), arg(2), dtypeOf(zero));
  const inputs = [x, w, n.input(2), n.input(5)];
  const out: Shape = withSpatial(
    shapeOf(x)[0]!,
    shapeOf(w)[0]!,
    windowCounts(shapeOf(x).slice(2), attrs),
    'NCX',
  );
  if (extras.every((v) => fitsEpilogue(out, shapeOf(v))))
    return b(convInteger, [...inputs, ...extras], { ...attrs, epilogue });
  return b(pointwise, [b(convInteger, inputs, attrs), ...extras], { expr: epilogue });
}
