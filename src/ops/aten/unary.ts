import { call, cast, type Expr, type ScalarFunction } from '../../ir/expr.js';
import { isFloat, isInteger } from '../../ir/type.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { div, lt, min, mul, of, overloads, select, sub, truth, value } from './formulas.js';

const functions: Readonly<Record<string, ScalarFunction>> = {
  sqrt: 'sqrt',
  rsqrt: 'rsqrt',
  exp: 'exp',
  expm1: 'expm1',
  log: 'log',
  log1p: 'log1p',
  sin: 'sin',
  cos: 'cos',
  tan: 'tan',
  asin: 'asin',
  acos: 'acos',
  atan: 'atan',
  sinh: 'sinh',
  cosh: 'cosh',
  tanh: 'tanh',
  asinh: 'asinh',
  acosh: 'acosh',
  atanh: 'atanh',
  erf: 'erf',
  sigmoid: 'sigmoid',
  reciprocal: 'reciprocal',
  neg: 'neg',
};

/** Functions that leave whole numbers as they are. */
const roundings = { ceil: 'ceil', floor: 'floor', trunc: 'trunc', fix: 'trunc', round: 'round' } as const;

const rounding =
  (fn: ScalarFunction): AtenConverter =>
  (n, b) =>
    isInteger(n.result().dtype) ? n.tensor('self') : of((x) => call(fn, x))(n, b);

/** Truth values stay what they are. */
const ofNumbers =
  (formula: (x: Expr) => Expr): AtenConverter =>
  (n, b) =>
    n.result().dtype === 'bool' ? n.tensor('self') : of(formula)(n, b);

const infinite = (which: number): AtenConverter =>
  truth((x, t, k) => (isFloat(t) ? call('eq', x, k(which)) : call('ne', k(0), k(0))));

export const unary: AtenMap = {
  ...Object.fromEntries(Object.entries(functions).map(([name, fn]) => [name, of((x) => call(fn, x))])),
  ...Object.fromEntries(Object.entries(roundings).map(([name, fn]) => [name, rounding(fn)])),
  ...overloads(
    'sign',
    [''],
    ofNumbers((x) => call('sign', x)),
  ),
  ...overloads(
    'sgn',
    [''],
    ofNumbers((x) => call('sign', x)),
  ),
  abs: of((x) => call('abs', x)),
  square: of((x) => mul(x, x)),
  log2: of((x, k) => mul(call('log', x), k(Math.LOG2E))),
  log10: of((x, k) => mul(call('log', x), k(Math.LOG10E))),
  exp2: of((x, k) => call('pow', k(2), x)),
  erfc: of((x, k) => sub(k(1), call('erf', x))),
  frac: of((x) => sub(x, call('trunc', x))),
  rad2deg: of((x, k) => mul(x, k(180 / Math.PI))),
  deg2rad: of((x, k) => mul(x, k(Math.PI / 180))),
  'round.decimals': of((x, k, n) => {
    const factor = 10 ** n.int('decimals', 0);
    return div(call('round', mul(x, k(factor))), k(factor));
  }),
  nan_to_num: of((x, k, n) => {
    if (!isFloat(n.result().dtype)) return x;
    const largest = n.result().dtype === 'f64' ? Number.MAX_VALUE : 3.4028234663852886e38;
    const [nan, up, down] = [value(n, 'nan', 0), value(n, 'posinf', largest), value(n, 'neginf', -largest)];
    const finite = select(call('eq', x, k(Number.NEGATIVE_INFINITY)), k(down), x);
    return select(
      call('isnan', x),
      k(nan),
      select(call('eq', x, k(Number.POSITIVE_INFINITY)), k(up), finite),
    );
  }),
  logit: of((x, k, n) => {
    const eps = n.has('eps') ? value(n, 'eps', 0) : undefined;
    const inside = eps === undefined ? x : select(lt(x, k(eps)), k(eps), min(x, k(1 - eps)));
    return call('log', div(inside, sub(k(1), inside)));
  }),
  sinc: of((x, k) => {
    const angle = mul(x, k(Math.PI));
    return select(call('eq', x, k(0)), k(1), div(call('sin', angle), angle));
  }),

  isposinf: infinite(Number.POSITIVE_INFINITY),
  isneginf: infinite(Number.NEGATIVE_INFINITY),
  isnan: truth((x, t, k) => (isFloat(t) ? call('isnan', x) : call('ne', k(0), k(0)))),
  isinf: truth((x, t, k) => (isFloat(t) ? call('isinf', x) : call('ne', k(0), k(0)))),
  isfinite: truth((x, t, k) =>
    isFloat(t) ? call('not', call('or', call('isnan', x), call('isinf', x))) : call('eq', k(0), k(0)),
  ),
  signbit: truth((x, _, k) => lt(x, k(0))),
  logical_not: truth((x, t) => call('not', t === 'bool' ? x : cast('bool', x))),
  bitwise_not: truth((x, t) => call(t === 'bool' ? 'not' : 'bitnot', x)),
};
