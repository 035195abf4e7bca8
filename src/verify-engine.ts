import type { Segment } from '../lowering/segments.js';
import type { Manifest } from './artifact/manifest.js';
import type { Backend } from './backend.js';
import type { BuiltEngine } from './build-engine.js';
import { culpritsIn, differs, type Search } from './culprits.js';
import { bounds, type Dim, type Shape, substitute, symbolsOf } from './ir/dim.js';
import { castsOf, type Expr } from './ir/expr.js';
import { type Graph, type Node, topological } from './ir/graph.js';
import type { ConvertOptions } from './options.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { trial } from './runtime/trial.js';
import type { TensorData } from './support/tensor-data.js';
import { compareOutputs, type ModelScale, type OutputComparison, referenceRun } from './verify.js';

export interface Verdict {
  /** Empty where the engine does not run. */
  readonly comparisons: readonly OutputComparison[];
  /** Nodes of segments that are wrong, with what was seen. */
  readonly culprits: ReadonlyMap<Node, string>;
  /** Whether each of the culprits is at fault by itself. */
  readonly single: boolean;
}

/**
 * Runs a written engine on seeded inputs against onnxruntime. When it is out of tolerance the nodes at fault are blamed,
 * or where none is found, all of their segment. `build` compiles a graph into a directory.
 */
export async function verifyEngine(
  dir: string,
  manifest: Manifest,
  engine: BuiltEngine,
  g: Graph,
  backend: Backend,
  model: string | Uint8Array,
  reference: OnnxruntimeProcess,
  options: ConvertOptions,
  build: Search['build'],
): Promise<Verdict> {
  const scale = scaleOf(g, backend);
  const run = await referenceRun(manifest, model, reference, options.seed ?? 0);
  const compiled = engine.segments.flatMap((s) => (s.code ? [s.segment] : []));
  // The first run of new code is in another process: whatever it does, the conversion goes on.
  const broken = await trial(dir, run.feeds, { threads: options.threads, signal: options.signal });
  if (broken !== undefined && compiled.length > 0) {
    const reason = `its segment does not run: ${broken}`;
    const culprits = new Map(compiled.flatMap((s) => s.nodes).map((n) => [n, reason] as const));
    return { comparisons: [], culprits, single: false };
  }
  const session = await InferenceSession.create(dir, options.threads ? { threads: options.threads } : {});
  try {
    const comparisons = await compareOutputs(session, run, scale);
    const culprits = new Map<Node, string>();
    let single = true;
    if (comparisons.every((c) => c.comparison.pass)) return { comparisons, culprits, single };
    const search = { reference, scale, build, threads: options.threads, signal: options.signal };
    for await (const { segment, inputs, reason } of deviations(
      session,
      run.feeds,
      compiled,
      reference,
      scale,
    )) {
      const found = await guilty(segment, inputs, search);
      single &&= found.size > 0;
      for (const n of segment.nodes)
        if (found.size === 0 || found.has(n)) culprits.set(n, found.get(n) ?? reason);
    }
    return { comparisons, culprits, single };
  } finally {
    await session.dispose();
  }
}

/** The nodes to give back; none where the search itself fails, which must not end the conversion. */
async function guilty(
  segment: Segment,
  inputs: ReadonlyMap<string, TensorData>,
  search: Search,
): Promise<ReadonlyMap<Node, string>> {
  try {
    return await culpritsIn(segment, inputs, search);
  } catch (e) {
    if (search.signal?.aborted) throw e;
    return new Map();
  }
}

export interface Deviation {
  readonly segment: Segment;
  readonly inputs: ReadonlyMap<string, TensorData>;
  readonly reason: string;
}

/** The segments whose results differ from onnxruntime's on the same inputs, in the order given. */
export async function* deviations(
  session: InferenceSession,
  feeds: ReadonlyMap<string, TensorData>,
  segments: readonly Segment[],
  reference: OnnxruntimeProcess,
  scale: ModelScale,
): AsyncGenerator<Deviation> {
  for (const segment of segments) {
    const values = await session.runValues(feeds, [...segment.reads, ...segment.writes]);
    const inputs = new Map(segment.reads.map((name) => [name, values.get(name)!]));
    const by = await differs(segment, values, { reference, scale });
    if (by !== undefined) yield { segment, inputs, reason: `its segment differs from onnxruntime: ${by}` };
  }
}

/** What the tolerance follows from: the longest sum, how many follow one another, the coarsest type. */
export function scaleOf(g: Graph, backend: Backend): ModelScale {
  let accumulation = 1;
  let quantised = false;
  let storage = 'f32';
  const depth = new Map<Node, number>();
  const coarser = (type: string | undefined): void => {
    if (type === 'f16' || type === 'bf16') storage = type;
    else if (type === 'tf32' && storage === 'f32') storage = type;
  };
  for (const n of topological(g)) {
    const out = n.outputs[0];
    if (out?.type.kind !== 'tensor') continue;
    const length = sumLength(backend.work(n), out.type.shape);
    const bodies = bodiesOf(n).map((body) => scaleOf(body, backend));
    const inner = Math.max(...bodies.map((b) => b.depth), length >= 4 ? 1 : 0);
    const lengths = bodies.length > 0 ? bodies.map((b) => b.accumulation) : [length];
    accumulation = Math.max(accumulation, ...lengths.filter(Number.isFinite));
    const before = Math.max(0, ...n.inputs.map((v) => depth.get(v.node) ?? 0));
    depth.set(n, before + inner);
    if (/quant|integer/i.test(n.op.name) || /Quantize|Integer|QLinear/.test(n.origin.opType ?? ''))
      quantised = true;
    quantised ||= bodies.some((b) => b.quantised);
    const rounded = [
      out.type.dtype,
      ...[n.attrs.expr, n.attrs.epilogue].flatMap((e) => (e ? castsOf(e as Expr) : [])),
    ];
    coarser(rounded.find((t) => t === 'f16' || t === 'bf16'));
    coarser(n.attrs.tf32 === true ? 'tf32' : undefined);
    for (const body of bodies) coarser(body.storage);
  }
  return { accumulation, depth: Math.max(1, ...depth.values()), quantised, storage };
}

/** How many operations there are for each element of a result, by halves; extents that may be 0 are taken to be long. */
function sumLength(work: Dim, shape: Shape): number {
  const least = bounds(work)[0];
  const at = (d: Dim): number => {
    const lengths = [...symbolsOf(d).values()].map((s) => [s.key, Math.max(s.min, typicalExtent)] as const);
    return Number(least > 0 ? bounds(d)[0] : substitute(d, new Map(lengths)));
  };
  return at(work) / (2 * shape.reduce((p: number, d) => p * Math.max(1, at(d)), 1));
}

const typicalExtent = 1024;

/** The graphs that a control-flow operator runs. */
const bodiesOf = (n: Node): readonly Graph[] =>
  Object.values(n.attrs).filter(
    (a): a is Graph => typeof a === 'object' && 'kind' in a && a.kind === 'graph',
  );
