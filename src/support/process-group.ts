import { execa } from 'execa';

const running = new Set<number>();
const grouped = process.platform !== 'win32';

function stopAll(): void {
  for (const pid of running) stop(pid);
}

function stop(pid: number): void {
  try {
    process.kill(grouped ? -pid : pid, 'SIGTERM');
  } catch {
    // It ended by itself.
  }
}

/**
 * Runs a program in a process group of its own and ends the whole group when the signal fires or this process
 * ends: a compiler driver that is stopped alone leaves the compiler behind.
 */
export async function runGroup(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const child = execa(file, args, { env, detached: grouped, cleanup: !grouped });
  const { pid } = child;
  if (pid === undefined) {
    await child;
    return;
  }
  const onAbort = (): void => stop(pid);
  if (running.size === 0) process.on('exit', stopAll);
  running.add(pid);
  signal?.addEventListener('abort', onAbort);
  try {
    await child;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    running.delete(pid);
    if (running.size === 0) process.off('exit', stopAll);
  }
}
