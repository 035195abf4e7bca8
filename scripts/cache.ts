import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CompileError } from '../src/support/diagnostic.js';

export const repository = fileURLToPath(new URL('..', import.meta.url));

/** Everything the tests need beyond npm packages lies here; removing the folder is always safe. */
export const cacheRoot = join(repository, '.cache');

/** Tells whoever waits why nothing seems to happen. */
export function say(message: string): void {
  process.stderr.write(`${message}\n`);
}

const INTERPRETERS = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python'];
const PROBE = 'import sys, venv, ensurepip; print(sys.executable if sys.version_info >= (3, 11) else "")';

/** A Python on PATH that can make an environment for the pinned requirements. */
export async function systemPython(): Promise<string> {
  for (const name of INTERPRETERS) {
    const found = await promisify(execFile)(name, ['-c', PROBE]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    );
    if (found !== '') return found;
  }
  throw new CompileError(
    'python-missing',
    'the tests need Python 3.11 or newer with its venv module, and none was found on PATH',
    'install it (Debian and Ubuntu: apt-get install python3-venv; Fedora: dnf install python3; macOS: brew install python)',
  );
}

// Node has no file locks. This one belongs to a child and ends with it, however either process dies.
const HOLD_LOCK = `
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o644)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
`;

/** Runs `work` while no other process on this checkout runs work of the same name. */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  await mkdir(cacheRoot, { recursive: true });
  const holder = spawn(await systemPython(), ['-c', HOLD_LOCK, join(cacheRoot, `${name}.lock`)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(holder, 'close');
  try {
    await Promise.race([
      once(holder.stdout, 'data'),
      ended.then(() => {
        throw new CompileError('cache-lock', `the lock of ${join(cacheRoot, name)} cannot be taken`);
      }),
    ]);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

/**
 * Makes `.cache/<name>` hold what `fill` puts there, once for each `stamp`. The stamp is written last, so an
 * interrupted installation is started over and never used.
 */
export async function installed(
  name: string,
  stamp: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const directory = join(cacheRoot, name);
  const stampFile = join(directory, '.stamp');
  const current = async () => (await readFile(stampFile, 'utf8').catch(() => '')) === stamp;
  if (await current()) return directory;
  return exclusively(name, async () => {
    if (await current()) return directory;
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    await fill(directory);
    await writeFile(stampFile, stamp);
    return directory;
  });
}

/** Whether a module is the program being run rather than imported. */
export function isProgram(moduleUrl: string): boolean {
  return process.argv[1] === fileURLToPath(moduleUrl);
}

/** Runs a script's one function; an error the user can act on is told without a stack. */
export async function runProgram(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    say(error.render());
    process.exitCode = 3;
  }
}
