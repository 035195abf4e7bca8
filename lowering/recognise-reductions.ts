import { sameShape } from '../src/ir/dim.js';
import type { Expr } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import { lpNorm } from '../src/ops/lp-norm.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { softmax } from '../src/ops/softmax.js';
import { constantsOf, isFunction } from './identity.js';
import { rebuild } from './rebuild.js';
import { asLayerNorm, asRmsNorm } from './recognise-norms.js';
import {
  axesOf,
  expressionOf,
  type Made,
  over,
  type Reduction,
  reductionAt,
  sameAxes,
} from './reductions.js';
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
