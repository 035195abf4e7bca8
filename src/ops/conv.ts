import { type Dim, numel, show, sub } from '../ir/dim.js';
import { arg, call, type Expr } from '../ir/expr.js';
import { dtypeOf, is, type Node, shapeOf, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import { isFloat, showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { concat } from './concat.js';
import { constant } from './constant.js';
import {
  addedFirst,
  epilogueOperand,
  epilogueToOnnx,
  epilogueType,
  type Layout,
  withOperand,
} from './epilogue.js';
import { expanded } from './expand.js';
import { fusedConv } from './microsoft-contractions.js';
import { int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { pointwise } from './pointwise.js';
import { equal, sameChannels } from './requirements.js';
import { reshape } from './reshape.js';
import { slicedAxis } from './slice.js';
import {
  channelsOf,
  paddedInput,
  spatialOf,
  toChannelsFirst,
  toChannelsLast,
  type Window,
  windowCounts,
  windowOf,
  withSpatial,
} from './window.js';

export type ConvAttrs = Window & {
  readonly groups: number;
  readonly layout: Layout;
  /** Whether a GPU may round the operands to TF32. */
  readonly tf32?: true;
  /** Applied to the sums ($0) and the inputs after the weights ($1, …). */
  readonly epilogue?: Expr | undefined;
};

/** Convolution of any number of spatial axes. Weights are [M, C / groups, kernel…] in every layout. */
export const conv: OpDef<ConvAttrs> = defineOp({
  name: 'conv',

  infer: ([x, w, ...extras], attrs) => {
    const dtype = sameDtype('conv', [x!, w!]);
    if (!isFloat(dtype)) throw new CompileError('type-mismatch', `conv does not take ${dtype}`);
    const rank = x!.shape.length;
    if (rank < 3 || w!.shape.length !== rank)
      throw new CompileError('bad-shape', `a convolution of ${showType(x!)} with ${showType(w!)}`);
    w!.shape.slice(2).forEach((d, i) => {
      if (typeof d === 'number' && d !== attrs.kernel[i])
        throw new CompileError('bad-shape', `weights of ${d} where the kernel is ${attrs.kernel[i]}`);
    });
    checkGroups(channelsOf(x!.shape, attrs.layout), w!.shape[1]!, w!.shape[0]!, attrs.groups);
    const spatial = windowCounts(spatialOf(x!.shape, attrs.layout), attrs);
    const shape = withSpatial(x!.shape[0]!, w!.shape[0]!, spatial, attrs.layout);
    return epilogueType(tensor(dtype, shape), extras, attrs.epilogue);
  },

  requires: ([x, w], { layout, groups, kernel }) => [
    sameChannels(channelsOf(x!.shape, layout), w!.shape[1]!, groups),
    ...kernel.map((d, i) => equal(w!.shape[i + 2]!, d, 'the weights are for another kernel')),
  ],

  onnx: {
    Conv: { 1: convertConv },
    CausalConvWithState: { 27: causalConv },
    'com.microsoft::FusedConv': { 1: fusedConv },
  },

  toOnnx: (node, inputs, e) => {
    const { layout } = node.attrs;
    const rank = shapeOf(node.inputs[0]!).length;
    const x = channelsFirst(inputs[0]!, rank, layout, e);
    const padded = paddedInput(x, node.attrs.pads, undefined, e);
    const bias = channelBias(node, inputs, e);
    const sums = e.one('Conv', [padded.x, inputs[1], bias?.name], {
      kernel_shape: ints(node.attrs.kernel),
      strides: ints(node.attrs.strides),
      dilations: ints(node.attrs.dilations),
      group: int(node.attrs.groups),
      pads: ints(padded.pads),
    });
    const out = channelsLast(sums, rank, layout, e);
    return epilogueToOnnx(node, 2, out, dtypeOf(node.inputs[0]!), inputs, e, bias?.rest);
  },
});

/** An operand of the epilogue that is one element a channel, as the operator takes it, and what is left to do. */
function channelBias(
  { attrs: { epilogue, layout }, inputs: values, outputs }: Node<ConvAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): { readonly name: string; readonly rest: Expr } | undefined {
  const first = epilogue && addedFirst(epilogue);
  const channels = shapeOf(values[1]!)[0]!;
  const at = first ? first.operand + 1 : 0;
  const v = values[at];
  if (!first || !v || typeof channels !== 'number' || numel(shapeOf(v)) !== channels) return undefined;
  const access = epilogueOperand(shapeOf(outputs[0]!), shapeOf(v), layout);
  if (access !== 'channel' && !(access === 'scalar' && channels === 1)) return undefined;
  const known = is(v.node, constant) ? v.node : undefined;
  const name = known
    ? e.literal(known.attrs.value.reshaped([channels]), known.origin.name || undefined)
    : e.one('Reshape', [inputs[at], e.constant('i64', [1], [channels])]);
  return { name, rest: first.rest };
}

/** Into and out of the layout that ONNX operators have. */
export const channelsFirst = (x: string, rank: number, layout: Layout, e: OnnxEmitter): string =>
  layout === 'NCX' ? x : e.one('Transpose', [x], { perm: ints(toChannelsFirst(rank)) });
export const channelsLast = (x: string, rank: number, layout: Layout, e: OnnxEmitter): string =>
  layout === 'NCX' ? x : e.one('Transpose', [x], { perm: ints(toChannelsLast(rank)) });

function checkGroups(channels: Dim, perGroup: Dim, out: Dim, groups: number): void {
  if (typeof out === 'number' && out % groups !== 0)
    throw new CompileError('bad-groups', `${out} output channels in ${groups} groups`);
  if (typeof channels === 'number' && typeof perGroup === 'number' && channels !== perGroup * groups)
    throw new CompileError(
      'bad-groups',
      `${show(channels)} channels where the weights have ${groups} groups of ${show(perGroup)}`,
    );
}

/** The kernel's extents: of the attribute, or of the weights. */
export function kernelOf(n: SourceNode, weights: Value): readonly number[] {
  if (n.has('kernel_shape')) return n.ints('kernel_shape');
  return shapeOf(weights)
    .slice(2)
    .map((d) => (typeof d === 'number' ? d : n.decline('the extents of the weights are not known')));
}

/** A bias of one value a channel, as an operand that broadcasts over NCX. */
export const channelOperand = (bias: Value, rank: number, b: Build): Value =>
  b(reshape, [bias], { shape: [shapeOf(bias)[0]!, ...Array.from({ length: rank - 2 }, () => 1)] });

export function convertConv(n: SourceNode, b: Build): Value {
  const x = n.input(0);
  const w = n.input(1);
  const spatial = shapeOf(x).slice(2);
  const attrs = {
    ...windowOf(n, spatial, kernelOf(n, w)),
    groups: n.int('group', 1),
    layout: 'NCX' as const,
  };
  const bias = n.optional(2);
  if (!bias) return b(conv, [x, w], attrs);
  const operand = channelOperand(bias, shapeOf(x).length, b);
  const out = withSpatial(shapeOf(x)[0]!, shapeOf(w)[0]!, windowCounts(spatial, attrs), 'NCX');
  return withOperand(b, operand, call('add', arg(0), arg(1)), out, (extras, epilogue) =>
    b(conv, [x, w, ...extras], { ...attrs, epilogue }),
  );
}

/** A depthwise convolution along time over the elements of earlier calls and now; also yields the last ones. */
function causalConv(n: SourceNode, b: Build): readonly Value[] {
  const [x, w] = [n.input(0), n.input(1)];
  const [bias, past] = [n.optional(2), n.optional(3)];
  const [batch, channels] = shapeOf(x) as readonly [Dim, Dim];
  const size = shapeOf(w)[2]!;
  if (typeof size !== 'number' || typeof channels !== 'number')
    return n.decline('the extents of the weights are not known');
  const zero = (): Value => b(constant, [], { value: scalarLiteral(dtypeOf(x), 0) });
  const before = past ?? expanded(b, zero(), [batch, channels, size - 1]);
  const all = size === 1 ? x : b(concat, [before, x], { axis: 2 });
  const attrs: ConvAttrs = {
    kernel: [size],
    strides: [1],
    dilations: [1],
    pads: [0, 0],
    groups: channels,
    layout: 'NCX',
  };
  const y = bias
    ? b(conv, [all, w, channelOperand(bias, 3, b)], { ...attrs, epilogue: call('add', arg(0), arg(1)) })
    : b(conv, [all, w], attrs);
  const last = slicedAxis(b, all, 2, sub(shapeOf(all)[2]!, size - 1), size - 1);
  const silu = call('mul', arg(0), call('sigmoid', arg(0)));
  return [n.string('activation', 'none') === 'none' ? y : b(pointwise, [y], { expr: silu }), last];
}
