import { arg, call, cast, type Expr } from '../ir/expr.js';
import { dtypeOf, type Value } from '../ir/graph.js';
import { CompileError } from '../support/diagnostic.js';
import {
  add,
  div,
  type Elementwise,
  type ElementwiseConverter,
  type ElementwiseMap,
  mul,
  num,
  select,
  sub,
} from './elementwise.js';
import type { SourceNode } from './op.js';

type Constant = (value: number) => Expr;

/** A tensor, its gradient and its states, with the learning rate and the number of updates so far. */
interface Step {
  readonly rate: Expr;
  readonly count: Expr;
  readonly x: Expr;
  readonly gradient: Expr;
  readonly states: readonly Expr[];
  readonly k: Constant;
}

/**
 * An optimizer's step over any number of tensors. The inputs after the first two, and the results, are all
 * tensors, then all gradients (inputs only), then all states of each kind.
 */
const optimizer =
  (states: number, update: (n: SourceNode, step: Step) => readonly Expr[]): ElementwiseConverter =>
  (n) => {
    const count = (n.inputCount - 2) / (2 + states);
    if (!Number.isInteger(count))
      throw new CompileError('missing-input', `${n.inputCount} inputs do not fit`);
    const all = Array.from({ length: count }, (_, i) => updated(n, i, count, states, update));
    return Array.from({ length: 1 + states }, (_, kind) => all.map((results) => results[kind]!)).flat();
  };

function updated(
  n: SourceNode,
  i: number,
  count: number,
  states: number,
  update: (n: SourceNode, step: Step) => readonly Expr[],
): readonly Elementwise[] {
  const own = Array.from({ length: 2 + states }, (_, kind) => n.input(2 + kind * count + i));
  const inputs: readonly Value[] = [n.input(0), n.input(1), ...own];
  const t = dtypeOf(own[0]!);
  const as = (index: number): Expr => (dtypeOf(inputs[index]!) === t ? arg(index) : cast(t, arg(index)));
  const exprs = update(n, {
    rate: as(0),
    count: as(1),
    x: arg(2),
    gradient: arg(3),
    states: own.slice(2).map((_, s) => arg(4 + s)),
    k: (value) => num(value, t),
  });
  return exprs.map((expr) => ({ inputs, expr }));
}

/** The gradient with that of the penalty on large weights. */
const regularized = (n: SourceNode, { x, gradient, k }: Step): Expr =>
  add(mul(k(n.float('norm_coefficient', 0)), x), gradient);

const adagrad = optimizer(1, (n, step) => {
  const { rate, count, x, k } = step;
  const g = regularized(n, step);
  const squares = add(step.states[0]!, mul(g, g));
  const slowed = div(rate, add(k(1), mul(count, k(n.float('decay_factor', 0)))));
  const scale = add(call('sqrt', squares), k(n.float('epsilon', 1e-6)));
  return [sub(x, div(mul(slowed, g), scale)), squares];
});

const adam = optimizer(2, (n, step) => {
  const { rate, count, x, k } = step;
  const g = regularized(n, step);
  const [alpha, beta] = [n.float('alpha', 0.9), n.float('beta', 0.999)];
  const mean = add(mul(k(alpha), step.states[0]!), mul(k(1 - alpha), g));
  const squares = add(mul(k(beta), step.states[1]!), mul(k(1 - beta), mul(g, g)));
  const rest = (base: number): Expr => sub(k(1), call('pow', k(base), count));
  // The first averages are short of updates, which the rate makes up for.
  const corrected = div(mul(rate, call('sqrt', rest(beta))), rest(alpha));
  const adjusted = select(call('gt', count, k(0)), corrected, rate);
  const moved = sub(x, mul(adjusted, div(mean, add(call('sqrt', squares), k(n.float('epsilon', 1e-6))))));
  return [mul(k(1 - n.float('norm_coefficient_post', 0)), moved), mean, squares];
});

const momentum = optimizer(1, (n, step) => {
  const { rate, count, x, k } = step;
  const g = regularized(n, step);
  const weight = select(call('gt', count, k(0)), k(n.float('beta')), k(1));
  const velocity = add(mul(k(n.float('alpha')), step.states[0]!), mul(weight, g));
  const nesterov = n.string('mode', 'standard') === 'nesterov';
  const direction = nesterov ? add(g, mul(k(n.float('alpha')), velocity)) : velocity;
  return [sub(x, mul(rate, direction)), velocity];
});

export const optimizers: ElementwiseMap = {
  'ai.onnx.preview.training::Adagrad': { 1: adagrad },
  'ai.onnx.preview.training::Adam': { 1: adam },
  'ai.onnx.preview.training::Momentum': { 1: momentum },
};
