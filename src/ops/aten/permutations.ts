import * as D from '../../ir/dim.js';
import { shapeOf } from '../../ir/graph.js';
import { axisOf } from '../op.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { permuted, rankOf, reshaped } from './shapes.js';

const exchanged =
  (first: string, second: string): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    if (rankOf(x) === 0) return x;
    const [p, q] = [axisOf(n.int(first), rankOf(x)), axisOf(n.int(second), rankOf(x))];
    return permuted(
      b,
      x,
      shapeOf(x).map((_, i) => (i === p ? q : i === q ? p : i)),
    );
  };

const permute: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return permuted(
    b,
    x,
    n.ints('dims').map((d) => axisOf(d, rankOf(x))),
  );
};

const reversedAxes: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return permuted(
    b,
    x,
    shapeOf(x).map((_, i) => rankOf(x) - 1 - i),
  );
};

const lastTwo: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const rank = rankOf(x);
  return rank < 2
    ? x
    : permuted(
        b,
        x,
        shapeOf(x).map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i)),
      );
};

const movedim: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const from = n.ints('source').map((d) => axisOf(d, rankOf(x)));
  const to = n.ints('destination').map((d) => axisOf(d, rankOf(x)));
  const rest = shapeOf(x).flatMap((_, i) => (from.includes(i) ? [] : [i]));
  const perm = shapeOf(x).map((_, i) => (to.includes(i) ? from[to.indexOf(i)]! : rest.shift()!));
  return permuted(b, x, perm);
};

/** Blocks of axes 2 and 3 become channels, or channels become blocks. */
const pixelShuffle: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const r = n.int('upscale_factor');
  const lead = shapeOf(x).slice(0, -3);
  const [c, h, w] = shapeOf(x).slice(-3) as [D.Dim, D.Dim, D.Dim];
  const out = D.floordiv(c, r * r);
  const at = lead.length;
  const apart = reshaped(b, x, [...lead, out, r, r, h, w]);
  const front = lead.map((_, i) => i);
  const turned = permuted(b, apart, [...front, ...[0, 3, 1, 4, 2].map((i) => i + at)]);
  return reshaped(b, turned, [...lead, out, D.mul(h, r), D.mul(w, r)]);
};

const pixelUnshuffle: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const r = n.int('downscale_factor');
  const lead = shapeOf(x).slice(0, -3);
  const [c, h, w] = shapeOf(x).slice(-3) as [D.Dim, D.Dim, D.Dim];
  const [rows, columns] = [D.floordiv(h, r), D.floordiv(w, r)];
  const at = lead.length;
  const apart = reshaped(b, x, [...lead, c, rows, r, columns, r]);
  const front = lead.map((_, i) => i);
  const turned = permuted(b, apart, [...front, ...[0, 2, 4, 1, 3].map((i) => i + at)]);
  return reshaped(b, turned, [...lead, D.mul(c, r * r), rows, columns]);
};

const channelShuffle: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const [batch, channels, ...rest] = shapeOf(x) as [D.Dim, D.Dim, ...D.Dim[]];
  const groups = n.int('groups');
  const apart = reshaped(b, x, [batch, groups, D.floordiv(channels, groups), ...rest]);
  return reshaped(b, permuted(b, apart, [0, 2, 1, ...rest.map((_, i) => i + 3)]), shapeOf(x));
};

export const permutations: AtenMap = {
  'transpose.int': exchanged('dim0', 'dim1'),
  swapaxes: exchanged('axis0', 'axis1'),
  swapdims: exchanged('dim0', 'dim1'),
  permute,
  t: lastTwo,
  mT: lastTwo,
  adjoint: lastTwo,
  numpy_T: reversedAxes,
  'movedim.int': movedim,
  'movedim.intlist': movedim,
  'moveaxis.int': movedim,
  'moveaxis.intlist': movedim,
  pixel_shuffle: pixelShuffle,
  pixel_unshuffle: pixelUnshuffle,
  channel_shuffle: channelShuffle,
  native_channel_shuffle: channelShuffle,
};
