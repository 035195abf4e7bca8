import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from './interruption.js';
import type { Graph, Node } from './ir/graph.js';
import type { ConvertOptions } from './options.js';
import { type Job, type Produced, produce, writeManifest } from './produce.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import { CompileError } from './support/diagnostic.js';
import { Progress } from './support/progress.js';
import { accuracyRecord, type OutputComparison } from './verify.js';
import { type Verdict, verifyEngine } from './verify-engine.js';

export interface Comparable extends Job {
  readonly reference: OnnxruntimeProcess;
  /** The same model lowered for other options. */
  lowered(options: ConvertOptions): Promise<Lowered>;
  /** What the reference runs: the user's file, or where onnxruntime is too old for it, the same graph rewritten. */
  readonly models: readonly (() => string | Uint8Array)[];
  readonly warnings: string[];
}

export type Lowered = Pick<Job, 'graph' | 'backend'>;

export interface Verified extends Produced, Lowered {
  /** Absent when nothing was compared. */
  readonly accuracy: readonly OutputComparison[] | undefined;
}

/**
 * Builds an engine and compares it. Where it misses the tolerance, 16 bits are given up first, by the nodes at fault
 * or by all; then segments go back to onnxruntime.
 */
export async function produceVerified(first: Comparable, dir: string): Promise<Verified> {
  let job = first;
  const failed = new Map<Node, string>();
  for (;;) {
    const { graph, backend } = job;
    const made = { graph, backend, ...(await produce(job, dir, failed)) };
    if (job.options.verify === false) return { ...made, accuracy: undefined };
    await pause(job.options.signal);
    const verdict = await job.progress.stage('verify', undefined, () => compared(job, dir, made));
    if (verdict === undefined) return { ...made, accuracy: undefined };
    const accuracy = verdict.comparisons;
    const options = withMoreBits(job, verdict);
    if (options !== undefined) {
      job = { ...job, options, ...(await job.lowered(options)) };
      failed.clear();
    } else if (verdict.culprits.size > 0) {
      for (const [node, reason] of verdict.culprits) failed.set(node, reason);
    } else {
      const manifest = { ...made.manifest!, accuracy: accuracy.map(accuracyRecord) };
      await writeManifest(dir, manifest);
      return { ...made, manifest, accuracy };
    }
    await emptyDirectory(dir);
  }
}

/** What to ask for in place of narrow floats that miss the tolerance; undefined when they do not, or there are none. */
function withMoreBits(
  { backend, options, warnings }: Comparable,
  { comparisons, culprits, single }: Verdict,
): ConvertOptions | undefined {
  const missed = comparisons.find(({ comparison }) => !comparison.pass);
  const { narrow, tf32 } = backend;
  if (!missed || (!narrow && !tf32)) return undefined;
  const { problem, maxAbs } = missed.comparison;
  const by = `${missed.output} by ${problem ?? maxAbs.toExponential(2)}`;
  const type = narrow ? { f16: 'fp16', bf16: 'bf16' }[narrow.precision] : 'TF32';
  const known = new Set(options.f32Nodes);
  const names = [...culprits.keys()].map((n) => n.origin.name).filter((name) => !known.has(name));
  const some = single && names.length > 0;
  const what = some ? names.join(', ') : 'the whole model';
  warnings.push(`in ${type} the results miss the tolerance, ${by}; computed in fp32 instead: ${what}`);
  return some
    ? { ...options, f32Nodes: [...known, ...names] }
    : { ...options, precision: 'f32', tf32: false, f32Nodes: [] };
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
