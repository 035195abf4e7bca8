import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { literalOf } from '../../ir/literal.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { constant } from '../constant.js';
import { det } from '../det.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { reduce } from '../reduce.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { diagonalFrom } from './diagonal.js';
import { numberOf } from './operands.js';
import { flat, permuted, rankOf, reshaped } from './shapes.js';

/** Vectors along a diagonal of matrices that are 0 elsewhere; the matrices' axes go where they are asked for. */
function embedded(b: Build, x: Value, offset: number, axes: readonly [number, number]): Value {
  const own = shapeOf(x).at(-1)!;
  const size = D.add(own, Math.abs(offset));
  const lead = shapeOf(x).slice(0, -1);
  const none = lead.map(() => 0);
  const long = b(pad, [x], { before: [...none, 0], after: [...none, Math.abs(offset)], mode: 'constant' });
  const index = b(iota, [], { start: 0, step: 1, count: size, dtype: 'i64' });
  const column = (v: Value): Value => reshaped(b, v, [...shapeOf(v), 1]);
  const distance = numberOf(offset, 'i64');
  const hit = call('eq', arg(2), call('add', arg(1), distance));
  const y = b(
    pointwise,
    [offset >= 0 ? column(long) : reshaped(b, long, [...lead, 1, size]), column(index), index],
    {
      expr: call('select', hit, arg(0), numberOf(0, dtypeOf(x))),
    },
  );
  const rank = rankOf(y);
  const rest = lead.map((_, i) => i);
  const perm = Array.from({ length: rank }, (_, i) =>
    i === axes[0] ? rank - 2 : i === axes[1] ? rank - 1 : rest.shift()!,
  );
  return permuted(b, y, perm);
}

const diagEmbed: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const rank = rankOf(x) + 1;
  return embedded(b, x, n.int('offset', 0), [
    axisOf(n.int('dim1', -2), rank),
    axisOf(n.int('dim2', -1), rank),
  ]);
};

const diagFlat: AtenConverter = (n, b) => embedded(b, flat(b, n.tensor('self')), n.int('offset', 0), [0, 1]);

/** Of a vector a matrix, of a matrix its diagonal. */
const diag: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return rankOf(x) === 1
    ? embedded(b, x, n.int('diagonal', 0), [0, 1])
    : diagonalFrom(b, x, n.int('diagonal', 0), 0, 1).values;
};

const trace: AtenConverter = (n, b) => {
  const { values } = diagonalFrom(b, n.tensor('self'), 0, 0, 1);
  return b(reduce, [castTo(b, values, n.result().dtype)], { kind: 'sum', axes: [0], keepdims: false });
};

/** The places of a triangle, row by row, as two rows of numbers. */
const triangleIndices =
  (upper: boolean): AtenConverter =>
  (n, b) => {
    const [rows, columns, offset] = [n.int('row'), n.int('col'), n.int('offset', 0)];
    const places = Array.from({ length: rows }, (_, r) => r).flatMap((r) =>
      Array.from({ length: columns }, (_, c) => [r, c] as const).filter(([, c]) =>
        upper ? c - r >= offset : c - r <= offset,
      ),
    );
    const data = [...places.map(([r]) => r), ...places.map(([, c]) => c)];
    const t = n.result().dtype;
    const numbers = t === 'i64' ? data.map(BigInt) : data;
    return b(constant, [], { value: literalOf(t, [2, places.length], numbers) });
  };

/** The product of vectors in space that stands upright on both. */
const cross =
  (fallback: number | undefined): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const { shape } = n.result();
    const [x, y] = (['self', 'other'] as const).map((name) =>
      expanded(b, castTo(b, n.tensor(name), t), shape),
    );
    const axis =
      n.has('dim') || fallback !== undefined
        ? axisOf(n.int('dim', fallback), shape.length)
        : shape.indexOf(3);
    const turned = (v: Value, by: number): Value =>
      concatenated(b, [slicedAxis(b, v, axis, by, 3 - by), slicedAxis(b, v, axis, 0, by)], axis);
    return b(pointwise, [turned(x!, 1), turned(y!, 2), turned(x!, 2), turned(y!, 1)], {
      expr: call('sub', call('mul', arg(0), arg(1)), call('mul', arg(2), arg(3))),
    });
  };

const determinant: AtenConverter = (n, b) => b(det, [n.tensor('A')], {});

export const diagonals: AtenMap = {
  diagonal: (n, b) =>
    diagonalFrom(b, n.tensor('self'), n.int('offset', 0), n.int('dim1', 0), n.int('dim2', 1)).values,
  diag_embed: diagEmbed,
  diagflat: diagFlat,
  diag,
  trace,
  tril_indices: triangleIndices(false),
  triu_indices: triangleIndices(true),
  cross: cross(undefined),
  linalg_cross: cross(-1),
  linalg_det: determinant,
};
