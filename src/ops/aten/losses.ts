import { arg, call, cast, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { isFloat } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { dims } from '../constant.js';
import { gather, gatherElements } from '../gather.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduce } from '../reduce.js';
import { softmaxOf } from '../softmax.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one } from './operands.js';
import { flat, rankOf, reshaped } from './shapes.js';

const reductions = ['none', 'mean', 'sum'] as const;

function finished(n: AtenNode, b: Build, losses: Value): Value {
  const how = reductions[n.int('reduction', 1)] ?? n.refuse('this reduction is not known');
  if (how === 'none') return losses;
  return overall(b, how, losses);
}

const overall = (b: Build, kind: 'sum' | 'mean', x: Value): Value =>
  b(reduce, [flat(b, x)], { kind, axes: [0], keepdims: false });

/** A loss for each pair of elements. */
const pairwise =
  (formula: (gap: Expr) => Expr): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const [x, y] = (['self', 'target'] as const).map((name) => castTo(b, n.tensor(name), t));
    return finished(n, b, b(pointwise, [x!, y!], { expr: formula(call('sub', arg(0), arg(1))) }));
  };

interface Classes {
  readonly axis: number;
  readonly target: Value;
  /** Whether the class is one that counts, as a number. */
  readonly counted: Value;
  /** The weight of the class, 0 where it does not count. */
  readonly weight: Value;
}

function classesOf(n: AtenNode, b: Build, logits: Value): Classes {
  const t = dtypeOf(logits);
  const given = castTo(b, n.tensor('target'), 'i64');
  const axis = Math.min(1, rankOf(logits) - 1);
  const ignored = numberOf(n.int('ignore_index', -100), 'i64');
  const known = call('ne', arg(0), ignored);
  const target = one(b, given, call('select', known, arg(0), numberOf(0, 'i64')));
  const counted = castTo(b, one(b, given, known), t);
  const weight = n.has('weight')
    ? b(pointwise, [b(gather, [n.tensor('weight'), target], { axis: 0 }), counted], {
        expr: call('select', cast('bool', arg(1)), arg(0), numberOf(0, t)),
      })
    : counted;
  return { axis, target, counted, weight };
}

/** The negative logarithm of the probability of the right class, weighed. */
function likelihood(n: AtenNode, b: Build, logs: Value, c: Classes): Value {
  const shape = shapeOf(c.target);
  const wide = reshaped(b, c.target, [...shape.slice(0, c.axis), 1, ...shape.slice(c.axis)]);
  const right = reshaped(b, b(gatherElements, [logs, wide], { axis: c.axis }), shape);
  const zero = numberOf(0, dtypeOf(logs));
  const losses = b(pointwise, [right, c.weight, c.counted], {
    expr: call('select', cast('bool', arg(2)), call('mul', call('neg', arg(0)), arg(1)), zero),
  });
  return averaged(n, b, losses, c.weight);
}

function averaged(n: AtenNode, b: Build, losses: Value, weight: Value): Value {
  if (reductions[n.int('reduction', 1)] !== 'mean') return finished(n, b, losses);
  return b(pointwise, [overall(b, 'sum', losses), overall(b, 'sum', weight)], {
    expr: call('div', arg(0), arg(1)),
  });
}

const negativeLogLikelihood: AtenConverter = (n, b) => {
  const logs = n.tensor('self');
  return likelihood(n, b, logs, classesOf(n, b, logs));
};

const crossEntropy: AtenConverter = (n, b) => {
  const logits = n.tensor('self');
  const t = dtypeOf(logits);
  const axis = Math.min(1, rankOf(logits) - 1);
  const logs = softmaxOf(b, 'log', logits, axis);
  const smoothing = Number(n.number('label_smoothing', 0));
  if (isFloat(dtypeOf(n.tensor('target')))) return byProbabilities(n, b, logs, axis, smoothing);
  const c = classesOf(n, b, logits);
  const exact = likelihood(n, b, logs, c);
  if (smoothing === 0) return exact;
  const sums = b(reduce, [weighed(n, b, logs, axis)], { kind: 'sum', axes: [axis], keepdims: false });
  const spread = b(pointwise, [sums, c.counted], {
    expr: call('select', cast('bool', arg(1)), call('neg', arg(0)), numberOf(0, t)),
  });
  const count = b(dims, [], { dims: [shapeOf(logits)[axis]!], dtype: 'i64', shape: [] });
  const share = call('div', numberOf(smoothing, t), cast(t, arg(2)));
  return b(pointwise, [exact, averaged(n, b, spread, c.weight), count], {
    expr: call('add', call('mul', arg(0), numberOf(1 - smoothing, t)), call('mul', arg(1), share)),
  });
};

/** Times the weight of each class. */
function weighed(n: AtenNode, b: Build, x: Value, axis: number): Value {
  if (!n.has('weight')) return x;
  const shape = shapeOf(x).map((d, i) => (i === axis ? d : 1));
  return b(pointwise, [x, reshaped(b, n.tensor('weight'), shape)], { expr: call('mul', arg(0), arg(1)) });
}

function byProbabilities(n: AtenNode, b: Build, logs: Value, axis: number, smoothing: number): Value {
  const t = dtypeOf(logs);
  const given = castTo(b, n.tensor('target'), t);
  const smooth = call('mul', arg(1), numberOf(1 - smoothing, t));
  const count = b(dims, [], { dims: [shapeOf(logs)[axis]!], dtype: 'i64', shape: [] });
  const share = call('div', numberOf(smoothing, t), cast(t, arg(2)));
  const target = smoothing === 0 ? arg(1) : call('add', smooth, share);
  const products = b(pointwise, [weighed(n, b, logs, axis), given, count], {
    expr: call('neg', call('mul', arg(0), target)),
  });
  const losses = b(reduce, [products], { kind: 'sum', axes: [axis], keepdims: false });
  return finished(n, b, losses);
}

export const losses: AtenMap = {
  mse_loss: pairwise((gap) => call('mul', gap, gap)),
  l1_loss: pairwise((gap) => call('abs', gap)),
  nll_loss_nd: negativeLogLikelihood,
  nll_loss: negativeLogLikelihood,
  nll_loss2d: negativeLogLikelihood,
  cross_entropy_loss: crossEntropy,
};
