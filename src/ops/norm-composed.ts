import { arg, call, cast, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import type { DType } from '../ir/type.js';
import { castTo } from './cast.js';
import { channels, num } from './elementwise.js';
import { axesOf, type Build, type OnnxMap, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { reduced } from './reduce.js';

/** The type in which channel statistics are computed and kept. */
const wideOf = (t: DType): DType => (t === 'f64' ? 'f64' : 'f32');

/**
 * x times a factor plus an offset for each channel. Both follow from parameters alone, so they are constants
 * in a trained model, and a convolution in front of them can take them over.
 */
function batchNormOf(
  b: Build,
  x: Value,
  [scale, bias, mean, variance]: readonly [Value, Value, Value, Value],
  epsilon: number,
): Value {
  const wide = wideOf(dtypeOf(x));
  const of = (i: number, v: Value): Expr => (dtypeOf(v) === wide ? arg(i) : cast(wide, arg(i)));
  const deviation = call('sqrt', call('add', of(1, variance), num(Math.fround(epsilon), wide)));
  const factor = b(pointwise, [scale, variance], { expr: call('div', of(0, scale), deviation) });
  const shift = call('mul', of(1, mean), arg(2));
  const offset = b(pointwise, [bias, mean, factor], { expr: call('sub', of(0, bias), shift) });
  const rank = shapeOf(x).length;
  const perChannel = (v: Value): Value => (rank > 1 ? channels(v, 1, rank, b) : v);
  const moved = call('add', call('mul', of(0, x), arg(1)), arg(2));
  return b(pointwise, [x, perChannel(factor), perChannel(offset)], {
    expr: dtypeOf(x) === wide ? moved : cast(dtypeOf(x), moved),
  });
}

const parameters = (n: SourceNode): readonly [Value, Value, Value, Value] => [
  n.input(1),
  n.input(2),
  n.input(3),
  n.input(4),
];

/** A model that is run, not trained, uses the statistics it was trained with. */
function inference(n: SourceNode, b: Build): readonly Value[] {
  if (n.int('spatial', 1) === 0) n.decline('the statistics are kept for each element, not for each channel');
  for (let i = 1; i < n.outputCount; i++) if (n.wants(i)) n.decline('batch normalization is being trained');
  return [batchNormOf(b, n.input(0), parameters(n), n.float('epsilon', 1e-5))];
}

/** Normalises with the batch's own statistics and moves the running ones towards them. */
function training(n: SourceNode, b: Build): readonly Value[] {
  if (n.int('training_mode', 0) === 0) return inference(n, b);
  const [x, [scale, bias, mean, variance]] = [n.input(0), parameters(n)];
  const wide = castTo(b, x, wideOf(dtypeOf(x)));
  const axes = shapeOf(x).flatMap((_, i) => (i === 1 ? [] : [i]));
  const average = (v: Value): Value => reduced(b, 'mean', v, axes);
  const center = average(wide);
  const centred = call('sub', arg(0), arg(1));
  const spread = average(b(pointwise, [wide, center], { expr: call('mul', centred, centred) }));
  const rank = shapeOf(x).length;
  const flat = (v: Value): Value => channels(v, 0, 1, b);
  const own = [scale, bias, flat(center), flat(spread)] as const;
  const y = batchNormOf(b, x, own, n.float('epsilon', 1e-5));
  const momentum = n.float('momentum', 0.9);
  const running = (old: Value, v: Value): Value => {
    const t = wideOf(dtypeOf(v));
    const part = (e: Expr, weight: number): Expr => call('mul', e, num(weight, t));
    const before = dtypeOf(old) === t ? arg(0) : cast(t, arg(0));
    const expr = call('add', part(before, momentum), part(arg(1), 1 - momentum));
    return b(pointwise, [old, v], { expr: dtypeOf(old) === t ? expr : cast(dtypeOf(old), expr) });
  };
  return rank < 2
    ? n.decline('there are no channels')
    : [y, running(mean, own[2]), running(variance, own[3])];
}

/** Zero mean and unit variance over some axes, as ONNX defines it: through the mean of the squares. */
function meanVariance(n: SourceNode, b: Build): Value {
  const x = n.input(0);
  const t = wideOf(dtypeOf(x));
  const wide = castTo(b, x, t);
  const axes = axesOf(n.ints('axes', [0, 2, 3]), shapeOf(x).length);
  const mean = reduced(b, 'mean', wide, axes);
  const squares = reduced(b, 'mean', b(pointwise, [wide], { expr: call('mul', arg(0), arg(0)) }), axes);
  const variance = call('sub', arg(2), call('mul', arg(1), arg(1)));
  const deviation = call('add', call('sqrt', variance), num(1e-9, t));
  const y = b(pointwise, [wide, mean, squares], {
    expr: call('div', call('sub', arg(0), arg(1)), deviation),
  });
  return castTo(b, y, dtypeOf(x));
}

/** Normalisations that are made of elementwise operators and reductions. */
export const composed: OnnxMap = {
  BatchNormalization: { 1: inference, 14: training },
  MeanVarianceNormalization: { 9: meanVariance },
};
