import { broadcast } from '../../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { expanded } from '../expand.js';
import type { Build } from '../op.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { both, overloads, value } from './formulas.js';
import { numberOf, Operands } from './operands.js';

const castToResult: AtenConverter = (n, b) => castTo(b, n.tensor('self'), n.result().dtype);

/** What is copied takes the type and the shape of what it overwrites. */
const copy: AtenConverter = (n, b) => {
  const self = n.tensor('self');
  const shape = broadcast(shapeOf(n.tensor('src')), shapeOf(self)) ?? shapeOf(self);
  return expanded(b, castTo(b, n.tensor('src'), dtypeOf(self)), shape);
};

const fill: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const operands = new Operands(n, b);
  operands.get('self', t);
  return operands.make(operands.get('value', t, 0));
};

function fillTrue(n: AtenNode, b: Build): Value {
  if (n.flag('train', false)) n.refuse('the module was exported for training: call .eval() first');
  const operands = new Operands(n, b);
  operands.value(n.tensor('input'), dtypeOf(n.tensor('input')));
  return operands.make(numberOf(1, 'bool'));
}

/** Dropout of a module that runs keeps everything. */
const kept: AtenConverter = (n) =>
  n.flag('train', false) && value(n, 'p', 0.5) > 0
    ? n.refuse('the module was exported for training: call .eval() first')
    : n.tensor(n.has('input') ? 'input' : 'self');

const same: AtenConverter = (n) => n.tensor('self');

export const copies: AtenMap = {
  ...overloads('to', ['dtype', 'dtype_layout', 'device', 'other'], castToResult),
  _to_copy: castToResult,
  type_as: castToResult,
  copy,
  ...overloads('fill', both, fill),
  zero: fill,
  clone: same,
  alias: same,
  detach: same,
  contiguous: same,
  lift_fresh_copy: same,
  lift_fresh: same,
  positive: same,
  dropout: kept,
  feature_dropout: kept,
  alpha_dropout: kept,
  native_dropout: (n, b) => [n.tensor('input'), fillTrue(n, b)],
};
