import { floordiv, numel, type Shape, sameShape } from '../../ir/dim.js';
import { arg, call, cast, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import type { DType } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { channels } from '../elementwise.js';
import { expanded } from '../expand.js';
import { groupNorm, layerNorm, rmsNorm } from '../norm.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduced } from '../reduce.js';
import { softmaxOf } from '../softmax.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, scalarValue } from './operands.js';
import { reshaped } from './shapes.js';

const wide = (t: DType): DType => (t === 'f64' ? 'f64' : 'f32');

/** A parameter that may be left out, in a type and a shape. */
function parameter(n: AtenNode, b: Build, name: string, fallback: number, t: DType, shape: Shape): Value {
  const v = n.has(name) ? castTo(b, n.tensor(name), t) : scalarValue(b, fallback, t);
  return sameShape(shapeOf(v), shape) ? v : expanded(b, v, shape);
}

/** x times a factor a channel plus an offset a channel; both are constants in a trained model. */
function batchNormOf(n: AtenNode, b: Build): Value {
  if (n.has('training') && n.flag('training'))
    n.refuse('batch normalization is being trained: call .eval() first');
  const x = n.tensor('input');
  const t = wide(dtypeOf(x));
  const rank = shapeOf(x).length;
  const mean = castTo(
    b,
    n.has('running_mean') ? n.tensor('running_mean') : n.refuse('it has no statistics'),
    t,
  );
  const variance = castTo(b, n.tensor('running_var'), t);
  const shape = shapeOf(mean);
  const [scale, bias] = [parameter(n, b, 'weight', 1, t, shape), parameter(n, b, 'bias', 0, t, shape)];
  const deviation = call('sqrt', call('add', arg(1), numberOf(Math.fround(Number(n.number('eps'))), t)));
  const factor = b(pointwise, [scale, variance], { expr: call('div', arg(0), deviation) });
  const offset = b(pointwise, [bias, mean, factor], {
    expr: call('sub', arg(0), call('mul', arg(1), arg(2))),
  });
  const at = (v: Value): Value => (rank > 1 ? channels(v, 1, rank, b) : v);
  const own = dtypeOf(x) === t ? arg(0) : cast(t, arg(0));
  const moved: Expr = call('add', call('mul', own, arg(1)), arg(2));
  return b(pointwise, [x, at(factor), at(offset)], {
    expr: dtypeOf(x) === t ? moved : cast(dtypeOf(x), moved),
  });
}

/** Results beyond the first are statistics that only training reads; outside of it they have no elements. */
function alone(n: AtenNode, b: Build, y: Value): readonly Value[] {
  const rest: Value[] = [];
  for (let i = 1; i < n.outputCount && n.wants(i); i++) {
    const { dtype, shape } = n.result(i);
    if (!shape.includes(0)) n.refuse('its statistics are read');
    rest.push(expanded(b, scalarValue(b, 0, dtype), shape));
  }
  return [y, ...rest];
}

/** Statistics in the types and shapes that the program declares. */
const declared = (n: AtenNode, b: Build, results: readonly Value[]): readonly Value[] =>
  results.map((v, i) => {
    if (i === 0 || i >= n.outputCount) return v;
    const { dtype, shape } = n.result(i);
    return reshaped(b, castTo(b, v, dtype), shape);
  });

/** The mean and 1 / the deviation of groups of elements that are rows of a matrix of three axes. */
function rowStatistics(n: AtenNode, b: Build, rows: Value): readonly Value[] {
  const t = dtypeOf(rows);
  const mean = reduced(b, 'mean', rows, [2]);
  const gap = call('sub', arg(0), arg(1));
  const spread = reduced(b, 'mean', b(pointwise, [rows, mean], { expr: call('mul', gap, gap) }), [2]);
  const epsilon = numberOf(Math.fround(Number(n.number('eps', 1e-5))), t);
  return [mean, b(pointwise, [spread], { expr: call('rsqrt', call('add', arg(0), epsilon)) })];
}

/** Normalised by the batch's own statistics. */
function ownStatistics(n: AtenNode, b: Build): readonly Value[] {
  const given = n.tensor('input');
  const t = wide(dtypeOf(given));
  const x = castTo(b, given, t);
  const rank = shapeOf(x).length;
  const channelCount = shapeOf(x)[1]!;
  const axes = shapeOf(x).flatMap((_, i) => (i === 1 ? [] : [i]));
  const mean = reduced(b, 'mean', x, axes);
  const centred = b(pointwise, [x, mean], { expr: call('sub', arg(0), arg(1)) });
  const spread = reduced(b, 'mean', b(pointwise, [centred], { expr: call('mul', arg(0), arg(0)) }), axes);
  const epsilon = numberOf(Math.fround(Number(n.number('eps'))), t);
  const inverse = b(pointwise, [spread], { expr: call('rsqrt', call('add', arg(0), epsilon)) });
  const at = (name: string, fallback: number): Value =>
    channels(parameter(n, b, name, fallback, t, [channelCount]), 1, rank, b);
  const y = b(pointwise, [centred, inverse, at('weight', 1), at('bias', 0)], {
    expr: call('add', call('mul', call('mul', arg(0), arg(1)), arg(2)), arg(3)),
  });
  return declared(n, b, [castTo(b, y, dtypeOf(given)), mean, inverse]);
}

const layerNormOf: AtenConverter = (n, b) => {
  const x = n.tensor('input');
  const t = dtypeOf(x);
  const axis = shapeOf(x).length - n.dims('normalized_shape').length;
  const part = shapeOf(x).slice(axis);
  const epsilon = Number(n.number('eps', 1e-5));
  const scale = parameter(n, b, 'weight', 1, t, part);
  const parameters = n.has('bias') ? [scale, parameter(n, b, 'bias', 0, t, part)] : [scale];
  const stats = n.wants(1) || n.wants(2);
  if (t !== 'f64') return declared(n, b, b.all(layerNorm, [x, ...parameters], { axis, epsilon, stats }));
  const axes = shapeOf(x).flatMap((_, i) => (i < axis ? [] : [i]));
  const mean = reduced(b, 'mean', x, axes);
  const centred = b(pointwise, [x, mean], { expr: call('sub', arg(0), arg(1)) });
  const squares = reduced(b, 'mean', b(pointwise, [centred], { expr: call('mul', arg(0), arg(0)) }), axes);
  const inverse = b(pointwise, [squares], { expr: call('rsqrt', call('add', arg(0), numberOf(epsilon, t))) });
  const scaled = call('mul', call('mul', arg(0), arg(1)), arg(2));
  const y = b(pointwise, [centred, inverse, ...parameters], {
    expr: parameters.length > 1 ? call('add', scaled, arg(3)) : scaled,
  });
  return stats ? [y, mean, inverse] : y;
};

const rmsNormOf: AtenConverter = (n, b) => {
  const x = n.tensor('input');
  const t = dtypeOf(x);
  const axis = shapeOf(x).length - n.dims('normalized_shape').length;
  const smallest = t === 'f64' ? Number.EPSILON : 2 ** -23;
  const epsilon = Number(n.number('eps', smallest));
  if (t === 'f64') return n.refuse('in double precision');
  return b(rmsNorm, [x, parameter(n, b, 'weight', 1, t, shapeOf(x).slice(axis))], { axis, epsilon });
};

const grouped = (n: AtenNode, b: Build, groups: number): Value => {
  const x = n.tensor('input');
  const t = dtypeOf(x);
  const perChannel = [shapeOf(x)[1]!];
  const [scale, bias] = [
    parameter(n, b, 'weight', 1, t, perChannel),
    parameter(n, b, 'bias', 0, t, perChannel),
  ];
  const flat = shapeOf(x).length === 2;
  const spatial = flat ? reshaped(b, x, [...shapeOf(x), 1]) : x;
  const y = b(groupNorm, [spatial, scale, bias], { groups, epsilon: Number(n.number('eps', 1e-5)) });
  return reshaped(b, y, shapeOf(x));
};

const nativeGroupNorm: AtenConverter = (n, b) => {
  const groups = n.int('group');
  const y = grouped(n, b, groups);
  if (!n.wants(1) && !n.wants(2)) return y;
  const x = n.tensor('input');
  const [batch, ...rest] = shapeOf(x);
  const rows = reshaped(b, castTo(b, x, wide(dtypeOf(x))), [batch!, groups, floordiv(numel(rest), groups)]);
  return declared(n, b, [y, ...rowStatistics(n, b, rows)]);
};

/** Training normalises by the batch's own statistics. */
const legit: AtenConverter = (n, b) =>
  n.flag('training') ? ownStatistics(n, b) : alone(n, b, batchNormOf(n, b));

const instanceNorm: AtenConverter = (n, b) => {
  const count = shapeOf(n.tensor('input'))[1];
  if (!n.flag('use_input_stats', true)) return batchNormOf(n, b);
  return grouped(n, b, typeof count === 'number' ? count : n.refuse('the number of channels is not known'));
};

const softmaxIn =
  (form: 'softmax' | 'log'): AtenConverter =>
  (n, b) => {
    const x = castTo(b, n.tensor('self'), n.result().dtype);
    const shape = shapeOf(x);
    if (shape.length === 0) return reshaped(b, softmaxOf(b, form, reshaped(b, x, [1]), 0), []);
    return softmaxOf(b, form, x, axisOf(n.int('dim'), shape.length));
  };

export const norms: AtenMap = {
  batch_norm: (n, b) => batchNormOf(n, b),
  _native_batch_norm_legit_no_training: (n, b) => alone(n, b, batchNormOf(n, b)),
  '_native_batch_norm_legit.no_stats': ownStatistics,
  _native_batch_norm_legit: legit,
  native_batch_norm: (n, b) => alone(n, b, batchNormOf(n, b)),
  layer_norm: layerNormOf,
  native_layer_norm: layerNormOf,
  rms_norm: rmsNormOf,
  _fused_rms_norm: (n, b) => alone(n, b, [rmsNormOf(n, b)].flat()[0]!),
  group_norm: (n, b) => grouped(n, b, n.int('num_groups')),
  native_group_norm: nativeGroupNorm,
  instance_norm: instanceNorm,
  'softmax.int': softmaxIn('softmax'),
  _softmax: softmaxIn('softmax'),
  'log_softmax.int': softmaxIn('log'),
  _log_softmax: softmaxIn('log'),
};
