import { add, type Dim, floordiv, mul, numel, sub } from '../../ir/dim.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import { type ConvAttrs, channelOperand } from '../conv.js';
import type { Build } from '../op.js';
import { pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { sliced, slicedAxis } from '../slice.js';
import type { AtenNode } from './aten-node.js';
import { multiplied, sum, typed } from './products.js';
import { permuted, reshaped } from './shapes.js';
import { unfolded } from './spatial.js';

/** Types that convolutions do not have: what lies under the kernel as columns, times the weights as a matrix. */
export function byProducts(n: AtenNode, b: Build, x: Value, w: Value, attrs: ConvAttrs): Value {
  const { groups } = attrs;
  const columns = unfolded(b, x, attrs);
  const [batch, channels, places, ...out] = shapeOf(columns) as [Dim, Dim, Dim, ...Dim[]];
  const depth = mul(floordiv(channels, groups), places);
  const apart = reshaped(b, columns, [batch, groups, depth, numel(out)]);
  const filters = shapeOf(w)[0]!;
  const matrices = reshaped(b, w, [groups, floordiv(filters, groups), depth]);
  const y = reshaped(b, multiplied(b, matrices, apart), [batch, filters, ...out]);
  if (!n.has('bias')) return y;
  return b(pointwise, [y, channelOperand(typed(n, b, 'bias'), shapeOf(y).length, b)], { expr: sum });
}

/** The transposed one: zeros between the elements and around them, under the kernel read backwards. */
export function spreadOut(
  n: AtenNode,
  b: Build,
  x: Value,
  w: Value,
  { kernel, strides, dilations, pads, groups }: ConvAttrs,
  extra: readonly number[],
): Value {
  const none = [0, 0];
  let wide = x;
  strides.forEach((s, i) => {
    const axis = i + 2;
    const [before, after] = [shapeOf(wide).slice(0, axis), shapeOf(wide).slice(axis + 1)];
    const d = shapeOf(wide)[axis]!;
    if (s === 1) return;
    const apart = reshaped(b, wide, [...before, d, 1, ...after]);
    const zeros = shapeOf(apart).map(() => 0);
    const gaps = b(pad, [apart], {
      before: zeros,
      after: zeros.map((z, k) => (k === axis + 1 ? s - 1 : z)),
      mode: 'constant',
    });
    wide = slicedAxis(
      b,
      reshaped(b, gaps, [...before, mul(d, s), ...after]),
      axis,
      0,
      add(mul(sub(d, 1), s), 1),
    );
  });
  const around = kernel.map((k, i) => (k - 1) * dilations[i]! - (pads[i] as number));
  wide = b(pad, [wide], {
    before: [...none, ...around],
    after: [...none, ...around.map((a, i) => a + extra[i]!)],
    mode: 'constant',
  });
  const [inputs, perGroup] = shapeOf(w) as [Dim, Dim];
  const back = sliced(
    b,
    w,
    [...none, ...kernel.map((k) => k - 1)],
    [1, 1, ...kernel.map(() => -1)],
    shapeOf(w),
  );
  const grouped = reshaped(b, back, [groups, floordiv(inputs, groups), perGroup, ...kernel]);
  const turned = permuted(b, grouped, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
  const filters = reshaped(b, turned, [mul(groups, perGroup), floordiv(inputs, groups), ...kernel]);
  const ones = kernel.map(() => 1);
  const attrs = {
    kernel,
    dilations,
    groups,
    strides: ones,
    pads: kernel.flatMap(() => none),
    layout: 'NCX' as const,
  };
  return byProducts(n, b, wide, filters, attrs);
}
