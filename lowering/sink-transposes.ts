import { bounds, type Dim, type Shape, substitute, symbolsOf } from '../src/ir/dim.js';
import {
  dtypeOf,
  emit,
  type Graph,
  is,
  type Node,
  shapeOf,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { bytesOf } from '../src/ir/type.js';
import { builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { literalAt } from './literals.js';
import { MinCut } from './min-cut.js';
import { inverse, movesNothing, samePermutation } from './permutations.js';
import { type PermutedForm, permutedForm } from './permute.js';
import { rebuild } from './rebuild.js';
import { transposedBy } from './simplify-movement.js';
import type { SyncPass } from './steps.js';

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

const estimates = new WeakMap<object, number>();
/** An extent for estimates: symbols count as 64, or as what they are bounded to. */
function typical(d: Dim): number {
  if (typeof d === 'number') return d;
  let n = estimates.get(d);
  if (n === undefined) {
    const values = [...symbolsOf(d).values()].map(
      (s) => [s.key, Math.min(Math.max(64, s.min), s.max)] as const,
    );
    const known = substitute(d, new Map(values));
    n = Math.max(1, typeof known === 'number' ? known : bounds(known)[0]);
    estimates.set(d, n);
  }
  return n;
}

const sizeOf = (v: Value): number =>
  bytesOf(
    dtypeOf(v),
    shapeOf(v).reduce<number>((n, d) => n * typical(d), 1),
  );

/** A shape with axes of extent 1 in front, up to a rank. */
const widened = (shape: Shape, rank: number): Shape => [
  ...Array.from({ length: rank - shape.length }, () => 1),
  ...shape,
];

/** Whether a value is made, or read, in permuted order: yes, no, or as its node is decided. */
type Order = boolean | Node;

interface Plan {
  readonly perm: readonly number[];
  readonly forms: ReadonlyMap<Node, PermutedForm>;
  /** The order a value is made in. */
  made(v: Value): Order;
  /** The order input i of a node is read in. */
  read(n: Node, i: number): Order;
}

function planFor(g: Graph, perm: readonly number[]): Plan {
  const back = inverse(perm);
  const forms = new Map<Node, PermutedForm>();
  const sources = new Set<Node>();
  const sinks = new Set<Node>();
  for (const n of topological(g)) {
    if (is(n, transpose)) {
      const x = n.inputs[0]!;
      // An own inverse could be either: it is a sink where its operand has a choice.
      const source = samePermutation(n.attrs.perm, back);
      if (source && !(samePermutation(perm, back) && forms.has(x.node) && !forms.get(x.node)!.natural))
        sources.add(n as unknown as Node);
      else if (samePermutation(n.attrs.perm, perm)) sinks.add(n as unknown as Node);
      continue;
    }
    const form = permutedForm(n, perm);
    if (form) forms.set(n, form);
  }
  return {
    perm,
    forms,
    made: (v) => {
      if (sources.has(v.node)) return true;
      const form = forms.get(v.node);
      return form && !form.natural ? v.node : false;
    },
    read: (n, i) => {
      if (sinks.has(n)) return true;
      const form = forms.get(n);
      return form && i < form.operands ? n : false;
    },
  };
}

/** The values of a graph, where in it they are made, and who reads them in which order. */
interface Edge {
  readonly value: Value;
  readonly cost: number;
  readonly made: Order;
  readonly read: ReadonlySet<Order>;
}

function edgesOf(g: Graph, plan: Plan): readonly Edge[] {
  const order = topological(g);
  const reads = new Map<Value, Set<Order>>();
  const readAs = (v: Value, how: Order): void => {
    const known = reads.get(v);
    if (known) known.add(how);
    else reads.set(v, new Set([how]));
  };
  for (const n of order)
    n.inputs.forEach((v, i) => {
      readAs(v, plan.read(n, i));
    });
  for (const v of [...g.outputs, ...[...g.bindings.values()].map((b) => b.value)]) readAs(v, false);
  return order.flatMap((n, at) =>
    n.outputs.flatMap((value): Edge[] => {
      const read = reads.get(value);
      if (!read) return [];
      return [
        {
          value,
          cost: costOf(value, plan.perm) * (1 + 1e-3 * (1 - at / order.length)),
          made: plan.made(value),
          read,
        },
      ];
    }),
  );
}

/** What it costs to permute a value. A reshape is not quite free, so that none is made for nothing. */
function costOf(v: Value, perm: readonly number[]): number {
  if (v.type.kind === 'opaque' || literalAt(v)) return 0.5;
  const shape = shapeOf(v);
  if (shape.length > perm.length || movesNothing(widened(shape, perm.length), perm)) return 0.5;
  return 1 + sizeOf(v);
}

const totalCost = (edges: readonly Edge[], permuted: (o: Order) => boolean): number =>
  edges.reduce((sum, e) => sum + ([...e.read].some((r) => permuted(r) !== permuted(e.made)) ? e.cost : 0), 0);

/** The nodes that work on permuted axes in the cheapest placement. */
function choose(edges: readonly Edge[], plan: Plan): ReadonlySet<Node> {
  const cut = new MinCut();
  const vertices = new Map<Node, number>();
  for (const n of plan.forms.keys()) vertices.set(n, cut.node());
  const vertex = (o: Order): number =>
    typeof o === 'boolean' ? (o ? cut.source : cut.sink) : vertices.get(o)!;
  for (const { cost, made, read } of edges) {
    const from = vertex(made);
    const readers = [...read].map(vertex).filter((r) => r !== from);
    if (readers.length === 0) continue;
    if (readers.length === 1) {
      cut.edge(readers[0]!, from, cost);
      cut.edge(from, readers[0]!, cost);
      continue;
    }
    // Both orders may be read, and each is paid for once.
    const some = cut.node();
    const all = cut.node();
    for (const r of readers) {
      cut.edge(r, some, Number.MAX_SAFE_INTEGER);
      cut.edge(all, r, Number.MAX_SAFE_INTEGER);
    }
    cut.edge(some, from, cost);
    cut.edge(from, all, cost);
  }
  const side = cut.solve();
  return new Set([...vertices].flatMap(([n, v]) => (side.has(v) ? [n] : [])));
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
