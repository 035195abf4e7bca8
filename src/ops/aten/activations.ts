import { floordiv } from '../../ir/dim.js';
import { call, type Expr } from '../../ir/expr.js';
import { shapeOf } from '../../ir/graph.js';
import { gelu } from '../activation.js';
import { axisOf } from '../op.js';
import { reshape } from '../reshape.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import {
  add,
  type Constant,
  div,
  type Formula,
  lt,
  max,
  min,
  mul,
  of,
  select,
  sigmoid,
  sub,
  value,
} from './formulas.js';
import { numberOf, Operands } from './operands.js';

const negative = (x: Expr, k: Constant): Expr => lt(x, k(0));

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
    const y = operands.make(select(lt(e, numberOf(0, t)), mul(e, operands.value(slope, t)), e));
    return b(reshape, [y], { shape: n.result().shape });
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

export const activations: AtenMap = {
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
};
