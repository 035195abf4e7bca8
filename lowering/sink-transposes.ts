import { emit, type Graph, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import { builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { inverse, samePermutation } from './permutations.js';
import { rebuild } from './rebuild.js';
import { transposedBy } from './simplify-movement.js';
import type { SyncPass } from './steps.js';
import { choose, edgesOf, type Plan, planFor, sizeOf, totalCost, widened } from './transpose-cuts.js';

/**
 * Places transposes where they move the fewest bytes, which for most is nowhere: what one of them undoes of
 * another disappears. For each permutation in the graph, nodes that could as well work on permuted axes
 * (pointwise, concat, slice, pad, reductions, softmax, …) choose between both orders; a value read in
 * the order it is not made in costs its bytes once, and the choice is a minimum cut of the graph. Among
 * equal choices transposes come late, so that what follows a contraction can join its epilogue. Constants
 * are transposed for free. Runs after layouts are chosen; leaves reshapes and pairs for `simplify`.
 */
export const sinkTransposes: SyncPass = {
  name: 'sink-transposes',
  run: (g) => {
    // A placement for one permutation can uncover work for another. Each strictly lowers the cost.
    for (let round = 0; round < 8; round++) {
      const before = g;
      for (const perm of permutationsOf(g)) {
        g = placed(g, perm);
        g = placed(g, inverse(perm));
      }
      if (g === before) break;
    }
    return g;
  },
};

/** The permutations transposes make, those that move most first. */
function permutationsOf(g: Graph): readonly (readonly number[])[] {
  const bytes = new Map<string, { perm: readonly number[]; bytes: number }>();
  for (const n of topological(g)) {
    if (!is(n, transpose)) continue;
    const key = n.attrs.perm.join();
    const known = bytes.get(key);
    const more = sizeOf(n.outputs[0]!);
    bytes.set(key, { perm: n.attrs.perm, bytes: (known?.bytes ?? 0) + more });
  }
  return [...bytes.values()].sort((a, b) => b.bytes - a.bytes).map((x) => x.perm);
}

function placed(g: Graph, perm: readonly number[]): Graph {
  const plan = planFor(g, perm);
  const edges = edgesOf(g, plan);
  const chosen = choose(edges, plan);
  const cost = totalCost(edges, (o) => (typeof o === 'boolean' ? o : chosen.has(o)));
  if (chosen.size === 0 || !(cost < totalCost(edges, (o) => o === true) - 1e-6)) return g;
  return permute(g, plan, chosen);
}

/** Rebuilds a graph with some nodes working on permuted axes. */
function permute(g: Graph, { perm, forms }: Plan, chosen: ReadonlySet<Node>): Graph {
  const back = inverse(perm);
  /** Values of the new graph, in permuted order. */
  const permuted = new Map<Value, Value>();
  const inOrder = (v: Value): Value => {
    let p = permuted.get(v);
    if (!p) {
      const b = builder(v.node.origin);
      const shape = widened(shapeOf(v), perm.length);
      const wide = shape.length === shapeOf(v).length ? v : b(reshape, [v], { shape });
      p =
        is(v.node, transpose) && samePermutation(v.node.attrs.perm, back)
          ? v.node.inputs[0]!
          : transposedBy(b, wide, perm);
      permuted.set(v, p);
    }
    return p;
  };
  return rebuild(g, (old, copy) => {
    if (is(copy, transpose) && samePermutation(copy.attrs.perm, perm)) return [inOrder(copy.inputs[0]!)];
    const form = forms.get(old);
    if (!form || !chosen.has(old)) return undefined;
    const inputs = copy.inputs.map((v, i) => (i < form.operands ? inOrder(v) : v));
    const [made] = emit(copy.op, inputs, form.attrs, copy.origin).outputs;
    if (form.natural) return [made!];
    const natural = transposedBy(builder(copy.origin), made!, back);
    permuted.set(natural, made!);
    return [natural];
  });
}
