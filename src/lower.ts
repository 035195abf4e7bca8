import { lowerBranches } from '../lowering/branches.js';
import { pipeline } from '../lowering/pipeline.js';
import { verify } from '../lowering/rules.js';
import type { Backend } from './backend.js';
import { evaluateOnReference } from './evaluate.js';
import type { Graph } from './ir/graph.js';
import { dumper, runPasses } from './ir/pass.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { env } from './support/env.js';

/** Runs the passes, on the bodies of control flow first. `before` is awaited ahead of each of them. */
export async function lower(
  g: Graph,
  backend: Backend,
  reference: OnnxruntimeProcess,
  before: (pass: string) => Promise<void> = async () => {},
): Promise<Graph> {
  const filter = env('AIT_DUMP');
  const trace = filter === undefined ? undefined : dumper(new RegExp(filter), (s) => process.stderr.write(s));
  const passes = pipeline({
    fold: (constants) => evaluateOnReference(constants, reference),
    compiles: (n) => backend.refuse(n) === undefined,
  });
  const watched = passes.map((pass) => ({
    name: pass.name,
    run: async (graph: Graph) => {
      await before(pass.name);
      return pass.run(graph);
    },
  }));
  const run = async (graph: Graph): Promise<Graph> =>
    runPasses(await lowerBranches(graph, run), watched, verify('lowered'), trace);
  return run(g);
}
