import { add, type Dim, floordiv, isStatic, max, mul, type Shape, sub } from '../ir/dim.js';
import { arg, call, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { isFloat, showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { channelOperand, channelsFirst, channelsLast, kernelOf } from './conv.js';
import { epilogueToOnnx, epilogueType, type Layout, withOperand } from './epilogue.js';
import { int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { equal, sameChannels } from './requirements.js';
import { channelsOf, spatialOf, type Window, withSpatial } from './window.js';

export type ConvTransposeAttrs = Window & {
  /** The spatial extents of the result. The pads at the end follow from them. */
  readonly out: Shape;
  readonly groups: number;
  readonly layout: Layout;
  /** Whether a GPU may round the operands to TF32. */
  readonly tf32?: true;
  readonly epilogue?: Expr | undefined;
};

/** The gradient of a convolution: every input element adds a weighted kernel. Weights are [C, M / groups, kernel…]. */
export const convTranspose: OpDef<ConvTransposeAttrs> = defineOp({
  name: 'conv_transpose',

  infer: ([x, w, ...extras], attrs) => {
    const dtype = sameDtype('conv_transpose', [x!, w!]);
    if (!isFloat(dtype)) throw new CompileError('type-mismatch', `conv_transpose does not take ${dtype}`);
    if (x!.shape.length < 3 || w!.shape.length !== x!.shape.length)
      throw new CompileError('bad-shape', `a transposed convolution of ${showType(x!)} with ${showType(w!)}`);
    w!.shape.slice(2).forEach((d, i) => {
      if (typeof d === 'number' && d !== attrs.kernel[i])
        throw new CompileError('bad-shape', `weights of ${d} where the kernel is ${attrs.kernel[i]}`);
    });
    const shape = withSpatial(x!.shape[0]!, mul(w!.shape[1]!, attrs.groups), attrs.out, attrs.layout);
    return epilogueType(tensor(dtype, shape), extras, attrs.epilogue);
  },

  requires: ([x, w], { layout, kernel }) => [
    sameChannels(channelsOf(x!.shape, layout), w!.shape[0]!, 1),
    ...kernel.map((d, i) => equal(w!.shape[i + 2]!, d, 'the weights are for another kernel')),
  ],

  onnx: { ConvTranspose: { 1: convert } },

  toOnnx: (node, inputs, e) => {
    const { attrs } = node;
    const shape = shapeOf(node.inputs[0]!);
    const x = channelsFirst(inputs[0]!, shape.length, attrs.layout, e);
    const sums = writeSums(x, inputs[1]!, spatialOf(shape, attrs.layout), attrs, e);
    const out = channelsLast(sums, shape.length, attrs.layout, e);
    return epilogueToOnnx(node, 2, out, dtypeOf(node.inputs[0]!), inputs, e);
  },
});

/** The extent without pads. */
const spread = (d: Dim, i: number, { kernel, strides, dilations }: Omit<Window, 'pads'>): Dim =>
  add(mul(strides[i]!, add(d, -1)), (kernel[i]! - 1) * dilations[i]! + 1);

function writeSums(x: string, w: string, spatial: Shape, attrs: ConvTransposeAttrs, e: OnnxEmitter): string {
  const rank = spatial.length;
  const whole = {
    kernel_shape: ints(attrs.kernel),
    strides: ints(attrs.strides),
    dilations: ints(attrs.dilations),
    group: int(attrs.groups),
  };
  const begins = attrs.pads.slice(0, rank);
  // Whatever is left of the full extent is cut at the end, or, when negative, filled with zeros.
  const ends: Shape = spatial.map((d, i) => sub(sub(spread(d, i, attrs), begins[i]!), attrs.out[i]!));
  if (isStatic(begins) && isStatic(ends)) {
    const cut = ends.map((d) => Math.max(0, d));
    const fill = ends.map((d) => Math.max(0, -d));
    return e.one('ConvTranspose', [x, w], {
      ...whole,
      pads: ints([...begins, ...cut]),
      output_padding: ints(fill),
    });
  }
  const full = e.one('ConvTranspose', [x, w], whole);
  const axes = e.constant(
    'i64',
    [rank],
    begins.map((_, i) => i + 2),
  );
  const stops = begins.map((b, i) => add(b, attrs.out[i]!));
  return e.one('Slice', [full, e.dims(begins), e.dims(stops), axes]);
}

function convert(n: SourceNode, b: Build): Value {
  const x = n.input(0);
  const w = n.input(1);
  const spatial = shapeOf(x).slice(2);
  const window = windowAndOut(n, spatial, kernelOf(n, w));
  const attrs = { ...window, groups: n.int('group', 1), layout: 'NCX' as const };
  const bias = n.optional(2);
  if (!bias) return b(convTranspose, [x, w], attrs);
  const operand = channelOperand(bias, shapeOf(x).length, b);
  const out = withSpatial(shapeOf(x)[0]!, mul(shapeOf(w)[1]!, attrs.groups), attrs.out, 'NCX');
  return withOperand(b, operand, call('add', arg(0), arg(1)), out, (extras, epilogue) =>
    b(convTranspose, [x, w, ...extras], { ...attrs, epilogue }),
  );
}

/** Pads come from the attribute, or from the extents asked for: then the odd one goes to the front, but to the end in SAME_UPPER. */
function windowAndOut(n: SourceNode, spatial: Shape, kernel: readonly number[]): Window & { out: Shape } {
  const ones = spatial.map(() => 1);
  const strides = n.ints('strides', ones);
  const dilations = n.ints('dilations', ones);
  const extra = n.ints(
    'output_padding',
    ones.map(() => 0),
  );
  const window = { kernel, strides, dilations };
  const full = spatial.map((d, i) => add(spread(d, i, window), extra[i]!));
  const mode = n.string('auto_pad', 'NOTSET');
  const asked = n.has('output_shape')
    ? n.ints('output_shape').slice(-spatial.length)
    : mode.startsWith('SAME')
      ? spatial.map((d, i) => mul(d, strides[i]!))
      : undefined;
  if (!asked) {
    const zeros = [...ones, ...ones].map(() => 0);
    const pads = mode === 'VALID' ? zeros : n.ints('pads', zeros);
    const out = full.map((d, i) => max(0, sub(d, add(pads[i]!, pads[i + spatial.length]!))));
    return { ...window, pads, out };
  }
  const totals = full.map((d, i) => max(0, sub(d, asked[i]!)));
  const small = totals.map((t) => floordiv(t, 2));
  const large = totals.map((t, i) => sub(t, small[i]!));
  const pads = mode === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
  return { ...window, pads, out: asked };
}
