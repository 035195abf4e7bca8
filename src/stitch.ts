import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportOnnx } from '../importers/onnx/export.js';
import { inputBounds } from '../lowering/input-bounds.js';
import type { Segment } from '../lowering/segments.js';
import { withWideFloats } from '../lowering/wide-floats.js';
import { carriersOf, containerOf } from './artifact/container.js';
import { containerOpset, withPackedPorts } from './artifact/container-nodes.js';
import { type HybridStep, hybridModel } from './artifact/hybrid.js';
import type { Manifest, Port, Step } from './artifact/manifest.js';
import { WeightsWriter } from './artifact/weights.js';
import { withWidePorts } from './artifact/wide-ports.js';
import { type Backend, targetOf } from './backend.js';
import type { BuiltEngine } from './build-engine.js';
import { bareSymbol, bounds, show } from './ir/dim.js';
import { type Graph, inputName, type Value } from './ir/graph.js';
import type { Literal } from './ir/literal.js';
import { encodeModel } from './onnx/encode.js';
import type { Model } from './onnx/types.js';
import { CompileError } from './support/diagnostic.js';
import { widerType } from './support/wide-types.js';

export interface Source {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

const fallbackFolder = 'fallback';

/** Writes everything of an engine directory except what verification adds. */
export async function writeEngine(
  directory: string,
  g: Graph,
  engine: BuiltEngine,
  source: Source,
  backend: Backend,
  weights: Manifest['weights'],
  version: string,
): Promise<Manifest> {
  const { segments } = engine;
  const pieces = segments.map((s) => s.segment);
  const fallback = pieces.filter((s) => s.kind === 'fallback');
  const models = await writeFallback(directory, fallback);
  if (engine.library) {
    await writeFile(join(directory, 'libmodel.so'), engine.library, { mode: 0o755 });
    await mkdir(join(directory, 'src'));
    for (const f of engine.sources) await writeFile(join(directory, 'src', f.name), f.text);
  }

  const workOf = new Map(engine.partition.decisions.map((d) => [d.node, d.work]));
  const steps: Step[] = segments.map(({ segment, code }) => ({
    kind: segment.kind,
    target: code ? code.name : `${fallbackFolder}/${fallback.indexOf(segment)}.onnx`,
    inputs: carriers(segment.reads, segment.graph.inputs),
    outputs: carriers(segment.writes, segment.graph.outputs),
    nodes: new Set(segment.nodes.map((n) => n.origin.name)).size,
    work: segment.nodes.reduce((sum, n) => sum + (workOf.get(n) ?? 0), 0),
    ...narrowOutputs(segment),
  }));
  const bounded = inputBounds(g);
  const manifest: Manifest = {
    schema: 1,
    tool: { name: 'ait-convert', version },
    source,
    target: targetOf(backend),
    inputs: g.inputs.map((v) => {
      const below = bounded.get(v);
      return { ...port(inputName(v), inputName(v), v), ...(below === undefined ? {} : { below }) };
    }),
    outputs: g.outputs.map((v, i) => port(g.outputNames[i]!, nameOfOutput(v, i, g, pieces), v)),
    steps,
    weights,
    accuracy: [],
    kernels: [...new Set(segments.flatMap((s) => s.code?.kernels ?? []).map((k) => k.entry.text))],
  };
  await writeHybrid(directory, manifest, segments, models);
  return manifest;
}

function narrowOutputs({ kind, graph: g, writes }: Segment): Pick<Step, 'narrow'> {
  if (kind !== 'fallback') return {};
  const narrow = g.outputs.flatMap(({ type }, i) =>
    type.kind === 'tensor' && widerType(type.dtype) ? [{ value: writes[i]!, dtype: type.dtype }] : [],
  );
  return narrow.length > 0 ? { narrow } : {};
}

const carriers = (names: readonly string[], values: readonly Value[]): readonly string[] =>
  values.flatMap((v, i) => carriersOf(port(names[i]!, names[i]!, v)));

/** The steps' name of a result: two results may be one value. */
export function nameOfOutput(v: Value, i: number, g: Graph, segments: readonly Segment[]): string {
  const written = new Set(segments.flatMap((s) => s.writes));
  const name = g.outputNames[i]!;
  if (written.has(name)) return name;
  const first = g.outputs.indexOf(v);
  return first < i ? nameOfOutput(v, first, g, segments) : inputName(v);
}

export function port(name: string, value: string, v: Value): Port {
  if (v.type.kind === 'opaque') return { name, value, dtype: v.type.text };
  return {
    name,
    value,
    dtype: v.type.dtype,
    shape: v.type.shape.map((d) => {
      if (typeof d === 'number') return d;
      const [min, max] = bareSymbol(d) === undefined ? [0, Number.POSITIVE_INFINITY] : bounds(d);
      const limit = Number.isFinite(max) ? { max } : {};
      return { symbol: show(d), min: Math.max(0, min), ...limit };
    }),
  };
}

/** Fallback pieces share one operator set, so that the hybrid model can hold them all. */
async function writeFallback(directory: string, segments: readonly Segment[]): Promise<readonly Model[]> {
  if (segments.length === 0) return [];
  await mkdir(join(directory, fallbackFolder));
  const graphs = segments.map((s) => withWideFloats(s.graph));
  const opsets = graphs.map((g) => opsetOf(exportOnnx(g)));
  const ports = graphs.flatMap((g) => [...g.inputs, ...g.outputs]);
  const containers = ports.some((v) => v.type.kind === 'opaque');
  const least = containers ? containerOpset : 0;
  const opset = new Set(opsets).size === 1 ? Math.max(opsets[0]!, least) : Math.max(21, ...opsets);
  const store = new WeightsWriter(join(directory, fallbackFolder, 'weights.bin'));
  const add = (l: Literal): { offset: number; length: number } => ({
    offset: store.append('fallback', {
      byteLength: l.byteLength,
      read: (o = 0, n = l.byteLength) => l.read(o, n),
    }),
    length: l.byteLength,
  });
  try {
    const models = graphs.map((g) =>
      exportOnnx(g, { opset, externalData: { location: 'weights.bin', add } }),
    );
    for (const [i, m] of models.entries()) {
      const types = portTypes(segments[i]!);
      const separable = withPackedPorts(m, (name) => containerOf(types.get(name) ?? ''));
      await writeFile(join(directory, fallbackFolder, `${i}.onnx`), encodeModel(withWidePorts(separable)));
    }
    await store.finish();
    return models;
  } finally {
    store.close();
  }
}

/** The types of those inputs and outputs that are no tensors. */
const portTypes = ({ graph: g }: Segment): ReadonlyMap<string, string> => {
  const ports = [
    ...g.inputs.map((v) => [inputName(v), v] as const),
    ...g.outputs.map((v, i) => [g.outputNames[i]!, v] as const),
  ];
  return new Map(
    ports.flatMap(([name, { type }]) => (type.kind === 'opaque' ? [[name, type.text] as const] : [])),
  );
};

const opsetOf = (m: Model): number =>
  m.opsetImport.find((o) => o.domain === '' || o.domain === 'ai.onnx')?.version ?? 21;

async function writeHybrid(
  directory: string,
  manifest: Manifest,
  segments: BuiltEngine['segments'],
  models: readonly Model[],
): Promise<void> {
  let next = 0;
  const steps: HybridStep[] = segments.map(({ segment, code }) => {
    const border = { inputs: segment.reads, outputs: segment.writes };
    return code
      ? { kind: 'engine', name: code.name, ...border }
      : { kind: 'fallback', model: models[next++]!, directory: fallbackFolder, ...border };
  });
  try {
    const model = hybridModel({ inputs: manifest.inputs, outputs: manifest.outputs, steps });
    await writeFile(join(directory, 'model.onnx'), encodeModel(model));
  } catch (e) {
    // A model whose ports are no tensors runs here but cannot be one ONNX model with custom nodes.
    if (!(e instanceof CompileError) || e.code !== 'bad-hybrid') throw e;
  }
}
