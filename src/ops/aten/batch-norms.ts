import { arg, call, cast, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { channels } from '../elementwise.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduced } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { alone, declared, epsilonOf, parameter, wide } from './norm-parts.js';

/** x times a factor a channel plus an offset a channel; both are constants in a trained model. */
export function batchNormOf(n: AtenNode, b: Build): Value {
  if (n.has('training') && n.flag('training') && !n.has('running_mean')) return ownStatistics(n, b)[0]!;
  if (n.has('training') && n.flag('training'))
    n.refuse('batch normalization is being trained: call .eval() first');
  const x = n.tensor('input');
  const t = wide(dtypeOf(x));
  const rank = shapeOf(x).length;
  const mean = castTo(
    b,
    n.has('running_mean') ? n.tensor('running_mean') : n.refuse('it has no statistics'),
    t,
  );
  const variance = castTo(b, n.tensor('running_var'), t);
  const shape = shapeOf(mean);
  const [scale, bias] = [parameter(n, b, 'weight', 1, t, shape), parameter(n, b, 'bias', 0, t, shape)];
  const deviation = call('sqrt', call('add', arg(1), epsilonOf(n, t)));
  const factor = b(pointwise, [scale, variance], { expr: call('div', arg(0), deviation) });
  const offset = b(pointwise, [bias, mean, factor], {
    expr: call('sub', arg(0), call('mul', arg(1), arg(2))),
  });
  const at = (v: Value): Value => (rank > 1 ? channels(v, 1, rank, b) : v);
  const own = dtypeOf(x) === t ? arg(0) : cast(t, arg(0));
  const moved: Expr = call('add', call('mul', own, arg(1)), arg(2));
  return b(pointwise, [x, at(factor), at(offset)], {
    expr: dtypeOf(x) === t ? moved : cast(dtypeOf(x), moved),
  });
}

/** Normalised by the batch's own statistics. */
function ownStatistics(n: AtenNode, b: Build): readonly Value[] {
  const given = n.tensor('input');
  const t = wide(dtypeOf(given));
  const x = castTo(b, given, t);
  const rank = shapeOf(x).length;
  const channelCount = shapeOf(x)[1]!;
  const axes = shapeOf(x).flatMap((_, i) => (i === 1 ? [] : [i]));
  const mean = reduced(b, 'mean', x, axes);
  const centred = b(pointwise, [x, mean], { expr: call('sub', arg(0), arg(1)) });
  const spread = reduced(b, 'mean', b(pointwise, [centred], { expr: call('mul', arg(0), arg(0)) }), axes);
  const epsilon = epsilonOf(n, t);
  const inverse = b(pointwise, [spread], { expr: call('rsqrt', call('add', arg(0), epsilon)) });
  const at = (name: string, fallback: number): Value =>
    channels(parameter(n, b, name, fallback, t, [channelCount]), 1, rank, b);
  const y = b(pointwise, [centred, inverse, at('weight', 1), at('bias', 0)], {
    expr: call('add', call('mul', call('mul', arg(0), arg(1)), arg(2)), arg(3)),
  });
  return declared(n, b, [castTo(b, y, dtypeOf(given)), mean, inverse]);
}

/** Training normalises by the batch's own statistics. */
const legit: AtenConverter = (n, b) =>
  n.flag('training') ? ownStatistics(n, b) : alone(n, b, batchNormOf(n, b));

export const batchNorms: AtenMap = {
  batch_norm: (n, b) => batchNormOf(n, b),
  _native_batch_norm_legit_no_training: (n, b) => alone(n, b, batchNormOf(n, b)),
  '_native_batch_norm_legit.no_stats': ownStatistics,
  _native_batch_norm_legit: legit,
  native_batch_norm: (n, b) => alone(n, b, batchNormOf(n, b)),
};
