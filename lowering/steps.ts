import {
  type Attrs,
  type Graph,
  type Node,
  type Op,
  type Readers,
  transform,
  type Value,
} from '../src/ir/graph.js';
import type { Pass } from '../src/ir/pass.js';

/** A pass that waits for nobody. */
export interface SyncPass extends Pass {
  run(g: Graph): Graph;
}

/** What a pass does with the nodes of one operator. */
export interface Step {
  readonly op: Op;
  /** The values to use for the node's results, or undefined to keep it. */
  apply(node: Node, readers: Readers): readonly Value[] | undefined;
}

/** A step for one operator; one value stands for the first result of a node that has no other. */
export const on = <A extends Attrs>(
  op: Op<A>,
  apply: (node: Node<A>, readers: Readers) => Value | readonly Value[] | undefined,
): Step => ({
  op: op as unknown as Op,
  apply: (node, readers) => {
    const out = apply(node as unknown as Node<A>, readers);
    return out === undefined ? undefined : [out].flat();
  },
});

/**
 * Sweeps over the graph, producers first, until no step changes a node. The first step that applies wins.
 * Every sweep leaves a graph of the same meaning, so steps that undo one another cost time and nothing else.
 */
export function settle(g: Graph, steps: readonly Step[], sweeps = 50): Graph {
  const byOp = new Map<Op, Step[]>();
  for (const s of steps) byOp.set(s.op, [...(byOp.get(s.op) ?? []), s]);
  for (let i = 0; i < sweeps; i++) {
    const next = transform(g, (node, readers) => {
      for (const s of byOp.get(node.op) ?? []) {
        const out = s.apply(node, readers);
        if (out?.some((v, k) => v !== node.outputs[k])) return out;
      }
      return undefined;
    });
    if (next === g) return g;
    g = next;
  }
  return g;
}
