import { fork } from 'node:child_process';
import { childModule } from '../support/child-module.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import type { TrialReply, TrialRequest } from './trial-worker.js';

export interface TrialOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default five minutes: a first run should end. */
  readonly timeoutMs?: number;
}

/**
 * Opens an engine directory and runs it once in a process of its own, which may crash or hang without harm.
 * Gives what went wrong, as a sentence, or nothing. Throws `no-device` or
 * `out-of-memory` when it cannot be opened for that.
 */
export function trial(
  directory: string,
  feeds: ReadonlyMap<string, TensorData>,
  { threads, signal, timeoutMs = 300_000 }: TrialOptions = {},
): Promise<string | undefined> {
  signal?.throwIfAborted();
  const { path, execArgv } = childModule('trial-worker', import.meta.url);
  const child = fork(path, [], { execArgv: [...execArgv], serialization: 'advanced', stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      child.kill('SIGKILL');
    };
    const timer = setTimeout(stop, timeoutMs);
    let answer: TrialReply | undefined;
    signal?.addEventListener('abort', stop);
    process.on('exit', stop);
    child.on('message', (reply: TrialReply) => {
      answer = reply;
    });
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      process.off('exit', stop);
      if (signal?.aborted) reject(signal.reason);
      else if (answer?.unopened) reject(new CompileError(answer.unopened, answer.problem!));
      else if (answer) resolve(answer.problem);
      else resolve(`running it ended the process (${killedBy ?? `exit code ${code}`})`);
    });
    child.send({ directory, feeds: [...feeds], threads } satisfies TrialRequest, (e) => {
      if (e) stop();
    });
  });
}
