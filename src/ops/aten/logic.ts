import { call, type ScalarFunction } from '../../ir/expr.js';
import { isUnsigned } from '../../ir/type.js';
import { binary, floorDivided } from './arithmetic.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { both, mul, overloads, select } from './formulas.js';
import { numberOf, Operands, promoted } from './operands.js';

/** ONNX shifts unsigned numbers only: a signed one is multiplied, or divided rounding down. */
const shift =
  (way: 'left' | 'right'): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    if (isUnsigned(t)) return binary(way === 'left' ? 'shl' : 'shr')(n, b);
    const operands = new Operands(n, b);
    const x = operands.get('self', t);
    const by = n.scalarKind('other') === 'int' ? Number(n.number('other')) : undefined;
    const factor =
      by === undefined ? call('pow', numberOf(2, t), operands.get('other', t)) : numberOf(2 ** by, t);
    return operands.make(way === 'left' ? mul(x, factor) : floorDivided(x, factor, t));
  };

/** Bits of whole numbers; of truth values the same in logic. */
const bits =
  (fn: 'and' | 'or' | 'xor'): AtenConverter =>
  (n, b) =>
    binary(n.result().dtype === 'bool' ? fn : (`bit${fn}` as ScalarFunction))(n, b);

const logical =
  (fn: 'and' | 'or' | 'xor'): AtenConverter =>
  (n, b) => {
    const operands = new Operands(n, b);
    return operands.make(call(fn, operands.get('self', 'bool'), operands.get('other', 'bool')));
  };

const comparison =
  (fn: ScalarFunction): AtenConverter =>
  (n, b) => {
    const common = promoted(n, ['self', 'other']);
    // Truth values are ordered like 0 and 1.
    const t = common === 'bool' && fn !== 'eq' && fn !== 'ne' ? 'i32' : common;
    const operands = new Operands(n, b);
    return operands.make(call(fn, operands.get('self', t), operands.get('other', t)));
  };

const where: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const operands = new Operands(n, b);
  const condition = operands.get('condition', 'bool');
  return operands.make(select(condition, operands.get('self', t), operands.get('other', t)));
};

const maskedFill: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const operands = new Operands(n, b);
  const x = operands.get('self', t);
  const mask = operands.get('mask', 'bool');
  return operands.make(select(mask, operands.get('value', t), x));
};

export const logic: AtenMap = {
  ...Object.fromEntries(
    (['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const).flatMap((fn) =>
      both.map((o) => [`${fn}.${o}`, comparison(fn)]),
    ),
  ),
  logical_and: logical('and'),
  logical_or: logical('or'),
  logical_xor: logical('xor'),
  ...Object.fromEntries(
    (['and', 'or', 'xor'] as const).flatMap((fn) =>
      both.flatMap((o) => [
        [`bitwise_${fn}.${o}`, bits(fn)],
        [`__${fn}__.${o}`, bits(fn)],
      ]),
    ),
  ),
  ...overloads('bitwise_left_shift', ['Tensor', 'Tensor_Scalar'], shift('left')),
  ...overloads('bitwise_right_shift', ['Tensor', 'Tensor_Scalar'], shift('right')),
  ...overloads('__lshift__', both, shift('left')),
  ...overloads('__rshift__', both, shift('right')),
  ...overloads('where', ['self', 'ScalarOther', 'ScalarSelf', 'Scalar'], where),
  ...overloads('masked_fill', both, maskedFill),
};
