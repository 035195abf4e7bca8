import { type Graph, type Node, topological, transform, type Value } from '../src/ir/graph.js';

/**
 * `transform` for a pass that has decided on the old graph what to do. `replace` sees the old node and its
 * copy over new inputs; `now` gives what became of a value that some node seen so far reads.
 */
export function rebuild(
  g: Graph,
  replace: (old: Node, copy: Node, now: (v: Value) => Value) => readonly Value[] | undefined,
): Graph {
  const order = topological(g);
  const became = new Map<Value, Value>();
  let i = 0;
  return transform(g, (copy) => {
    const old = order[i++]!;
    old.inputs.forEach((v, k) => {
      became.set(v, copy.inputs[k]!);
    });
    return replace(old, copy, (v) => became.get(v) ?? v);
  });
}
