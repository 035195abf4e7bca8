import { is } from '../src/ir/graph.js';
import { verifier } from '../src/ir/verify.js';
import { foreign } from '../src/ops/foreign.js';

/** What must not be in a graph, from which stage on. */
export const verify = verifier([
  {
    since: 'partitioned',
    forbids: (n) => (is(n, foreign) ? 'a foreign node is in an engine segment' : undefined),
  },
]);
