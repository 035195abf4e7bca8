import { isStatic, numel, type Shape, sameShape } from '../src/ir/dim.js';
import type { Expr } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { lpNorm } from '../src/ops/lp-norm.js';
import { layerNorm, rmsNorm } from '../src/ops/norm.js';
import { type Build, builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { softmax } from '../src/ops/softmax.js';
import { constantsOf, isFunction } from './identity.js';
import { rebuild } from './rebuild.js';
import { inlineRegion } from './regions.js';
import type { Operation } from './simplify-pointwise.js';
import type { SyncPass } from './steps.js';

/**
 * Finds normalisations that exporters spell out with reductions and pointwise nodes, and says them with one
 * operator that reads its input once: layer norm, RMS norm, softmax, log-softmax and L2 normalisation. What
 * the pointwise nodes compute of the reductions' results is compared as a function, so it does not matter how
 * it is written: x / sqrt(v), x * rsqrt(v), a scale multiplied in early or late. Runs on the model's own
 * nodes, before any of them are fused or moved.
 */
export const recogniseReductions: SyncPass = {
  name: 'recognise-reductions',
  run: (g) => {
    const found = new Map<Node, Made>();
    const inside = new Set<Node>();
    for (const n of [...topological(g)].reverse()) {
      if (!is(n, pointwise) || inside.has(n as unknown as Node)) continue;
      const made = recognised(n);
      if (!made) continue;
      found.set(n as unknown as Node, made);
      for (const m of made.covers) inside.add(m);
    }
    if (found.size === 0) return g;
    return rebuild(g, (old, copy, now) => {
      const made = found.get(old);
      return made && [made.build(builder(copy.origin), now)];
    });
  },
};

/** How to build a recognised operator, and the nodes it stands for. */
interface Made {
  readonly covers: ReadonlySet<Node>;
  build(b: Build, now: (v: Value) => Value): Value;
}

/** The largest number of pointwise nodes an expression is gathered from. */
const reach = 16;

/** What a value is of the values in `stops` and of those that pointwise nodes do not make. */
function expressionOf(
  v: Value,
  stops: readonly Value[],
): (Operation & { readonly covers: ReadonlySet<Node> }) | undefined {
  const covers = new Set<Node>();
  const gather = (n: Node): void => {
    if (covers.has(n) || covers.size > reach) return;
    covers.add(n);
    for (const x of n.inputs)
      if (is(x.node, pointwise) && !stops.includes(x)) gather(x.node as unknown as Node);
  };
  if (!is(v.node, pointwise)) return undefined;
  gather(v.node as unknown as Node);
  if (covers.size > reach) return undefined;
  return { ...inlineRegion(v.node, (n) => covers.has(n)), covers };
}

/** The expression over operands in a given order; undefined when it reads anything else. */
function over(
  v: Value,
  operands: readonly Value[],
): (Operation & { readonly covers: ReadonlySet<Node> }) | undefined {
  const e = expressionOf(v, operands);
  if (!e?.inputs.every((x) => operands.includes(x))) return undefined;
  const expr = reordered(e.expr, (i) => operands.indexOf(e.inputs[i]!));
  return { expr, inputs: operands, covers: e.covers };
}

const reordered = (e: Expr, f: (i: number) => number): Expr =>
  e.kind === 'in'
    ? { ...e, index: f(e.index) }
    : e.kind === 'cast'
      ? { ...e, arg: reordered(e.arg, f) }
      : e.kind === 'call'
        ? { ...e, args: e.args.map((a) => reordered(a, f)) }
        : e;

type Reduction = Node<{ kind: string; axes: Shape; keepdims: boolean }>;

/** A reduction over known axes that leaves them in place. */
const reductionAt = (v: Value, ...kinds: readonly string[]): Reduction | undefined =>
  is(v.node, reduce) &&
  v.node.attrs.keepdims &&
  isStatic(v.node.attrs.axes) &&
  kinds.includes(v.node.attrs.kind)
    ? (v.node as unknown as Reduction)
    : undefined;

const axesOf = (r: Reduction): readonly number[] => {
  const rank = shapeOf(r.inputs[0]!).length;
  return (r.attrs.axes as readonly number[]).map((a) => (a < 0 ? a + rank : a)).sort((p, q) => p - q);
};
const sameAxes = (a: Reduction, b: Reduction): boolean => axesOf(a).join() === axesOf(b).join();

function recognised(root: Node<{ expr: Expr }>): Made | undefined {
  const out = root.outputs[0]!;
  if (dtypeOf(out) === 'f64') return undefined;
  const all = expressionOf(out, []);
  const leaves = all?.inputs ?? [];
  for (const v of leaves) {
    const mean = reductionAt(v, 'mean');
    const sum = reductionAt(v, 'sum');
    const made =
      (mean && (asLayerNorm(out, v, mean, leaves) ?? asRmsNorm(out, v, mean))) ??
      (sum && (asSoftmax(out, v, sum) ?? asL2Norm(out, v, sum)));
    if (made) return made;
  }
  return undefined;
}

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
function asLayerNorm(out: Value, v: Value, variance: Reduction, leaves: readonly Value[]): Made | undefined {
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
function asRmsNorm(out: Value, v: Value, squares: Reduction): Made | undefined {
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

/** exp(x - m) / s or x - m - log(s), where m is the maximum and s the sum of exp(x - m). */
function asSoftmax(out: Value, s: Value, sum: Reduction): Made | undefined {
  for (const m of expressionOf(sum.inputs[0]!, [])?.inputs ?? []) {
    const most = reductionAt(m, 'max');
    if (!most || !sameAxes(most, sum) || axesOf(sum).length !== 1) continue;
    const x = most.inputs[0]!;
    const powers = over(sum.inputs[0]!, [x, m]);
    const e = over(out, [x, m, s]);
    if (!powers || !e || !isFunction(powers.expr, (a, c) => Math.exp(a! - c!))) continue;
    if (!sameShape(shapeOf(x), shapeOf(out)) || dtypeOf(x) !== dtypeOf(out)) continue;
    const form = isFunction(e.expr, (a, c, d) => Math.exp(a! - c!) / d!, [2])
      ? 'softmax'
      : isFunction(e.expr, (a, c, d) => a! - c! - Math.log(d!), [2])
        ? 'log'
        : undefined;
    if (!form) continue;
    const [axis] = axesOf(sum);
    return { covers: e.covers, build: (b, now) => b(softmax, [now(x)], { form, axis: axis! }) };
  }
  return undefined;
}

/** Norms below this are zero for all that f32 can tell. */
const tiny = 1e-10;

/** x / max(sqrt(s), ε), where s is the sum of x². */
function asL2Norm(out: Value, s: Value, sum: Reduction): Made | undefined {
  const square = sum.inputs[0]!;
  const axes = axesOf(sum);
  for (const x of is(square.node, pointwise) ? square.node.inputs : []) {
    const e = over(out, [x, s]);
    const powers = over(square, [x]);
    if (!e || !powers || axes.length !== 1 || !isFunction(powers.expr, (a) => a! ** 2)) continue;
    if (!sameShape(shapeOf(x), shapeOf(out)) || dtypeOf(x) !== dtypeOf(out)) continue;
    const guard = [...constantsOf(e.expr)].some((c) => c > 0 && c <= tiny);
    if (!guard || !isFunction(e.expr, (a, c) => a! / Math.sqrt(c!), [1])) continue;
    return { covers: e.covers, build: (b, now) => b(lpNorm, [now(x)], { p: 2, axis: axes[0]! }) };
  }
  return undefined;
}
