/** The thread in which a pipeline with fallback steps runs, because onnxruntime blocks the thread it runs on. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Manifest } from '../artifact/manifest.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import { Pipeline } from './pipeline.js';

export interface PipelineSetup {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly threads: number;
}

export type PipelineRequest =
  | { readonly kind: 'run'; readonly id: number; readonly feeds: Entries; readonly wanted: readonly string[] }
  | { readonly kind: 'close'; readonly id: number };

export type PipelineReply =
  | { readonly kind: 'done'; readonly id: number; readonly values: Entries }
  | { readonly kind: 'failed'; readonly id: number; readonly error: PlainError };

export type Entries = readonly (readonly [name: string, tensor: TensorData])[];

export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly notes: readonly string[];
}

const { directory, manifest, threads } = workerData as PipelineSetup;
const opening = Pipeline.open(directory, manifest, { threads, blocking: true });
// Whoever asks next is told.
opening.catch(() => {});

async function answer(request: PipelineRequest): Promise<Entries> {
  const pipeline = await opening;
  if (request.kind === 'run') return [...(await pipeline.run(new Map(request.feeds), request.wanted))];
  await pipeline.close();
  return [];
}

function plain(error: unknown): PlainError {
  if (error instanceof CompileError) {
    const { code, message, hint, notes } = error;
    return { code, message, hint, notes };
  }
  return { code: 'run-failed', message: String(error), hint: undefined, notes: [] };
}

let queue: Promise<unknown> = Promise.resolve();
parentPort?.on('message', (request: PipelineRequest) => {
  queue = queue
    .then(() => answer(request))
    .then(
      (values) => reply({ kind: 'done', id: request.id, values }),
      (error: unknown) => reply({ kind: 'failed', id: request.id, error: plain(error) }),
    );
});

/** The outputs' memory goes along; nobody here needs it any more. */
function reply(message: PipelineReply): void {
  const buffers = message.kind === 'done' ? message.values.map(([, { bytes }]) => bytes.buffer) : [];
  const owned = buffers.filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
  parentPort?.postMessage(message, [...new Set(owned)]);
}
