import { broadcast, floordiv } from '../../ir/dim.js';
import { call, cast, type Expr, type ScalarFunction } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { type DType, isFloat, isInteger, isUnsigned } from '../../ir/type.js';
import { gelu } from '../activation.js';
import { castTo } from '../cast.js';
import { expanded } from '../expand.js';
import { axisOf, type Build } from '../op.js';
import { reshape } from '../reshape.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, Operands, promoted } from './operands.js';

type Constant = (x: number) => Expr;
type Formula = (x: Expr, k: Constant, n: AtenNode) => Expr;

const add = (a: Expr, b: Expr): Expr => call('add', a, b);
const sub = (a: Expr, b: Expr): Expr => call('sub', a, b);
const mul = (a: Expr, b: Expr): Expr => call('mul', a, b);
const div = (a: Expr, b: Expr): Expr => call('div', a, b);
const min = (a: Expr, b: Expr): Expr => call('min', a, b);
const max = (a: Expr, b: Expr): Expr => call('max', a, b);
const select = (c: Expr, a: Expr, b: Expr): Expr => call('select', c, a, b);
const lt = (a: Expr, b: Expr): Expr => call('lt', a, b);

/** A formula of `self` in the type of the result. */
const of =
  (formula: Formula, name = 'self'): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    return operands.make(formula(operands.get(name, t), (x) => numberOf(x, t), n));
  };

/** A truth about `self`, decided in its own type. */
const truth =
  (formula: (x: Expr, t: DType, k: Constant) => Expr): AtenConverter =>
  (n, b) => {
    const t = dtypeOf(n.tensor('self'));
    const operands = new Operands(n, b);
    return operands.make(formula(operands.get('self', t), t, (x) => numberOf(x, t)));
  };

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
  sign: 'sign',
  sgn: 'sign',
};

/** Functions that leave whole numbers as they are. */
const roundings = { ceil: 'ceil', floor: 'floor', trunc: 'trunc', fix: 'trunc', round: 'round' } as const;

const rounding =
  (fn: ScalarFunction): AtenConverter =>
  (n, b) =>
    isInteger(n.result().dtype) ? n.tensor('self') : of((x) => call(fn, x))(n, b);

const scaledBy = (x: Expr, factor: number | bigint, t: DType): Expr =>
  Number(factor) === 1 ? x : mul(x, numberOf(factor, t));

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
function floorDivided(a: Expr, b: Expr, t: DType): Expr {
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

const binary =
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

const ternary =
  (
    names: readonly string[],
    formula: (values: readonly Expr[], t: DType, n: AtenNode) => Expr,
  ): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    const values = names.map((name) => operands.get(name, t));
    return operands.make(formula(values, t, n));
  };

const sigmoid = (x: Expr): Expr => call('sigmoid', x);
const negative = (x: Expr, k: Constant): Expr => lt(x, k(0));
const value = (n: AtenNode, name: string, fallback: number): number => Number(n.number(name, fallback));

const elu: Formula = (x, k, n) => {
  const [alpha, scale, inner] = [value(n, 'alpha', 1), value(n, 'scale', 1), value(n, 'input_scale', 1)];
  const grown = inner === 1 ? x : mul(x, k(inner));
  const below = mul(k(alpha * scale), call('expm1', grown));
  return select(negative(x, k), below, scale === 1 ? x : mul(k(scale), x));
};

const softplus: Formula = (x, k, n) => {
  const [beta, threshold] = [value(n, 'beta', 1), value(n, 'threshold', 20)];
  const scaled = beta === 1 ? x : mul(x, k(beta));
  const soft = call('softplus', scaled);
  return select(call('gt', scaled, k(threshold)), x, beta === 1 ? soft : div(soft, k(beta)));
};

const hardSigmoid = (x: Expr, k: Constant): Expr => div(min(max(add(x, k(3)), k(0)), k(6)), k(6));

/** The slope has one element, or one a channel. */
const prelu =
  (weight: string): AtenConverter =>
  (n, b) => {
    const [x, w] = [n.tensor('self'), n.tensor(weight)];
    const rank = shapeOf(x).length;
    const perChannel = shapeOf(w).length === 1 && rank > 2;
    const slope = perChannel
      ? b(reshape, [w], { shape: [...shapeOf(w), ...Array.from({ length: rank - 2 }, () => 1)] })
      : w;
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    const e = operands.value(x, t);
    return operands.make(select(lt(e, numberOf(0, t)), mul(e, operands.value(slope, t)), e));
  };

const glu: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const axis = axisOf(n.int('dim', -1), shapeOf(x).length);
  const half = floordiv(shapeOf(x)[axis]!, 2);
  const operands = new Operands(n, b);
  const t = n.result().dtype;
  const left = operands.value(slicedAxis(b, x, axis, 0, half), t);
  return operands.make(mul(left, sigmoid(operands.value(slicedAxis(b, x, axis, half, half), t))));
};

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

/** Dropout of a module that runs keeps everything. */
const kept: AtenConverter = (n) =>
  n.flag('train', false) && value(n, 'p', 0.5) > 0
    ? n.refuse('the module was exported for training: call .eval() first')
    : n.tensor(n.has('input') ? 'input' : 'self');

