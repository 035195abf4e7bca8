import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { importOnnx } from '../importers/onnx/import.js';
import { pipeline } from '../lowering/pipeline.js';
import type { Manifest } from './artifact/manifest.js';
import { WeightsWriter } from './artifact/weights.js';
import { type Backend, cpuBackend } from './backend.js';
import { type BuiltEngine, buildEngine } from './build-engine.js';
import { evaluateOnReference } from './evaluate.js';
import type { Graph } from './ir/graph.js';
import type { Literal } from './ir/literal.js';
import { dumper, runPasses } from './ir/pass.js';
import { verify as verifyGraph } from './ir/verify.js';
import { readModelFile } from './onnx/model-file.js';
import { operators } from './ops/index.js';
import type { ConvertOptions } from './options.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { type Source, writeEngine } from './stitch.js';
import { writeDirectory } from './support/atomic-dir.js';
import { CompileError } from './support/diagnostic.js';
import { cacheDirectory, env } from './support/env.js';
import { Progress } from './support/progress.js';
import { toolVersion } from './version.js';

export interface Conversion {
  readonly graph: Graph;
  readonly engine: BuiltEngine;
  readonly backend: Backend;
  /** Absent for a dry run. */
  readonly manifest: Manifest | undefined;
  readonly warnings: readonly string[];
  readonly stages: Progress['times'];
}

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
    const write = (dir: string | undefined) =>
      progress.stage('build', undefined, (stage) =>
        produce(lowered, backend, dir, source, options, (done, total) => stage.tick(`${done}/${total}`)),
      );
    if (options.dryRun || options.output === undefined)
      return { ...(await write(undefined)), graph: lowered, backend, warnings, stages: progress.times };
    const settings = { force: options.force ?? false, marker: 'manifest.json' };
    return await writeDirectory(options.output, settings, async (dir) => {
      const made = await write(dir);
      return { ...made, graph: lowered, backend, warnings, stages: progress.times };
    });
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

export async function lower(g: Graph, backend: Backend, reference: OnnxruntimeProcess): Promise<Graph> {
  const filter = env('AIT_DUMP');
  const trace = filter === undefined ? undefined : dumper(new RegExp(filter), (s) => process.stderr.write(s));
  const passes = pipeline({
    fold: (constants) => evaluateOnReference(constants, reference),
    compiles: (n) => backend.refuse(n) === undefined,
  });
  return runPasses(g, passes, verifyGraph, trace);
}

/** Partitions, builds, and writes into a directory when there is one. */
async function produce(
  g: Graph,
  backend: Backend,
  dir: string | undefined,
  source: Source,
  options: ConvertOptions,
  progress: (done: number, total: number) => void,
): Promise<{ readonly engine: BuiltEngine; readonly manifest: Manifest | undefined }> {
  let writer: WeightsWriter | undefined;
  const engine = await buildEngine(g, backend, {
    fallbackOps: new Set(options.fallbackOps),
    fallbackNodes: new Set(options.fallbackNodes),
    ...(options.minBlockSize === undefined ? {} : { minBlockSize: options.minBlockSize }),
    cacheDirectory: cacheDirectory(),
    jobs: options.threads ?? availableParallelism(),
    signal: options.signal,
    partitionOnly: dir === undefined,
    progress,
    weights: () => {
      writer?.close();
      writer = new WeightsWriter(join(dir!, 'weights.bin'));
      return storeIn(writer);
    },
  });
  if (options.requireFullCompilation) requireNoFallback(engine);
  if (dir === undefined) return { engine, manifest: undefined };
  const weights = writer ? await writer.finish() : { bytes: 0, tensors: [] };
  const manifest = await writeEngine(
    dir,
    g,
    engine,
    source,
    backend,
    { file: 'weights.bin', ...weights },
    toolVersion,
  );
  return { engine, manifest };
}

/** Each constant once, however many kernels read it. */
function storeIn(writer: WeightsWriter): { append(l: Literal): number } {
  const known = new Map<Literal, number>();
  return {
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
