import { CompileError } from '../support/diagnostic.js';
import {
  type Attrs,
  type Graph,
  type Node,
  type Op,
  type Readers,
  topological,
  transform,
  type Value,
} from './graph.js';

export interface Any<K extends string> {
  readonly kind: 'any';
  readonly name: K;
}

export interface Made<K extends string> {
  readonly kind: 'made';
  readonly op: Op;
  readonly inputs: readonly Pattern<K>[];
  readonly commutes: boolean;
  readonly shared: boolean;
  readonly when: ((node: Node) => boolean) | undefined;
  readonly as: K | undefined;
}

export type Pattern<K extends string = string> = Any<K> | Made<K>;
type Names<P> = P extends Pattern<infer K> ? K : never;

/** Matches any value. A name used twice must match the same value twice. */
export const any = <K extends string>(name: K): Any<K> => ({ kind: 'any', name });

/** Matches the first result of `op`. Below the root it must have one reader, or fusing would repeat its work. */
export const made = <A extends Attrs, const P extends readonly Pattern[]>(op: Op<A>, ...inputs: P) =>
  ({
    kind: 'made',
    op,
    inputs,
    commutes: false,
    shared: false,
    when: undefined,
    as: undefined,
  }) as unknown as Made<Names<P[number]>>;

/** Also matches with the first two inputs exchanged. */
export const commutes = <K extends string>(p: Made<K>): Made<K> => ({ ...p, commutes: true });
/** Also matches when the value has other readers. */
export const shared = <K extends string>(p: Made<K>): Made<K> => ({ ...p, shared: true });
/** Matches only nodes that satisfy a condition. */
export const when = <K extends string>(p: Made<K>, condition: (node: Node) => boolean): Made<K> => ({
  ...p,
  when: (n) => (p.when?.(n) ?? true) && condition(n),
});
/** Captures the value a pattern matched. */
export const as = <N extends string, K extends string>(name: N, p: Made<K>): Made<K | N> => ({
  ...(p as Made<K | N>),
  as: name,
});

export type Match<K extends string = string> = Readonly<Record<K, Value>>;
export interface Rule {
  readonly name: string;
  readonly pattern: Pattern;
  readonly build: (m: Match, root: Node) => Value | undefined;
}

/** A named rewrite of a first result. `build` returns the replacement, or undefined to decline. */
export const rule = <K extends string>(
  name: string,
  pattern: Pattern<K>,
  build: (m: Match<K>, root: Node) => Value | undefined,
): Rule => ({ name, pattern, build }) as unknown as Rule;

/** Matches a pattern at a value of a graph; `readers` says how often a value is read. */
export function match<K extends string>(p: Pattern<K>, v: Value, readers: Readers): Match<K> | undefined {
  return matchAt(p, v, {}, readers, true) as Match<K> | undefined;
}

function matchAt(p: Pattern, v: Value, m: Match, readers: Readers, root: boolean): Match | undefined {
  if (p.kind === 'any') return m[p.name] && m[p.name] !== v ? undefined : { ...m, [p.name]: v };
  const { op, inputs } = v.node;
  if ((op as unknown) !== p.op || v.index !== 0 || inputs.length !== p.inputs.length) return undefined;
  if ((!root && !p.shared && readers(v) !== 1) || (p.when && !p.when(v.node))) return undefined;
  const orders = p.commutes ? [inputs, [inputs[1]!, inputs[0]!, ...inputs.slice(2)]] : [inputs];
  const start = p.as === undefined ? m : { ...m, [p.as]: v };
  for (const order of orders) {
    let out: Match | undefined = start;
    for (let i = 0; out && i < order.length; i++) out = matchAt(p.inputs[i]!, order[i]!, out, readers, false);
    if (out) return out;
  }
  return undefined;
}

/** One bottom-up sweep. Returns the same graph object when no rule fired. */
const sweep = (g: Graph, rules: ReadonlyMap<Op, readonly Rule[]>, fired: (name: string) => void): Graph =>
  transform(g, (node, readers) => {
    for (const r of rules.get(node.op) ?? []) {
      const m = matchAt(r.pattern, node.outputs[0]!, {}, readers, true);
      const out = m && r.build(m, node);
      if (!out || out === node.outputs[0]) continue;
      fired(r.name);
      return [out, ...node.outputs.slice(1)];
    }
    return undefined;
  });

/** Applies rules until none fires. Rules are tried in order at each node. */
export function rewrite(g: Graph, rules: readonly Rule[], fired: (name: string) => void = () => {}): Graph {
  const byRoot = new Map<Op, Rule[]>();
  for (const r of rules) {
    if (r.pattern.kind === 'any') throw new TypeError(`rule ${r.name} would match every value`);
    byRoot.set(r.pattern.op, [...(byRoot.get(r.pattern.op) ?? []), r]);
  }
  for (let i = 0; i < 100; i++) {
    const next = sweep(g, byRoot, fired);
    if (next === g) return g;
    g = next;
  }
  const names = rules.map((r) => r.name).join(', ');
  throw new CompileError('rewrite-diverged', `rules ${names} still fire after 100 sweeps`);
}

/** The nodes of a graph that an operator made. */
export const nodesOf = <A extends Attrs>(g: Graph, op: Op<A>): readonly Node<A>[] =>
  topological(g).filter((n) => (n.op as unknown) === op) as unknown as readonly Node<A>[];
