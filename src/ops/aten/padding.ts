import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { dims } from '../constant.js';
import { gather } from '../gather.js';
import type { Build } from '../op.js';
import { type PadMode, pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { eachOf } from './formulas.js';
import { numberOf, tensorOperand } from './operands.js';

const padModes: Readonly<Record<string, PadMode>> = {
  constant: 'constant',
  reflect: 'reflect',
  replicate: 'edge',
  circular: 'wrap',
};

/** Amounts below 0 cut after the others were written: what is repeated may lie in what is cut off. */
function mirroredInto(b: Build, x: Value, axis: number, before: D.Dim, after: D.Dim, mode: PadMode): Value {
  if (before === 0 && after === 0) return x;
  if (mode === 'wrap') return wrappedInto(b, x, axis, before, after);
  const extent = shapeOf(x)[axis]!;
  const count = D.add(extent, before, after);
  const places = b(iota, [], { start: D.mul(-1, before), step: 1, count, dtype: 'i64' });
  const last = b(dims, [], { dims: [D.sub(extent, 1)], dtype: 'i64', shape: [] });
  const [place, end, zero] = [arg(0), arg(1), numberOf(0, 'i64')];
  const within =
    mode === 'edge'
      ? call('max', call('min', place, end), zero)
      : call('abs', call('sub', end, call('abs', call('sub', end, call('abs', place)))));
  return b(gather, [x, b(pointwise, [places, last], { expr: within })], { axis });
}

/** Here they cut first, and what is left goes round. */
function wrappedInto(b: Build, x: Value, axis: number, before: D.Dim, after: D.Dim): Value {
  const [front, back] = [before, after].map((d) => (typeof d === 'number' ? Math.max(0, -d) : 0));
  const extent = D.sub(shapeOf(x)[axis]!, front! + back!);
  const part = slicedAxis(b, x, axis, front!, extent);
  const start = D.mul(-1, D.add(before, front!));
  const count = D.add(shapeOf(x)[axis]!, before, after);
  const places = b(iota, [], { start, step: 1, count, dtype: 'i64' });
  const around = b(dims, [], { dims: [extent], dtype: 'i64', shape: [] });
  const within = b(pointwise, [places, around], { expr: call('mod', arg(0), arg(1)) });
  return b(gather, [part, within], { axis });
}

/** Amounts are given from the last axis on, before and after. */
const padded =
  (mode?: PadMode): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    const rank = shapeOf(x).length;
    const amounts = n.dims(n.has('pad') ? 'pad' : 'padding');
    const side = (which: 0 | 1): D.Shape =>
      shapeOf(x).map((_, i) => amounts[2 * (rank - 1 - i) + which] ?? 0);
    const how =
      mode ?? padModes[n.text('mode', 'constant')] ?? n.refuse(`there is no mode "${n.text('mode')}"`);
    const [before, after] = [side(0), side(1)];
    const inputs = how === 'constant' && n.has('value') ? [x, tensorOperand(n, b, 'value', dtypeOf(x))] : [x];
    if ([...before, ...after].every((d) => d === 0)) return x;
    if (how === 'constant' || [...before, ...after].every((d) => typeof d !== 'number' || d >= 0))
      return b(pad, inputs, { before, after, mode: how });
    let y = x;
    shapeOf(x).forEach((_, axis) => {
      y = mirroredInto(b, y, axis, before[axis]!, after[axis]!, how);
    });
    return y;
  };

export const padding: AtenMap = {
  pad: padded(),
  constant_pad_nd: padded('constant'),
  ...eachOf(['reflection_pad1d', 'reflection_pad2d', 'reflection_pad3d'], padded('reflect')),
  ...eachOf(['replication_pad1d', 'replication_pad2d', 'replication_pad3d'], padded('edge')),
};
