import { type Attrs, type AttrValue, emit, type Graph, type Node, topological } from '../src/ir/graph.js';
import type { Pass } from '../src/ir/pass.js';
import { rebuild } from './rebuild.js';

/**
 * A pass that also runs on the bodies of control flow, innermost first. A body is a graph of its own that
 * reads the values around it as inputs, so a pass need not know where it is.
 */
export const inBodies = (pass: Pass): Pass => ({
  name: pass.name,
  run: async (g) => {
    const bodies = new Map<Graph, Graph>();
    for (const n of topological(g))
      for (const body of bodiesOf(n)) if (!bodies.has(body)) bodies.set(body, await inBodies(pass).run(body));
    const changed = [...bodies].some(([before, after]) => before !== after);
    if (!changed) return pass.run(g);
    return pass.run(
      rebuild(g, (_, copy) => {
        if (!bodiesOf(copy).some((b) => bodies.get(b) !== b)) return undefined;
        const attrs = Object.fromEntries(
          Object.entries(copy.attrs).map(([k, a]) => [k, isGraph(a) ? (bodies.get(a) ?? a) : a]),
        ) as Attrs;
        return emit(copy.op, copy.inputs, attrs, copy.origin).outputs;
      }),
    );
  },
});

const isGraph = (a: AttrValue): a is Graph =>
  typeof a === 'object' && !Array.isArray(a) && 'kind' in a && a.kind === 'graph';

/** The graphs among a node's attributes. */
const bodiesOf = (n: Node): readonly Graph[] => Object.values(n.attrs).filter(isGraph);
