import { call, cast, type Expr } from '../../ir/expr.js';
import { dtypeOf } from '../../ir/graph.js';
import { type DType, isFloat } from '../../ir/type.js';
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
  select,
  sub,
  ternary,
} from './formulas.js';
import { limit, numberOf, Operands } from './operands.js';

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

/** Scaled by the longer leg, so that no square leaves the range. */
const hypotenuse = ([x, y]: readonly Expr[], t: DType): Expr => {
  const [p, q] = [call('abs', x!), call('abs', y!)];
  const [long, short] = [max(p, q), min(p, q)];
  const ratio = div(short, long);
  const stretch = call('sqrt', add(numberOf(1, t), mul(ratio, ratio)));
  const finite = select(call('eq', long, numberOf(0, t)), long, mul(long, stretch));
  return select(call('or', call('isinf', p), call('isinf', q)), limit(t, 'highest'), finite);
};

/** Functions of two tensors that are made of simpler ones. */
export const composedFunctions: AtenMap = {
  hypot: ternary(['self', 'other'], hypotenuse),
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
  isclose: close,
};
