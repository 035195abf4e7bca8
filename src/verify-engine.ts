import { exportOnnx } from '../importers/onnx/export.js';
import type { Segment } from '../lowering/segments.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import type { Manifest } from './artifact/manifest.js';
import type { Backend } from './backend.js';
import type { BuiltEngine } from './build-engine.js';
import { bounds } from './ir/dim.js';
import { type Graph, type Node, topological } from './ir/graph.js';
import { isFloat } from './ir/type.js';
import { encodeModel } from './onnx/encode.js';
import type { ConvertOptions } from './options.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { trial } from './runtime/trial.js';
import type { TensorData } from './support/tensor-data.js';
import { compareOutputs, type ModelScale, type OutputComparison, referenceRun } from './verify.js';

export interface Verdict {
  readonly comparisons: readonly OutputComparison[];
  /** Nodes of segments that are wrong, with what was seen. */
  readonly culprits: ReadonlyMap<Node, string>;
}

/** Runs a written engine on seeded inputs against onnxruntime; blames segments when it is out of tolerance. */
export async function verifyEngine(
  dir: string,
  manifest: Manifest,
  engine: BuiltEngine,
  g: Graph,
  backend: Backend,
  model: string | Uint8Array,
  reference: OnnxruntimeProcess,
  options: ConvertOptions,
): Promise<Verdict> {
  const scale = scaleOf(g, backend);
  const run = await referenceRun(manifest, model, reference, options.seed ?? 0);
  const compiled = engine.segments.flatMap((s) => (s.code ? [s.segment] : []));
  // The first run of new code is in another process: whatever it does, the conversion goes on.
  const broken = await trial(dir, run.feeds, { threads: options.threads, signal: options.signal });
  if (broken !== undefined && compiled.length > 0) {
    const reason = `its segment does not run: ${broken}`;
    return { comparisons: [], culprits: new Map(compiled.flatMap((s) => s.nodes).map((n) => [n, reason])) };
  }
  const session = await InferenceSession.create(dir, options.threads ? { threads: options.threads } : {});
  try {
    const comparisons = await compareOutputs(session, run, scale);
    const culprits = new Map<Node, string>();
    if (comparisons.every((c) => c.comparison.pass)) return { comparisons, culprits };
    for await (const { segment, reason } of deviations(session, run.feeds, compiled, reference, scale))
      for (const n of segment.nodes) culprits.set(n, reason);
    return { comparisons, culprits };
  } finally {
    await session.dispose();
  }
}

export interface Deviation {
  readonly segment: Segment;
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
    const reason = await differs(segment.graph, inputs, values, reference, scale);
    if (reason !== undefined) yield { segment, reason };
  }
}

/** What differs between a segment's results and onnxruntime's on the same inputs; undefined when nothing does. */
async function differs(
  g: Graph,
  inputs: ReadonlyMap<string, TensorData>,
  actual: ReadonlyMap<string, TensorData>,
  reference: OnnxruntimeProcess,
  scale: ModelScale,
): Promise<string | undefined> {
  const expected = await reference.run(encodeModel(exportOnnx(g)), inputs);
  for (const [name, value] of expected) {
    const c = compareTensors(actual.get(name)!, value, toleranceFor(value, scale));
    if (!c.pass)
      return `its segment differs from onnxruntime: ${name} by ${c.problem ?? c.maxAbs.toExponential(2)}`;
  }
  return undefined;
}

/** What the tolerance follows from: the longest sum, how many follow one another, the coarsest type. */
export function scaleOf(g: Graph, backend: Backend): ModelScale {
  let accumulation = 1;
  let quantised = false;
  let storage = 'f32';
  const depth = new Map<Node, number>();
  for (const n of topological(g)) {
    const out = n.outputs[0];
    if (out?.type.kind !== 'tensor') continue;
    const work = bounds(backend.work(n))[0];
    const size = out.type.shape.reduce((p: number, d) => p * Math.max(1, bounds(d)[0]), 1);
    const length = work / (2 * size);
    if (Number.isFinite(length)) accumulation = Math.max(accumulation, length);
    const before = Math.max(0, ...n.inputs.map((v) => depth.get(v.node) ?? 0));
    depth.set(n, before + (length >= 4 ? 1 : 0));
    if (/quant|integer/i.test(n.op.name) || /Quantize|Integer|QLinear/.test(n.origin.opType ?? ''))
      quantised = true;
    const { dtype } = out.type;
    if (isFloat(dtype) && (dtype === 'f16' || dtype === 'bf16')) storage = dtype;
  }
  return { accumulation, depth: Math.max(1, ...depth.values()), quantised, storage };
}
