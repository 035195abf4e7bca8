import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Manifest, Port } from './artifact/manifest.js';
import { MANIFEST_FILE } from './artifact/read-manifest.js';
import { WeightsWriter } from './artifact/weights.js';
import type { Backend } from './backend.js';
import { type BuiltEngine, buildEngine } from './build-engine.js';
import { pause } from './interruption.js';
import type { Node } from './ir/graph.js';
import type { LoadedModel } from './load.js';
import type { ConvertOptions } from './options.js';
import { writeEngine } from './stitch.js';
import { CompileError } from './support/diagnostic.js';
import { cacheDirectory } from './support/env.js';
import type { Progress } from './support/progress.js';
import { scaleOf } from './verify-engine.js';
import { toolVersion } from './version.js';
import { storeIn } from './weight-store.js';

/** A conversion whose graph is lowered: what is left is to make an engine of it. */
export interface Job extends LoadedModel {
  readonly backend: Backend;
  readonly options: ConvertOptions;
  readonly progress: Progress;
  /** Element types that the model's inputs and outputs have, by name. */
  readonly modelTypes?: ReadonlyMap<string, string>;
}

export interface Produced {
  readonly engine: BuiltEngine;
  /** Absent where nothing was written. */
  readonly manifest: Manifest | undefined;
}

/** Partitions, builds, and writes into a directory when there is one. */
export async function produce(
  job: Job,
  dir: string | undefined,
  failed: ReadonlyMap<Node, string> = new Map(),
): Promise<Produced> {
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
  if (dir === undefined) return { engine, manifest: undefined };
  const weights = writer ? await writer.finish() : { bytes: 0, tensors: [] };
  const file = { file: 'weights.bin', ...weights };
  const written = await writeEngine(dir, graph, engine, job.source, backend, file, toolVersion);
  const guards = job.guards && job.guards.length > 0 ? { guards: job.guards } : {};
  const modelTypes = job.modelTypes ?? new Map<string, string>();
  const typed = (p: Port): Port => {
    const modelDtype = modelTypes.get(p.name) ?? p.dtype;
    return modelDtype === p.dtype ? p : { ...p, modelDtype };
  };
  const ports = { inputs: written.inputs.map(typed), outputs: written.outputs.map(typed) };
  const manifest = { ...written, ...ports, ...guards, scale: scaleOf(graph, backend) };
  await writeManifest(dir, manifest);
  return { engine, manifest };
}

export const writeManifest = (dir: string, manifest: Manifest): Promise<void> =>
  writeFile(join(dir, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 1)}\n`);

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
