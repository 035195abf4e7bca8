import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const pending = new Set<string>();

function removePending(): void {
  for (const dir of pending) {
    try {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    } catch {
      // A child may still write there; the other directories are removed all the same.
    }
  }
}

/** Runs `body` with a directory that is gone afterwards, also when the process ends in between. */
export async function withTemporaryDirectory<T>(
  prefix: string,
  body: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), `${prefix}-`));
  if (pending.size === 0) process.on('exit', removePending);
  pending.add(directory);
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
    pending.delete(directory);
    if (pending.size === 0) process.off('exit', removePending);
  }
}
