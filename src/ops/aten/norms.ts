import type { Dim } from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { channels } from '../elementwise.js';
import { groupNorm, layerNorm, rmsNorm } from '../norm.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduced } from '../reduce.js';
import { softmaxOf } from '../softmax.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { batchNormOf } from './batch-norms.js';
import { alone, declared, parameter, rowStatistics, rowsOf, wide } from './norm-parts.js';
import { numberOf } from './operands.js';
import { reshaped } from './shapes.js';

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
  const scale = parameter(n, b, 'weight', 1, t, shapeOf(x).slice(axis));
  if (t !== 'f64') return b(rmsNorm, [x, scale], { axis, epsilon });
  const axes = shapeOf(x).flatMap((_, i) => (i < axis ? [] : [i]));
  const squares = reduced(b, 'mean', b(pointwise, [x], { expr: call('mul', arg(0), arg(0)) }), axes);
  const inverse = call('rsqrt', call('add', arg(1), numberOf(epsilon, t)));
  return b(pointwise, [x, squares, scale], { expr: call('mul', call('mul', arg(0), inverse), arg(2)) });
};

/** The operator computes in single precision, for a number of groups that is known. */
const grouped = (n: AtenNode, b: Build, groups: Dim): Value => {
  const x = n.tensor('input');
  const t = dtypeOf(x);
  const perChannel = [shapeOf(x)[1]!];
  const [scale, bias] = [
    parameter(n, b, 'weight', 1, t, perChannel),
    parameter(n, b, 'bias', 0, t, perChannel),
  ];
  if (t === 'f64' || typeof groups !== 'number') return groupedByParts(n, b, groups, scale, bias);
  const flat = shapeOf(x).length === 2;
  const spatial = flat ? reshaped(b, x, [...shapeOf(x), 1]) : x;
  const y = b(groupNorm, [spatial, scale, bias], { groups, epsilon: Number(n.number('eps', 1e-5)) });
  return reshaped(b, y, shapeOf(x));
};

function groupedByParts(n: AtenNode, b: Build, groups: Dim, scale: Value, bias: Value): Value {
  const x = n.tensor('input');
  const t = dtypeOf(x);
  const rows = rowsOf(b, castTo(b, x, wide(t)), groups);
  const [mean, inverse] = rowStatistics(n, b, rows);
  const centred = b(pointwise, [rows, mean!, inverse!], {
    expr: call('mul', call('sub', arg(0), arg(1)), arg(2)),
  });
  const rank = shapeOf(x).length;
  const at = (v: Value): Value => channels(castTo(b, v, wide(t)), 1, rank, b);
  const y = b(pointwise, [reshaped(b, centred, shapeOf(x)), at(scale), at(bias)], {
    expr: call('add', call('mul', arg(0), arg(1)), arg(2)),
  });
  return castTo(b, y, t);
}

const nativeGroupNorm: AtenConverter = (n, b) => {
  const groups = n.int('group');
  const y = grouped(n, b, groups);
  if (!n.wants(1) && !n.wants(2)) return y;
  const x = n.tensor('input');
  const rows = rowsOf(b, castTo(b, x, wide(dtypeOf(x))), groups);
  return declared(n, b, [y, ...rowStatistics(n, b, rows)]);
};

const instanceNorm: AtenConverter = (n, b) => {
  if (!n.flag('use_input_stats', true)) return batchNormOf(n, b);
  return grouped(n, b, shapeOf(n.tensor('input'))[1]!);
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
