import { call, type Expr, type ScalarFunction } from '../../ir/expr.js';
import { type DType, isFloat, isInteger } from '../../ir/type.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { add, both, div, max, min, mul, overloads, scaledBy, select, sub, ternary } from './formulas.js';
import { numberOf, Operands } from './operands.js';

/** Arithmetic in the type of the result; sums of truth values are "or", products are "and". */
const arithmetic =
  (fn: 'add' | 'sub' | 'mul', swap = false): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    const [x, y] = [operands.get('self', t), operands.get('other', t)];
    const [left, right] = swap ? [y, x] : [x, y];
    if (t === 'bool') return operands.make(call(fn === 'mul' ? 'and' : 'or', left, right));
    return operands.make(call(fn, left, scaledBy(right, n.number('alpha', 1), t)));
  };

/** a / b rounded down, as PyTorch does it: through the remainder. */
export function floorDivided(a: Expr, b: Expr, t: DType): Expr {
  const exact = div(sub(a, call('mod', a, b)), b);
  if (isInteger(t)) return exact;
  return select(call('eq', b, numberOf(0, t)), div(a, b), call('round', exact));
}

const division =
  (mode: 'true' | 'floor' | 'given'): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    const [x, y] = [operands.get('self', t), operands.get('other', t)];
    const how = mode === 'given' ? n.text('rounding_mode', 'true') : mode;
    if (how === 'floor') return operands.make(floorDivided(x, y, t));
    const exact = div(x, y);
    return operands.make(how === 'trunc' && isFloat(t) ? call('trunc', exact) : exact);
  };

export const binary =
  (fn: ScalarFunction): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    return operands.make(call(fn, operands.get('self', t), operands.get('other', t)));
  };

/** Truth values have an operation of their own. */
const onTruth =
  (fn: ScalarFunction, otherwise: AtenConverter): AtenConverter =>
  (n, b) =>
    n.result().dtype === 'bool' ? binary(fn)(n, b) : otherwise(n, b);

const power: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const operands = new Operands(n, b);
  const base = operands.get('self', t);
  const whole = n.scalarKind('exponent') === undefined ? undefined : n.number('exponent');
  const k = (x: number): Expr => numberOf(x, t);
  switch (whole) {
    case 1:
      return operands.make(base);
    case 2:
      return operands.make(mul(base, base));
    case 3:
      return operands.make(mul(mul(base, base), base));
    case 0.5:
      return operands.make(call('sqrt', base));
    case -0.5:
      return operands.make(call('rsqrt', base));
    case -1:
      return operands.make(div(k(1), base));
    default:
      return operands.make(call('pow', base, operands.get('exponent', t)));
  }
};

const clamp =
  (low: string, high: string): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    let x = operands.get('self', t);
    if (n.has(low)) x = max(x, operands.get(low, t));
    if (n.has(high)) x = min(x, operands.get(high, t));
    return operands.make(x);
  };

export const arithmetics: AtenMap = {
  ...overloads('add', both, arithmetic('add')),
  ...overloads('sub', both, arithmetic('sub')),
  ...overloads('rsub', both, arithmetic('sub', true)),
  ...overloads('mul', both, arithmetic('mul')),
  ...overloads('div', both, division('true')),
  ...overloads('div', ['Tensor_mode', 'Scalar_mode'], division('given')),
  ...overloads('true_divide', both, division('true')),
  ...overloads('floor_divide', ['', ...both], division('floor')),
  ...overloads('remainder', [...both, 'Scalar_Tensor'], binary('mod')),
  ...overloads('fmod', both, binary('fmod')),
  ...overloads('float_power', ['Tensor_Tensor', 'Tensor_Scalar', 'Scalar'], power),
  ...overloads('pow', ['Tensor_Scalar', 'Tensor_Tensor', 'Scalar'], power),
  ...overloads('maximum', [''], onTruth('or', binary('max'))),
  ...overloads('minimum', [''], onTruth('and', binary('min'))),
  'max.other': binary('max'),
  'min.other': binary('min'),
  ...overloads(
    'xlogy',
    ['Tensor', 'Scalar_Other', 'Scalar_Self'],
    ternary(['self', 'other'], ([x, y], t) =>
      select(call('eq', x!, numberOf(0, t)), numberOf(0, t), mul(x!, call('log', y!))),
    ),
  ),
  ...overloads('clamp', ['', 'Tensor'], clamp('min', 'max')),
  ...overloads('clip', ['', 'Tensor'], clamp('min', 'max')),
  ...overloads('clamp_min', ['', 'Tensor'], clamp('min', '')),
  ...overloads('clamp_max', ['', 'Tensor'], clamp('', 'max')),
  ...overloads(
    'lerp',
    both,
    ternary(['self', 'end', 'weight'], ([x, y, w]) => add(x!, mul(w!, sub(y!, x!)))),
  ),
  addcmul: ternary(['self', 'tensor1', 'tensor2'], ([x, y, z], t, n) =>
    add(x!, scaledBy(mul(y!, z!), n.number('value', 1), t)),
  ),
  addcdiv: ternary(['self', 'tensor1', 'tensor2'], ([x, y, z], t, n) =>
    add(x!, scaledBy(div(y!, z!), n.number('value', 1), t)),
  ),
};
