import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { childModule } from '../../src/support/child-module.js';
import type { CaseJob, CaseReply } from './worker.js';

/** Runs cases in a child process, and starts another when a case kills it or takes too long. */
export class CaseRunner {
  #child: ChildProcess | undefined;

  /** What the child prints is shown or not. */
  constructor(
    readonly env: Readonly<Record<string, string>>,
    readonly output: 'inherit' | 'ignore' = 'ignore',
  ) {}

  run(job: CaseJob, timeoutMs = 60_000): Promise<CaseReply> {
    const child = this.#child ?? this.#start();
    return new Promise((resolve) => {
      let late = false;
      const finish = (reply: CaseReply): void => {
        clearTimeout(timer);
        child.off('message', finish).off('exit', onExit);
        resolve(reply);
      };
      const onExit = (code: number | null, signal: string | null): void => {
        this.#child = undefined;
        const reason = late
          ? `not finished after ${timeoutMs / 1000} s`
          : `the process ended (${signal ?? code})`;
        finish({ stage: 'run', reason });
      };
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, timeoutMs);
      child.on('message', finish).on('exit', onExit);
      child.send(job);
    });
  }

  /** Lets the child end by itself, as a tool that watches it needs. */
  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    const exit = once(child, 'exit');
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    child.disconnect();
    await exit;
    clearTimeout(timer);
  }

  dispose(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const { path, execArgv } = childModule('worker', import.meta.url);
    this.#child = fork(path, {
      execArgv: [...execArgv],
      env: { ...process.env, ...this.env },
      stdio: ['ignore', this.output, this.output, 'ipc'],
    });
    return this.#child;
  }
}
