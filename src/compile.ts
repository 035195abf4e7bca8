import { readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { WeightStore } from '../codegen/host-program.js';
import { exportOnnx } from '../importers/onnx/export.js';
import type { Manifest } from './artifact/manifest.js';
import { MANIFEST_FILE } from './artifact/read-manifest.js';
import { WeightsWriter } from './artifact/weights.js';
import type { Backend } from './backend.js';
import { type BuiltEngine, buildEngine } from './build-engine.js';
import type { Graph, Node } from './ir/graph.js';
import type { Literal } from './ir/literal.js';
import { type LoadedModel, load } from './load.js';
import { lower } from './lower.js';
import { encodeModel } from './onnx/encode.js';
import type { ConvertOptions } from './options.js';
import { reportOf, writeReport } from './report-of.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { rememberSource } from './source-model.js';
import { writeEngine } from './stitch.js';
import { checkTarget, writeDirectory } from './support/atomic-dir.js';
import { CompileError } from './support/diagnostic.js';
import { cacheDirectory } from './support/env.js';
import { Progress } from './support/progress.js';
import { backendFor } from './target.js';
import { accuracyRecord, type OutputComparison } from './verify.js';
import { scaleOf, type Verdict, verifyEngine } from './verify-engine.js';
import { toolVersion } from './version.js';

export interface Conversion extends LoadedModel {
  /** The graph after the passes. */
  readonly graph: Graph;
  readonly engine: BuiltEngine;
  readonly backend: Backend;
  /** Absent for a dry run. */
  readonly manifest: Manifest | undefined;
  /** Absent when nothing was compared. */
  readonly accuracy: readonly OutputComparison[] | undefined;
  readonly warnings: readonly string[];
  readonly stages: Progress['times'];
}

interface Job
  extends Pick<Conversion, 'graph' | 'source' | 'about' | 'isOnnx' | 'guards' | 'backend' | 'stages'> {
  readonly options: ConvertOptions;
  readonly progress: Progress;
  readonly reference: OnnxruntimeProcess;
  /** What the reference runs: the user's file, or where onnxruntime is too old for it, the same graph rewritten. */
  readonly models: readonly (() => string | Uint8Array)[];
  readonly warnings: string[];
}

type Made = Pick<Conversion, 'engine' | 'manifest' | 'accuracy'>;

/**
 * Converts a model file into the engine directory `options.output`, which appears complete or not at all.
 * Throws a CompileError that says what to do: its `code` is `cancelled` after `options.signal`.
 */
export async function convert(path: string, options: ConvertOptions = {}): Promise<Conversion> {
  const progress = options.progress ?? new Progress({ quiet: true });
  const { signal } = options;
  refuseAborted(signal);
  const output = options.dryRun ? undefined : options.output;
  const settings = { force: options.force ?? false, marker: MANIFEST_FILE };
  if (output !== undefined) await checkTarget(output, settings);
  const warnings: string[] = [];
  const {
    graph,
    source,
    about,
    isOnnx,
    guards = [],
  } = await progress.stage('import', undefined, () => load(path, options, (w) => warnings.push(w)));
  await pause(signal);
  const backend = await backendFor(options);
  const reference = new OnnxruntimeProcess();
  const stop = (): void => reference.dispose();
  signal?.addEventListener('abort', stop);
  try {
    const lowered = await progress.stage('lower', undefined, (stage) =>
      lower(
        graph,
        backend,
        reference,
        (pass) => {
          stage.tick(pass, 0);
          return pause(signal);
        },
        (w) => warnings.push(w),
      ),
    );
    await pause(signal);
    const rewritten = () => encodeModel(exportOnnx(graph));
    const models = isOnnx ? [() => path, rewritten] : [rewritten];
    const job: Job = {
      ...{
        graph: lowered,
        source,
        about,
        isOnnx,
        guards,
        backend,
        options,
        progress,
        reference,
        models,
        warnings,
      },
      stages: progress.times,
    };
    if (output === undefined) return finished(job, await produce(job, undefined));
    const conversion = await writeDirectory(output, settings, async (dir) => {
      const done = finished(job, await produceVerified(job, dir));
      await writeReport(dir, reportOf(done, options));
      await pause(signal);
      return done;
    });
    await rememberSource(source.sha256, path);
    return conversion;
  } catch (e) {
    // What failed after the signal failed because of it.
    await pause(signal);
    throw e;
  } finally {
    signal?.removeEventListener('abort', stop);
    reference.dispose();
  }
}

const finished = (
  { graph, source, about, isOnnx, backend, warnings, stages }: Job,
  made: Made,
): Conversion => ({
  ...{ graph, source, about, isOnnx, backend, warnings, stages },
  ...made,
});

/** Lets signals be heard between two steps that hold the thread, and ends the work when one came. */
async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  refuseAborted(signal);
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CompileError('cancelled', 'the conversion was interrupted');
}

