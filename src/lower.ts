import { lowerBranches } from '../lowering/branches.js';
import { pipeline } from '../lowering/pipeline.js';
import { withPortsOf } from '../lowering/port-types.js';
import { verify } from '../lowering/rules.js';
import type { Backend } from './backend.js';
import { evaluateOnReference } from './evaluate.js';
import type { Graph } from './ir/graph.js';
import { dumper, runPasses } from './ir/pass.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { env } from './support/env.js';

/**
 * Runs the passes, on the bodies of control flow first. `before` is awaited ahead of each of them. With `warn`, a
 * pass that fails costs what it would have gained: the graph stays as it was, and the user is told.
 */
export async function lower(
  g: Graph,
  backend: Backend,
  reference: OnnxruntimeProcess,
  before: (pass: string) => Promise<void> = async () => {},
  warn?: (message: string) => void,
): Promise<Graph> {
  const filter = env('AIT_DUMP');
  const trace = filter === undefined ? undefined : dumper(new RegExp(filter), (s) => process.stderr.write(s));
  const passes = pipeline({
    fold: (constants) => evaluateOnReference(constants, reference),
    compiles: (n) => backend.refuse(n) === undefined,
    narrow: backend.narrow,
    tf32: backend.tf32,
  });
  const sound = verify('lowered');
  const watched = passes.map((pass) => ({
    name: pass.name,
    run: async (graph: Graph) => {
      await before(pass.name);
      if (!warn) return pass.run(graph);
      try {
        const next = await pass.run(graph);
        if (next !== graph) sound(next);
        return next;
      } catch (e) {
        if (e instanceof Error && e.name === 'AbortError') throw e;
        warn(`the pass ${pass.name} failed and is left out: ${e instanceof Error ? e.message : e}`);
        return graph;
      }
    },
  }));
  const run = async (graph: Graph): Promise<Graph> =>
    runPasses(await lowerBranches(graph, run), watched, sound, trace);
  return run(backend.ports === undefined ? g : withPortsOf(g, backend.ports));
}
