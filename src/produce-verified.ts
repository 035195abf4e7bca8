import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from './interruption.js';
import type { Graph, Node } from './ir/graph.js';
import { type Job, type Produced, produce, writeManifest } from './produce.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { CompileError } from './support/diagnostic.js';
import { Progress } from './support/progress.js';
import { accuracyRecord, type OutputComparison } from './verify.js';
import { type Verdict, verifyEngine } from './verify-engine.js';

export interface Comparable extends Job {
  readonly reference: OnnxruntimeProcess;
  /** What the reference runs: the user's file, or where onnxruntime is too old for it, the same graph rewritten. */
  readonly models: readonly (() => string | Uint8Array)[];
  readonly warnings: string[];
}

export interface Verified extends Produced {
  /** Absent when nothing was compared. */
  readonly accuracy: readonly OutputComparison[] | undefined;
}

/** Builds an engine and compares it; segments that miss the tolerance go back to onnxruntime. */
export async function produceVerified(job: Comparable, dir: string): Promise<Verified> {
  if (job.options.verify === false) return { ...(await produce(job, dir)), accuracy: undefined };
  const failed = new Map<Node, string>();
  for (;;) {
    const made = await produce(job, dir, failed);
    await pause(job.options.signal);
    const verdict = await job.progress.stage('verify', undefined, () => compared(job, dir, made));
    if (verdict === undefined) return { ...made, accuracy: undefined };
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
async function compared(job: Comparable, dir: string, made: Produced): Promise<Verdict | undefined> {
  const { manifest, engine } = made;
  const { graph, backend, reference, options } = job;
  let first: CompileError | undefined;
  const build = async (g: Graph, to: string): Promise<void> => {
    const part = { ...options, minBlockSize: undefined, requireFullCompilation: false };
    await produce(
      { ...job, graph: g, modelTypes: new Map(), options: part, progress: new Progress({ quiet: true }) },
      to,
    );
  };
  for (const model of job.models)
    try {
      return await verifyEngine(dir, manifest!, engine, graph, backend, model(), reference, options, build);
    } catch (e) {
      if (!(e instanceof CompileError) || options.signal?.aborted || !incomparable.has(e.code)) throw e;
      first ??= e;
      if (e.code !== 'reference-failed') break;
    }
  job.warnings.push(`the result was not compared with onnxruntime: ${whyNot(first!)}`);
  return undefined;
}

/** On another machine it can be made up for. */
const whyNot = ({ code, message }: CompileError): string =>
  code === 'no-device' ? `${message.replace(/; .*/, '')}; run ait-convert diff where there is one` : message;

const incomparable = new Set([
  'needs-inputs',
  'bad-tensor',
  'reference-failed',
  'reference-refused',
  'reference-crashed',
  'reference-timeout',
  'no-device',
  'out-of-memory',
]);

async function emptyDirectory(dir: string): Promise<void> {
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
}
