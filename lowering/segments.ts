import { bareSymbol, symbolsOf } from '../src/ir/dim.js';
import {
  type Binding,
  emit,
  type Graph,
  graph,
  input,
  inputName,
  inputValue,
  is,
  type Node,
  symbolsMentioned,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { CompileError } from '../src/support/diagnostic.js';
import { isFree, type Kind, levelsOf, readsOf, sourceOf } from './levels.js';

/** A part of the model that one runtime executes, as a graph of its own. */
export interface Segment {
  readonly kind: Kind;
  readonly graph: Graph;
  /** The nodes of the partitioned graph it covers. */
  readonly nodes: readonly Node[];
  /** From the graph's own nodes to those they are copies of. */
  readonly originals: ReadonlyMap<Node, Node>;
  /** Names of the values read and written, in the order of the graph's inputs and outputs. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** Cuts a graph into segments, in an order in which they can run. */
export function cut(g: Graph, kindOf: (n: Node) => Kind): readonly Segment[] {
  const levels = levelsOf(g, kindOf);
  const groups = new Map<string, { kind: Kind; level: number; nodes: Node[] }>();
  for (const [n, level] of levels) {
    const kind = kindOf(n);
    const key = `${level} ${kind}`;
    const group = groups.get(key) ?? { kind, level, nodes: [] };
    group.nodes.push(n);
    groups.set(key, group);
  }
  const ordered = [...groups.values()].sort((a, b) => a.level - b.level);
  // Results that no node computes: constants go with the first segment, an input needs nobody to hand it through.
  const loose = g.outputs.filter((v) => !levels.has(v.node) && !is(v.node, input));
  if (loose.length > 0 && ordered.length === 0) ordered.push({ kind: 'engine', level: 0, nodes: [] });

  const names = valueNames(g);
  const groupOf = new Map<Node, number>();
  ordered.forEach((group, i) => {
    for (const n of group.nodes) groupOf.set(n, i);
  });
  const leaving = new Set<Value>(g.outputs);
  for (const n of levels.keys())
    for (const d of readsOf(n, g)) if (groupOf.get(d.node) !== groupOf.get(n)) leaving.add(d);
  for (;;) {
    const made = ordered.map((group, i) => segmentOf(g, group, leaving, i === 0 ? loose : [], names));
    // The extents of what a segment reads may come from values that its own nodes do not mention.
    const more = made.flatMap((m) => m.sources).filter((v) => !is(v.node, input) && !leaving.has(v));
    if (more.length === 0) return made.map((m) => m.segment);
    for (const v of more) leaving.add(v);
  }
}

function segmentOf(
  g: Graph,
  group: { kind: Kind; nodes: readonly Node[] },
  leaving: ReadonlySet<Value>,
  loose: readonly Value[],
  names: ReadonlyMap<Value, string>,
): { readonly segment: Segment; readonly sources: readonly Value[] } {
  const inputs: Value[] = [];
  const sources: Value[] = [];
  const now = new Map<Value, Value>();
  const originals = new Map<Node, Node>();

  const enter = (v: Value): Value => {
    let mine = now.get(v);
    if (!mine) {
      mine = inputValue(names.get(v)!, v.type, v.node.origin);
      now.set(v, mine);
      inputs.push(mine);
      sources.push(v);
    }
    return mine;
  };
  const get = (v: Value): Value => {
    const known = now.get(v);
    if (known) return known;
    if (!isFree(v.node)) return enter(v);
    const copy = emit(v.node.op, [], v.node.attrs, v.node.origin);
    v.node.outputs.forEach((o, i) => {
      now.set(o, copy.outputs[i]!);
    });
    return now.get(v)!;
  };

  const mentioned = new Set<string>();
  const mention = (n: Node): void => {
    for (const s of symbolsMentioned(n)) mentioned.add(s);
  };
  for (const n of group.nodes) {
    mention(n);
    for (const v of n.inputs) if (isFree(v.node)) mention(v.node);
    const copy = emit(n.op, n.inputs.map(get), n.attrs, n.origin);
    originals.set(copy, n);
    n.outputs.forEach((v, i) => {
      now.set(v, copy.outputs[i]!);
    });
  }
  const written = [...group.nodes.flatMap((n) => n.outputs).filter((v) => leaving.has(v)), ...new Set(loose)];
  for (const v of written) {
    get(v);
    if (isFree(v.node)) mention(v.node);
  }

  // onnxruntime finds the extents of its own results by itself: no value has to come from elsewhere for them. Nor
  // does one for the extents of a branch's results that nobody else mentions.
  const here = new Set(group.nodes);
  const comesFromElsewhere = (symbol: string): boolean => {
    const source = sourceOf(symbol, g);
    return source === undefined || !(here.has(source.node) || isFree(source.node) || is(source.node, input));
  };
  const isOwn =
    group.kind === 'fallback'
      ? comesFromElsewhere
      : (symbol: string) => !sourceOf(symbol, g) && !g.inputs.some((v) => bareExtents(v).has(symbol));
  const own = new Set(
    group.nodes.flatMap((n) => n.outputs.flatMap((v) => [...bareExtents(v)].filter(isOwn))),
  );
  // Every symbol needs its source among the inputs; a source brings the symbols of its own type along.
  const bindings = new Map<string, Binding>();
  const settled = new Set<string>();
  const settle = (symbol: string): void => {
    if (settled.has(symbol) || own.has(symbol)) return;
    settled.add(symbol);
    if (sources.some((v) => bareExtents(v).has(symbol))) return;
    const binding = g.bindings.get(symbol);
    const named = sourceOf(symbol, g);
    if (binding && named === binding.value) {
      bindings.set(symbol, { ...binding, value: get(named) });
      if (isFree(named.node)) for (const s of symbolsMentioned(named.node)) settle(s);
      return;
    }
    const source = named ?? g.inputs.find((v) => bareExtents(v).has(symbol));
    if (binding && source && now.has(source)) {
      // A result of this segment: whoever mentions the symbol waits for it.
      const { op, attrs, origin } = binding.value.node;
      bindings.set(symbol, { ...binding, value: emit(op, [now.get(source)!], attrs, origin).outputs[0]! });
      return;
    }
    if (source && now.has(source)) return;
    if (!source) throw new CompileError('unbound-symbol', `nothing tells the extent ${symbol}`);
    enter(source);
  };
  for (const s of mentioned) settle(s);
  for (let i = 0; i < sources.length; i++) {
    const { type } = sources[i]!;
    if (type.kind === 'tensor') for (const d of type.shape) for (const s of symbolsOf(d).keys()) settle(s);
  }
  const segmentGraph = graph(
    inputs,
    written.map((v) => now.get(v)!),
    written.map((v) => names.get(v)!),
    bindings,
  );
  const segment: Segment = {
    kind: group.kind,
    graph: segmentGraph,
    nodes: group.nodes,
    originals,
    reads: sources.map((v) => names.get(v)!),
    writes: written.map((v) => names.get(v)!),
  };
  return { segment, sources };
}

function bareExtents(v: Value): ReadonlySet<string> {
  if (v.type.kind === 'opaque') return new Set();
  return new Set(v.type.shape.flatMap((d) => bareSymbol(d) ?? []));
}

/** A unique name for every value that may cross a border: the user's for inputs and outputs. */
export function valueNames(g: Graph): ReadonlyMap<Value, string> {
  const names = new Map<Value, string>();
  const taken = new Set<string>(g.outputNames);
  for (const v of g.inputs) {
    names.set(v, inputName(v));
    taken.add(inputName(v));
  }
  g.outputs.forEach((v, i) => {
    if (!names.has(v)) names.set(v, g.outputNames[i]!);
  });
  for (const n of topological(g))
    for (const v of n.outputs) {
      if (names.has(v)) continue;
      const base = v.index === 0 ? n.origin.name || n.op.name : `${n.origin.name || n.op.name}:${v.index}`;
      let name = base;
      for (let i = 2; taken.has(name); i++) name = `${base}#${i}`;
      taken.add(name);
      names.set(v, name);
    }
  return names;
}
