import { statSync } from 'node:fs';
import type { Manifest } from './artifact/manifest.js';
import { buildEngine } from './build-engine.js';
import { convert } from './compile.js';
import { givenInputs, type InputOptions, recordedOutputs, withExtents } from './inputs.js';
import { withReference } from './interruption.js';
import { load } from './load.js';
import { recordedRun, referenceModel } from './load-export.js';
import { lower } from './lower.js';
import type { ConvertOptions } from './options.js';
import { inPortTypes } from './port-types.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { sourceModel } from './source-model.js';
import { CompileError } from './support/diagnostic.js';
import { withTemporaryDirectory } from './support/temporary.js';
import { backendFor, targetOptionsOf } from './target.js';
import {
  compareOutputs,
  type OutputComparison,
  type ReferenceRun,
  referenceOn,
  referenceRun,
} from './verify.js';
import { deviations } from './verify-engine.js';

export interface DiffOptions
  extends InputOptions,
    Pick<
      ConvertOptions,
      | 'target'
      | 'arch'
      | 'precision'
      | 'tf32'
      | 'ioPrecision'
      | 'f32Nodes'
      | 'shapes'
      | 'dims'
      | 'program'
      | 'stateOutputs'
      | 'decompositions'
      | 'fallbackOps'
      | 'fallbackNodes'
      | 'minBlockSize'
      | 'threads'
      | 'progress'
      | 'signal'
    > {
  /** The model an engine directory was made from, where it is not found by itself. */
  readonly model?: string | undefined;
  /** Tolerances in place of those that follow from the types and the lengths of the sums. */
  readonly atol?: number | undefined;
  readonly rtol?: number | undefined;
}

export interface Diff {
  readonly pass: boolean;
  readonly manifest: Manifest;
  /** Against onnxruntime without graph optimisations. Empty when onnxruntime cannot run the model. */
  readonly outputs: readonly OutputComparison[];
  /** Against the outputs of the data set or of the PyTorch archive, where it has some. */
  readonly recorded: readonly OutputComparison[];
  /** Who recorded them: a data set, or PyTorch in the archive it wrote. */
  readonly recordedBy: 'data set' | 'PyTorch' | undefined;
  /** Why there is no comparison with onnxruntime. */
  readonly unreferenced: string | undefined;
  /** When it does not pass: the first compiled segment that is wrong on the inputs it got. */
  readonly deviating:
    | { readonly segment: string; readonly reason: string; readonly nodes: readonly string[] }
    | undefined;
}

/**
 * Compares an engine with onnxruntime on the same inputs. `target` is an engine directory, or a model, which is
 * compiled into a temporary directory first. Throws a CompileError when the comparison cannot be made.
 */
export async function diff(target: string, options: DiffOptions = {}): Promise<Diff> {
  const isDirectory = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isDirectory) return diffEngine(target, undefined, options);
  return withTemporaryDirectory('ait-diff', async (scratch) => {
    const output = `${scratch}/engine`;
    // What is wrong shall show here rather than be given back to onnxruntime.
    await convert(target, { ...options, output, verify: false });
    return diffEngine(output, target, options);
  });
}

async function diffEngine(directory: string, model: string | undefined, options: DiffOptions): Promise<Diff> {
  const { threads, signal } = options;
  const session = await InferenceSession.create(directory, threads === undefined ? {} : { threads });
  try {
    const path = model ?? (await sourceModel(directory, session.manifest, options.model));
    return await withReference(signal, (reference) => compare(session, path, reference, options));
  } finally {
    await session.dispose();
  }
}

async function compare(
  session: InferenceSession,
  model: string,
  reference: OnnxruntimeProcess,
  options: DiffOptions,
): Promise<Diff> {
  const { manifest } = session;
  const asked = {
    ...(options.atol === undefined ? {} : { atol: options.atol }),
    ...(options.rtol === undefined ? {} : { rtol: options.rtol }),
  };
  const scale = manifest.scale ?? { accumulation: 1, depth: 1, quantised: false };
  const asksRandom = options.seed !== undefined || (options.extents?.size ?? 0) > 0;
  const own = givenInputs(manifest, options);
  const archive = own !== undefined || asksRandom ? undefined : await recordedRun(model, options);
  const given = own ?? (archive && inPortTypes(manifest.inputs, archive.inputs));
  const expected =
    options.dataSet === undefined
      ? inPortTypes(manifest.outputs, archive?.outputs ?? new Map())
      : recordedOutputs(manifest, options.dataSet);

  const runnable = await referenceModel(model, options);
  let referred: ReferenceRun | undefined;
  let unreferenced: string | undefined;
  try {
    referred = await (given === undefined
      ? referenceRun(withExtents(manifest, options.extents), runnable, reference, options.seed ?? 0)
      : referenceOn(manifest, given, runnable, reference));
  } catch (e) {
    // Recorded outputs are a reference as well.
    if (expected.size === 0 || !(e instanceof CompileError) || !e.code.startsWith('reference-')) throw e;
    unreferenced = e.message;
  }
  const left = manifest.outputs.find((o) => referred !== undefined && !referred.outputs.has(o.name));
  if (left)
    throw new CompileError(
      'other-model',
      `the model as it is read now has no output "${left.name}", which the engine has`,
      'name the options that the engine was made with, such as --state-outputs',
    );
  const outputs = referred === undefined ? [] : await compareOutputs(session, referred, scale, asked);
  const feeds = referred?.feeds ?? given!;
  const record = { feeds, outputs: expected, noise: referred?.noise ?? new Map() };
  const recorded = expected.size === 0 ? [] : await compareOutputs(session, record, scale, asked);
  const pass = [...outputs, ...recorded].every((o) => o.comparison.pass);
  const recordedBy =
    options.dataSet !== undefined ? ('data set' as const) : archive ? ('PyTorch' as const) : undefined;
  const result = { pass, manifest, outputs, recorded, recordedBy, unreferenced };
  if (pass) return { ...result, deviating: undefined };

  const segments = await compiledSegments(manifest, model, reference, options);
  for await (const { segment, reason } of deviations(session, feeds, segments, reference, scale)) {
    const step = manifest.steps.find((s) => same(s.outputs, segment.writes));
    const nodes = segment.nodes.map((n) => n.origin.name);
    return { ...result, deviating: { segment: step?.target ?? '', reason, nodes } };
  }
  return { ...result, deviating: undefined };
}

/** The graphs of the engine's compiled segments, made from the model once more. */
async function compiledSegments(
  manifest: Manifest,
  model: string,
  reference: OnnxruntimeProcess,
  options: DiffOptions,
) {
  const { graph } = await load(model, options, () => {});
  const { arch = manifest.target.arch, f32Nodes } = options;
  const backend = await backendFor({ ...targetOptionsOf(manifest), arch, f32Nodes });
  const lowered = await lower(graph, backend, reference);
  const { segments } = await buildEngine(lowered, backend, {
    fallbackOps: new Set(options.fallbackOps),
    fallbackNodes: new Set(options.fallbackNodes),
    ...(options.minBlockSize === undefined ? {} : { minBlockSize: options.minBlockSize }),
    cacheDirectory: '',
    partitionOnly: true,
    weights: () => {
      throw new TypeError('a partition writes no weights');
    },
  });
  const compiled = manifest.steps.filter((s) => s.kind === 'engine');
  return segments
    .map((s) => s.segment)
    .filter((s) => s.kind === 'engine')
    .filter((s) => compiled.some((c) => same(c.inputs, s.reads) && same(c.outputs, s.writes)));
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i]);
