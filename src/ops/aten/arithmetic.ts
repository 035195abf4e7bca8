import { call, cast, type Expr, type ScalarFunction } from '../../ir/expr.js';
import { dtypeOf } from '../../ir/graph.js';
import { type DType, isFloat, isInteger } from '../../ir/type.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import {
  add,
  both,
  type Constant,
  div,
  lt,
  max,
  min,
  mul,
  overloads,
  scaledBy,
  select,
  sub,
  ternary,
} from './formulas.js';
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

const angle = ([y, x]: readonly Expr[], t: DType): Expr => {
  const k: Constant = (v) => numberOf(v, t);
  const [up, right] = [y!, x!];
  const base = call('atan', div(up, right));
  const turned = add(base, select(lt(up, k(0)), k(-Math.PI), k(Math.PI)));
  const upright = select(call('gt', up, k(0)), k(Math.PI / 2), select(lt(up, k(0)), k(-Math.PI / 2), k(0)));
  return select(call('eq', right, k(0)), upright, select(lt(right, k(0)), turned, base));
};

/** The larger, and what the smaller adds to it: nothing when both are the same infinity. */
const ofUnlike = (x: Expr, y: Expr, more: (gap: Expr) => Expr): Expr => {
  const gap = call('neg', call('abs', sub(x, y)));
  const alike = call('and', call('eq', x, y), call('isinf', x));
  return select(alike, x, add(max(x, y), more(gap)));
};

/** What is no number gives way to what is. */
const present = (x: Expr, y: Expr, t: DType, choose: (x: Expr, y: Expr) => Expr): Expr =>
  isFloat(t) ? select(call('isnan', x), y, select(call('isnan', y), x, choose(x, y))) : choose(x, y);

/** The size of one, the sign of the other; zeros have signs too. */
const signed = ([x, y]: readonly Expr[], t: DType): Expr => {
  const zero = numberOf(0, t);
  const below = call('or', lt(y!, zero), lt(div(numberOf(1, t), y!), zero));
  const size = call('abs', x!);
  return select(below, call('neg', size), size);
};

/** Equal, or closer than a share of the second operand. */
const close: AtenConverter = (n, b) => {
  const t = dtypeOf(n.tensor('self'));
  const operands = new Operands(n, b);
  const [x, y] = [operands.get('self', t), operands.get('other', t)];
  const equal = call('eq', x, y);
  if (t === 'bool') return operands.make(equal);
  const real = isFloat(t) ? t : 'f32';
  const wide = (e: Expr): Expr => (real === t ? e : cast(real, e));
  const gap = wide(call('abs', sub(x, y)));
  const share = mul(wide(call('abs', y)), numberOf(Number(n.number('rtol', 1e-5)), real));
  const near = call('le', gap, add(numberOf(Number(n.number('atol', 1e-8)), real), share));
  const finite = isFloat(t) ? call('and', near, call('not', call('isinf', gap))) : near;
  const found = call('or', equal, finite);
  if (!n.flag('equal_nan', false) || !isFloat(t)) return operands.make(found);
  return operands.make(call('or', found, call('and', call('isnan', x), call('isnan', y))));
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
  ...overloads('pow', ['Tensor_Scalar', 'Tensor_Tensor', 'Scalar'], power),
  ...overloads('maximum', [''], onTruth('or', binary('max'))),
  ...overloads('minimum', [''], onTruth('and', binary('min'))),
  'max.other': binary('max'),
  'min.other': binary('min'),
  atan2: ternary(['self', 'other'], angle),
  logaddexp: ternary(['self', 'other'], ([x, y]) =>
    ofUnlike(x!, y!, (gap) => call('log1p', call('exp', gap))),
  ),
  logaddexp2: ternary(['self', 'other'], ([x, y], t) =>
    ofUnlike(x!, y!, (gap) =>
      mul(call('log1p', call('exp', mul(gap, numberOf(Math.LN2, t)))), numberOf(Math.LOG2E, t)),
    ),
  ),
  fmax: ternary(['self', 'other'], ([x, y], t) => present(x!, y!, t, max)),
  fmin: ternary(['self', 'other'], ([x, y], t) => present(x!, y!, t, min)),
  heaviside: ternary(['self', 'values'], ([x, at], t) =>
    select(
      call('eq', x!, numberOf(0, t)),
      at!,
      select(call('gt', x!, numberOf(0, t)), numberOf(1, t), numberOf(0, t)),
    ),
  ),
  ...overloads('copysign', both, ternary(['self', 'other'], signed)),
  ...overloads('float_power', ['Tensor_Tensor', 'Tensor_Scalar', 'Scalar'], power),
  isclose: close,
  ...overloads(
    'xlogy',
    ['Tensor', 'Scalar_Other', 'Scalar_Self'],
    ternary(['self', 'other'], ([x, y], t) =>
      select(call('eq', x!, numberOf(0, t)), numberOf(0, t), mul(x!, call('log', y!))),
    ),
  ),
  hypot: ternary(['self', 'other'], ([x, y]) => call('sqrt', add(mul(x!, x!), mul(y!, y!)))),
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
