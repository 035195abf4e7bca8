import { emit, type Graph, is, type Node, topological, transform } from '../src/ir/graph.js';
import { if_ } from '../src/ops/control-flow.js';

/** Lowers the two bodies of every If as graphs of their own: they are closed, and become programs like it. */
export async function lowerBranches(g: Graph, lower: (body: Graph) => Promise<Graph>): Promise<Graph> {
  const lowered = new Map<Graph, Graph>();
  for (const n of topological(g))
    if (is(n, if_))
      for (const body of [n.attrs.thenBranch, n.attrs.elseBranch]) lowered.set(body, await lower(body));
  return transform(g, (n: Node) => {
    if (!is(n, if_)) return undefined;
    const [thenBranch, elseBranch] = [lowered.get(n.attrs.thenBranch)!, lowered.get(n.attrs.elseBranch)!];
    if (thenBranch === n.attrs.thenBranch && elseBranch === n.attrs.elseBranch) return undefined;
    return emit(if_, n.inputs, { ...n.attrs, thenBranch, elseBranch }, n.origin).outputs;
  });
}
