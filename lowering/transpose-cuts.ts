import { bounds, type Dim, type Shape, substitute, symbolsOf } from '../src/ir/dim.js';
import { dtypeOf, type Graph, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import { bytesOf } from '../src/ir/type.js';
import { transpose } from '../src/ops/transpose.js';
import { literalAt } from './literals.js';
import { MinCut } from './min-cut.js';
import { inverse, movesNothing, samePermutation } from './permutations.js';
import { type PermutedForm, permutedForm } from './permute.js';

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

export const sizeOf = (v: Value): number =>
  bytesOf(
    dtypeOf(v),
    shapeOf(v).reduce<number>((n, d) => n * typical(d), 1),
  );

/** A shape with axes of extent 1 in front, up to a rank. */
export const widened = (shape: Shape, rank: number): Shape => [
  ...Array.from({ length: rank - shape.length }, () => 1),
  ...shape,
];

/** Whether a value is made, or read, in permuted order: yes, no, or as its node is decided. */
type Order = boolean | Node;

export interface Plan {
  readonly perm: readonly number[];
  readonly forms: ReadonlyMap<Node, PermutedForm>;
  /** The order a value is made in. */
  made(v: Value): Order;
  /** The order input i of a node is read in. */
  read(n: Node, i: number): Order;
}

export function planFor(g: Graph, perm: readonly number[]): Plan {
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
export interface Edge {
  readonly value: Value;
  readonly cost: number;
  readonly made: Order;
  readonly read: ReadonlySet<Order>;
}

export function edgesOf(g: Graph, plan: Plan): readonly Edge[] {
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

export const totalCost = (edges: readonly Edge[], permuted: (o: Order) => boolean): number =>
  edges.reduce((sum, e) => sum + ([...e.read].some((r) => permuted(r) !== permuted(e.made)) ? e.cost : 0), 0);

/** The nodes that work on permuted axes in the cheapest placement. */
export function choose(edges: readonly Edge[], plan: Plan): ReadonlySet<Node> {
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
