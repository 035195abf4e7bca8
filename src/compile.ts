import { createHash } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import type { WeightStore } from '../codegen/host-program.js';
import { importOnnx } from '../importers/onnx/import.js';
import { lowerBranches } from '../lowering/branches.js';
import { pipeline } from '../lowering/pipeline.js';
import { verify } from '../lowering/rules.js';
import type { Manifest } from './artifact/manifest.js';
import { MANIFEST_FILE } from './artifact/read-manifest.js';
import { WeightsWriter } from './artifact/weights.js';
import { type Backend, cpuBackend } from './backend.js';
import { type BuiltEngine, buildEngine } from './build-engine.js';
import { evaluateOnReference } from './evaluate.js';
import type { Graph, Node } from './ir/graph.js';
import type { Literal } from './ir/literal.js';
import { dumper, runPasses } from './ir/pass.js';
import { readModelFile } from './onnx/model-file.js';
import { operators } from './ops/index.js';
import type { ConvertOptions } from './options.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { type Source, writeEngine } from './stitch.js';
import { writeDirectory } from './support/atomic-dir.js';
import { CompileError } from './support/diagnostic.js';
import { cacheDirectory, env } from './support/env.js';
import { Progress } from './support/progress.js';
import { accuracyRecord, type OutputComparison } from './verify.js';
import { verifyEngine } from './verify-engine.js';
import { toolVersion } from './version.js';

export interface Conversion {
  readonly graph: Graph;
  readonly engine: BuiltEngine;
  readonly backend: Backend;
  /** Absent for a dry run. */
  readonly manifest: Manifest | undefined;
  readonly source: Source;
  /** Absent when nothing was compared. */
  readonly accuracy: readonly OutputComparison[] | undefined;
  readonly warnings: readonly string[];
  readonly stages: Progress['times'];
}

interface Job {
  readonly graph: Graph;
  readonly source: Source;
  readonly backend: Backend;
  readonly options: ConvertOptions;
  readonly progress: Progress;
  readonly reference: OnnxruntimeProcess;
  /** What the reference runs. */
  readonly model: string | Uint8Array;
}

type Made = Pick<Conversion, 'engine' | 'manifest' | 'accuracy'>;

/** Converts a model file into an engine directory. Throws a CompileError that says what to do. */
export async function convert(path: string, options: ConvertOptions): Promise<Conversion> {
  const progress = options.progress ?? new Progress({ quiet: true });
  const warnings: string[] = [];
  const { graph, source } = await progress.stage('import', undefined, () =>
    load(path, options, (w) => warnings.push(w)),
  );
  const backend = await cpuBackend(options.arch ?? 'native');
  const reference = new OnnxruntimeProcess();
  try {
    const lowered = await progress.stage('lower', undefined, () => lower(graph, backend, reference));
    const job: Job = { graph: lowered, source, backend, options, progress, reference, model: path };
    const finish = (made: Made): Conversion => ({
      ...made,
      graph: lowered,
      backend,
      source,
      warnings,
      stages: progress.times,
    });
    if (options.dryRun || options.output === undefined) return finish(await produce(job, undefined));
    const settings = { force: options.force ?? false, marker: 'manifest.json' };
    return await writeDirectory(options.output, settings, async (dir) =>
      finish(await produceVerified(job, dir)),
    );
  } finally {
    await reference.dispose();
  }
}

/** Reads a model file of any format the importers know. */
export async function load(
  path: string,
  options: ConvertOptions,
  warn: (message: string) => void,
): Promise<{ readonly graph: Graph; readonly source: Source }> {
  const { model, bytes, baseDir } = await readModelFile(path);
  const graph = importOnnx(model, { operators, baseDir, shapes: options.shapes, dims: options.dims, warn });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { graph, source: { name: basename(path), sha256, bytes: bytes.byteLength } };
}

/** Runs the passes, on the bodies of control flow first. */
export async function lower(g: Graph, backend: Backend, reference: OnnxruntimeProcess): Promise<Graph> {
  const filter = env('AIT_DUMP');
  const trace = filter === undefined ? undefined : dumper(new RegExp(filter), (s) => process.stderr.write(s));
  const passes = pipeline({
    fold: (constants) => evaluateOnReference(constants, reference),
    compiles: (n) => backend.refuse(n) === undefined,
  });
  const run = async (graph: Graph): Promise<Graph> =>
    runPasses(await lowerBranches(graph, run), passes, verify('lowered'), trace);
  return run(g);
}

/** Builds an engine and compares it; segments that miss the tolerance go back to onnxruntime. */
async function produceVerified(job: Job, dir: string): Promise<Made> {
  if (job.options.verify === false) return produce(job, dir);
  const failed = new Map<Node, string>();
  for (;;) {
    const made = await produce(job, dir, failed);
    const verdict = await job.progress.stage('verify', undefined, () =>
      verifyEngine(
        dir,
        made.manifest!,
        made.engine,
        job.graph,
        job.backend,
        job.model,
        job.reference,
        job.options,
      ),
    );
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

/** Partitions, builds, and writes into a directory when there is one. */
async function produce(job: Job, dir: string | undefined, failed = new Map<Node, string>()): Promise<Made> {
  const { graph, backend, options, progress } = job;
  let writer: WeightsWriter | undefined;
  const engine = await progress.stage('build', undefined, (stage) =>
    buildEngine(graph, backend, {
      fallbackOps: new Set(options.fallbackOps),
      fallbackNodes: new Set(options.fallbackNodes),
      ...(options.minBlockSize === undefined ? {} : { minBlockSize: options.minBlockSize }),
      failed,
      cacheDirectory: cacheDirectory(),
      jobs: options.threads ?? availableParallelism(),
      signal: options.signal,
      partitionOnly: dir === undefined,
      progress: (done, total) => stage.tick(`${done}/${total}`),
      weights: () => {
        writer?.close();
        writer = new WeightsWriter(join(dir!, 'weights.bin'));
        return storeIn(writer);
      },
    }),
  );
  if (options.requireFullCompilation) requireNoFallback(engine);
  if (dir === undefined) return { engine, manifest: undefined, accuracy: undefined };
  const weights = writer ? await writer.finish() : { bytes: 0, tensors: [] };
  const file = { file: 'weights.bin', ...weights };
  const manifest = await writeEngine(dir, graph, engine, job.source, backend, file, toolVersion);
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
  const lines = left
    .slice(0, 10)
    .map((d) => `${d.node.origin.name} (${d.node.origin.opType ?? d.node.op.name}): ${d.reason}`);
  throw new CompileError(
    'not-fully-compiled',
    `${left.length} nodes would stay on onnxruntime:\n    ${lines.join('\n    ')}`,
    'leave out --require-full-compilation to run them there',
  );
}
