import { isStatic, numel, type Shape, sameShape } from '../src/ir/dim.js';
import type { Expr } from '../src/ir/expr.js';
import { dtypeOf, is, shapeOf, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { layerNorm, rmsNorm } from '../src/ops/norm.js';
import type { Build } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { constantsOf, isFunction } from './identity.js';
import {
  axesOf,
  expressionOf,
  type Made,
  over,
  type Reduction,
  reductionAt,
  sameAxes,
} from './reductions.js';

/** Operands beside the statistics: a scale and a bias, in either role. */
function parametersOf(
  out: Value,
  stops: readonly Value[],
  part: Shape,
): readonly (readonly Value[])[] | undefined {
  const e = expressionOf(out, stops);
  const more = e?.inputs.filter((v) => !stops.includes(v)) ?? [];
  const fits = (v: Value): boolean => {
    const shape = shapeOf(v);
    const lead = shape.length - part.length;
    return lead >= 0 && shape.slice(0, lead).every((d) => d === 1) && sameShape(shape.slice(lead), part);
  };
  if (!e || more.length > 2 || !more.every(fits)) return undefined;
  return more.length === 2 ? [more, [more[1]!, more[0]!]] : [more];
}

const epsilons = (e: Expr): readonly number[] =>
  [...constantsOf(e)].filter((c) => c > 0 && c < 0.1).concat(0);

/** The first axis of a part that reaches to the end. */
function partOf(x: Value, r: Reduction): { readonly axis: number; readonly part: Shape } | undefined {
  const axes = axesOf(r);
  const rank = shapeOf(x).length;
  const trailing = axes.length > 0 && axes.every((a, i) => a === rank - axes.length + i);
  return trailing ? { axis: axes[0]!, part: shapeOf(x).slice(axes[0]!) } : undefined;
}

/** (x - m) / sqrt(v + ε) * scale + bias, where m is the mean and v that of (x - m)². */
export function asLayerNorm(
  out: Value,
  v: Value,
  variance: Reduction,
  leaves: readonly Value[],
): Made | undefined {
  for (const m of [...leaves, ...(expressionOf(variance.inputs[0]!, [])?.inputs ?? [])]) {
    const mean = reductionAt(m, 'mean');
    if (!mean || mean === variance || !sameAxes(mean, variance)) continue;
    const x = mean.inputs[0]!;
    const where = partOf(x, variance);
    const square = over(variance.inputs[0]!, [x, m]);
    if (!where || !square || !isFunction(square.expr, (a, c) => (a! - c!) ** 2)) continue;
    if (!sameShape(shapeOf(x), shapeOf(out)) || dtypeOf(x) !== dtypeOf(out)) continue;
    for (const parameters of parametersOf(out, [x, m, v], where.part) ?? []) {
      const made = normOf(out, [x, m, v], parameters, where.axis, (a, c, s) => (a - c) / s);
      if (made) return made;
    }
  }
  return undefined;
}

/** x / sqrt(v + ε) * scale, where v is the mean of x². */
export function asRmsNorm(out: Value, v: Value, squares: Reduction): Made | undefined {
  const square = squares.inputs[0]!;
  const [x] = expressionOf(square, [])?.inputs ?? [];
  const candidates = [x, ...(is(square.node, pointwise) ? square.node.inputs : [])];
  for (const c of candidates) {
    const where = c && partOf(c, squares);
    const e = c && over(square, [c]);
    if (!where || !e || !isFunction(e.expr, (a) => a! ** 2)) continue;
    if (!sameShape(shapeOf(c), shapeOf(out)) || dtypeOf(c) !== dtypeOf(out)) continue;
    for (const parameters of parametersOf(out, [c, v], where.part) ?? []) {
      if (parameters.length > 1) continue;
      const made = normOf(out, [c, v], parameters, where.axis, (a, _, s) => a / s);
      if (made) return made;
    }
  }
  return undefined;
}

function normOf(
  out: Value,
  statistics: readonly Value[],
  parameters: readonly Value[],
  axis: number,
  normal: (x: number, mean: number, deviation: number) => number,
): Made | undefined {
  const e = over(out, [...statistics, ...parameters]);
  if (!e) return undefined;
  const centred = statistics.length === 3;
  const at = statistics.length;
  const x = statistics[0]!;
  const part = shapeOf(x).slice(axis);
  // One parameter is a scale, or a bias without one.
  for (const epsilon of epsilons(e.expr))
    for (const [scale, bias] of parameters.length === 2
      ? [[0, 1]]
      : parameters.length === 1
        ? [[0, -1], ...(centred ? [[-1, 0]] : [])]
        : [[-1, -1]]) {
      const meaning = (...p: readonly number[]): number => {
        const deviation = Math.sqrt(p[at - 1]! + epsilon);
        const n = normal(p[0]!, p[1]!, deviation);
        return n * (scale! < 0 ? 1 : p[at + scale!]!) + (bias! < 0 ? 0 : p[at + bias!]!);
      };
      if (!isFunction(e.expr, meaning, [at - 1])) continue;
      if (scale! < 0 && !(isStatic(part) && Number(numel(part)) <= longestScale)) return undefined;
      return {
        covers: e.covers,
        build: (b, now) => {
          const [s, c] = [scale!, bias!].map((i) =>
            i < 0 ? undefined : shaped(b, now(parameters[i]!), part),
          );
          const one = s ?? ones(b, out, part as readonly number[]);
          if (!centred) return b(rmsNorm, [now(x), one], { axis, epsilon });
          return b(layerNorm, c ? [now(x), one, c] : [now(x), one], { axis, epsilon, stats: false });
        },
      };
    }
  return undefined;
}

/** A scale of ones is made up to here. */
const longestScale = 1 << 20;

const shaped = (b: Build, v: Value, shape: Shape): Value =>
  sameShape(shapeOf(v), shape) ? v : b(reshape, [v], { shape });

const ones = (b: Build, like: Value, shape: readonly number[]): Value => {
  const count = shape.reduce((p, q) => p * q, 1);
  return b(constant, [], { value: literalOf(dtypeOf(like), shape, new Array<number>(count).fill(1)) });
};
