import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { childModule } from '../support/child-module.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import type { BenchReply, BenchRequest } from './bench-worker.js';

/** onnxruntime with all its optimisations, in a child process that is timed from inside. */
export class TimedOnnxruntime {
  readonly #child: ChildProcess;
  readonly #killOnExit = () => this.#child.kill('SIGKILL');

  private constructor() {
    const { path, execArgv } = childModule('bench-worker', import.meta.url);
    const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
    this.#child = fork(path, { execArgv: [...execArgv], serialization: 'advanced', stdio: [...stdio] });
    process.on('exit', this.#killOnExit);
  }

  static async open(
    model: string | Uint8Array,
    feeds: ReadonlyMap<string, TensorData>,
    threads: number,
  ): Promise<TimedOnnxruntime> {
    const side = new TimedOnnxruntime();
    try {
      await side.#ask({ kind: 'open', model, threads, feeds: [...feeds] });
      return side;
    } catch (e) {
      side.dispose();
      throw e;
    }
  }

  /** Milliseconds of `runs` runs in a row. */
  async block(runs: number): Promise<readonly number[]> {
    const reply = await this.#ask({ kind: 'block', runs });
    return reply.kind === 'times' ? reply.times : [];
  }

  dispose(): void {
    process.off('exit', this.#killOnExit);
    this.#child.kill('SIGKILL');
  }

  async #ask(request: BenchRequest): Promise<BenchReply> {
    const child = this.#child;
    const ended = new AbortController();
    const end = once(child, 'close', { signal: ended.signal }).then(
      () => ({ kind: 'failed', reason: 'it ended' }) as const,
      () => ({ kind: 'failed', reason: 'it was stopped' }) as const,
    );
    const answer = once(child, 'message', { signal: ended.signal }).then(([m]) => m as BenchReply);
    answer.catch(() => {});
    child.send(request);
    const reply = await Promise.race([answer, end]);
    ended.abort();
    if (reply.kind === 'failed')
      throw new CompileError('reference-failed', `onnxruntime does not run the model: ${reply.reason}`);
    return reply;
  }
}
