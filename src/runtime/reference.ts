import { type ChildProcess, fork } from 'node:child_process';
import { type Blob, memoryBlob } from '../support/blob.js';
import { childModule } from '../support/child-module.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import { UnnamedFile } from '../support/unnamed-file.js';
import type { ReferenceOutput, ReferenceReply, ReferenceRequest } from './reference-worker.js';

export type ReferenceOptions = {
  /** How much onnxruntime may rewrite the graph. Default `disabled`: the plainest reading of the model. */
  readonly optimization?: ReferenceRequest['optimization'];
  /** Default 1: the same sums in the same order on every machine. */
  readonly threads?: number;
  /** The graph outputs to compute; default all. */
  readonly fetches?: readonly string[];
  /** Aborting ends the child process, whatever it is doing. */
  readonly signal?: AbortSignal;
  /** Default: what the process was made with. */
  readonly timeoutMs?: number;
};

/** A result whose elements are read when somebody asks. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly blob: Blob;
}

/** Without a folder for temporary files, results are held in memory. */
function newSpill(): Spill | undefined {
  try {
    return { file: new UnnamedFile(), end: 0 };
  } catch {
    return undefined;
  }
}

type Outputs = readonly (readonly [name: string, tensor: ReferenceOutput])[];

/** Where large results go, and where the next one may begin. */
interface Spill {
  readonly file: UnnamedFile;
  end: number;
}

/** Results of fewer bytes are cheaper to hold than to read. */
const leastStored = 1 << 18;

/** Runs one model once in a child process of its own. */
export async function runOnnxruntime(
  model: string | Uint8Array,
  feeds: ReadonlyMap<string, TensorData>,
  options: ReferenceOptions = {},
): Promise<Map<string, TensorData>> {
  const process = new OnnxruntimeProcess();
  try {
    return await process.run(model, feeds, options);
  } finally {
    process.dispose();
  }
}

/**
 * A child process that runs models on onnxruntime one after another, which saves its start for all but the
 * first. If a model kills it, that run fails with the reason and the next one starts a new process.
 */
export class OnnxruntimeProcess {
  readonly #timeoutMs: number;
  #spill: Spill | undefined;
  #child: ChildProcess | undefined;
  #stderr = '';
  #queue: Promise<unknown> = Promise.resolve();
  readonly #killOnExit = () => this.#child?.kill('SIGKILL');

  /** Some models never end on onnxruntime: a run that takes longer than `timeoutMs` fails. */
  constructor({ timeoutMs = 300_000 }: { readonly timeoutMs?: number } = {}) {
    this.#timeoutMs = timeoutMs;
  }

  async run(
    model: string | Uint8Array,
    feeds: ReadonlyMap<string, TensorData>,
    options: ReferenceOptions = {},
  ): Promise<Map<string, TensorData>> {
    return new Map(await this.#inTurn(requestOf(model, feeds, options), options));
  }

  /** Like `run`; large results stay in a file until somebody reads them. */
  async runStored(
    model: string | Uint8Array,
    feeds: ReadonlyMap<string, TensorData>,
    options: ReferenceOptions = {},
  ): Promise<ReadonlyMap<string, StoredTensor>> {
    const outputs = await this.#inTurn(requestOf(model, feeds, options), options, true);
    return new Map(
      outputs.map(([name, { dtype, shape, bytes, spilled }]) => {
        const blob = spilled ? this.#spill!.file.blob(spilled.at, spilled.bytes) : memoryBlob(bytes);
        return [name, { dtype, shape, blob }];
      }),
    );
  }

  #inTurn(request: ReferenceRequest, options: ReferenceOptions, stored = false): Promise<Outputs> {
    const result = this.#queue.then(async () => {
      options.signal?.throwIfAborted();
      const child = this.#child ?? this.#start();
      const spill = stored ? this.#spill : undefined;
      const asked = spill ? { ...request, spill: { at: spill.end, from: leastStored } } : request;
      const outputs = outputsOf(await this.#exchange(child, asked, options));
      for (const [, { spilled }] of outputs) if (spilled) spill!.end = spilled.at + spilled.bytes;
      return outputs;
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Ends the process. A run in progress fails. */
  dispose(): void {
    this.#child?.kill('SIGKILL');
    this.#forget();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #exchange(
    child: ChildProcess,
    request: ReferenceRequest,
    { signal, timeoutMs = this.#timeoutMs }: ReferenceOptions,
  ): Promise<ReferenceReply> {
    this.#stderr = '';
    return new Promise<ReferenceReply>((resolve, reject) => {
      const stop = (reason: unknown) => {
        child.kill('SIGKILL');
        this.#forget(child);
        finish(() => reject(reason));
      };
      const onMessage = (reply: ReferenceReply) => finish(() => resolve(reply));
      const onEnd = (code: number | null, killedBy: NodeJS.Signals | null) => {
        this.#forget(child);
        finish(() => reject(crashed(killedBy ?? `exit code ${code}`, this.#stderr)));
      };
      const onAbort = () => stop(signal?.reason);
      const timer = setTimeout(() => stop(timedOut(timeoutMs)), timeoutMs);
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        child.off('message', onMessage).off('close', onEnd).off('error', stop);
        hold(child, false);
        settle();
      };
      hold(child, true);
      signal?.addEventListener('abort', onAbort);
      child.on('message', onMessage).on('close', onEnd).on('error', stop);
      child.send(request);
    });
  }

  #start(): ChildProcess {
    const { path, execArgv } = childModule('reference-worker', import.meta.url);
    this.#spill ??= newSpill();
    const child = fork(path, [String(process.pid)], {
      execArgv: [...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', this.#spill?.file.fd ?? 'ignore'],
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    process.on('exit', this.#killOnExit);
    this.#child = child;
    return child;
  }

  #forget(child = this.#child): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    process.off('exit', this.#killOnExit);
  }
}

/** Only a run in progress keeps the parent alive. */
function hold(child: ChildProcess, held: boolean): void {
  const { stderr, channel } = child;
  const pipe = stderr !== null && 'ref' in stderr ? (stderr as unknown as NodeJS.RefCounted) : undefined;
  for (const handle of [child, pipe, channel]) {
    if (held) handle?.ref();
    else handle?.unref();
  }
}

const requestOf = (
  model: string | Uint8Array,
  feeds: ReadonlyMap<string, TensorData>,
  { fetches, optimization = 'disabled', threads = 1 }: ReferenceOptions,
): ReferenceRequest => ({ model, feeds: [...feeds], fetches, optimization, threads });

function outputsOf(reply: ReferenceReply): Outputs {
  switch (reply.kind) {
    case 'outputs':
      return reply.outputs;
    case 'refused':
      throw new CompileError(
        'reference-refused',
        `onnxruntime cannot be the reference: ${reply.reason}, which its Node binding does not carry`,
        'compare up to a value of another type, or give expected outputs with --data-set',
      );
    case 'failed':
      throw new CompileError('reference-failed', `onnxruntime does not run the model: ${reply.reason}`);
    default:
      return reply satisfies never;
  }
}

function crashed(how: string, stderr: string): CompileError {
  const error = new CompileError(
    'reference-crashed',
    `onnxruntime ended (${how}) while it ran the model`,
    'the model may be damaged, or meet a bug of onnxruntime; the conversion does not need it with --no-verify',
  );
  error.notes.push(...stderr.trim().split('\n').slice(-3).filter(Boolean));
  return error;
}

function timedOut(ms: number): CompileError {
  return new CompileError('reference-timeout', `onnxruntime did not finish within ${ms / 1000} s`);
}
