import * as D from '../../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { expanded } from '../expand.js';
import { gather, gatherElements } from '../gather.js';
import { axisOf } from '../op.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { scalarValue, wholeIndex } from './operands.js';
import { rankOf, reshaped } from './shapes.js';

const embedding: AtenConverter = (n, b) =>
  b(gather, [n.tensor('weight'), wholeIndex(b, n.tensor('indices'))], { axis: 0 });

const indexSelect: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const index = wholeIndex(b, n.tensor('index'));
  const flat = rankOf(index) === 0 ? reshaped(b, index, [1]) : index;
  if (rankOf(x) === 0) return reshaped(b, b(gather, [reshaped(b, x, [1]), flat], { axis: 0 }), []);
  return b(gather, [x, flat], { axis: axisOf(n.int('dim'), rankOf(x)) });
};

const take: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  return b(gather, [reshaped(b, x, [D.numel(shapeOf(x))]), wholeIndex(b, n.tensor('index'))], { axis: 0 });
};

const gatherAlong: AtenConverter = (n, b) => {
  const [x, index] = [n.tensor('self'), wholeIndex(b, n.tensor('index'))];
  const { shape } = n.result();
  if (shape.length > 0 && rankOf(x) === rankOf(index))
    return b(gatherElements, [x, index], { axis: axisOf(n.int('dim'), rankOf(x)) });
  // A scalar is a vector of one element; indices without elements may have any rank.
  if (D.numel(shape) === 0) return expanded(b, scalarValue(b, 0, dtypeOf(x)), shape);
  const flat = (v: Value): Value => reshaped(b, v, [D.numel(shapeOf(v))]);
  return reshaped(b, b(gatherElements, [flat(x), flat(index)], { axis: 0 }), shape);
};

/** Takes along an axis; the indices broadcast over the other axes. */
const takeAlongDim: AtenConverter = (n, b) => {
  const [x, index] = [n.tensor('self'), wholeIndex(b, n.tensor('indices'))];
  if (!n.has('dim'))
    return b(gather, [reshaped(b, x, [D.numel(shapeOf(x))]), reshaped(b, index, [D.numel(shapeOf(index))])], {
      axis: 0,
    });
  const axis = axisOf(n.int('dim'), rankOf(x));
  const at = (v: Value, other: Value): D.Shape =>
    shapeOf(v).map((d, i) => (i === axis ? d : D.broadcast([d], [shapeOf(other)[i]!])![0]!));
  return b(gatherElements, [expanded(b, x, at(x, index)), expanded(b, index, at(index, x))], { axis });
};

export const indexing: AtenMap = {
  embedding,
  index_select: indexSelect,
  take,
  gather: gatherAlong,
  take_along_dim: takeAlongDim,
};