const same: AtenConverter = (n) => n.tensor('self');

/** One formula for several overloads. */
const overloads = (base: string, names: readonly string[], c: AtenConverter): AtenMap =>
  Object.fromEntries(names.map((name) => [name === '' ? base : `${base}.${name}`, c]));
const both = ['Tensor', 'Scalar'] as const;

const angle = ([y, x]: readonly Expr[], t: DType): Expr => {
  const k: Constant = (v) => numberOf(v, t);
  const [up, right] = [y!, x!];
  const base = call('atan', div(up, right));
  const turned = add(base, select(lt(up, k(0)), k(-Math.PI), k(Math.PI)));
  const upright = select(call('gt', up, k(0)), k(Math.PI / 2), select(lt(up, k(0)), k(-Math.PI / 2), k(0)));
  return select(call('eq', right, k(0)), upright, select(lt(right, k(0)), turned, base));
};

export const elementwise: AtenMap = {
  ...Object.fromEntries(Object.entries(functions).map(([name, fn]) => [name, of((x) => call(fn, x))])),
  ...Object.fromEntries(Object.entries(roundings).map(([name, fn]) => [name, rounding(fn)])),
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
    const inside = eps === undefined ? x : min(max(x, k(eps)), k(1 - eps));
    return call('log', div(inside, sub(k(1), inside)));
  }),

  isnan: truth((x, t, k) => (isFloat(t) ? call('isnan', x) : call('ne', k(0), k(0)))),
  isinf: truth((x, t, k) => (isFloat(t) ? call('isinf', x) : call('ne', k(0), k(0)))),
  isfinite: truth((x, t, k) =>
    isFloat(t) ? call('not', call('or', call('isnan', x), call('isinf', x))) : call('eq', k(0), k(0)),
  ),
  signbit: truth((x, _, k) => lt(x, k(0))),
  logical_not: truth((x, t) => call('not', t === 'bool' ? x : cast('bool', x))),
  bitwise_not: truth((x, t) => call(t === 'bool' ? 'not' : 'bitnot', x)),

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
    add(max(x!, y!), call('log1p', call('exp', call('neg', call('abs', sub(x!, y!)))))),
  ),
  ...overloads(
    'xlogy',
    ['Tensor', 'Scalar_Other', 'Scalar_Self'],
    ternary(['self', 'other'], ([x, y], t) =>
      select(call('eq', x!, numberOf(0, t)), numberOf(0, t), mul(x!, call('log', y!))),
    ),
  ),
  hypot: ternary(['self', 'other'], ([x, y]) => call('sqrt', add(mul(x!, x!), mul(y!, y!)))),
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

  relu: of((x, k) => max(x, k(0))),
  relu6: of((x, k) => min(max(x, k(0)), k(6))),
  gelu: of((x, k, n) => gelu(x, k, n.text('approximate', 'none') === 'tanh')),
  silu: of((x) => mul(x, sigmoid(x))),
  mish: of((x) => mul(x, call('tanh', call('softplus', x)))),
  hardsigmoid: of(hardSigmoid),
  hardswish: of((x, k) => mul(x, hardSigmoid(x, k))),
  hardtanh: of((x, k, n) => min(max(x, k(value(n, 'min_val', -1))), k(value(n, 'max_val', 1)))),
  leaky_relu: of((x, k, n) => select(negative(x, k), mul(k(value(n, 'negative_slope', 0.01)), x), x)),
  elu: of(elu),
  selu: of((x, k) =>
    select(
      negative(x, k),
      mul(k(1.6732632423543772 * 1.0507009873554805), call('expm1', x)),
      mul(k(1.0507009873554805), x),
    ),
  ),
  celu: of((x, k, n) => {
    const alpha = value(n, 'alpha', 1);
    return select(negative(x, k), mul(k(alpha), call('expm1', div(x, k(alpha)))), x);
  }),
  softplus: of(softplus),
  log_sigmoid: of((x) => call('neg', call('softplus', call('neg', x)))),
  tanhshrink: of((x) => sub(x, call('tanh', x))),
  softsign: of((x, k) => div(x, add(k(1), call('abs', x)))),
  hardshrink: of((x, k, n) => {
    const lambd = value(n, 'lambd', 0.5);
    return select(call('le', call('abs', x), k(lambd)), k(0), x);
  }),
  softshrink: of((x, k, n) => {
    const lambd = value(n, 'lambd', 0.5);
    return select(
      call('gt', x, k(lambd)),
      sub(x, k(lambd)),
      select(lt(x, k(-lambd)), add(x, k(lambd)), k(0)),
    );
  }),
  threshold: of((x, k, n) => select(call('gt', x, k(value(n, 'threshold', 0))), x, k(value(n, 'value', 0)))),
  prelu: prelu('weight'),
  _prelu_kernel: prelu('weight'),
  glu,

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

function fillTrue(n: AtenNode, b: Build): Value {
  if (n.flag('train', false)) n.refuse('the module was exported for training: call .eval() first');
  const operands = new Operands(n, b);
  operands.value(n.tensor('input'), dtypeOf(n.tensor('input')));
  return operands.make(numberOf(1, 'bool'));
}
