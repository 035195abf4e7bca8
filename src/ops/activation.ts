import { call, cast, type Expr } from '../ir/expr.js';
import { dtypeOf, type Value } from '../ir/graph.js';
import { isFloat } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import {
  add,
  channels,
  div,
  type ElementwiseConverter,
  type ElementwiseMap,
  max,
  min,
  mul,
  num,
  ofFirst,
  scalarInput,
  select,
  sub,
  x,
  y,
} from './elementwise.js';
import type { SourceNode } from './op.js';

type Constant = (value: number) => Expr;

const expm1 = (a: Expr): Expr => call('expm1', a);
const sigmoid = (a: Expr): Expr => call('sigmoid', a);
const negative = (k: Constant): Expr => call('lt', x, k(0));

/** x Φ(x), exactly or through the tanh that approximates it. */
export function gelu(a: Expr, k: Constant, approximate: boolean): Expr {
  if (!approximate) {
    const phi = add(call('erf', mul(a, k(Math.SQRT1_2))), k(1));
    return mul(mul(k(0.5), a), phi);
  }
  // 0.5 (1 + tanh(u)) is sigmoid(2 u).
  const cubic = add(mul(mul(a, a), k(0.044715)), k(1));
  return mul(a, sigmoid(mul(mul(a, k(2 * Math.sqrt(2 / Math.PI))), cubic)));
}

const silu = (a: Expr, alpha: number, k: Constant): Expr =>
  mul(a, sigmoid(alpha === 1 ? a : mul(a, k(alpha))));

const elu = (defaultAlpha: number): ElementwiseConverter =>
  ofFirst((k, n) => select(negative(k), mul(k(n.float('alpha', defaultAlpha)), expm1(x)), x));

const selu = (alpha: number, gamma: number): ElementwiseConverter =>
  ofFirst((k, n) => {
    const [a, g] = [n.float('alpha', alpha), n.float('gamma', gamma)];
    return select(negative(k), mul(k(a * g), expm1(x)), mul(k(g), x));
  });

/** Integers go through f64, since the bounds need not be whole. */
const shrink: ElementwiseConverter = (n) => {
  const v = n.input(0);
  const t = dtypeOf(v);
  const wide = isFloat(t) ? t : 'f64';
  const k: Constant = (value) => num(value, wide);
  const a = wide === t ? x : cast(wide, x);
  const [lambd, bias] = [n.float('lambd', 0.5), n.float('bias', 0)];
  const upper = select(call('gt', a, k(lambd)), sub(a, k(bias)), k(0));
  const expr = select(call('lt', a, k(-lambd)), add(a, k(bias)), upper);
  return { inputs: [v], expr: wide === t ? expr : cast(t, expr) };
};

/** Bounds as attributes. */
const clipAttributes = ofFirst((k, n) => {
  const low = n.has('min') ? max(x, k(n.float('min'))) : x;
  return n.has('max') ? min(low, k(n.float('max'))) : low;
});

/** Bounds as inputs; the upper one wins where they cross. */
const clipInputs: ElementwiseConverter = (n) => {
  const inputs: Value[] = [n.input(0)];
  const [low, high] = [n.optional(1), n.optional(2)];
  const raised = low ? max(x, scalarInput(n, low, inputs)) : x;
  return { inputs, expr: high ? min(raised, scalarInput(n, high, inputs)) : raised };
};

/** The slope of opset 6 and before has one element a channel. */
const prelu =
  (perChannel: boolean): ElementwiseConverter =>
  (n, b) => {
    const [v, slope] = [n.input(0), n.input(1)];
    if (v.type.kind !== 'tensor') throw new CompileError('opaque-input', 'PRelu takes a tensor');
    const operand =
      perChannel && v.type.shape.length > 1 ? channels(slope, 1, v.type.shape.length, b) : slope;
    return { inputs: [v, operand], expr: select(call('lt', x, num(0, v.type.dtype)), mul(x, y), x) };
  };

/** An activation of com.microsoft that adds a bias first, where the model has one. */
const biased =
  (build: (a: Expr, k: Constant, n: SourceNode) => Expr): ElementwiseConverter =>
  (n) => {
    const [v, bias] = [n.input(0), n.optional(1)];
    const t = dtypeOf(v);
    return {
      inputs: bias ? [v, bias] : [v],
      expr: build(bias ? add(x, y) : x, (value) => num(value, t), n),
    };
  };

const swiglu: ElementwiseConverter = (n) => {
  const [gate, value] = [n.input(0), n.input(1)];
  const k: Constant = (c) => num(c, dtypeOf(gate));
  return { inputs: [gate, value], expr: mul(silu(x, n.float('alpha', 1), k), y) };
};

export const activation: ElementwiseMap = {
  Relu: { 1: ofFirst((k) => max(x, k(0))) },
  LeakyRelu: { 1: ofFirst((k, n) => select(negative(k), mul(k(n.float('alpha', 0.01)), x), x)) },
  ThresholdedRelu: { 1: ofFirst((k, n) => select(call('gt', x, k(n.float('alpha', 1))), x, k(0))) },
  Elu: { 1: elu(1) },
  Selu: { 1: selu(1.6732, 1.0507), 6: selu(1.6732632423543772, 1.0507009873554805) },
  Celu: {
    12: ofFirst((k, n) => {
      const alpha = k(n.float('alpha', 1));
      return add(max(x, k(0)), min(k(0), mul(alpha, expm1(div(x, alpha)))));
    }),
  },
  HardSigmoid: {
    1: ofFirst((k, n) =>
      max(k(0), min(k(1), add(mul(k(n.float('alpha', 0.2)), x), k(n.float('beta', 0.5))))),
    ),
  },
  HardSwish: { 14: ofFirst((k) => mul(x, max(k(0), min(k(1), add(mul(x, k(1 / 6)), k(0.5)))))) },
  Softsign: { 1: ofFirst((k) => div(x, add(k(1), call('abs', x)))) },
  Mish: { 18: ofFirst(() => mul(x, call('tanh', call('softplus', x)))) },
  Swish: { 24: ofFirst((k, n) => silu(x, n.float('alpha', 1), k)) },
  SwiGLU: { 28: swiglu },
  Gelu: { 20: ofFirst((k, n) => gelu(x, k, n.string('approximate', 'none') === 'tanh')) },
  Shrink: { 9: shrink },
  Clip: { 1: clipAttributes, 11: clipInputs },
  PRelu: { 1: prelu(true), 7: prelu(false) },
  // Withdrawn after opset 1, but written by old exporters.
  ScaledTanh: { 1: ofFirst((k, n) => mul(k(n.float('alpha')), call('tanh', mul(k(n.float('beta')), x)))) },
  ParametricSoftplus: {
    1: ofFirst((k, n) => mul(k(n.float('alpha')), call('softplus', mul(k(n.float('beta')), x)))),
  },
  Affine: { 1: ofFirst((k, n) => add(mul(k(n.float('alpha', 1)), x), k(n.float('beta', 0)))) },

  'com.microsoft::Gelu': { 1: ofFirst((k) => gelu(x, k, false)) },
  'com.microsoft::BiasGelu': { 1: biased((a, k) => gelu(a, k, false)) },
  'com.microsoft::FastGelu': { 1: biased((a, k) => gelu(a, k, true)) },
  'com.microsoft::QuickGelu': { 1: ofFirst((k, n) => silu(x, n.float('alpha', 1.702), k)) },
};
