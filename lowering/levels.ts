import {
  type Graph,
  input,
  is,
  type Node,
  symbolsMentioned,
  topological,
  usersOf,
  type Value,
} from '../src/ir/graph.js';
import { foreign } from '../src/ops/foreign.js';
import { shapeOfValue } from '../src/ops/shape.js';

/** Which runtime executes a node. */
export type Kind = 'engine' | 'fallback';

/** A node every segment may have its own copy of: it reads nothing, and yields the same everywhere. */
export const isFree = (n: Node): boolean => n.inputs.length === 0 && !is(n, input) && !is(n, foreign);

/** The nodes that some segment must run, producers first. */
export const placeable = (g: Graph): readonly Node[] =>
  topological(g).filter((n) => !is(n, input) && !isFree(n) && !onlyNamesExtents(n, g));

/** A node that tells extents nobody reads as data: a segment that needs them reads the tensor's own. */
const onlyNamesExtents = (n: Node, g: Graph): boolean =>
  is(n, shapeOfValue) && !usersOf(g).has(n.outputs[0]!) && !g.outputs.includes(n.outputs[0]!);

/** The value whose arrival makes a symbol known. */
export function sourceOf(symbol: string, g: Graph): Value | undefined {
  const value = g.bindings.get(symbol)?.value;
  return value && is(value.node, shapeOfValue) ? value.node.inputs[0] : value;
}

/** Values whose arrival makes the symbols known that a node, or a free node it reads, mentions. */
function symbolSources(n: Node, g: Graph): readonly Value[] {
  if (g.bindings.size === 0) return [];
  const sources: Value[] = [];
  const seen = new Set<string>();
  const visit = (m: Node): void => {
    for (const s of symbolsMentioned(m)) {
      if (seen.has(s)) continue;
      seen.add(s);
      const source = sourceOf(s, g);
      if (source && isFree(source.node)) visit(source.node);
      else if (source && source.node !== n) sources.push(source);
    }
  };
  visit(n);
  for (const v of n.inputs) if (isFree(v.node)) visit(v.node);
  return sources;
}

/**
 * Numbers nodes so that a node's level is at least that of what it waits for, and higher where the kind
 * changes. Nodes of one kind and level make a segment; edges between segments only go up, so no cycle can form.
 */
export function levelsOf(g: Graph, kindOf: (n: Node) => Kind): ReadonlyMap<Node, number> {
  const levels = new Map<Node, number>();
  for (const n of placeable(g)) {
    let level = kindOf(n) === 'engine' ? 0 : 1;
    for (const d of waitsFor(n, g)) {
      const at = levels.get(d);
      if (at !== undefined) level = Math.max(level, kindOf(d) === kindOf(n) ? at : at + 1);
    }
    levels.set(n, level);
  }
  return levels;
}

/** The nodes a node waits for. */
export const waitsFor = (n: Node, g: Graph): readonly Node[] => readsOf(n, g).map((v) => v.node);

/** The values a node reads, those that make known the symbols it mentions included. */
export const readsOf = (n: Node, g: Graph): readonly Value[] => [...n.inputs, ...symbolSources(n, g)];
