import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { isInteger } from '../../ir/type.js';
import { dims } from '../constant.js';
import { expanded } from '../expand.js';
import type { Build } from '../op.js';
import { pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { type PoolAttrs, pool } from '../pool.js';
import { scatterElements } from '../scatter.js';
import { sliced } from '../slice.js';
import { windowCounts } from '../window.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { numberOf, one, scalarValue } from './operands.js';
import { reshaped } from './shapes.js';
import { batched, offsetsIn, perAxis } from './spatial.js';

const pooled =
  (axes: number, kind: PoolAttrs['kind'], indices = false): AtenConverter =>
  (n, b) =>
    batched(b, n.tensor('self'), axes, (x) => {
      const ones = Array.from({ length: axes }, () => 1);
      const kernel = perAxis(n, 'kernel_size', axes, ones);
      const pads = perAxis(
        n,
        'padding',
        axes,
        ones.map(() => 0),
      );
      const attrs: PoolAttrs = {
        kernel,
        strides: perAxis(n, 'stride', axes, kernel),
        pads: [...pads, ...pads],
        dilations: perAxis(n, 'dilation', axes, ones),
        kind,
        ceil: n.flag('ceil_mode', false),
        countPadding: n.flag('count_include_pad', true),
        p: 2,
        layout: 'NCX',
        indices: undefined,
      };
      if (kind === 'average' && (n.has('divisor_override') || isInteger(dtypeOf(x))))
        return [averaged(b, x, attrs, n.has('divisor_override') ? n.int('divisor_override') : undefined)];
      if (!indices) return [b(pool, [x], attrs)];
      if (!n.wants(1)) return [b(pool, [x], attrs)];
      return maximaWithPlaces(b, x, attrs);
    });

/** PyTorch counts places within one channel, the operator within the whole tensor. */
export function maximaWithPlaces(b: Build, x: Value, attrs: PoolAttrs): readonly Value[] {
  const [values, places] = b.all(pool, [x], { ...attrs, indices: 'row' });
  const area = D.numel(shapeOf(x).slice(2));
  if (typeof area === 'number') return [values!, one(b, places!, call('mod', arg(0), numberOf(area, 'i64')))];
  const extent = b(dims, [], { dims: [area], dtype: 'i64', shape: [] });
  return [values!, b(pointwise, [places!, extent], { expr: call('mod', arg(0), arg(1)) })];
}

/** Zeros around the input, so that every window lies inside. */
function roomy(b: Build, x: Value, { kernel, strides, pads }: PoolAttrs, out: D.Shape): Value {
  const rank = out.length;
  const after = out.map((count, i) => {
    const reach = D.add(D.mul(D.sub(count, 1), strides[i]!), kernel[i]!);
    return D.sub(reach, D.add(shapeOf(x)[i + 2]!, pads[i]!));
  });
  return b(pad, [x], { before: [0, 0, ...pads.slice(0, rank)], after: [0, 0, ...after], mode: 'constant' });
}

/** Sums over windows that lie inside, of whole numbers. */
function windowSums(b: Build, x: Value, { kernel, strides }: PoolAttrs, out: D.Shape): Value {
  const lead = shapeOf(x).slice(0, 2);
  const parts = offsetsIn(kernel).map((at) =>
    sliced(b, x, [0, 0, ...at], [1, 1, ...strides], [...lead, ...out]),
  );
  return parts.reduce((sum, part) => b(pointwise, [sum, part], { expr: call('add', arg(0), arg(1)) }));
}

/** Averages that the operator does not have: of whole numbers, or over a divisor of their own. */
function averaged(b: Build, x: Value, attrs: PoolAttrs, divisor: number | undefined): Value {
  const spatial = shapeOf(x).slice(2);
  const out = windowCounts(spatial, attrs, attrs.ceil);
  const padded = roomy(b, x, attrs, out);
  const t = dtypeOf(x);
  if (!isInteger(t)) {
    const inside = { ...attrs, pads: attrs.pads.map(() => 0), ceil: false, countPadding: true };
    const size = attrs.kernel.reduce((p, q) => p * q, 1);
    return one(b, b(pool, [padded], inside), call('mul', arg(0), numberOf(size / divisor!, t)));
  }
  const sums = windowSums(b, padded, attrs, out);
  if (divisor !== undefined) return one(b, sums, call('div', arg(0), numberOf(divisor, t)));
  const rank = spatial.length;
  const counted = attrs.countPadding
    ? spatial.map((d, i) => D.add(d, attrs.pads[i]!, attrs.pads[i + rank]!))
    : spatial;
  const pads = attrs.countPadding ? attrs.pads.map(() => 0) : attrs.pads;
  const ones = expanded(b, scalarValue(b, 1, t), [1, 1, ...counted]);
  const counts = windowSums(b, roomy(b, ones, { ...attrs, pads }, out), attrs, out);
  return b(pointwise, [sums, counts], { expr: call('div', arg(0), arg(1)) });
}

/** Zeros with the elements at their places within each channel. */
const unpooled =
  (axes: number): AtenConverter =>
  (n, b) => {
    const [x, places] = [n.tensor('self'), n.tensor('indices')];
    const lead = shapeOf(x).slice(0, -axes);
    const size = n.dims('output_size');
    const rows = (v: Value): Value => reshaped(b, v, [D.numel(lead), D.numel(shapeOf(x).slice(-axes))]);
    const zeros = expanded(b, scalarValue(b, 0, dtypeOf(x)), [D.numel(lead), D.numel(size)]);
    const y = b(scatterElements, [zeros, rows(places), rows(x)], { axis: 1, reduction: 'none' });
    return reshaped(b, y, [...lead, ...size]);
  };

export const pooling: AtenMap = {
  max_pool1d: pooled(1, 'max'),
  max_pool2d: pooled(2, 'max'),
  max_pool3d: pooled(3, 'max'),
  max_pool1d_with_indices: pooled(1, 'max', true),
  max_pool2d_with_indices: pooled(2, 'max', true),
  max_pool3d_with_indices: pooled(3, 'max', true),
  avg_pool1d: pooled(1, 'average'),
  avg_pool2d: pooled(2, 'average'),
  avg_pool3d: pooled(3, 'average'),
  max_unpool2d: unpooled(2),
  max_unpool3d: unpooled(3),
};