/** Builds an engine and compares it; segments that miss the tolerance go back to onnxruntime. */
async function produceVerified(job: Job, dir: string): Promise<Made> {
  if (job.options.verify === false) return produce(job, dir);
  const failed = new Map<Node, string>();
  for (;;) {
    const made = await produce(job, dir, failed);
    await pause(job.options.signal);
    const verdict = await job.progress.stage('verify', undefined, () => compared(job, dir, made));
    if (verdict === undefined) return made;
    const accuracy = verdict.comparisons;
    const manifest = { ...made.manifest!, accuracy: accuracy.map(accuracyRecord) };
    if (verdict.culprits.size === 0) {
      await writeManifest(dir, manifest);
      return { ...made, manifest, accuracy };
    }
    for (const [node, reason] of verdict.culprits) failed.set(node, reason);
    await emptyDirectory(dir);
  }
}

/** Undefined when onnxruntime cannot run the model, which is no reason not to compile it. */
async function compared(job: Job, dir: string, made: Made): Promise<Verdict | undefined> {
  const { manifest, engine } = made;
  const { graph, backend, reference, options } = job;
  let first: CompileError | undefined;
  const build = async (g: Graph, to: string): Promise<void> => {
    const part = { ...options, minBlockSize: undefined, requireFullCompilation: false };
    await produce({ ...job, graph: g, options: part, progress: new Progress({ quiet: true }) }, to);
  };
  for (const model of job.models)
    try {
      return await verifyEngine(dir, manifest!, engine, graph, backend, model(), reference, options, build);
    } catch (e) {
      if (!(e instanceof CompileError) || options.signal?.aborted || !incomparable.has(e.code)) throw e;
      first ??= e;
      if (e.code !== 'reference-failed') break;
    }
  job.warnings.push(`the result was not compared: ${first!.message}`);
  return undefined;
}

const incomparable = new Set([
  'needs-inputs',
  'bad-tensor',
  'reference-failed',
  'reference-refused',
  'reference-crashed',
  'reference-timeout',
  'no-device',
]);

/** Partitions, builds, and writes into a directory when there is one. */
async function produce(job: Job, dir: string | undefined, failed = new Map<Node, string>()): Promise<Made> {
  const { graph, backend, options, progress } = job;
  let writer: WeightsWriter | undefined;
  const engine = await progress.stage('build', undefined, async (stage) => {
    const built = await buildEngine(graph, backend, {
      fallbackOps: new Set(options.fallbackOps),
      fallbackNodes: new Set(options.fallbackNodes),
      ...(options.minBlockSize === undefined ? {} : { minBlockSize: options.minBlockSize }),
      failed,
      cacheDirectory: cacheDirectory(),
      jobs: options.threads ?? availableParallelism(),
      signal: options.signal,
      partitionOnly: dir === undefined,
      progress: (done, total) => stage.reach(done, total),
      weights: () => {
        writer?.close();
        writer = new WeightsWriter(join(dir!, 'weights.bin'));
        return storeIn(writer);
      },
    });
    if (built.sources.length > 0) stage.conclude(`${built.built} compiled, ${built.fromCache} from cache`);
    return built;
  });
  await pause(options.signal);
  if (options.requireFullCompilation) requireNoFallback(engine);
  if (dir === undefined) return { engine, manifest: undefined, accuracy: undefined };
  const weights = writer ? await writer.finish() : { bytes: 0, tensors: [] };
  const file = { file: 'weights.bin', ...weights };
  const written = await writeEngine(dir, graph, engine, job.source, backend, file, toolVersion);
  const guards = job.guards && job.guards.length > 0 ? { guards: job.guards } : {};
  const manifest = { ...written, ...guards, scale: scaleOf(graph, backend) };
  await writeManifest(dir, manifest);
  return { engine, manifest, accuracy: undefined };
}

const writeManifest = (dir: string, manifest: Manifest): Promise<void> =>
  writeFile(join(dir, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 1)}\n`);

async function emptyDirectory(dir: string): Promise<void> {
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
}

/** Each constant once, however many kernels read it. */
function storeIn(writer: WeightsWriter): WeightStore {
  const known = new Map<Literal, number>();
  return {
    get bytes() {
      return writer.bytes;
    },
    append: (l) => {
      let at = known.get(l);
      if (at === undefined) {
        const read = (offset = 0, length = l.byteLength - offset): Uint8Array => l.read(offset, length);
        at = writer.append(`constant_${known.size}`, { byteLength: l.byteLength, read });
        known.set(l, at);
      }
      return at;
    },
  };
}

function requireNoFallback({ partition }: BuiltEngine): void {
  const left = partition.decisions.filter((d) => d.kind === 'fallback');
  if (left.length === 0) return;
  const lines = left.slice(0, 10).map(({ node: { origin, op }, reason }) => {
    const inside = origin.path === undefined ? '' : ` in ${origin.path}`;
    return `${origin.name} (${origin.opType ?? op.name})${inside}: ${reason}`;
  });
  throw new CompileError(
    'not-fully-compiled',
    `${left.length} nodes would stay on onnxruntime:\n    ${lines.join('\n    ')}`,
    'leave out --require-full-compilation to run them there',
  );
}
