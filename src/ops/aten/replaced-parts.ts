import * as D from '../../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { concatenated } from '../concat.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { iota } from '../range.js';
import { scatterElements } from '../scatter.js';
import { slicedAxis, sliceRange } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { diagonalFrom } from './diagonal.js';
import { permuted, rankOf, reshaped } from './shapes.js';

/** A copy in which a part is replaced. */
const sliceScatter: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', 0), rankOf(x));
  const extent = shapeOf(x)[axis]!;
  const step = n.int('step', 1);
  const { start, length } = sliceRange(
    n.dim('start', 0),
    n.dim('end', Number.MAX_SAFE_INTEGER),
    step,
    extent,
  );
  const by = castTo(b, n.tensor('src'), dtypeOf(x));
  if (step !== 1) {
    const places = b(iota, [], { start, step, count: length, dtype: 'i64' });
    const shape = shapeOf(by);
    const wide = expanded(
      b,
      reshaped(
        b,
        places,
        shape.map((d, i) => (i === axis ? d : 1)),
      ),
      shape,
    );
    return b(scatterElements, [x, wide, by], { axis, reduction: 'none' });
  }
  return replacedPart(b, x, by, axis, start, length);
};

const selectScatter: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim'), rankOf(x));
  const index = n.dim('index');
  const start = typeof index === 'number' && index < 0 ? D.add(index, shapeOf(x)[axis]!) : index;
  const by = reshaped(
    b,
    castTo(b, n.tensor('src'), dtypeOf(x)),
    shapeOf(x).map((d, i) => (i === axis ? 1 : d)),
  );
  return replacedPart(b, x, by, axis, start, 1);
};

function replacedPart(b: Build, x: Value, by: Value, axis: number, start: D.Dim, length: D.Dim): Value {
  const extent = shapeOf(x)[axis]!;
  const end = D.add(start, length);
  const parts = [slicedAxis(b, x, axis, 0, start), by, slicedAxis(b, x, axis, end, D.sub(extent, end))];
  return concatenated(b, parts, axis);
}

/** The diagonal of the last two axes is replaced. */
const diagonalScatter: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const { front, back, flat, places } = diagonalFrom(
    b,
    x,
    n.int('offset', 0),
    n.int('dim1', 0),
    n.int('dim2', 1),
  );
  const src = castTo(b, n.tensor('src'), dtypeOf(x));
  const index = expanded(b, places, shapeOf(src));
  const axis = rankOf(src) - 1;
  const y = b(scatterElements, [flat, index, src], { axis, reduction: 'none' });
  return permuted(b, reshaped(b, y, shapeOf(front)), back);
};

export const replacedParts: AtenMap = {
  slice_scatter: sliceScatter,
  select_scatter: selectScatter,
  diagonal_scatter: diagonalScatter,
};
