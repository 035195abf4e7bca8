import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { childModule } from '../support/child-module.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import type { Runner, Values } from './pipeline.js';
import type { PipelineReply, PipelineRequest, PipelineSetup, PlainError } from './pipeline-worker.js';

interface Waiting {
  readonly resolve: (values: Values) => void;
  readonly reject: (error: Error) => void;
}

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/** A pipeline in a thread of its own, which runs one request after another. */
export class OffloadedPipeline implements Runner {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #ended: CompileError | undefined;

  private constructor(setup: PipelineSetup) {
    this.#worker = startWorker(setup);
    this.#worker.on('message', (reply: PipelineReply) => this.#settle(reply));
    this.#worker.on('error', (error: Error) => this.#end(error.message));
    this.#worker.on('exit', (code) => this.#end(`exit code ${code}`));
  }

  /** Fails where the pipeline cannot be opened. */
  static async open(setup: PipelineSetup): Promise<OffloadedPipeline> {
    const pipeline = new OffloadedPipeline(setup);
    try {
      await pipeline.run(new Map(), []);
      return pipeline;
    } catch (error) {
      await pipeline.#worker.terminate();
      throw error;
    }
  }

  /** The feeds are copied, so the caller may change them as soon as this returns. */
  run(feeds: Values, wanted: readonly string[]): Promise<Values> {
    const copies = [...feeds].map(([name, tensor]) => [name, ownMemory(tensor)] as const);
    const buffers = copies.map(([, { bytes }]) => bytes.buffer as ArrayBuffer);
    return this.#ask({ kind: 'run', feeds: copies, wanted }, buffers);
  }

  async close(): Promise<void> {
    if (this.#ended === undefined) await this.#ask({ kind: 'close' }, []);
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
  }

  #ask(request: Unnumbered<PipelineRequest>, transfer: readonly ArrayBuffer[]): Promise<Values> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#requests++;
    // Only a request in progress keeps the process alive.
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id }, [...transfer]);
    });
  }

  #settle(reply: PipelineReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.kind === 'done') waiting?.resolve(new Map(reply.values));
    else waiting?.reject(revived(reply.error));
  }

  #end(how: string): void {
    this.#ended ??= new CompileError('runtime-crashed', `the thread that runs the model ended: ${how}`);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}

function startWorker(setup: PipelineSetup): Worker {
  const { path } = childModule('pipeline-worker', import.meta.url);
  if (path.endsWith('.js')) return new Worker(path, { workerData: setup, execArgv: [] });
  // From the sources: Node 20 does not ask a loader of `execArgv` about the worker's own module.
  const tsx = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs');
  const load = (file: string) => `import(${JSON.stringify(pathToFileURL(file).href)})`;
  const code = `${load(tsx)}.then(({ register }) => { register(); return ${load(path)}; })`;
  return new Worker(code, { eval: true, workerData: setup, execArgv: [] });
}

function ownMemory(tensor: TensorData): TensorData {
  const bytes = new Uint8Array(tensor.bytes.byteLength);
  bytes.set(tensor.bytes);
  return { ...tensor, bytes };
}

function revived({ code, message, hint, notes }: PlainError): CompileError {
  const error = new CompileError(code, message, hint);
  error.notes.push(...notes);
  return error;
}
