import { floordiv, type Shape, sameShape } from '../ir/dim.js';
import { arg, call, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { castTo } from './cast.js';
import { num } from './elementwise.js';
import { epilogueType, type Layout } from './epilogue.js';
import { expand } from './expand.js';
import { composed } from './norm-composed.js';
import { groupNormToOnnx } from './norm-to-onnx.js';
import { dtypeOfNumber } from './onnx-dtype.js';
import { float, int } from './onnx-emitter.js';
import { axisOf, type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { reduced } from './reduce.js';
import { reshape } from './reshape.js';
import { channelsOf } from './window.js';

/**
 * Normalises the part of a tensor from `axis` on. Inputs: the tensor, a scale of that part's shape and a
 * bias where there is one. With statistics the mean and the inverse deviation of each part follow.
 */
export const layerNorm: OpDef<{ axis: number; epsilon: number; stats: boolean }> = defineOp({
  name: 'layer_norm',

  infer: ([x, ...parameters], { axis, stats }) => {
    checkParameters(
      x!.shape,
      axis,
      parameters.map((p) => p.shape),
    );
    if (!stats) return x!;
    const one = tensor(
      'f32',
      x!.shape.map((d, i) => (i < axis ? d : 1)),
    );
    return [x!, one, one];
  },

  onnx: {
    LayerNormalization: { 1: layerNormalization },
    ...composed,
    'com.microsoft::SkipLayerNormalization': { 1: (n, b) => skip(n, b, false) },
    'com.microsoft::SkipSimplifiedLayerNormalization': { 1: (n, b) => skip(n, b, true) },
  },

  toOnnx: ({ attrs }, inputs, e) =>
    e.node(
      'LayerNormalization',
      inputs,
      { axis: int(attrs.axis), epsilon: float(attrs.epsilon) },
      attrs.stats ? 3 : 1,
    ),
});

/** Divides the part of a tensor from `axis` on by its root mean square. Inputs: the tensor and a scale. */
export const rmsNorm: OpDef<{ axis: number; epsilon: number }> = defineOp({
  name: 'rms_norm',

  infer: ([x, scale], { axis }) => {
    checkParameters(x!.shape, axis, [scale!.shape]);
    return x!;
  },

  onnx: {
    RMSNormalization: { 23: rmsNormalization },
    SimplifiedLayerNormalization: { 1: rmsNormalization },
    'com.microsoft::SimplifiedLayerNormalization': { 1: rmsNormalization },
  },

  toOnnx: ({ attrs: { axis, epsilon }, inputs: [v] }, [x, scale], e) => {
    if (e.opset >= 23)
      return e.one('RMSNormalization', [x, scale], { axis: int(axis), epsilon: float(epsilon) });
    const rank = shapeOf(v!).length;
    const t = dtypeOf(v!);
    const axes = e.constant(
      'i64',
      [rank - axis],
      Array.from({ length: rank - axis }, (_, i) => axis + i),
    );
    const wide = t === 'f64' ? x : e.one('Cast', [x], { to: { kind: 'dtype', value: 'f32' } });
    const squares = e.one('ReduceMean', [e.one('Mul', [wide, wide]), axes]);
    const inner = e.one('Add', [squares, e.constant(t === 'f64' ? t : 'f32', [], [epsilon])]);
    const normal = e.one('Div', [wide, e.one('Sqrt', [inner])]);
    return e.one('Mul', [e.one('Cast', [normal], { to: { kind: 'dtype', value: t } }), scale]);
  },
});

export type GroupNormAttrs = {
  readonly groups: number;
  readonly epsilon: number;
  /** Channels first where it is absent. */
  readonly layout?: Layout | undefined;
  /** What becomes of the normalised elements; operands follow the bias. */
  readonly epilogue?: Expr | undefined;
};

/** Normalises each group of channels of [N, C, ...]. Inputs: the tensor, scale and bias, one element a channel. */
export const groupNorm: OpDef<GroupNormAttrs> = defineOp({
  name: 'group_norm',

  infer: ([x, scale, bias, ...extras], { groups, layout, epilogue }) => {
    const channels = x!.shape.length < 2 ? undefined : channelsOf(x!.shape, layout ?? 'NCX');
    if (channels === undefined || (typeof channels === 'number' && channels % groups !== 0))
      throw new CompileError(
        'bad-groups',
        `${groups} groups do not divide the channels of rank ${x!.shape.length}`,
      );
    for (const p of [scale!, bias!])
      if (!sameShape(p.shape, [channels]))
        throw new CompileError('bad-parameter', 'scale and bias have one element a channel');
    return epilogueType(x!, extras, epilogue);
  },

  onnx: {
    GroupNormalization: {
      18: (n, b) => groupNormalization(n, b, (v) => perChannel(b, v, shapeOf(n.input(0)))),
      21: (n, b) => groupNormalization(n, b, (v) => v),
    },
    InstanceNormalization: {
      1: (n, b) => {
        const channels = shapeOf(n.input(0))[1];
        if (typeof channels !== 'number') return n.decline('the number of channels is not known');
        return b(groupNorm, [n.input(0), n.input(1), n.input(2)], {
          groups: channels,
          epsilon: n.float('epsilon', 1e-5),
        });
      },
    },
  },

  toOnnx: groupNormToOnnx,
});

function checkParameters(shape: Shape, axis: number, parameters: readonly Shape[]): void {
  axisOf(axis, shape.length);
  for (const p of parameters)
    if (!sameShape(p, shape.slice(axis)))
      throw new CompileError(
        'bad-parameter',
        `scale and bias do not have the shape of the axes from ${axis} on`,
      );
}

/** A scale or bias in the shape of the normalised part. */
function parameter(n: SourceNode, b: Build, v: Value, x: Value, axis: number): Value {
  const wanted = shapeOf(x).slice(axis);
  let shape = shapeOf(v);
  let value = v;
  if (shape.length > wanted.length) {
    // Extra axes in front say nothing as long as they are 1.
    const extra = shape.slice(0, shape.length - wanted.length);
    if (extra.some((d) => d !== 1)) n.decline('the scale differs between the parts that are normalised');
    shape = shape.slice(extra.length);
    value = b(reshape, [v], { shape });
  }
  const typed = castTo(b, value, dtypeOf(x));
  return sameShape(shape, wanted) ? typed : b(expand, [typed], { shape: wanted });
}

function layerNormalization(n: SourceNode, b: Build): readonly Value[] {
  const [x, bias] = [n.input(0), n.optional(2)];
  const axis = axisOf(n.int('axis', -1), shapeOf(x).length);
  const stats = n.wants(1) || n.wants(2);
  if (dtypeOfNumber(n, n.int('stash_type', 1)) !== 'f32' && stats)
    n.decline('the statistics are asked for in another type than f32');
  const parameters = [n.input(1), ...(bias ? [bias] : [])].map((v) => parameter(n, b, v, x, axis));
  return layerNormOf(b, x, parameters, { axis, epsilon: n.float('epsilon', 1e-5), stats });
}

/** The operator computes in f32; f64 is composed of reductions. */
function layerNormOf(
  b: Build,
  x: Value,
  parameters: readonly Value[],
  attrs: { axis: number; epsilon: number; stats: boolean },
): readonly Value[] {
  if (dtypeOf(x) !== 'f64') return b.all(layerNorm, [x, ...parameters], attrs);
  const axes = shapeOf(x).flatMap((_, i) => (i < attrs.axis ? [] : [i]));
  const mean = reduced(b, 'mean', x, axes);
  const centred = b(pointwise, [x, mean], { expr: call('sub', arg(0), arg(1)) });
  const inverse = inverseRoot(b, reduced(b, 'mean', square(b, centred), axes), attrs.epsilon);
  const narrow = (v: Value): Value => castTo(b, v, 'f32');
  const y = scaled(b, centred, inverse, parameters);
  return attrs.stats ? [y, narrow(mean), narrow(inverse)] : [y];
}

function rmsNormalization(n: SourceNode, b: Build): Value {
  const x = n.input(0);
  const axis = axisOf(n.int('axis', -1), shapeOf(x).length);
  const epsilon = n.float('epsilon', 1e-5);
  return rmsNormOf(b, x, parameter(n, b, n.input(1), x, axis), axis, epsilon);
}

function rmsNormOf(b: Build, x: Value, scale: Value, axis: number, epsilon: number): Value {
  if (dtypeOf(x) !== 'f64') return b(rmsNorm, [x, scale], { axis, epsilon });
  const axes = shapeOf(x).flatMap((_, i) => (i < axis ? [] : [i]));
  return scaled(b, x, inverseRoot(b, reduced(b, 'mean', square(b, x), axes), epsilon), [scale]);
}

const square = (b: Build, x: Value): Value => b(pointwise, [x], { expr: call('mul', arg(0), arg(0)) });

const inverseRoot = (b: Build, x: Value, epsilon: number): Value =>
  b(pointwise, [x], { expr: call('rsqrt', call('add', arg(0), num(Math.fround(epsilon), dtypeOf(x)))) });

/** x times a factor, then the scale, plus the bias where there is one. */
function scaled(b: Build, x: Value, factor: Value, parameters: readonly Value[]): Value {
  const product: Expr = call('mul', call('mul', arg(0), arg(1)), arg(2));
  const expr = parameters.length > 1 ? call('add', product, arg(3)) : product;
  return b(pointwise, [x, factor, ...parameters], { expr });
}

function groupNormalization(n: SourceNode, b: Build, of: (v: Value) => Value): Value {
  const [x, groups, epsilon] = [n.input(0), n.int('num_groups'), n.float('epsilon', 1e-5)];
  return b(groupNorm, [x, of(n.input(1)), of(n.input(2))], { groups, epsilon });
}

/** One value a group, repeated for each of its channels. */
function perChannel(b: Build, v: Value, shape: Shape): Value {
  const groups = shapeOf(v)[0]!;
  const members = floordiv(shape[1]!, groups);
  const column = b(reshape, [v], { shape: [groups, 1] });
  return b(reshape, [b(expand, [column], { shape: [groups, members] })], { shape: [shape[1]!] });
}

/** The sum of two tensors and a bias, normalised over the last axis; the sum is the fourth result. */
function skip(n: SourceNode, b: Build, simplified: boolean): readonly Value[] {
  const [x, skipped, gamma] = [n.input(0), n.input(1), n.input(2)];
  const beta = simplified ? undefined : n.optional(3);
  const bias = n.optional(simplified ? 3 : 4);
  const both: Expr = call('add', arg(0), arg(1));
  const sum = bias
    ? b(pointwise, [x, skipped, bias], { expr: call('add', both, arg(2)) })
    : b(pointwise, [x, skipped], { expr: both });
  const axis = shapeOf(sum).length - 1;
  const epsilon = n.float('epsilon', 1e-12);
  if (n.wants(1) || (simplified && n.wants(2))) n.decline('the statistics are asked for');
  const y = simplified
    ? rmsNormOf(b, sum, gamma, axis, epsilon)
    : layerNormOf(b, sum, beta ? [gamma, beta] : [gamma], { axis, epsilon, stats: false })[0]!;
  return n.wants(3) ? [y, y, y, sum] : [y];
}
