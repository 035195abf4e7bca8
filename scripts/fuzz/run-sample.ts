import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { childModule } from '../../src/support/child-module.js';
import { cacheDirectory } from '../../src/support/env.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { type Material, mutantOf } from './mutant.js';
import { isRunBug, type RunReply } from './run-result.js';
import type { RunJob } from './run-worker.js';

export interface SampleOptions {
  readonly material: Material;
  readonly seed: number;
  readonly jobs: number;
  readonly result: (index: number, what: string, reply: RunReply) => void;
  /** Where mutants that show a bug are kept. */
  readonly keep?: string;
}

/** Much more than onnxruntime is given in all: whatever takes so long is ours. */
const timeoutMs = 300_000;

/** Converts and runs mutants, each child with a home, a folder for temporary files and a working directory to itself. */
export const runSample = (indices: readonly number[], options: SampleOptions): Promise<readonly string[]> =>
  withTemporaryDirectory('ait-fuzz', async (root) => {
    const waiting = [...indices];
    for (const name of ['out', 'model', ...privateFolders]) await mkdir(join(root, name));
    const lane = async (): Promise<void> => {
      let child: ChildProcess | undefined;
      try {
        for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
          child ??= start(root);
          const { bytes, source, kinds } = mutantOf(options.material, options.seed, index);
          const model = join(root, 'model', `${index}.onnx`);
          await writeFile(model, bytes);
          const reply = await ask(child, { model, output: join(root, 'out', String(index)) });
          if (child.exitCode !== null || child.signalCode !== null) child = undefined;
          if (options.keep !== undefined && isRunBug(reply))
            await copyFile(model, join(options.keep, `${index}.onnx`));
          options.result(index, `${source.split('/').slice(-2).join('/')}: ${kinds.join(', ')}`, reply);
        }
      } finally {
        if (child) {
          const ended = once(child, 'exit');
          child.disconnect();
          await ended;
        }
      }
    };
    await Promise.all(Array.from({ length: options.jobs }, lane));
    return strayFiles(root);
  });

const privateFolders = ['home', 'tmp', 'cwd'];

/** Files that were written anywhere but into the outputs. What tsx caches is its own. */
async function strayFiles(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir(root))
    if (!['out', 'model', ...privateFolders].includes(name)) found.push(name);
  for (const folder of privateFolders)
    for (const name of await readdir(join(root, folder)))
      if (!name.startsWith('tsx-')) found.push(join(folder, name));
  const beside = await readdir(dirname(root));
  return [...found, ...beside.filter((name) => name.includes('ait_hostile_word'))];
}

/** The end of what each child wrote to its standard error. */
const lastWords = new WeakMap<ChildProcess, string>();

function start(root: string): ChildProcess {
  const { path, execArgv } = childModule('run-worker', import.meta.url);
  const child = fork(path, {
    execArgv: [...execArgv],
    cwd: join(root, 'cwd'),
    env: {
      ...process.env,
      AIT_CACHE_DIR: cacheDirectory(),
      HOME: join(root, 'home'),
      TMPDIR: join(root, 'tmp'),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.on('data', (text: Buffer) => {
    lastWords.set(child, ((lastWords.get(child) ?? '') + text).slice(-2000));
  });
  return child;
}

function ask(child: ChildProcess, job: RunJob): Promise<RunReply> {
  return new Promise((resolve) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const finish = (reply: RunReply): void => {
      clearTimeout(timer);
      child.off('message', finish).off('close', onEnd);
      resolve(reply);
    };
    const onEnd = (code: number | null, signal: string | null): void =>
      finish(
        late
          ? { kind: 'HANG', detail: `not finished after ${timeoutMs / 1000} s` }
          : {
              kind: 'CRASH',
              detail: `the process ended (${signal ?? code}): ${lastWords.get(child)?.trim()}`,
            },
      );
    child.on('message', finish).on('close', onEnd);
    child.send(job);
  });
}
