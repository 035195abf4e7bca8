import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { shapeOf } from '../../ir/graph.js';
import { col2im } from '../col2im.js';
import { gather } from '../gather.js';
import { axisOf } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { permuted, rankOf, reshaped } from './shapes.js';
import { batched, unfolded } from './spatial.js';

/** A window of a dense tensor's memory, by places in it. */
const asStrided: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const [size, stride] = [n.dims('size'), n.dims('stride')];
  const rank = size.length;
  const flat = reshaped(b, x, [D.numel(shapeOf(x))]);
  const start = n.dim('storage_offset', 0);
  if (rank === 0) return reshaped(b, slicedAxis(b, flat, 0, start, 1), []);
  const along = size.map((count, i) => {
    const numbers = b(iota, [], { start: i === 0 ? start : 0, step: stride[i]!, count, dtype: 'i64' });
    return reshaped(
      b,
      numbers,
      size.map((_, d) => (d === i ? count : 1)),
    );
  });
  const places = b(pointwise, along, {
    expr: along.map((_, i) => arg(i)).reduce((p, q) => call('add', p, q)),
  });
  return b(gather, [flat, places], { axis: 0 });
};

/** Overlapping windows along an axis become a new last axis. */
const unfold: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const x = rankOf(given) === 0 ? reshaped(b, given, [1]) : given;
  const axis = axisOf(n.int('dimension'), rankOf(x));
  const [size, step] = [n.int('size'), n.int('step')];
  const count = D.add(D.floordiv(D.sub(shapeOf(x)[axis]!, size), step), 1);
  const starts = reshaped(b, b(iota, [], { start: 0, step, count, dtype: 'i64' }), [count, 1]);
  const within = b(iota, [], { start: 0, step: 1, count: size, dtype: 'i64' });
  const places = b(pointwise, [starts, within], { expr: call('add', arg(0), arg(1)) });
  const y = b(gather, [x, places], { axis });
  const order = shapeOf(y).map((_, i) => i);
  if (rankOf(given) === 0) return reshaped(b, y, n.result().shape);
  return permuted(b, y, [...order.filter((i) => i !== axis + 1), axis + 1]);
};

/** Windows as columns. */
const im2col: AtenConverter = (n, b) =>
  batched(b, n.tensor('self'), 2, (x) => {
    const pads = n.ints('padding', [0, 0]);
    const y = unfolded(b, x, {
      kernel: n.ints('kernel_size'),
      strides: n.ints('stride', [1, 1]),
      dilations: n.ints('dilation', [1, 1]),
      pads: [...pads, ...pads],
    });
    const [batch, channels, places, ...out] = shapeOf(y);
    return [reshaped(b, y, [batch!, D.mul(channels!, places!), D.numel(out)])];
  });

/** Columns without a batch get one for the time being. */
const folded: AtenConverter = (n, b) => {
  const given = n.tensor('self');
  const x = rankOf(given) === 2 ? reshaped(b, given, [1, ...shapeOf(given)]) : given;
  const zeros = n.ints('padding', [0, 0]);
  const y = b(col2im, [x], {
    image: n.dims('output_size'),
    block: n.ints('kernel_size'),
    strides: n.ints('stride', [1, 1]),
    dilations: n.ints('dilation', [1, 1]),
    pads: [...zeros, ...zeros],
  });
  return rankOf(given) === 2 ? reshaped(b, y, shapeOf(y).slice(1)) : y;
};

export const windows: AtenMap = {
  as_strided: asStrided,
  unfold,
  im2col,
  col2im: folded,
};
