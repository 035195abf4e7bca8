import { type ChildProcess, fork } from 'node:child_process';
import { childModule } from '../../src/support/child-module.js';
import type { Material } from './mutant.js';
import type { Said } from './worker.js';

export type Result = Extract<Said, { kind: 'outcome' }>;

export interface PoolOptions {
  readonly material: Material;
  readonly seed: number;
  readonly jobs: number;
  readonly timeoutMs: number;
  readonly result: (r: Result) => void;
  /** No batch is begun once this holds. */
  readonly until?: () => boolean;
}

const batchSize = 40;
/** For a process to start. */
const startMs = 120_000;

/** Tries mutants in child processes. One that hangs or kills its process is told, and the others go on. */
export async function tryMutants(indices: readonly number[], options: PoolOptions): Promise<void> {
  const waiting = [...indices];
  const lane = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    let left: readonly number[] = [];
    try {
      for (;;) {
        if (left.length === 0) {
          if (options.until?.()) return;
          left = waiting.splice(0, batchSize);
        }
        if (left.length === 0) return;
        child ??= start();
        const done = await runBatch(child, left, options);
        left = left.slice(done.count);
        if (done.ended) child = undefined;
      }
    } finally {
      child?.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, lane));
}

function start(): ChildProcess {
  const { path, execArgv } = childModule('worker', import.meta.url);
  return fork(path, {
    execArgv: [...execArgv, '--max-old-space-size=1024', '--stack-size=984'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

/** How many of the batch were dealt with, and whether the process ended over the last of them. */
function runBatch(
  child: ChildProcess,
  indices: readonly number[],
  { material, seed, timeoutMs, result }: PoolOptions,
): Promise<{ readonly count: number; readonly ended: boolean }> {
  return new Promise((resolve) => {
    let count = 0;
    let late = false;
    let stage: Extract<Said, { kind: 'stage' }> | undefined;
    let timer: NodeJS.Timeout | undefined;
    const watch = (ms = timeoutMs): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, ms);
    };
    const finish = (ended: boolean): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
      resolve({ count, ended });
    };
    const onMessage = (said: Said): void => {
      if (said.kind === 'stage') {
        stage = said;
        if (said.stage === 'import') watch();
        return;
      }
      count++;
      stage = undefined;
      result(said);
      if (count === indices.length) finish(false);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      const index = indices[count];
      // A process that leaves between two mutants was full; the next one is not to blame.
      if (index !== undefined && (stage !== undefined || code !== 0)) {
        count++;
        const outcome = {
          kind: late ? ('hang' as const) : ('crash' as const),
          stage: stage?.stage ?? ('import' as const),
          reason: late ? `not finished after ${timeoutMs / 1000} s` : `the process ended (${signal ?? code})`,
        };
        const what = stage?.what ?? 'while it was made';
        result({
          kind: 'outcome',
          index,
          outcome,
          ms: late ? timeoutMs : 0,
          what,
          mutations: what.replace(/^.*: /, '').split(', '),
        });
      }
      finish(true);
    };
    child.on('message', onMessage).on('exit', onExit);
    watch(startMs);
    child.send({ material, seed, indices });
  });
}
