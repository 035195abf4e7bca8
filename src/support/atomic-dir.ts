import { randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { lstat, mkdir, realpath, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CompileError } from './diagnostic.js';

export type WriteOptions = {
  /** Replace a directory that is there already. */
  readonly force?: boolean;
  /** Only a directory that holds this file may be replaced, so that `--force` cannot erase somebody's home. */
  readonly marker?: string;
};

/**
 * Makes a directory appear complete or not at all: `body` fills a temporary sibling, which is then renamed to
 * `target`. Whatever ends the work early, an error or a signal, takes the temporary directory with it.
 */
export async function writeDirectory<T>(
  target: string,
  options: WriteOptions,
  body: (temporary: string) => Promise<T>,
): Promise<T> {
  const place = await realpath(target).catch(() => resolve(target));
  const existed = await checkExisting(place, target, options);
  const made = await guard(target, () => makeParents(dirname(place)));
  const temporary = join(
    dirname(place),
    `.${basename(place)}.partial-${process.pid}-${randomBytes(4).toString('hex')}`,
  );
  pending.add(temporary);
  watchSignals();
  try {
    await guard(target, () => mkdir(temporary));
    const result = await guard(target, () => body(temporary), temporary);
    await guard(target, () => swap(temporary, place, existed));
    return result;
  } catch (error) {
    await discard(temporary);
    if (made !== undefined) await removeEmptyParents(dirname(place), made);
    throw error;
  } finally {
    pending.delete(temporary);
    if (pending.size === 0) unwatchSignals();
  }
}

/**
 * Makes a directory and what is missing above it; gives the first one made. Node's own recursive mkdir never
 * returns where a file system answers "no such file" for a directory that cannot be made, as /proc does.
 */
async function makeParents(path: string): Promise<string | undefined> {
  const missing: string[] = [];
  let at = path;
  while ((await lstat(at).catch(() => undefined)) === undefined && dirname(at) !== at) {
    missing.unshift(at);
    at = dirname(at);
  }
  for (const directory of missing)
    await mkdir(directory).catch((e: NodeJS.ErrnoException) => {
      if (e.code !== 'EEXIST') throw e;
    });
  return missing[0];
}

/** Throws what `writeDirectory` would throw about a directory that is there already, before there is any work to lose. */
export async function checkTarget(target: string, options: WriteOptions): Promise<void> {
  await checkExisting(await realpath(target).catch(() => resolve(target)), target, options);
}

async function checkExisting(
  place: string,
  target: string,
  { force, marker }: WriteOptions,
): Promise<boolean> {
  const found = await guard(target, () => lstat(place).catch(ignoreMissing));
  if (found === undefined) return false;
  if (!found.isDirectory())
    throw new CompileError(
      'output-exists',
      `${target} exists and is not a directory`,
      'name another output directory',
    );
  if (force !== true)
    throw new CompileError(
      'output-exists',
      `${target} exists already`,
      'pass --force to replace it, or name another directory',
    );
  if (marker !== undefined && (await lstat(join(place, marker)).catch(ignoreMissing)) === undefined)
    throw new CompileError(
      'output-exists',
      `${target} exists and does not look like an earlier output (it has no ${marker}), so it is not replaced`,
      'remove it yourself, or name another directory',
    );
  return true;
}

/**
 * The old directory steps aside for the instant between two renames, and comes back if the second one fails.
 * The two are synchronous so that no signal is handled between them.
 */
async function swap(temporary: string, place: string, existed: boolean): Promise<void> {
  if (!existed) return renameSync(temporary, place);
  const aside = `${temporary}.old`;
  renameSync(place, aside);
  pending.add(aside);
  try {
    renameSync(temporary, place);
  } catch (error) {
    pending.delete(aside);
    renameSync(aside, place);
    throw error;
  }
  await discard(aside);
  pending.delete(aside);
}

/** What cannot be removed is not worth hiding the result, or the error, behind another one. */
async function discard(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
}

/** From the deepest up to the first one this run made; one that is no longer empty stays. */
async function removeEmptyParents(deepest: string, first: string): Promise<void> {
  for (let dir = deepest; dir.length >= first.length; dir = dirname(dir)) {
    const removed = await rmdir(dir).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}

function pathOf(error: unknown): string | undefined {
  return error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : undefined;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/**
 * Runs file operations; what a disk can do to us is told in the user's terms. With `inside`, refusals that
 * concern files elsewhere (the model, say) pass unchanged.
 */
async function guard<T>(target: string, body: () => Promise<T>, inside?: string): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(codeOf(error)));
    if (inside !== undefined && !full && !pathOf(error)?.startsWith(inside)) throw error;
    switch (codeOf(error)) {
      case 'ENOSPC':
      case 'EDQUOT':
        throw new CompileError(
          'disk-full',
          `there is no space left for ${target}`,
          'free some space, or write to another disk',
        );
      case 'EFBIG':
        throw new CompileError(
          'disk-full',
          `a file of ${target} is larger than this shell or this disk allows`,
          'raise the limit (ulimit -f), or write to another disk',
        );
      case 'EACCES':
      case 'EPERM':
      case 'EROFS':
        throw new CompileError(
          'output-unwritable',
          `${target} cannot be written: ${reasonOf(error)}`,
          'name a directory you may write to',
        );
      case 'ENOENT':
        if (inside !== undefined) throw error;
        throw new CompileError('output-unwritable', `${target} cannot be created here: ${reasonOf(error)}`);
      case 'ENOTDIR':
        throw new CompileError('output-unwritable', `${target} lies below something that is not a directory`);
      case 'ENAMETOOLONG':
        throw new CompileError('output-unwritable', `the name ${target} is too long for this file system`);
      case 'EBUSY':
      case 'ENOTEMPTY':
      case 'EEXIST':
        throw new CompileError(
          'output-unwritable',
          `${target} is in use: ${reasonOf(error)}`,
          'name another output directory',
        );
      default:
        throw error;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const pending = new Set<string>();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function removePending(): void {
  for (const dir of pending) {
    try {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    } catch {
      // Another process still writes there; the remaining directories are removed all the same.
    }
  }
}

/** Ends the process as the signal would have, unless somebody else listens for it and decides. */
function onSignal(signal: NodeJS.Signals): void {
  removePending();
  if (process.listenerCount(signal) > 1) return;
  unwatchSignals();
  process.kill(process.pid, signal);
}

/** A file that grows too large for a limit of the shell is an error of the write, not the end of the process. */
function failedWrite(): void {}

let watching = false;

function watchSignals(): void {
  if (watching) return;
  watching = true;
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('SIGXFSZ', failedWrite);
  process.on('exit', removePending);
}

function unwatchSignals(): void {
  watching = false;
  for (const signal of SIGNALS) process.off(signal, onSignal);
  process.off('SIGXFSZ', failedWrite);
  process.off('exit', removePending);
}
