import { fork } from 'node:child_process';
import { childModule } from '../../src/support/child-module.js';
import type { TargetOptions } from '../../src/target.js';
import type { ZooModel } from '../zoo-fetch.js';
import type { ZooJob, ZooResult } from './worker.js';

export type ZooOutcome = { readonly result: ZooResult } | { readonly error: string };

/** Converts and runs a model of the zoo in a child process of its own. */
export const runModel = (model: ZooModel, target: TargetOptions = {}): Promise<ZooOutcome> =>
  runJob({ kind: 'both', model, target });

/** Does a part of that in a child process of its own. */
export function runJob(job: ZooJob, timeoutMs = 600_000): Promise<ZooOutcome> {
  const { path, execArgv } = childModule('worker', import.meta.url);
  const child = fork(path, { execArgv: [...execArgv], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  return new Promise((resolve) => {
    const finish = (outcome: ZooOutcome): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      resolve(outcome);
    };
    const timer = setTimeout(() => finish({ error: `not finished after ${timeoutMs / 1000} s` }), timeoutMs);
    child.on('message', finish);
    child.on('exit', (code, signal) => finish({ error: `the process ended (${signal ?? code})` }));
    child.send(job);
  });
}

/** Whether it ran on every set of inputs with the right results. */
export const isRight = (outcome: ZooOutcome): boolean =>
  'result' in outcome && outcome.result.runs.every((r) => !r.error && r.outputs.every((o) => o.pass));

export const isFullyCompiled = ({ nodes }: ZooResult): boolean => nodes.compiled === nodes.all;
