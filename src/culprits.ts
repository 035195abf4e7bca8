import { placeable } from '../lowering/levels.js';
import { cut, type Segment, valueNames } from '../lowering/segments.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { describe, type Graph, graph, type Node, type Value } from './ir/graph.js';
import { onReference } from './on-reference.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { trial } from './runtime/trial.js';
import { withTemporaryDirectory } from './support/temporary.js';
import type { TensorData } from './support/tensor-data.js';
import { widened } from './support/wide-types.js';
import type { ModelScale } from './verify.js';

type Values = ReadonlyMap<string, TensorData>;

/** What a search for the nodes at fault needs. */
export interface Search {
  readonly reference: OnnxruntimeProcess;
  readonly scale: ModelScale;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Compiles a graph into an engine directory. */
  build(g: Graph, dir: string): Promise<void>;
}

/** Nodes whose values are looked at together: all of them may be large. */
const together = 64;

/**
 * The nodes of a segment that compute something else than onnxruntime does, with what was seen. The segment is compiled
 * again so that it yields what its nodes compute, some of them at a time. The first to be wrong are judged by
 * themselves, on the inputs they had; what is wrong behind them may be so because of them. Empty where no node by
 * itself is at fault.
 */
export async function culpritsIn(
  { graph: g, originals }: Segment,
  inputs: Values,
  search: Search,
): Promise<ReadonlyMap<Node, string>> {
  const nodes = placeable(g);
  const names = valueNames(g);
  const nameOf = (v: Value): string => names.get(v)!;
  const wrong = new Set<string>();
  const culprits = new Map<Node, string>();
  for (let at = 0; at < nodes.length && culprits.size === 0; at += together) {
    const some = nodes.slice(at, at + together);
    const seen = new Set(
      some.flatMap((n) => [...n.inputs.filter((v) => nodes.includes(v.node)), ...n.outputs]),
    );
    const probe = graph(g.inputs, [...seen], [...seen].map(nameOf), g.bindings);
    const expected = await onReference(probe, inputs, search.reference);
    const actual = new Map([...inputs, ...(await resultsOf(probe, inputs, search))]);
    for (const [name, value] of expected)
      if (deviation(name, actual, value, search.scale) !== undefined) wrong.add(name);
    for (const n of some) {
      const first =
        n.outputs.map(nameOf).some((v) => wrong.has(v)) && !n.inputs.some((v) => wrong.has(nameOf(v)));
      const alone =
        first && cut(g, (m) => (m === n ? 'engine' : 'fallback')).find((s) => s.nodes.includes(n));
      const reason = alone && (await differs(alone, actual, search));
      if (reason) culprits.set(originals.get(n) ?? n, `${described(n)} differs from onnxruntime: ${reason}`);
    }
  }
  return culprits;
}

const described = ({ origin }: Node): string =>
  origin.path ? `${describe(origin)} of module "${origin.path}"` : describe(origin);

/** What an engine of this graph computes. */
function resultsOf(g: Graph, inputs: Values, search: Search): Promise<Values> {
  return withTemporaryDirectory('ait-probe', async (dir) => {
    await search.build(g, dir);
    const broken = await trial(dir, new Map(inputs), search);
    if (broken !== undefined)
      throw new Error(`an engine that shows what its nodes compute does not run: ${broken}`);
    const session = await InferenceSession.create(dir, search.threads ? { threads: search.threads } : {});
    try {
      return await session.runData(new Map(inputs));
    } finally {
      await session.dispose();
    }
  });
}

/** What differs between a segment's results and onnxruntime's on the same inputs; undefined when nothing does. */
export async function differs(
  { graph: g, reads }: Pick<Segment, 'graph' | 'reads'>,
  actual: Values,
  { reference, scale }: Pick<Search, 'reference' | 'scale'>,
): Promise<string | undefined> {
  const inputs = new Map(reads.map((name) => [name, actual.get(name)!]));
  const expected = await onReference(g, inputs, reference);
  for (const [name, value] of expected) {
    const by = deviation(name, actual, value, scale);
    if (by !== undefined) return `${name} by ${by}`;
  }
  return undefined;
}

function deviation(
  name: string,
  actual: Values,
  expected: TensorData,
  scale: ModelScale,
): string | undefined {
  const c = compareTensors(widened(actual.get(name)!), expected, toleranceFor(expected, scale));
  return c.pass ? undefined : (c.problem ?? c.maxAbs.toExponential(2));
}
