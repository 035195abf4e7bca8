import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { childModule } from '../support/child-module.js';
import type { TypeReply } from './type-worker.js';

/**
 * The types of the results of each model as onnxruntime infers them; nothing for a model that it does not
 * load. The models are not trusted, so they are loaded in a process of their own.
 */
export async function resultTypes(
  models: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<readonly TypeReply[]> {
  const replies: TypeReply[] = [];
  let child: ChildProcess | undefined;
  try {
    for (const model of models) {
      signal?.throwIfAborted();
      child ??= start();
      const reply = await ask(child, model);
      if (!reply) child = undefined;
      replies.push(reply ?? []);
    }
    return replies;
  } finally {
    child?.kill('SIGKILL');
  }
}

function start(): ChildProcess {
  const { path, execArgv } = childModule('type-worker', import.meta.url);
  return fork(path, [], {
    execArgv: [...execArgv],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

/** The reply, or undefined when the process ended over it. */
async function ask(child: ChildProcess, model: Uint8Array): Promise<TypeReply | undefined> {
  const settled = new AbortController();
  const { signal } = settled;
  child.send(model, () => {});
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([reply]) => reply as TypeReply),
      once(child, 'exit', { signal }).then(() => undefined),
    ]);
  } finally {
    settled.abort();
  }
}
